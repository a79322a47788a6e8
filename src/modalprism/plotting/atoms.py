"""How each atom looks, everywhere.

Colours are Okabe and Ito's, safe for colour-blind readers; hatches, markers and dashes tell the
atoms apart in grey. The order is always R, U of the first modality, U of the second, S.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INK: Final = "#1b1f24"
FAINT: Final = "#5b6470"
GRID: Final = "#d9dde2"
ALARM: Final = "#a3320b"


@dataclass(frozen=True)
class AtomStyle:
    """How one atom is named and drawn."""

    symbol: str
    name: str
    colour: str
    hatch: str
    marker: str
    dashes: str


def atom_styles(modalities: tuple[str, str]) -> tuple[AtomStyle, AtomStyle, AtomStyle, AtomStyle]:
    """Return the looks of R, U of the first modality, U of the second and S, in this order.

    Examples
    --------
    >>> [style.name for style in atom_styles(("image", "text"))]
    ['redundant', 'unique image', 'unique text', 'synergy']
    """
    first, second = modalities
    return (
        AtomStyle("R", "redundant", "#009E73", "", "o", "-"),
        AtomStyle(f"U {first}", f"unique {first}", "#E69F00", "////", "^", "-"),
        AtomStyle(f"U {second}", f"unique {second}", "#0072B2", "\\\\\\\\", "v", "--"),
        AtomStyle("S", "synergy", "#CC79A7", "..", "D", "-."),
    )
