"""From a figure to files whose bytes depend on nothing but the figure, and to SVG inside HTML."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from modalprism.files import write_whole
from modalprism.reports.readings import Readings
from modalprism.reports.style import FAINT, AtomStyle, counts

# No date and no program version: the same profile gives the same bytes.
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": "modalprism", "Producer": None},
}
_DPI: Final = 200


def save(figure: Figure, stem: Path) -> str:
    """Write a figure as SVG, PNG and PDF, each whole or not at all, and return the SVG."""
    with warnings.catch_warnings():
        # A name in a script that the font lacks shows boxes here; the page's tables spell it out.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # one layout for all three files
        files = {}
        for ending, metadata in _METADATA.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=ending, dpi=_DPI, metadata=metadata)
            files[ending] = buffer.getvalue()
    for ending, content in files.items():
        write_whole(stem.with_name(f"{stem.name}.{ending}"), content)
    return files["svg"].decode("utf-8")


def inline_svg(svg: str, name: str) -> str:
    """Make an SVG file fit to stand inside an HTML page.

    Prolog, comments and metadata go; every id gets the figure's name in front, so that several
    figures on one page do not borrow each other's glyphs.

    Examples
    --------
    >>> inline_svg('<?xml?><svg width="8pt" height="4pt"><path id="m"/></svg>', "f")
    '<svg aria-hidden="true" focusable="false" style="width:10pt"><path id="f-m"/></svg>'
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    # Points read small on a screen: a fourth more, and the page's style shrinks it where it must.
    size = re.compile(r'width="([\d.]+)pt" height="[\d.]+pt"')
    svg = size.sub(lambda m: f'style="width:{float(m[1]) * 1.25:.0f}pt"', svg, count=1)
    # The enclosing <figure> names it: screen readers skip hundreds of anonymous glyph paths.
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1).strip()


def patches(styles: Sequence[AtomStyle]) -> list[Artist]:
    """Return the key of the four atoms as areas."""
    return [
        Patch(facecolor=style.colour, edgecolor="white", hatch=style.hatch, label=style.name)
        for style in styles
    ]


def heading(figure: Figure, title: str, key: Sequence[Artist]) -> None:
    """Put the title and the key of the atoms above the panels."""
    figure.legend(
        handles=key,
        title=title,
        title_fontproperties={"weight": "bold", "size": 10},
        alignment="left",
        loc="outside upper left",
        ncols=len(key),
        handlelength=2.4,
        handleheight=1.0,
        columnspacing=1.4,
        borderpad=0,
        borderaxespad=0.4,
    )


def footer(figure: Figure, readings: Readings, view: str, seed: object, *words: str) -> None:
    """State below the panels what the reader needs to judge them: n, seed, meaning of marks."""
    facts = [counts(*readings.sizes(view))]
    if seed is not None:
        facts.append(f"seed {seed}")
    figure.supxlabel(" · ".join([*facts, *words]), x=0.01, ha="left", fontsize=7, color=FAINT)


def bare(axes: Axes) -> None:
    """Leave a panel without a left edge and with vertical grid lines only."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
