"""The one visual language: how each atom looks and how each number is written, everywhere.

Colours are Okabe and Ito's, safe for colour-blind readers; hatches, markers and dashes tell the
atoms apart in grey. The order is always R, U of the first modality, U of the second, S.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl

from modalprism.reports.readings import Reading

INK: Final = "#1b1f24"
FAINT: Final = "#5b6470"
GRID: Final = "#d9dde2"
ALARM: Final = "#a3320b"
UNDETERMINED: Final = "undetermined"
NOISE_MARK: Final = "°"


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


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the house's settings alone, so that the same profile gives the same bytes."""
    settings: dict[Any, Any] = {
        "font.family": ["DejaVu Sans"],
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.axisbelow": True,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "text.hinting": "no_hinting",  # widths that do not depend on the resolution
        "hatch.linewidth": 0.6,
        "figure.dpi": 200,
        "figure.constrained_layout.w_pad": 0.06,
        "figure.facecolor": "white",
        "svg.hashsalt": "modalprism",
        "svg.fonttype": "path",  # looks the same on a machine without the font
        "pdf.fonttype": 42,
        "text.parse_math": False,  # a model may be named "$x$"
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def number(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign, and zero without one.

    Examples
    --------
    >>> number(2.137), number(-0.04), number(-0.001), number(float("nan"))
    ('2.14', '−0.04', '0.00', 'undetermined')
    """
    if not math.isfinite(value):
        return UNDETERMINED
    text = f"{value:.{digits}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")


def interval(reading: Reading, scale: float = 1, digits: int = 2) -> str:
    """Write the interval of a reading; empty where there is none.

    Examples
    --------
    >>> interval(Reading(0.99, 0.97, 1.0), scale=100, digits=0), interval(Reading(0.3))
    ('[97, 100]', '')
    """
    if not reading.bounded:
        return ""
    return f"[{number(reading.low * scale, digits)}, {number(reading.high * scale, digits)}]"


def percent(reading: Reading) -> str:
    """Write a ratio as a percentage with its interval.

    Examples
    --------
    >>> percent(Reading(0.99, 0.97, 1.0)), percent(Reading(float("nan")))
    ('99 % [97, 100]', 'undetermined')
    """
    if not reading.determined:
        return UNDETERMINED
    return f"{number(reading.value * 100, 0)} % {interval(reading, 100, 0)}".rstrip()


def label(name: str, width: int = 22, lines: int = 3) -> str:
    """Wrap a name for a figure; what does not fit ends in an ellipsis.

    Examples
    --------
    >>> label("HuggingFaceTB/SmolVLM-256M-Instruct").splitlines()
    ['HuggingFaceTB/SmolVLM-', '256M-Instruct']
    """
    rows = [""]
    # A row may also end after a slash, an underscore or a dash: the joints of model names.
    for piece in re.findall(r"[^\s/_-]*[/_-]?\s*", name):
        if rows[-1] and len((rows[-1] + piece).rstrip()) > width:
            rows.append("")
        rows[-1] += piece
        while len(rows[-1].rstrip()) > width:
            rows[-1:] = [rows[-1][:width], rows[-1][width:]]
    rows = [row.strip() for row in rows]
    if len(rows) > lines:
        rows = [*rows[: lines - 1], rows[lines - 1][: width - 1] + "…"]
    return "\n".join(rows)


def counts(low: int, high: int) -> str:
    """Write one number of examples or their range.

    Examples
    --------
    >>> counts(2000, 2000), counts(200, 400)
    ('n = 2,000', 'n = 200 to 400')
    """
    return f"n = {low:,}" if low == high else f"n = {low:,} to {high:,}"
