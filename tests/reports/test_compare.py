"""A comparison on one page: what differs, how surely, and nothing that is not so."""

import re

import numpy as np
import pandas as pd
import pytest

from modalprism.errors import InputError
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


def test_the_page_has_figures_words_and_all_differences(runs, tmp_path):
    found = read_runs(runs)
    page = write_comparison(found, compare(found), tmp_path / "out").read_text("utf-8")
    differences = pd.read_csv(tmp_path / "out" / "differences.csv")
    assert page.count("<svg") == 4
    for name in ("map", "prism", "differences-answer-observed", "stream"):
        for ending in ("svg", "png", "pdf"):
            assert (tmp_path / "out" / "figures" / f"{name}.{ending}").stat().st_size > 1000
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
    assert page.count("<svg") == 4


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
