"""What the figures share around their panels: title, key, footer and bare axes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from modalprism.plotting.atoms import FAINT, AtomStyle
from modalprism.results.notation import counts, label, letters
from modalprism.results.table import Table

_SWATCH_INCHES: Final = 0.6  # what an entry of the key takes, and what each of its letters
_LETTER_INCHES: Final = 0.064
_TITLE_INCHES: Final = 0.095
_SMALL_LETTER_INCHES: Final = 0.05


class ShownFigure(Figure):
    """A figure that a notebook shows, whether or not pyplot has been set up there."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def patches(styles: Sequence[AtomStyle]) -> list[Artist]:
    """Return the key of the four atoms as areas."""
    return [
        Patch(facecolor=style.colour, edgecolor="white", hatch=style.hatch, label=style.name)
        for style in styles
    ]


def heading(figure: Figure, title: str, key: Sequence[Artist]) -> None:
    """Put the title and the key of the atoms above the panels; a wide key takes two lines."""
    wanted = sum(_SWATCH_INCHES + _LETTER_INCHES * letters(str(one.get_label())) for one in key)
    lines = 1 if wanted <= figure.get_figwidth() else 2
    figure.legend(
        handles=key,
        title=label(title, int(figure.get_figwidth() / _TITLE_INCHES), 2, prose=True),
        title_fontproperties={"weight": "bold", "size": 10},
        alignment="left",
        loc="outside upper left",
        ncols=math.ceil(len(key) / lines),
        handlelength=2.4,
        handleheight=1.0,
        columnspacing=1.4,
        borderpad=0,
        borderaxespad=0.4,
    )


def footer(figure: Figure, results: Table, view: str, seed: object, *words: str) -> None:
    """State below the panels what the reader needs to judge them: n, seed, meaning of marks."""
    facts = [counts(*results.sizes(view))]
    if seed is not None:
        facts.append(f"seed {seed}")
    write_below(figure, [*facts, *words])


def write_below(figure: Figure, facts: Sequence[str]) -> None:
    """Write facts below the panels, in lines as long as the figure is wide."""
    words = label(" · ".join(facts), int(figure.get_figwidth() / _SMALL_LETTER_INCHES), prose=True)
    figure.supxlabel(words, x=0.01, ha="left", fontsize=7, color=FAINT)


def bare(axes: Axes) -> None:
    """Leave a panel without a left edge and with vertical grid lines only."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
