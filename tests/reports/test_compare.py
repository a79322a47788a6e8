"""A comparison on one page: what differs, how surely, and nothing that is not so."""

import re

import numpy as np
import pandas as pd
import pytest

from modalprism.errors import InputError
from modalprism.plotting.figures.before_after import changes
from modalprism.reports.compare import (
    difference_grid,
    difference_sentences,
    read_runs,
    render_comparison,
    write_comparison,
)
from modalprism.studies.comparison import compare
from modalprism.studies.study import Study

N = 240


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs: in one two models, of which one follows the picture; in the other <b>text</b>."""
    folder = tmp_path_factory.mktemp("compared")
    rng = np.random.default_rng(0)
    kinds, words = rng.integers(3, size=N), rng.integers(3, size=N)
    image = np.eye(3)[kinds] @ rng.normal(size=(3, 6)) + 0.3 * rng.normal(size=(N, 6))
    text = np.eye(3)[words] @ rng.normal(size=(3, 5)) + 0.3 * rng.normal(size=(N, 5))
    follows = {"picture": kinds, "again": kinds, "<b>text</b>": words}
    for name, followed in follows.items():
        answer = np.eye(3)[followed] * 0.97 + 0.01
        path = folder / f"{len(name)}.npz"
        np.savez(path, image=image, text=text, answer=answer, label=kinds)
    found = []
    for out, names in (("one", ("picture", "again")), ("other", ("<b>text</b>",))):
        sources = [
            {"path": folder / f"{len(name)}.npz", "model": name, "dataset": "kinds"}
            for name in names
        ]
        study = Study(
            sources=sources, replicates=200, permutations=19, workers=1, out=folder / out,
            views=("answer", "stream"),
        )  # fmt: skip
        study.run()
        found.append(study.out)
    return found


@pytest.fixture(scope="module")
def later(runs):
    """The model that followed the picture, after something that made it follow the text."""
    source = {"path": runs[0].parent / "11.npz", "model": "picture", "dataset": "kinds"}
    study = Study(
        sources=[source], replicates=200, permutations=19, workers=1, views=("answer",),
        out=runs[0].parent / "later",
    )  # fmt: skip
    study.run()
    return study.out


def test_the_page_has_figures_words_and_all_differences(runs, tmp_path):
    found = read_runs(runs)
    page = write_comparison(found, compare(found), tmp_path / "out").read_text("utf-8")
    differences = pd.read_csv(tmp_path / "out" / "differences.csv")
    assert page.count("<svg") == 4
    for name in ("map", "prism", "differences-answer-observed", "stream"):
        for ending in ("svg", "png", "pdf"):
            assert (tmp_path / "out" / "figures" / f"{name}.{ending}").stat().st_size > 1000
    claim = "The answer leans on the image (unique image is the largest atom): "
    lost = "Accuracy is not above chance: </b>on kinds in &lt;b&gt;text&lt;/b&gt;."
    assert page.index(lost) < page.index(claim)
    assert f"<li><b>{claim}</b>on kinds in picture and again, with" in page
    assert page.index(claim) < page.index("differences of an atom are told apart")
    assert "&lt;b&gt;text&lt;/b&gt;" in page
    assert "<b>text</b>" not in page
    assert page.count("<tr") > len(differences)
    assert len(differences) == len(compare(read_runs(runs)))
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]*"', "", page))


def test_the_words_name_what_differs_and_not_what_does_not(runs):
    told = difference_sentences(compare(read_runs(runs)))
    assert re.match(r"\d+ of \d+ differences of an atom are told apart", told[0])
    assert any("more unique text than" in line for line in told)
    same = difference_sentences(compare(read_runs(runs[:1])))
    assert same == ["No atom of any answer is told apart between any two."]


def test_a_page_needs_no_folder(runs):
    page = render_comparison(read_runs(runs))
    assert "Files: figures/" not in page
    assert "before-after" not in page
    assert page.count("<svg") == 4


@pytest.mark.slow
def test_a_model_before_and_after_is_drawn_as_such(runs, later, tmp_path):
    found = read_runs([runs[0], later])
    page = write_comparison(found, compare(found), tmp_path).read_text("utf-8")
    name = "before-after-observed"
    assert page.index(f'id="figure-{name}"') < page.index('id="figure-map"')
    assert all((tmp_path / "figures" / f"{name}.{end}").exists() for end in ("svg", "png", "pdf"))
    said = "".join(re.findall(r"<title>(picture on kinds[^<]*)</title>", page))
    assert len(re.findall("before [(]one[)]: ", said)) == 5
    assert len(re.findall("after [(]later[)]: ", said)) == 5
    assert re.search(
        r"unique text\nbefore .*\nafter .*\ndifference: [+]1[.]\d+ bit .* told apart", said
    )
    assert re.search(r"difference: −\d+ percentage points", said)


def test_before_is_the_run_that_is_named_first(runs, later):
    for named in ([later, runs[0]], [runs[0], later]):
        found = changes(compare(read_runs(named)))
        assert set(found["run_1"]) == {named[0].name}
        assert set(found["run_2"]) == {named[1].name}


@pytest.mark.parametrize("which", [(0, 1), (0,), (1, 2)])
def test_other_models_are_no_before_and_after(runs, later, which):
    named = [[*runs, later][place] for place in which]
    assert changes(compare(read_runs(named))).empty


def test_every_difference_is_a_row(runs):
    differences = compare(read_runs(runs))
    grid = difference_grid(differences)
    assert len(grid.rows) == len(differences)
    assert {len(row) for row in grid.rows} == {len(grid.columns)}


def test_runs_of_one_name_are_told_apart_by_their_folders(runs, tmp_path):
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
        (tmp_path / parent / "run").symlink_to(runs[0])
    assert list(read_runs([runs[0], runs[0]])) == ["one"]
    with pytest.raises(InputError, match="is not a folder"):
        read_runs([tmp_path / "nowhere"])
