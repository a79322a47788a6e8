import math
import subprocess
import sys

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from modalprism.plotting.bar import atoms_axes, draw_bar, segments
from modalprism.plotting.style import atom_styles
from modalprism.results.estimate import Estimate

AMOUNTS = st.floats(-5, 5).filter(lambda value: value == 0 or abs(value) > 1e-6)
STYLES = atom_styles(("image", "text"))


def bar(atoms, information=None, **options):
    options = {"modalities": ("image", "text"), "title": "t", "quantity": "q (bit)"} | options
    return atoms_axes(atoms, information, **options)


@given(st.lists(AMOUNTS, max_size=6))
def test_segments_touch_each_other_and_lose_no_length(values):
    drawn = list(segments(values))
    assert [length for _, length in drawn] == values
    for sign in (1, -1):
        side = [(start, length) for start, length in drawn if length * sign > 0]
        ends = [0.0, *(start + length for start, length in side)]
        assert [start for start, _ in side] == pytest.approx(ends[:-1])


@settings(max_examples=40)
@given(st.lists(AMOUNTS, min_size=4, max_size=4), st.floats(0, 1))
def test_a_bar_reaches_as_far_as_its_whiskers(values, half):
    axes = Figure().subplots()
    atoms = [Estimate(value, value - half, value + half) for value in values]
    left, right = draw_bar(axes, 0.0, atoms, None, STYLES)
    ends = [x for line in axes.lines for x in line.get_xdata()]
    assert left == pytest.approx(min(0.0, *(e for e in ends if e <= 0), *_lows(axes)))
    assert right == pytest.approx(max(0.0, *ends, *_highs(axes)))
    assert len(axes.patches) == 4
    assert [patch.get_width() for patch in axes.patches] == pytest.approx(values)
    whiskers = [line.get_xdata() for line in axes.lines[1:-1:2]]
    assert [high - low for low, high in whiskers] == pytest.approx([2 * half] * 4)


def _lows(axes):
    return [patch.get_bbox().x0 for patch in axes.patches]


def _highs(axes):
    return [patch.get_bbox().x1 for patch in axes.patches]


def test_a_bar_alone_has_the_house_s_colours_hatches_and_order():
    axes = bar(
        [Estimate(v, v - 0.1, v + 0.1) for v in (0.4, 0.3, 0.2, 0.1)], Estimate(1.0, 0.9, 1.1)
    )
    assert [to_hex(p.get_facecolor()).upper() for p in axes.patches] == [s.colour for s in STYLES]
    assert [patch.get_hatch() or "" for patch in axes.patches] == [s.hatch for s in STYLES]
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert said == ["redundant", "unique image", "unique text", "synergy", "I, their sum"]
    assert axes.get_xlabel() == "q (bit)"
    assert [text.get_text() for text in axes.texts] == ["1.00 [0.90, 1.10]"]
    plt.close(axes.figure)


def test_what_is_unknown_has_no_segment_and_is_said():
    axes = bar([Estimate(0.5), Estimate(math.nan), Estimate(0.2), None])
    assert len(axes.patches) == 2
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "unique image: unknown" in said
    assert "synergy: unknown" in said
    assert [text.get_text() for text in axes.texts] == ["I unknown"]
    plt.close(axes.figure)


def test_given_axes_are_drawn_into_and_come_back():
    before, settings = plt.get_fignums(), dict(mpl.rcParams)
    axes = Figure(figsize=(3, 2)).subplots()
    assert bar([Estimate(0.25)] * 4, axes=axes) is axes
    assert len(axes.patches) == 4
    assert plt.get_fignums() == before
    assert dict(mpl.rcParams) == settings


def test_nothing_fails_where_there_is_no_information_and_no_room():
    axes = Figure(figsize=(0.5, 0.5)).subplots()
    bar([Estimate(0.0)] * 4, Estimate(0.0), axes=axes, title="$x_{", quantity="\\frac{ $")
    axes.figure.draw_without_rendering()
    assert axes.get_xlim()[0] == 0


def test_who_only_decomposes_does_not_wait_for_matplotlib():
    asked = "import sys, modalprism.pid; print(*({'matplotlib', 'pandas'} & set(sys.modules)))"
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == ""
