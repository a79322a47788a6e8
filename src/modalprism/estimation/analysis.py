"""Result of an estimator: every quantity with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from modalprism.estimation.evidence import Evidence
from modalprism.files import write_whole
from modalprism.results.estimate import Estimate
from modalprism.results.quantities import QUANTITIES, row_title, unit_of
from modalprism.results.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Analysis:
    """Decomposition of the information of two sources about a target, with intervals.

    Every estimate has its `unit` and the `n` and `gap` of the analysis.

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
        U_m / (U₁+U₂); undetermined if U₁+U₂ is not significantly above zero.
    imbalance : Estimate
        |C₁−C₂| = |U₁−U₂| / (U₁+U₂), from 0 (equal contributions) to 1 (one only);
        undetermined if `contribution` is. Its p-value, shared by the contributions, is for the null
        that neither modality contributes more.
    share : (Estimate, Estimate)
        Shapley share of the information, (U_m + (R+S)/2) / I.
    redundancy_fraction, synergy_fraction : Estimate
    unique_fraction : (Estimate, Estimate)
        R/I, S/I and U_m/I, which sum to 1; undetermined if `share` is.
    unit : str
        Unit of the information, such as ``"bit"``.
    n : int
        Rows.
    gap : float
        Proven bound on the solver's error, in `unit`; for streamed rows it includes the loss from
        merging them into states.
    estimator : str
    diagnostics : dict of str to Estimate
        Applicable entries of `modalprism.results.quantities.DIAGNOSTICS`, by name. A diagnostic of
        one modality has its name after a slash, such as ``constant_source/image``.
    families : dict of str to tuple of str
        Probe chosen for each source, one entry per fold.
    evidence : Evidence, optional
        Replicates and rows behind the estimates.
    seed : int, optional
        Seed that reproduces this analysis; `analyze` draws one by default.
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

    def __post_init__(self) -> None:
        def complete(name: str, estimate: Estimate) -> Estimate:
            return replace(estimate, unit=unit_of(name, self.unit), n=self.n, gap=self.gap)

        for quantity in QUANTITIES:
            found = getattr(self, quantity.name)
            if quantity.per_modality:
                found = tuple(complete(quantity.name, each) for each in found)
            else:
                found = complete(quantity.name, found)
            object.__setattr__(self, quantity.name, found)
        diagnostics = {
            key: complete(key.partition("/")[0], each) for key, each in self.diagnostics.items()
        }
        object.__setattr__(self, "diagnostics", diagnostics)

    def quantities(self) -> Iterator[tuple[str, str | None, Estimate]]:
        """Yield (quantity, modality or None, estimate) in the order of a profile."""
        for quantity in QUANTITIES:
            found = getattr(self, quantity.name)
            if quantity.per_modality:
                for modality, estimate in zip(self.modalities, found, strict=True):
                    yield quantity.name, modality, estimate
            else:
                yield quantity.name, None, found
        for key, estimate in self.diagnostics.items():
            name, _, modality = key.partition("/")
            yield name, modality or None, estimate

    def in_order(self, modalities: tuple[str, str]) -> Analysis:
        """Return the analysis with its modalities in this order."""
        if modalities == self.modalities:
            return self
        pairs = {q.name: getattr(self, q.name)[::-1] for q in QUANTITIES if q.per_modality}
        evidence = self.evidence and self.evidence.swapped()
        return replace(self, modalities=modalities, evidence=evidence, **pairs)

    def table(self) -> Table:
        """Return the tidy table: one row per quantity, with the applicable columns of a profile."""
        facts = {"target": self.target, "estimator": self.estimator}
        rows = [
            {**facts, "quantity": quantity, "modality": modality, **vars(estimate)}
            for quantity, modality, estimate in self.quantities()
        ]
        return Table.of_rows(rows, self.modalities)

    def frame(self) -> pd.DataFrame:
        """Return a tidy table, one row per quantity, with the unit, n and gap of each value."""
        return self.table().to_frame()

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """Return the analysis as numbers, strings, lists, dicts and None.

        Parameters
        ----------
        evidence : bool
            Whether to include replicates and rows, under ``"evidence"``.

        Returns
        -------
        dict
            Estimates are ``{"value", "low", "high", "p_value"}``, keyed by modality if each
            modality has its own. None stands for undetermined or missing values.
        """
        from modalprism.estimation import saved

        return saved.to_dict(self, evidence=evidence)

    def to_json(self, *, evidence: bool = False) -> str:
        """Return `to_dict` as strict JSON: undetermined numbers are null, never NaN."""
        from modalprism.estimation import saved

        return saved.to_json(self, evidence=evidence)

    def save(self, path: str | Path) -> None:
        """Write the analysis as JSON, with its evidence, atomically.

        Raises
        ------
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
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
        """Read an analysis written by `save`.

        Returns
        -------
        Analysis
            Equal to the saved analysis, except that infinite numbers become NaN.

        Raises
        ------
        InputError
            If the file is missing, damaged, or not a saved analysis.
        """
        from modalprism.estimation import saved

        return saved.load(path)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the atoms as one stacked bar, with their 95 % intervals as thin lines.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes; `axes.figure.savefig` saves the figure.
        """
        from modalprism.plotting.bar import atoms_axes

        return atoms_axes(
            [self.redundancy, *self.unique, self.synergy],
            self.information,
            modalities=self.modalities,
            title=f"{' and '.join(self.modalities)} about {self.target}, n = {self.n:,}",
            quantity=f"information about {self.target} ({self.unit}); thin lines: 95 % intervals",
            axes=axes,
        )

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        from modalprism.plotting.grid import grid_html
        from modalprism.plotting.views import analysis_grid

        return grid_html(analysis_grid(self))

    def __str__(self) -> str:
        rows = [
            (
                row_title(quantity, modality),
                str(estimate),
                "" if estimate.unit == "1" else estimate.unit,
                "" if math.isnan(estimate.p_value) else f"p = {estimate.p_value:.3f}",
            )
            for quantity, modality, estimate in self.quantities()
        ]
        # In terminal cells: a Japanese letter and an emoji take two.
        widths = [max(cell_len(row[column]) for row in rows) for column in range(3)]
        head = (
            f"{' and '.join(self.modalities)} about {self.target}: "
            f"n = {self.n}, {self.estimator}, gap {self.gap:.1e} {self.unit}"
        )
        lines = ("  ".join(["", *map(set_cell_size, row, widths), row[3]]).rstrip() for row in rows)
        return "\n".join([head, *lines, *(f"  caution: {each}" for each in self.cautions)])
