"""Odd names of models, datasets, layers and modalities in every text format that is written."""

import csv
import io
import re
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from modalprism.plotting.figures import FIGURES
from modalprism.plotting.figures.canvas import to_svg
from modalprism.plotting.grid import grid_markdown
from modalprism.plotting.latex import escaped, grid_latex
from modalprism.plotting.style import drawing
from modalprism.plotting.views import view_grid
from modalprism.reports.page import render
from modalprism.studies.profile import Profile
from modalprism.tables import csv_of

ODD = [
    *"_%$#&{}\\~^|*<>`[]!\"'@=+-",
    "<script>alert(1)</script>", "</svg><b>", "<!--", "]]>", "&lt;b&gt;", "{{ 7 * 7 }}",
    "=cmd()", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "＝1",
    "a\nb", "a\r\n| b | c |", "\\input{x}", "\\\\[1em]", "$x^2$", "~~x~~", "**b**", "# head",
    "![x](y)", "[x](y)", "x\x1b[2J", "\u202ex", "- item", "'; drop",
]  # fmt: skip


def shown(name):
    """Return a name on one line, without what no reader sees."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


@pytest.fixture(params=ODD, ids=ascii)
def name(request):
    return request.param


@pytest.fixture
def named(make_profile, name):
    """A small profile whose names begin with an odd one."""
    short = make_profile((f"{name}1", f"{name}2"), {f"{name}m": ""}, ("kind",), depths=2)
    frame = short.frame.assign(
        dataset=f"{name}d", layer_name=short.frame.layer_name.map(lambda n: f"{name}{n}")
    )
    return Profile(frame, {**short.manifest, "title": f"{name}t", "datasets": {f"{name}d": name}})


def read_latex(cell):
    """Return the text that LaTeX shows for a cell; nothing else may be a command."""
    words = {"backslash": "\\", "asciitilde": "~", "asciicircum": "^", "less": "<",
             "greater": ">", "bar": "|"}  # fmt: skip
    found = re.sub(r"\\text([a-z]+)\{\}|\\([&%$#_{}])|\{([\[\]*]?)\}",
                   lambda m: f"\0{ord(words[m[1]] if m[1] else m[2] or m[3] or chr(1))}\0",
                   cell)  # fmt: skip
    assert not re.search(r"[\\{}~^&%$#_]", found)
    return re.sub("\0(\\d+)\0", lambda m: chr(int(m[1])), found).replace("\1", "")


@pytest.mark.parametrize("view", ["answer", "stream"])
def test_latex_shows_the_name_and_nothing_runs(named, name, view):
    latex = grid_latex(view_grid(named.table, view), named.table, view)
    rows = [line for line in latex.splitlines() if line.endswith(r" \\")]
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    model = re.split(r"(?<!\\) & ", rows[1])[0]
    assert read_latex(model) == shown(f"{name}m")
    assert read_latex(escaped(name)) == shown(name)


@pytest.mark.parametrize("view", ["answer", "stream"])
def test_markdown_shows_the_name_and_nothing_else(named, name, view):
    text = grid_markdown(view_grid(named.table, view))
    assert not re.search(r"(?<!\\)(\\\\)*[$~]", text)
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    body = ElementTree.fromstring(f"<page>{page}</page>")  # noqa: S314 - ours
    assert {element.tag for element in body.iter()} <= {
        "page", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"
    }  # fmt: skip
    assert shown("".join(body.find("table/tbody/tr/td").itertext())) == shown(f"{name}m")


def test_csv_holds_no_formula(named, name):
    first, *rows = csv.DictReader(io.StringIO(csv_of(named.frame), newline=""))
    for row in (first, *rows):
        assert not re.match(r"\s*[=+@＝]|\s*-(?!\d|$)", row["model"])
        assert row["model"].replace("\r", "") in {
            mark + f"{name}m".replace("\r", "") for mark in ("", "'")
        }


def test_the_page_holds_no_markup_of_a_name(named):
    page = render(named.table, {})
    for tag in ("<script>alert", "</svg><b>", "<b>b"):
        assert tag not in page
    assert "49" not in re.findall(r"<title>(.*?)</title>", page, re.DOTALL)[0]


@pytest.mark.parametrize("name", ODD[22:], ids=ascii, indirect=True)
def test_figures_are_xml_that_shows_no_markup_of_a_name(named):
    with drawing():
        svg = to_svg(FIGURES["prism"].draw(named.table))
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}  # noqa: S314
    assert not tags & {"script", "b", "foreignObject", "image"}
