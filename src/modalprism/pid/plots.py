"""Plot and notebook table of a decomposition, the only module here that imports plotting.

`Decomposition` imports this module on demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modalprism.plotting.bar import atoms_axes
from modalprism.plotting.grid import Cell, Grid, grid_html
from modalprism.plotting.style import atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SOURCES = ("1", "2")


def plot_atoms(
    atoms: Sequence[tuple[float, float, float] | None],
    information: float | None,
    unit: str,
    axes: Axes | None,
) -> Axes:
    """Draw R, U₁, U₂ and S, each (value, low, high) or None, and I(X₁X₂;Y) as one stacked bar."""
    return atoms_axes(
        [None if atom is None else Estimate(*atom) for atom in atoms],
        None if information is None else Estimate(information),
        modalities=_SOURCES,
        title="Sources 1 and 2 about the target",
        quantity=f"information about the target ({unit}); thin lines: proven bounds",
        axes=axes,
    )


def table_html(
    rows: Sequence[tuple[str, float | None, str, str]], unit: str, state: str, unknown: str
) -> str:
    """Return a table as HTML, with rows (name, value or None, contribution, share).

    The rows are the four atoms and the information; `state` is the line below the table.
    """
    styles = atom_styles(_SOURCES)
    names = [Cell(style.name, colour=style.colour) for style in styles]
    names += [Cell(row[0]) for row in rows[len(styles) :]]
    cells = [
        [name, Cell(unknown if value is None else number(value, 6)), Cell(part), Cell(share)]
        for name, (_, value, part, share) in zip(names, rows, strict=True)
    ]
    title = f"Information of sources 1 and 2 about the target, in {unit}"
    return grid_html(Grid(title, ["", unit, "contribution", "share"], cells, 1, [state]))
