import re
import shutil
import subprocess

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalprism.plotting.grid import Cell
from modalprism.plotting.latex import _number, escaped, grid_latex
from modalprism.plotting.views import view_grid
from modalprism.studies.profile import Profile

SPECIAL = "\\&%$#_{}~^<>"
# What each escape is read as.
READ_AS = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    "{[}": "[",
    "{]}": "]",
    "{*}": "*",
    "-{}": "-",
    **{f"\\{character}": character for character in "&%$#_{}"},
}
NAMES = st.text(st.sampled_from(SPECIAL + "[]*|-ab"), min_size=1, max_size=10)


def read(text):
    """Read escaped text as LaTeX does; anything that it would read as a command fails."""
    tokens = sorted(READ_AS, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, tokens)) + r"|[^\\&%$#_{}~^<>|\[\]*]")
    place, words = 0, []
    while place < len(text):
        token = pattern.match(text, place)
        assert token, text[place:]
        words.append(READ_AS.get(token[0], token[0]))
        place = token.end()
    return "".join(words)


def answer_latex(profile):
    return layer_latex(profile, "answer")


def layer_latex(profile, view):
    results = profile.table
    return grid_latex(view_grid(results, view), results, view)


def cells(line):
    assert line.endswith(r" \\")
    return re.split(r"(?<!\\)&", line.removesuffix(r"\\"))


def body(text):
    """Return the lines of a table, each as its cells, and check that braces and dollars pair."""
    bare = re.sub(r"\\[\\{}$%]", "", re.sub(r"(?m)^%.*$", "", text))
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    inside = re.search(r"\\toprule\n(.*)\\bottomrule", text, re.DOTALL)[1].splitlines()
    return [cells(line) for line in inside if line not in (r"\midrule", r"\addlinespace")]


def renamed(profile, model, dataset, target):
    frame = profile.frame.assign(model=model, dataset=dataset, target=target)
    return Profile(frame, profile.manifest)


@given(NAMES)
def test_any_name_is_escaped_and_can_be_read_back(name):
    assert read(escaped(name)) == " ".join(name.split())


@given(st.text(max_size=30))
def test_no_text_leaves_an_open_brace_or_a_line(text):
    made = escaped(text)
    assert "\n" not in made
    bare = re.sub(r"\\[\\{}$%&#_]", "", made)
    assert bare.count("{") == bare.count("}")


@pytest.fixture(scope="module")
def one(make_profile):
    return make_profile(models={"m": ""}, datasets=("match",), depths=2)


@settings(max_examples=30)
@given(model=NAMES, dataset=NAMES, target=NAMES)
def test_every_row_has_as_many_cells_as_there_are_columns(one, model, dataset, target):
    profile = renamed(one, model, dataset, target)
    for text, grid in (
        (answer_latex(profile), view_grid(profile.table, "answer")),
        (layer_latex(profile, "stream"), view_grid(profile.table, "stream")),
    ):
        lines = body(text)
        assert {len(line) for line in lines} == {len(grid.columns)}
        assert len(lines) == 1 + len(grid.rows)
        columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1]
        assert len(columns) == len(grid.columns)
        assert [read(cell.strip()) for cell in lines[1][:2]] == [model.strip(), dataset.strip()]


def test_amounts_stand_with_their_intervals_and_the_undetermined_in_a_word(demo):
    lines = {tuple(c.strip() for c in line[:3]): line for line in body(answer_latex(demo))}
    line = [cell.strip() for cell in lines["concat", "pictured", "observed"]]
    assert re.fullmatch(r"\$0\.16\\,\[0\.13, 0\.19\]\$", line[3])
    assert re.fullmatch(r"\$-0\.0\d\\,\[-0\.0\d, -?0\.0\d\]\$", line[5])
    assert re.fullmatch(r"\$10\d\\,\\%\\,\[\d+, \d+\]\$", line[8])
    undetermined = [cell.strip() for cell in lines["late", "match", "redrawn"]]
    assert undetermined[8] == "undetermined"
    assert undetermined[9] == r"$0.51\,(0.50)$ not learnt"
    assert r"^{\circ}\,[" in lines["concat", "named", "redrawn"][6]


def test_the_caption_names_target_unit_n_seed_and_the_brackets(demo, make_profile):
    caption = re.search(r"\\caption\{(.*)\}\n\\label\{tab:answer\}", answer_latex(demo))[1]
    for words in (
        "Target: the model's answer",
        "in bit",
        "n = 2,000; seed 0",
        r"Square brackets are 95 \% intervals",
        "Undetermined: the data do not determine this value",
    ):
        assert words in caption
    nats = make_profile(("audio", "text"), {"m": ""}, ("kind",), unit="nat")
    text = layer_latex(nats, "encoding")
    assert "Target: fused state, 14 codes" in text
    assert "in nat" in text
    assert "U audio" in text
    assert r"\label{tab:encoding}" in text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Cell("2,000"), "$2{,}000$"),
        (Cell("1e-05"), r"$1 \times 10^{-5}$"),
        (Cell("−3 %", "[−5, 0]"), r"$-3\,\%\,[-5, 0]$"),
        (Cell("–"), "--"),
        (Cell("5 apples_"), r"5 apples\_"),
    ],
)
def test_numbers_in_mathematics(cell, text):
    assert _number(cell) == text


def test_latex_compiles(demo, tmp_path):
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("pdflatex is not installed")
    name = SPECIAL + "[*--|"
    frame = pd.concat([demo.frame, demo.frame.assign(model=name)], ignore_index=True)
    profile = Profile(frame, demo.manifest)
    tables = answer_latex(profile) + layer_latex(profile, "encoding")
    (tmp_path / "page.tex").write_text(
        "\\documentclass[landscape,a3paper]{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{tables}\\end{{document}}\n",
        "utf-8",
    )
    command = [latex, "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 1000
