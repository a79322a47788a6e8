"""Style of all figures: colours and marks of the atoms, fonts, and settings of matplotlib.

Colours are Okabe and Ito's, safe for colour-blind readers; hatches, markers and dashes tell the
atoms apart in grey. The order is always R, U of the first modality, U of the second, S.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

INK: Final = "#1b1f24"
FAINT: Final = "#5b6470"
GRID: Final = "#d9dde2"
ALARM: Final = "#a3320b"


@dataclass(frozen=True)
class AtomStyle:
    """Name and style of one atom."""

    symbol: str
    name: str
    colour: str
    hatch: str
    marker: str
    dashes: str


def atom_styles(modalities: tuple[str, str]) -> tuple[AtomStyle, AtomStyle, AtomStyle, AtomStyle]:
    """Return the styles of R, U of the first modality, U of the second and S, in this order.

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


_FONTS: Final = Path(__file__).parent / "fonts"


@cache
def _fonts() -> list[str]:
    """Make the figures' own fonts known, and name their family: see ``tools/fonts.py``."""
    from matplotlib import font_manager

    for font in sorted(_FONTS.glob("*.ttf")):
        font_manager.fontManager.addfont(font)
    return ["Modalprism Sans"]


class Font(NamedTuple):
    """A font of the user's settings, for characters that the figures' own lacks."""

    family: str
    file: str


def user_fonts() -> tuple[Font, ...]:
    """Return the fonts that matplotlib's ``font.family`` names, unless it is the default."""
    import matplotlib as mpl
    from matplotlib import font_manager

    now: Any = mpl.rcParams
    default: Any = mpl.rcParamsDefault
    families: list[str] = []
    for family in now["font.family"]:
        generic = f"font.{family}"
        if generic not in now:
            families.append(family)
        elif now[generic] != default[generic]:
            families += now[generic]
    files = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    ours = (*_fonts(), "DejaVu Sans")
    chosen = dict.fromkeys(one for one in families if one in files and one not in ours)
    return tuple(Font(family, str(files[family])) for family in chosen)


@contextmanager
def drawing(fonts: tuple[Font, ...] | None = None) -> Iterator[None]:
    """Draw with these settings alone, so that the same profile gives the same bytes.

    Characters that the figures' own font lacks come from `fonts`, by default `user_fonts`.
    """
    # Here, not above: who only decomposes a table does not wait for it.
    import matplotlib as mpl
    from matplotlib import font_manager

    fonts = user_fonts() if fonts is None else fonts
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    for font in fonts:
        if font.family not in known:  # in a process that draws for another
            font_manager.fontManager.addfont(font.file)
    settings: dict[Any, Any] = {
        "font.family": [*_fonts(), "DejaVu Sans", *(font.family for font in fonts)],
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
