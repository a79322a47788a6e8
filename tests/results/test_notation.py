import pytest

from modalprism.results.estimate import Estimate
from modalprism.results.notation import counts, label, number, written


@pytest.mark.parametrize("name", ["", "a" * 300, "x_y/z-w " * 40, "名前", "two words"])
def test_labels_fit_and_keep_both_ends(name):
    rows = label(name, 20, 3).split("\n")
    assert len(rows) <= 3
    assert all(len(row) <= 20 for row in rows)
    kept, whole = ("".join(words.split()) for words in (" ".join(rows), name))
    start, end = kept.partition("…")[0], kept.rpartition("…")[2]
    assert whole.startswith(start)
    assert whole.endswith(end)
    assert "…" in kept or kept == whole


@pytest.mark.parametrize("name", ["", "a" * 300, "x_y/z-w " * 40, "名前", "two words"])
def test_texts_fit_and_lose_nothing_but_what_the_ellipsis_says(name):
    rows = label(name, 20, 3, prose=True).split("\n")
    assert len(rows) <= 3
    assert all(len(row) <= 20 for row in rows)
    kept = "".join(rows).replace(" ", "")
    assert name.replace(" ", "").startswith(kept.rstrip("…"))
    assert kept.endswith("…") or kept == name.replace(" ", "")


def test_numbers_never_read_nan_or_minus_zero():
    assert number(float("nan")) == "undetermined"
    assert written(Estimate(float("nan")), percent=True) == "undetermined"
    assert number(-0.0) == "0.00"
    assert written(Estimate(-0.001, -0.02, 0.01), percent=True) == "0 % [−2, 1]"
    assert counts(0, 0) == "n = 0"
