"""Files and inline SVG of a figure; the bytes depend on nothing but the figure."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from modalprism.files import write_whole
from modalprism.plotting.figures.tooltips import titled
from modalprism.plotting.glyphs import cover
from modalprism.plotting.style import Font, drawing

# No date and no program version: the same profile gives the same bytes.
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": "modalprism", "Producer": None},
}
ENDINGS: Final = tuple(_METADATA)
_DPI: Final = 200


def save_drawn(make: Callable[[], Figure], stem: Path, fonts: tuple[Font, ...] = ()) -> str:
    """Draw a figure under the house's settings with the user's fonts, and save it; see `save`."""
    with drawing(fonts):
        return save(make(), stem)


def save(figure: Figure, stem: Path) -> str:
    """Write a figure as SVG, PNG and PDF, each whole or not at all, and return the SVG."""
    with _covered(figure):
        figure.dpi = _DPI
        # Straight to each format: savefig draws every figure once more before it draws it.
        files = {"png": _written(FigureCanvasAgg(figure).print_png, "png")}
        figure.set_layout_engine("none")  # the layout that the first has found serves all three
        files["svg"] = _written(FigureCanvasSVG(figure).print_svg, "svg")
        files["pdf"] = _written(FigureCanvasPdf(figure).print_pdf, "pdf")
    files["svg"] = titled(files["svg"].decode("utf-8")).encode("utf-8")
    for ending, content in files.items():
        write_whole(stem.with_name(f"{stem.name}.{ending}"), content)
    return files["svg"].decode("utf-8")


def _written(form: Callable[..., None], ending: str) -> bytes:
    buffer = io.BytesIO()
    form(buffer, metadata=_METADATA[ending])
    return buffer.getvalue()


def to_svg(figure: Figure) -> str:
    """Draw a figure as SVG, without a file."""
    with _covered(figure):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=_METADATA["svg"])
    return titled(buffer.getvalue().decode("utf-8"))


@contextmanager
def _covered(figure: Figure) -> Iterator[None]:
    with warnings.catch_warnings():
        # Of a report the cautions say what no font has, once for all of its figures.
        warnings.filterwarnings("ignore", message="no installed font has|Glyph .* missing from")
        cover(figure)
        yield


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
