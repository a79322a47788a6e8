"""Result of a decomposition: four atoms with their certificate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modalprism.errors import InputError
from modalprism.pid.stopping import Reason
from modalprism.strict_json import dumps

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SOURCES: Final = ("source 1", "source 2")
COLUMNS: Final = ("quantity", "source", "value", "low", "high", "unit")
_UNKNOWN: Final = "unknown"

Bounded = tuple[float, float, float]  # value, low, high
Row = tuple[str, str | None, float, float, float, str | None]


@dataclass(frozen=True, repr=False)
class Decomposition:
    """Certified partial information decomposition of two sources about a target.

    The four atoms follow from the union information I_Q = min I_q(X₁X₂;Y) over the couplings q of
    p(x₁,y) and p(x₂,y) (Bertschinger et al. 2014, doi:10.3390/e16042161). They are never clipped,
    so they sum to I(X₁X₂;Y). I_Q is taken at its upper bound: redundancy and synergy may be too
    small, and each unique atom too large, by at most `gap`.

    Parameters
    ----------
    information : float or None
        I(X₁X₂;Y) in `unit`; None if only the marginals are known.
    marginal_information : tuple of float
        (I(X₁;Y), I(X₂;Y)) in `unit`.
    lower, upper : float
        Proven bounds on the union information, in `unit`.
    stopped : Reason
        Why the solver stopped. The bounds hold for every reason.
    solver : str
        The solver that ran.
    iterations : int
        Number of iterations.
    unit : str
        "bit", "nat", or a name such as "base-10".

    Examples
    --------
    >>> import modalprism.pid as pid
    >>> d = pid.decompose([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])  # exclusive or
    >>> f"{d.synergy:.3f} {d.unit}"
    '1.000 bit'
    """

    information: float | None
    marginal_information: tuple[float, float]
    lower: float
    upper: float
    stopped: Reason
    solver: str
    iterations: int
    unit: str

    @property
    def converged(self) -> bool:
        """Whether the gap that was requested was reached."""
        return self.stopped is Reason.CONVERGED

    @property
    def union_information(self) -> float:
        """I_Q, at its upper bound, which a coupling attains."""
        return self.upper

    @property
    def gap(self) -> float:
        """Bound on the numerical error of I_Q and of each atom: upper − lower."""
        return self.upper - self.lower

    @property
    def redundancy(self) -> float:
        """R = I(X₁;Y) + I(X₂;Y) − I_Q: the information that both sources carry."""
        return self.marginal_information[0] + self.marginal_information[1] - self.upper

    @property
    def unique(self) -> tuple[float, float]:
        """U₁ = I_Q − I(X₂;Y) and U₂ = I_Q − I(X₁;Y): the information of one source only."""
        first, second = self.marginal_information
        return self.upper - second, self.upper - first

    @property
    def synergy(self) -> float | None:
        """S = I(X₁X₂;Y) − I_Q: the information of both together only; None if I is unknown."""
        return None if self.information is None else self.information - self.upper

    @property
    def contribution(self) -> tuple[float, float]:
        """C_m = U_m / (U₁+U₂); nan if undetermined.

        Each unique atom is proven to within `gap`. If their sum is at most twice the gap, it may be
        zero, and the contribution is undetermined.
        """
        first, second = self.unique
        total = first + second
        if total <= 2 * self.gap:
            return math.nan, math.nan
        return first / total, second / total

    @property
    def share(self) -> tuple[float, float]:
        """Shapley share of information, (U_m + (R+S)/2) / I; nan if I is unknown or ≤ 0."""
        if self.information is None or self.synergy is None or self.information <= 0:
            return math.nan, math.nan
        common = (self.redundancy + self.synergy) / 2
        first, second = self.unique
        return (first + common) / self.information, (second + common) / self.information

    def frame(self, sources: tuple[str, str] = SOURCES) -> pd.DataFrame:
        """Return a tidy table with one row for each quantity.

        Parameters
        ----------
        sources : (str, str)
            Names of the sources; they must differ.

        Returns
        -------
        pandas.DataFrame
            Columns ``quantity``; ``source``, None for a quantity of both; ``value``, ``low`` and
            ``high``, float64, with the proven bounds of atoms and union information; ``unit``,
            None for a fraction. Unknown and undetermined values are nan.

        Raises
        ------
        InputError
            If both sources have one name.

        Examples
        --------
        >>> import modalprism.pid as pid
        >>> d = pid.decompose([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])  # exclusive or
        >>> d.frame(("image", "text")).query("quantity == 'synergy'")["value"].round(3).item()
        1.0
        """
        import pandas as pd

        check_names(sources)
        return pd.DataFrame(self.frame_rows(sources), columns=COLUMNS)

    def frame_rows(self, sources: tuple[str, str]) -> list[Row]:
        """Return the rows of `frame`."""

        def row(quantity: str, source: str | None, read: Bounded | None, unit: str | None) -> Row:
            return (quantity, source, *(read or (math.nan, math.nan, math.nan)), unit)

        redundancy, first, second, synergy = self._bounded()
        rows = [
            row("redundancy", None, redundancy, self.unit),
            row("unique", sources[0], first, self.unit),
            row("unique", sources[1], second, self.unit),
            row("synergy", None, synergy, self.unit),
            row("information", None, _exact(self.information), self.unit),
            row("union_information", None, (self.upper, self.lower, self.upper), self.unit),
        ]
        units = {"marginal_information": self.unit, "contribution": None, "share": None}
        for quantity, unit in units.items():
            values = zip(sources, getattr(self, quantity), strict=True)
            rows += [row(quantity, source, _exact(value), unit) for source, value in values]
        return rows

    def to_dict(self, sources: tuple[str, str] = SOURCES) -> dict[str, Any]:
        """Return all numbers for strict JSON, with None for unknown and undetermined values.

        Parameters
        ----------
        sources : (str, str)
            Names of the sources, the keys of their quantities; they must differ.

        Returns
        -------
        dict
            Strings, floats, ints, bools, None, and dicts of these.

        Raises
        ------
        InputError
            If both sources have one name.

        Examples
        --------
        >>> import modalprism.pid as pid
        >>> d = pid.decompose([[[1, 0], [0, 0]], [[0, 0], [0, 1]]])  # both copy the target
        >>> content = d.to_dict(("image", "text"))
        >>> round(content["redundancy"], 3), content["contribution"]
        (1.0, {'image': None, 'text': None})
        """
        check_names(sources)

        def by_source(values: tuple[float, float]) -> dict[str, float | None]:
            return dict(zip(sources, map(_finite, values), strict=True))

        return {
            "unit": self.unit,
            "redundancy": _finite(self.redundancy),
            "unique": by_source(self.unique),
            "synergy": _finite(self.synergy),
            "information": _finite(self.information),
            "marginal_information": by_source(self.marginal_information),
            "contribution": by_source(self.contribution),
            "share": by_source(self.share),
            "union_information": {"lower": _finite(self.lower), "upper": _finite(self.upper)},
            "gap": _finite(self.gap),
            "converged": self.converged,
            "stopped": str(self.stopped),
            "solver": self.solver,
            "iterations": self.iterations,
        }

    def to_json(self, sources: tuple[str, str] = SOURCES, *, indent: int | None = None) -> str:
        """Return `to_dict` as strict JSON text, indented by `indent` spaces per level."""
        return dumps(self.to_dict(sources), indent=indent, ensure_ascii=False)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the atoms as one stacked bar, with their proven bounds as thin lines.

        Without axes a new figure is made; ``axes.figure.savefig`` saves it.
        """
        from modalprism.plotting.bar import atoms_axes
        from modalprism.results.estimate import Estimate

        return atoms_axes(
            [None if atom is None else Estimate(*atom) for atom in self._bounded()],
            None if self.information is None else Estimate(self.information),
            modalities=("1", "2"),
            title="Sources 1 and 2 about the target",
            quantity=f"information about the target ({self.unit}); thin lines: proven bounds",
            axes=axes,
        )

    def _bounded(self) -> tuple[Bounded, Bounded, Bounded, Bounded | None]:
        """Return each atom with its proven bounds, given that I_Q may be too large by the gap."""

        def unique(value: float) -> Bounded:
            return value, value - self.gap, value

        def other(value: float) -> Bounded:
            return value, value, value + self.gap

        first, second = self.unique
        synergy = None if self.synergy is None else other(self.synergy)
        return other(self.redundancy), unique(first), unique(second), synergy

    def _rows(self) -> list[tuple[str, float | None, str, str]]:
        """Return the rows of the printed tables: name, value, contribution, share."""

        def ratio(value: float, otherwise: str) -> str:
            return otherwise if math.isnan(value) else f"{value:z.4f}"

        parts = zip(self.unique, self.contribution, self.share, strict=True)
        return [
            ("redundancy", self.redundancy, "", ""),
            *(
                (f"unique {m}", unique, ratio(contribution, "undetermined"), ratio(share, "–"))
                for m, (unique, contribution, share) in enumerate(parts, start=1)
            ),
            ("synergy", self.synergy, "", ""),
            ("information", self.information, "", ""),
        ]

    def _state(self) -> str:
        state = "converged" if self.converged else f"not converged: {self.stopped}"
        return (
            f"gap {self.gap:.1e} {self.unit} ({self.solver}, {state},"
            f" {self.iterations} iteration{'s' if self.iterations != 1 else ''})"
        )

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        from modalprism.plotting.grid import Cell, Grid, grid_html
        from modalprism.plotting.style import atom_styles
        from modalprism.results.notation import number

        styles = atom_styles(("1", "2"))
        names = [*(Cell(style.name, colour=style.colour) for style in styles), Cell("information")]
        cells = [
            [name, Cell(_UNKNOWN if value is None else number(value, 6)), Cell(part), Cell(share)]
            for name, (_, value, part, share) in zip(names, self._rows(), strict=True)
        ]
        title = f"Information of sources 1 and 2 about the target, in {self.unit}"
        columns = ["", self.unit, "contribution", "share"]
        return grid_html(Grid(title, columns, cells, 1, [self._state()]))

    def __str__(self) -> str:
        """Return a text table with units, the gap, and undetermined values."""
        lines = [f"{'':<12}{self.unit:>11}{'contribution':>15}{'share':>9}"]
        for name, value, contribution, share in self._rows():
            # "z" prints a negative zero as zero.
            text = _UNKNOWN if value is None else f"{value:z.6f}"
            lines.append(f"{name:<12}{text:>11}{contribution:>15}{share:>9}".rstrip())
        return "\n".join([*lines, self._state()])

    __repr__ = __str__


def check_names(sources: tuple[str, str]) -> None:
    """Refuse source names that are not two different strings."""
    if len(sources) != 2 or sources[0] == sources[1]:
        raise InputError(f"sources is {sources!r}: pass two different names")


def _finite(value: float | None) -> float | None:
    """Return a number, or None if JSON cannot represent it."""
    return float(value) if value is not None and math.isfinite(value) else None


def _exact(value: float | None) -> Bounded | None:
    return None if value is None else (value, value, value)
