import io

import pytest
from rich.console import Console

from modalprism.reports import answer_markdown, answer_table, layer_table
from modalprism.reports.tables import answer_grid, layer_grid


def printed(table, width):
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


def test_the_grid_holds_every_case_with_intervals_and_units(demo):
    grid = answer_grid(demo)
    assert len(grid.rows) == 24
    assert "in bit" in grid.title
    assert "the model's answer" in grid.title
    assert grid.columns[3:9] == ["R", "U image", "U text", "S", "I", "C image"]
    for row in grid.rows:
        assert all(cell.aside.startswith("[") for cell in row[3:8])
    by_name = {tuple(cell.text for cell in row[:3]): row for row in grid.rows}
    row = by_name["late", "match", "redrawn"]
    assert str(row[8]) == "undetermined"
    assert str(row[9]) == "0.51 (0.50) not learnt"
    assert str(by_name["concat", "match", "redrawn"][9]) == "0.75 (0.50)"


def test_an_undetermined_contribution_is_never_a_number(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("match",))
    for text in (printed(answer_table(profile), 200), answer_markdown(profile)):
        assert "undetermined" in text
        assert "nan" not in text
        assert "50 %" not in text


def test_noise_is_marked_and_the_mark_explained(demo):
    grid = answer_grid(demo)
    marked = [row for row in grid.rows if row[6].text.endswith("°")]
    assert {row[1].text for row in marked} == {"named", "match"}
    assert any(note.startswith("°") for note in grid.notes)


def test_what_was_not_measured_is_not_called_undetermined(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",))
    kept = profile.frame[~profile.frame.quantity.isin(["contribution", "accuracy", "synergy"])]
    grid = answer_grid(type(profile)(kept, profile.manifest))
    assert [grid.rows[0][k].text for k in (6, 8, 9)] == ["–", "–", "–"]
    assert not any(note.startswith("undetermined") for note in grid.notes)


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


def test_layer_tables_name_every_depth(demo, make_profile):
    grid = layer_grid(demo, "encoding")
    assert len(grid.rows) == 3 * 4 * 5
    assert [row[2].text for row in grid.rows[:5]] == [*(f"layer {k}" for k in range(1, 5)), "head"]
    assert (grid.columns[-1], grid.rows[0][-1].text) == ("moved by codes", "0.04")
    assert "moved by codes" not in layer_grid(demo, "stream").columns
    text = printed(layer_table(make_profile(("audio", "text"), unit="nat"), "stream"), 160)
    assert "before fusion" in text
    assert "U audio" in text
    assert "in nat" in text


def test_a_missing_view_is_an_empty_table(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("match",), views=("answer",))
    assert layer_grid(profile, "stream").rows == []
    printed(layer_table(profile, "stream"), 80)


def test_markdown_has_one_row_per_case_and_escapes_names(make_profile):
    profile = make_profile(models={"a|b_<i>": ""}, datasets=("match", "kind"))
    lines = [line for line in answer_markdown(profile).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "a\\|b\\_&lt;i&gt;" in lines[2]
