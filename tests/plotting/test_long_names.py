"""Names of 300 wide letters: no text of a figure leaves it or covers another."""

import re
from itertools import combinations

import matplotlib.text
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from modalprism.plotting.figures import FIGURES
from modalprism.plotting.figures.heat import heat_figure
from modalprism.plotting.figures.scatter import scatter_figure
from modalprism.plotting.style import drawing
from modalprism.results.notation import label, letters, shortened
from modalprism.studies.profile import Profile


def long(end, letter="m"):
    return letter * (300 - len(end)) + end


@pytest.fixture(scope="module", params=["m", "x"])
def profile(request, make_profile):
    """Long names of everything that has one."""
    name = request.param
    short = make_profile(
        (long("a", name), long("b", name)),
        {long("1", name): "", long("2", name): ""},
        ("kind", "named"),
    )
    frame = short.frame.assign(
        dataset=short.frame.dataset.map(lambda d: long(d, name)),
        layer_name=short.frame.layer_name.map(lambda n: long(str(n), name)),
        target=long("t", name),
    )
    questions = {long(d, name): text for d, text in short.manifest["datasets"].items()}
    return Profile(frame, {**short.manifest, "datasets": questions, "title": long("t", name)})


def boxes(figure):
    FigureCanvasAgg(figure).draw()
    shown = (t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text())
    return {text: text.get_window_extent() for text in shown}


def check(figure):
    """Check that every text is inside, and by itself but for a few pixels."""
    # Ticks beyond the limits of an axis are there, but not drawn.
    found = {
        t: box for t, box in boxes(figure).items() if not re.fullmatch("[−\\d.]+", t.get_text())
    }
    for text, box in found.items():
        assert box.x0 > -3, text
        assert box.x1 < figure.bbox.x1 + 3, text
    for (text, one), (other, two) in combinations(found.items(), 2):
        wide = min(one.x1, two.x1) - max(one.x0, two.x0)
        high = min(one.y1, two.y1) - max(one.y0, two.y0)
        assert wide < 4 or high < 4, (text, other)


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_of_a_report_figure_covers_another(profile, name):
    with drawing():
        check(FIGURES[name].draw(profile.table))


@pytest.mark.parametrize("figure", [heat_figure, scatter_figure])
def test_no_text_of_a_comparison_covers_another(profile, figure):
    with drawing():
        check(figure(profile.table))


@pytest.mark.parametrize("name", ["m" * 300, "W" * 300, "图" * 300, "mx_" * 100])
def test_long_names_are_as_wide_as_asked_and_have_an_ellipsis(name):
    assert letters(shortened(name, 24)) < 26
    assert all(letters(row) <= 20 for row in label(name, 20, 3).split("\n"))
    assert "…" in label(name, 20, 3)
