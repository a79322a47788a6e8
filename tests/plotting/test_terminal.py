import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from modalprism.plotting import terminal
from modalprism.plotting.courses import course_grid
from modalprism.plotting.views import view_grid


def printed(table, width):
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


def answer_table(profile):
    return terminal.TerminalTable(view_grid(profile.table, "answer"))


def layer_table(profile, view):
    return terminal.layer_table(profile.table, view)


def test_an_undetermined_contribution_is_never_a_number(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("match",))
    text = printed(answer_table(profile), 200)
    assert "undetermined" in text
    assert "nan" not in text
    assert "50 %" not in text


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_terminal_table_cuts_nothing(demo, width):
    text = printed(answer_table(demo), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "\x1b" not in text  # plain where it is piped
    for words in ("cross_attention", "pictured", "redrawn", "undetermined", "accuracy", "0.83"):
        assert words in text
    assert text.count("learnt") == 2


def test_a_name_is_not_read_as_markup(make_profile):
    profile = make_profile(models={"[bold]m[/bold]": ""}, datasets=("match",))
    assert "[bold]m[/bold]" in printed(answer_table(profile), 200)


def test_a_missing_view_is_an_empty_table(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("match",), views=("answer",))
    text = printed(layer_table(profile, "stream"), 80)
    assert "Stream view" in text
    assert "0." not in text


def test_few_layers_are_all_told(make_profile):
    profile = make_profile(("audio", "text"), {"m": ""}, ("kind",), depths=12, unit="nat")
    text = printed(layer_table(profile, "stream"), 160)
    for words in ("before fusion", "layer 11", "U audio", "in nat", "["):
        assert words in text
    assert "over depth" not in text


@pytest.mark.parametrize("width", [80, 120])
def test_many_layers_have_a_line_an_atom_and_a_place_where_all_numbers_are(demo, width):
    text = printed(layer_table(demo, "stream"), width)
    assert "\x1b" not in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert "tables/stream.md" in " ".join(text.split())
    (line,) = (line for line in text.splitlines() if "0.16 → 2.39" in line)
    assert "cross_attention" in line
    assert " R " in line
    assert "▁▃▄▆█" in line
    assert "at layer 2" in line
    assert len(re.findall(r"[·▁-█]{5}", text)) == 3 * 4 * 4


def test_deep_networks_keep_one_line_an_atom_on_a_narrow_terminal(make_profile):
    name = "an_organisation/a-model-with-a-long-name"
    profile = make_profile(models={name: ""}, datasets=("kind",), depths=18)
    text = printed(layer_table(profile, "stream"), 100)
    grid = course_grid(profile.table, "stream")
    for row in grid.rows:
        course, step = row[-2].text, row[-1].text
        (line,) = (line for line in text.splitlines() if f" {row[2].text} " in line)
        assert course in line
        assert step in line
    assert name in text


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_name_of_wide_letters_is_not_broken(make_profile, width):
    profile = make_profile(models={"日本語のモデル": ""}, datasets=("match",))
    lines = printed(answer_table(profile), width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert any("日本語のモデル" in line for line in lines)


def test_colours_are_for_terminals(demo):
    stream = io.StringIO()
    Console(file=stream, width=120, force_terminal=True, color_system="truecolor").print(
        layer_table(demo, "stream")
    )
    assert "38;2;0;158;115" in stream.getvalue()  # the green of redundancy
