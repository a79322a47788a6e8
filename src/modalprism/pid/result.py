"""The result: four atoms, their certificate, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modalprism.errors import InputError
from modalprism.look.atoms import atom_styles
from modalprism.look.bar import atoms_axes
from modalprism.look.grid import Cell, Grid
from modalprism.look.notation import UNDETERMINED, number
from modalprism.look.notebook import grid_html
from modalprism.look.reading import Reading
from modalprism.pid.stopping import Reason
from modalprism.strict_json import dumps

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SOURCES: Final = ("source 1", "source 2")
_NAMES: Final = ("1", "2")  # of the sources, which a table of numbers does not name
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, repr=False)
class Decomposition:
    """A certified partial information decomposition of two sources about a target.

    The four atoms follow from the union information I_Q = min I_q(X₁X₂;Y) over the couplings q of
    p(x₁,y) and p(x₂,y) (Bertschinger et al. 2014, doi:10.3390/e16042161). They are never clipped,
    so they sum to I(X₁X₂;Y). I_Q is taken at its upper bound: redundancy and synergy may be too
    small, and each unique atom too large, by at most `gap`.

    Parameters
    ----------
    information : float or None
        I(X₁X₂;Y) in `unit`; None where only the marginals are known.
    marginal_information : tuple of float
        (I(X₁;Y), I(X₂;Y)) in `unit`.
    lower, upper : float
        Proven bounds on the union information, in `unit`.
    stopped : Reason
        Why the solver stopped. The bounds hold whatever the reason.
    solver : str
        The solver that ran.
    iterations : int
        Iterations that it took.
    unit : str
        "bit", "nat", or "base-10" and the like.

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
        """Whether the gap that was asked for was reached."""
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
        """R = I(X₁;Y) + I(X₂;Y) − I_Q: what both sources have."""
        return self.marginal_information[0] + self.marginal_information[1] - self.upper

    @property
    def unique(self) -> tuple[float, float]:
        """U₁ = I_Q − I(X₂;Y) and U₂ = I_Q − I(X₁;Y): what only one source has."""
        first, second = self.marginal_information
        return self.upper - second, self.upper - first

    @property
    def synergy(self) -> float | None:
        """S = I(X₁X₂;Y) − I_Q: what appears only in both together; None without information."""
        return None if self.information is None else self.information - self.upper

    @property
    def contribution(self) -> tuple[float, float]:
        """C_m = U_m / (U₁+U₂); nan where undetermined.

        Each unique atom is proven to within `gap`, so that their sum may be zero as long as it
        does not exceed twice the gap: then the contribution is undetermined.
        """
        first, second = self.unique
        total = first + second
        if total <= 2 * self.gap:
            return math.nan, math.nan
        return first / total, second / total

    @property
    def share(self) -> tuple[float, float]:
        """Shapley share of information, (U_m + (R+S)/2) / I; nan where I is unknown or ≤ 0."""
        if self.information is None or self.synergy is None or self.information <= 0:
            return math.nan, math.nan
        common = (self.redundancy + self.synergy) / 2
        first, second = self.unique
        return (first + common) / self.information, (second + common) / self.information

    def frame(self, sources: tuple[str, str] = SOURCES) -> pd.DataFrame:
        """Return a tidy table, a row a quantity.

        Parameters
        ----------
        sources : (str, str)
            Names of the sources; they must differ.

        Returns
        -------
        pandas.DataFrame
            Columns ``quantity``; ``source``, None where a quantity is of both; ``value``, ``low``
            and ``high``, float64, with the proven bounds of atoms and union information; ``unit``,
            None for a fraction. What is unknown or undetermined is nan.

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

        _check_names(sources)
        redundancy, first, second, synergy = self._bounded()
        rows: list[tuple[str, str | None, Reading | None, str | None]] = [
            ("redundancy", None, redundancy, self.unit),
            ("unique", sources[0], first, self.unit),
            ("unique", sources[1], second, self.unit),
            ("synergy", None, synergy, self.unit),
            ("information", None, _exact(self.information), self.unit),
            ("union_information", None, Reading(self.upper, self.lower, self.upper), self.unit),
        ]
        for quantity, unit in (
            ("marginal_information", self.unit),
            ("contribution", None),
            ("share", None),
        ):
            values = zip(sources, getattr(self, quantity), strict=True)
            rows += [(quantity, source, _exact(value), unit) for source, value in values]
        nothing = Reading(math.nan, math.nan, math.nan)
        return pd.DataFrame(
            [
                (quantity, source, read.value, read.low, read.high, unit)
                for quantity, source, atom, unit in rows
                for read in [atom or nothing]
            ],
            columns=["quantity", "source", "value", "low", "high", "unit"],
        )

    def to_dict(self, sources: tuple[str, str] = SOURCES) -> dict[str, Any]:
        """Return all numbers as strict JSON has them: None for what is unknown or undetermined.

        Parameters
        ----------
        sources : (str, str)
            Names of the sources, the keys of what each of them has; they must differ.

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
        _check_names(sources)

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
        """Return `to_dict` as strict JSON text.

        Parameters
        ----------
        sources : (str, str)
            Names of the sources; they must differ.
        indent : int, optional
            Spaces by which each level is indented; everything on one line by default.

        Raises
        ------
        InputError
            If both sources have one name.
        """
        content = self.to_dict(sources)
        return dumps(content, indent=indent, ensure_ascii=False)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the atoms as one stacked bar, with their proven bounds as thin lines.

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
            self._bounded(),
            None if self.information is None else Reading(self.information),
            modalities=_NAMES,
            title="Sources 1 and 2 about the target",
            quantity=f"information about the target ({self.unit}); thin lines: proven bounds",
            axes=axes,
        )

    def _bounded(self) -> tuple[Reading, Reading, Reading, Reading | None]:
        """Give each atom its proven bounds: I_Q, at its upper one, may be too large by the gap."""

        def unique(value: float) -> Reading:
            return Reading(value, value - self.gap, value)

        def other(value: float) -> Reading:
            return Reading(value, value, value + self.gap)

        first, second = self.unique
        synergy = None if self.synergy is None else other(self.synergy)
        return other(self.redundancy), unique(first), unique(second), synergy

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        looks = zip(atom_styles(_NAMES), self._bounded(), strict=True)
        rows = [
            [
                Cell(style.name, colour=style.colour),
                Cell(_UNKNOWN if atom is None else number(atom.value, 6)),
                Cell(""),
                Cell(""),
            ]
            for style, atom in looks
        ]
        for m in (0, 1):
            rows[m + 1][2] = Cell(_ratio(self.contribution[m], UNDETERMINED))
            rows[m + 1][3] = Cell(_ratio(self.share[m], "–"))
        total = _UNKNOWN if self.information is None else number(self.information, 6)
        rows.append([Cell("information"), Cell(total), Cell(""), Cell("")])
        head = f"What sources 1 and 2 tell about the target, in {self.unit}"
        columns = ["", self.unit, "contribution", "share"]
        return grid_html(Grid(head, columns, rows, 1, [self._state()]))

    def _state(self) -> str:
        state = "converged" if self.converged else f"not converged: {self.stopped}"
        return (
            f"gap {self.gap:.1e} {self.unit} ({self.solver}, {state},"
            f" {self.iterations} iteration{'s' if self.iterations != 1 else ''})"
        )

    def __str__(self) -> str:
        """Return a small table with units, the gap, and what is undetermined."""
        lines = [f"{'':<12}{self.unit:>11}{'contribution':>15}{'share':>9}"]
        lines.append(_row("redundancy", self.redundancy))
        for m in (0, 1):
            lines.append(
                _row(f"unique {m + 1}", self.unique[m])
                + f"{_ratio(self.contribution[m], UNDETERMINED):>15}"
                + f"{_ratio(self.share[m], '–'):>9}"
            )
        lines.append(_row("synergy", self.synergy))
        lines.append(_row("information", self.information))
        lines.append(self._state())
        return "\n".join(lines)

    __repr__ = __str__


def _check_names(sources: tuple[str, str]) -> None:
    if len(sources) != 2 or sources[0] == sources[1]:
        raise InputError(f"sources is {sources!r}: pass two different names")


def _finite(value: float | None) -> float | None:
    """Return a number, or None for what JSON has no number for."""
    return float(value) if value is not None and math.isfinite(value) else None


def _exact(value: float | None) -> Reading | None:
    return None if value is None else Reading(value, value, value)


def _row(name: str, value: float | None) -> str:
    """Return a name and an amount; 'z' prints a negative zero as zero."""
    return f"{name:<12}" + (f"{_UNKNOWN:>11}" if value is None else f"{value:>z11.6f}")


def _ratio(value: float, otherwise: str) -> str:
    """Return a fraction, or a word where it is nan."""
    return otherwise if math.isnan(value) else f"{value:z.4f}"
