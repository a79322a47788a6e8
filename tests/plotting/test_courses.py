import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism.plotting.courses import BARS, course_grid, sparkline
from modalprism.results.estimate import Estimate

VALUES = st.floats(-1, 3)


@given(st.lists(VALUES, min_size=1, max_size=40), st.floats(0.01, 3))
def test_heights_follow_values(values, top):
    drawn = sparkline([Estimate(value) for value in values], top)
    assert len(drawn) == len(values)
    heights = [BARS.index(character) for character in drawn]
    for a, x in zip(values, heights, strict=True):
        for b, y in zip(values, heights, strict=True):
            assert (a <= b) <= (x <= y)
    assert all(height == 0 for value, height in zip(values, heights, strict=True) if value <= 0)
    assert all(height == 7 for value, height in zip(values, heights, strict=True) if value >= top)


@given(VALUES, st.floats(0, 2))
def test_a_value_that_its_interval_cannot_tell_from_zero_is_a_dot(value, half):
    drawn = sparkline([Estimate(value, value - half, value + half)], 3)
    assert (drawn == "·") == (value - half <= 0 <= value + half)


def test_nulls_speak_and_what_is_not_known_is_asked():
    noise, sure = Estimate(2, 1, 3, p_value=0.3), Estimate(2, 1, 3, p_value=0.01)
    assert sparkline([noise, sure, Estimate(math.nan), None], 2) == "·█??"
    assert sparkline([Estimate(0.0), Estimate(-1.0)], 0.0) == "▁▁"


def test_one_scale_for_the_whole_view(demo):
    grid = course_grid(demo.table, "stream")
    assert len(grid.rows) == 3 * 4 * 4
    drawn = {tuple(cell.text for cell in row[:3]): row for row in grid.rows}
    assert drawn["cross_attention", "named", "R"][4].text == "▁▃▅▆█"
    assert set(drawn["late", "match", "R"][4].text) == {"▁"}  # small beside the view's maximum
    assert set(drawn["late", "match", "U text"][4].text) == {"·"}
    assert any("█ = 2.55 bit" in note for note in grid.notes)
    assert "target: label" in grid.title
    assert grid.columns[3] == "before fusion\n→ layer 4"


def test_the_largest_step_is_one_that_the_intervals_bear_out(demo, make_profile):
    grid = course_grid(demo.table, "stream")
    steps = {tuple(cell.text for cell in row[:3]): row[-1].text for row in grid.rows}
    assert steps["cross_attention", "named", "U text"] == "−0.62 at layer 4"
    assert steps["late", "named", "U text"] == "none"
    unsure = make_profile(models={"cross_attention": ""}, datasets=("named",), half=9.0)
    assert {row[-1].text for row in course_grid(unsure.table, "stream").rows} == {"none"}


def test_one_layer_has_no_step(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",), depths=1)
    assert {row[-1].text for row in course_grid(profile.table, "stream").rows} == {""}


@pytest.mark.parametrize("view", ["stream", "encoding"])
def test_detail_gives_intervals_and_p_values(demo, view):
    grid = course_grid(demo.table, view, detail=True)
    for row in grid.rows:
        assert all(cell.aside.startswith("[") for cell in row[3:5])
        assert ("p = " in row[3].aside) == (row[2].text == "S")
