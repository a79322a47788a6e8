"""The answer of an estimator: every quantity with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size

from modalprism.estimation.evidence import Evidence
from modalprism.files import write_whole
from modalprism.plotting.atoms import atom_styles
from modalprism.plotting.bar import atoms_axes
from modalprism.plotting.grid import Cell, Grid
from modalprism.plotting.notation import interval, number, significance
from modalprism.plotting.notebook import grid_html
from modalprism.plotting.reading import Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL: Final = 0.95
# What a notebook shows; the frame has all.
_SHOWN: Final = frozenset(
    {"redundancy", "unique", "synergy", "information", "contribution", "imbalance"}
)
_RATIOS: Final = frozenset(
    {
        "recovered",
        "accuracy",
        "chance",
        "code_sensitivity",
        "constant_source",
        "matching_distance",
        "copied_columns",
        "repeated_rows",
        "learnt_rows",
        "tested_rows",
    }
)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes
    ----------
    value : float
        NaN where the data do not determine it.
    low, high : float
        Bounds of the 95 % interval; NaN where there is none.
    p_value : float
        Of the null that the quantity is zero; NaN where no null was run.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "p_value"):
            value = float(getattr(self, name))
            # One NaN object, so that equal estimates compare equal.
            object.__setattr__(self, name, math.nan if math.isnan(value) else value)

    @property
    def determined(self) -> bool:
        """Whether the data determine the value."""
        return not math.isnan(self.value)

    def __str__(self) -> str:
        if not self.determined:
            return "undetermined"
        if math.isnan(self.low):
            return f"{self.value:z.3f}"
        return f"{self.value:z.3f} [{self.low:z.3f}, {self.high:z.3f}]"


@dataclass(frozen=True)
class Analysis:
    """What two sources tell about a target, in atoms, with intervals.

    Attributes
    ----------
    modalities : (str, str)
        Names of the sources, in order.
    target : str
        What the sources are informative about.
    redundancy, synergy, information, union_information : Estimate
    unique, marginal_information : (Estimate, Estimate)
        By modality, in order.
    contribution : (Estimate, Estimate)
        U_m / (U₁+U₂); `determined` is False where U₁+U₂ cannot be told from zero.
    imbalance : Estimate
        |C₁−C₂| = |U₁−U₂| / (U₁+U₂), from 0 (both contribute alike) to 1 (one alone does);
        undetermined where `contribution` is. Its p-value, which the contributions carry too, is of
        the null that neither modality contributes more.
    share : (Estimate, Estimate)
        Shapley share of the information, (U_m + (R+S)/2) / I.
    redundancy_fraction, synergy_fraction : Estimate
    unique_fraction : (Estimate, Estimate)
        R/I, S/I and U_m/I, which sum to 1; undetermined where `share` is.
    unit : str
        Unit of the information, such as ``"bit"``.
    n : int
        Rows.
    gap : float
        Proven bound on the solver's error, in `unit`; where rows were streamed, on what merging
        them into states lost as well.
    estimator : str
    diagnostics : dict of str to Estimate
        ``state_loss``; of the posterior estimator ``calibration_difference``, the most by which the
        information of held-out rows and that of a source's marginal differ, and
        ``matching_distance``, how far calibration moved a source's posteriors (total variation);
        with a distribution as target ``information_ceiling`` and ``recovered``;
        where a study knows the right answers, ``accuracy`` and ``chance``; where the target is
        codes, ``code_sensitivity``; where an example stands twice, ``repeated_rows``, a count;
        where rows were streamed, ``solver_gap``, the proven bounds ``union_lower`` and
        ``union_upper`` of all rows' union information, and the counts ``learnt_rows``, whose part
        probes learn from, and ``tested_rows``, on which p-values rest. ``copied_columns`` is 1
        where all columns of one modality are copies of the other's, and
        ``constant_source/NAME`` where the embedding of a modality is the same in every row; see
        `cautions`.
    families : dict of str to tuple of str
        Which probe was chosen for each source, one entry a fold.
    evidence : Evidence, optional
        Replicates and rows that it rests on.
    seed : int, optional
        The seed that gives this analysis again; drawn where `analyze` was given none.
    cautions : tuple of str
        Sentences on faults of the data that make the numbers misleading.
    """

    modalities: tuple[str, str]
    target: str
    redundancy: Estimate
    unique: tuple[Estimate, Estimate]
    synergy: Estimate
    information: Estimate
    marginal_information: tuple[Estimate, Estimate]
    union_information: Estimate
    contribution: tuple[Estimate, Estimate]
    imbalance: Estimate
    share: tuple[Estimate, Estimate]
    redundancy_fraction: Estimate
    unique_fraction: tuple[Estimate, Estimate]
    synergy_fraction: Estimate
    unit: str
    n: int
    gap: float
    estimator: str
    diagnostics: dict[str, Estimate] = field(default_factory=dict)
    families: dict[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    seed: int | None = None
    cautions: tuple[str, ...] = ()

    def quantities(self) -> Iterator[tuple[str, str | None, Estimate, str]]:
        """Yield (quantity, modality or None, estimate, unit) in the order of a profile."""
        yield "redundancy", None, self.redundancy, self.unit
        for modality, estimate in zip(self.modalities, self.unique, strict=True):
            yield "unique", modality, estimate, self.unit
        yield "synergy", None, self.synergy, self.unit
        yield "information", None, self.information, self.unit
        for modality, estimate in zip(self.modalities, self.marginal_information, strict=True):
            yield "marginal_information", modality, estimate, self.unit
        yield "union_information", None, self.union_information, self.unit
        for modality, estimate in zip(self.modalities, self.contribution, strict=True):
            yield "contribution", modality, estimate, "1"
        yield "imbalance", None, self.imbalance, "1"
        for modality, estimate in zip(self.modalities, self.share, strict=True):
            yield "share", modality, estimate, "1"
        yield "redundancy_fraction", None, self.redundancy_fraction, "1"
        for modality, estimate in zip(self.modalities, self.unique_fraction, strict=True):
            yield "unique_fraction", modality, estimate, "1"
        yield "synergy_fraction", None, self.synergy_fraction, "1"
        for key, estimate in self.diagnostics.items():
            name, _, of = key.partition("/")
            yield name, of or None, estimate, "1" if name in _RATIOS else self.unit

    def in_order(self, modalities: tuple[str, str]) -> Analysis:
        """Return the same analysis with its modalities in this order."""
        if modalities == self.modalities:
            return self

        def swapped(pair: tuple[Estimate, Estimate]) -> tuple[Estimate, Estimate]:
            return pair[1], pair[0]

        return replace(
            self,
            modalities=modalities,
            unique=swapped(self.unique),
            marginal_information=swapped(self.marginal_information),
            contribution=swapped(self.contribution),
            share=swapped(self.share),
            unique_fraction=swapped(self.unique_fraction),
            evidence=self.evidence and self.evidence.swapped(),
        )

    def records(self) -> list[dict[str, Any]]:
        """Return a row a quantity, in the words of a profile."""
        return [
            {
                "target": self.target,
                "estimator": self.estimator,
                "quantity": quantity,
                "modality": modality,
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "p_value": estimate.p_value,
                "unit": unit,
                "n": self.n,
                "gap": self.gap,
            }
            for quantity, modality, estimate, unit in self.quantities()
        ]

    def frame(self) -> pd.DataFrame:
        """Return a tidy table, a row a quantity, with unit, n and gap beside each value."""
        return pd.DataFrame(self.records())

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """Return the analysis in numbers, strings, lists, dicts and None, as JSON has them.

        Parameters
        ----------
        evidence : bool
            Whether to include replicates and rows, under ``"evidence"``.

        Returns
        -------
        dict
            Estimates are ``{"value", "low", "high", "p_value"}``. Those of a modality stand under
            its name. What is undetermined or was not computed is None.
        """
        from modalprism.estimation import saved

        return saved.to_dict(self, evidence=evidence)

    def to_json(self, *, evidence: bool = False) -> str:
        """Return `to_dict` as strict JSON: undetermined numbers are null, never NaN."""
        from modalprism.estimation import saved

        return saved.to_json(self, evidence=evidence)

    def save(self, path: str | Path) -> None:
        """Write the analysis as JSON, with its evidence: the file is complete or not there.

        Raises
        ------
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> x = np.random.default_rng(0).normal(size=(90, 4))
        >>> y = (x[:, 0] > 0).astype(int)
        >>> from modalprism import analyze
        >>> a = analyze({"image": x[:, :2], "text": x[:, 2:]}, y, replicates=9, permutations=9)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     a.save(f"{folder}/analysis.json")
        ...     Analysis.load(f"{folder}/analysis.json") == a
        True
        >>> a.to_dict()["unique"]["image"]["value"] == a.unique[0].value
        True
        """
        write_whole(Path(path), self.to_json(evidence=True))

    @classmethod
    def load(cls, path: str | Path) -> Analysis:
        """Read an analysis that `save` wrote.

        Returns
        -------
        Analysis
            Equal to the one that was saved. An infinite number comes back as NaN.

        Raises
        ------
        InputError
            If the file is not there, is no saved analysis, or is damaged.
        """
        from modalprism.estimation import saved

        return saved.load(path)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the atoms as one stacked bar, with their 95 % intervals as thin lines.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; a new figure where it is None.

        Returns
        -------
        matplotlib.axes.Axes
            The axes; `axes.figure.savefig` saves them.
        """
        return atoms_axes(
            [_reading(e) for e in (self.redundancy, *self.unique, self.synergy)],
            _reading(self.information),
            modalities=self.modalities,
            title=f"{' and '.join(self.modalities)} about {self.target}, n = {self.n:,}",
            quantity=f"information about {self.target} ({self.unit}); thin lines: 95 % intervals",
            axes=axes,
        )

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        redundancy, first, second, synergy = (s.colour for s in atom_styles(self.modalities))
        colours = {
            ("redundancy", None): redundancy,
            ("unique", self.modalities[0]): first,
            ("unique", self.modalities[1]): second,
            ("synergy", None): synergy,
        }
        rows = [
            [
                Cell(
                    quantity.replace("_", " ") + (f" ({modality})" if modality else ""),
                    colour=colours.get((quantity, modality), ""),
                ),
                Cell(number(estimate.value, 3), interval(_reading(estimate), digits=3)),
                Cell("" if unit == "1" else unit),
                Cell(significance(estimate.p_value)),
            ]
            for quantity, modality, estimate, unit in self.quantities()
            if quantity in _SHOWN
        ]
        head = f"{' and '.join(self.modalities)} about {self.target}"
        notes = [
            f"n = {self.n:,}, {self.estimator}, gap {self.gap:.1e} {self.unit}",
            "brackets are 95 % intervals",
            ".frame() has every quantity",
            *self.cautions,
        ]
        return grid_html(Grid(head, ["quantity", "value", "unit", "p-value"], rows, 1, notes))

    def __str__(self) -> str:
        rows = [
            (
                quantity.replace("_", " ") + (f" ({modality})" if modality else ""),
                str(estimate),
                "" if unit == "1" else unit,
                "" if math.isnan(estimate.p_value) else f"p = {estimate.p_value:.3f}",
            )
            for quantity, modality, estimate, unit in self.quantities()
        ]
        # In cells of a terminal: a Japanese letter and an emoji take two.
        widths = [max(cell_len(row[column]) for row in rows) for column in range(3)]
        head = (
            f"{' and '.join(self.modalities)} about {self.target}: "
            f"n = {self.n}, {self.estimator}, gap {self.gap:.1e} {self.unit}"
        )
        lines = ("  ".join(["", *map(set_cell_size, row, widths), row[3]]).rstrip() for row in rows)
        return "\n".join([head, *lines, *(f"  caution: {each}" for each in self.cautions)])


def _reading(estimate: Estimate) -> Reading:
    return Reading(estimate.value, estimate.low, estimate.high, estimate.p_value)


def percentile_interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Return the central 95 % of the replicates."""
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def interval_around(
    value: float, replicates: NDArray[np.float64], *, resolution: float = 0.0
) -> tuple[float, float]:
    """Return the central 95 % of the replicates, with the value and what is too near to tell.

    Parameters
    ----------
    value : float
    replicates : ndarray, shape (R,)
    resolution : float
        The interval reaches as far to both sides of the value, but not for that below 0.

    Examples
    --------
    >>> interval_around(0.0, np.array([1.0, 1.0, 1.0]))
    (0.0, 1.0)
    >>> interval_around(0.25, np.array([0.25, 0.25]), resolution=0.5)
    (0.0, 0.75)
    """
    low, high = percentile_interval(replicates)
    nearest = max(value - resolution, min(value, 0.0))
    return min(low, float(nearest)), max(high, float(value + resolution))
