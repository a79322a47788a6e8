import re

from modalprism.plotting.grid import grid_markdown
from modalprism.plotting.views import view_grid


def markdown(profile, view="answer"):
    return grid_markdown(view_grid(profile.table, view))


def test_markdown_has_one_row_per_case_and_escapes_names(make_profile):
    profile = make_profile(models={"a|b_<i>": ""}, datasets=("match", "kind"))
    lines = [line for line in markdown(profile).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "a\\|b\\_&lt;i&gt;" in lines[2]


def test_an_undetermined_contribution_is_never_a_number(make_profile):
    text = markdown(make_profile(models={"m": ""}, datasets=("match",)))
    assert "undetermined" in text
    assert "nan" not in text
    assert "50 %" not in text


def test_layers_have_a_row_each_under_a_title_with_target_and_unit(demo):
    text = markdown(demo, "encoding")
    title, *lines = [line for line in text.splitlines() if line]
    assert "target: fused state, 14 codes" in title
    assert "in bit" in title
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert len(rows) == 3 * 4 * 5
    assert {line.count("|") for line in rows} == {11}
    assert re.match(r"\| concat \| kind \| layer 1 \| 1\.7\d \\\[1\.6\d, 1\.7\d\\\] \|", rows[0])
