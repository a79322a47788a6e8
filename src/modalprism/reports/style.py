"""The house's visual language, as the reports use it; `modalprism.look` defines it."""

from modalprism.look.atoms import ALARM, FAINT, GRID, INK, AtomStyle, atom_styles
from modalprism.look.notation import (
    NOISE_MARK,
    UNDETERMINED,
    counts,
    interval,
    label,
    number,
    percent,
)
from modalprism.look.settings import drawing

__all__ = [
    "ALARM",
    "FAINT",
    "GRID",
    "INK",
    "NOISE_MARK",
    "UNDETERMINED",
    "AtomStyle",
    "atom_styles",
    "counts",
    "drawing",
    "interval",
    "label",
    "number",
    "percent",
]
