"""Checks of embeddings: what is read of an analysis, and what is asked for it."""

from dataclasses import replace

import numpy as np
import pytest

from modalprism.progress import silent
from modalprism.results.estimate import Estimate
from modalprism.studies.views import Settings
from modalprism.validation.case import StoreUnderTest
from modalprism.validation.embedding_checks import (
    duplicate,
    embedding_checks,
    random_labels,
    same_twice,
    shuffled_rows,
    swapped,
)
from modalprism.validation.finding import NotRunError

NOTHING = Estimate(0.0, -0.01, 0.02, 0.6)
FOUND = Estimate(0.4, 0.3, 0.5, 0.005)
SETTINGS = Settings(("image", "text"), folds=3, replicates=40, permutations=39)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A case whose first sample was analysed."""
    from modalprism.capture.store import EmbeddingStore, write_store
    from modalprism.studies.study_store import StudyStore

    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=160)
    image = np.eye(2)[kind] @ rng.normal(size=(2, 4)) + 0.2 * rng.normal(size=(160, 4))
    text = np.eye(2)[kind] @ rng.normal(size=(2, 3)) + 0.2 * rng.normal(size=(160, 3))
    path = tmp_path_factory.mktemp("case") / "store.safetensors"
    arrays = {"image": image, "text": text, "label": kind, "group/pair": np.arange(160) // 2}
    write_store(path, arrays, {})
    study_store = StudyStore("model", "data", EmbeddingStore.open(path))
    made = StoreUnderTest(study_store, SETTINGS, examples=100, runs=20, track=silent)
    made.base = made.request(0).answer()
    return made


def evaluate(check, case, **changes):
    analysis = replace(case.analysis(), **changes)
    return check.evaluate(case, 0, [analysis])


def test_the_sample_is_drawn_anew_with_every_draw(case):
    first, second = case.sample(0), case.sample(1)
    assert len(first.rows) == 100
    assert (np.diff(first.rows) > 0).all()
    assert set(first.rows) != set(second.rows)
    np.testing.assert_array_equal(first.groups["pair"], first.rows // 2)
    assert case.request(1).settings.seed == case.request(0).settings.seed + 1


def test_shuffled_rows_move_one_embedding_alone(case):
    check = shuffled_rows("image", "text")
    (request,) = check.requests(case, 0)
    held = case.sample(0).embeddings
    assert not np.array_equal(request.embeddings["image"], held["image"])
    mixed, rows = (np.sort(of["image"], 0) for of in (request.embeddings, held))
    np.testing.assert_array_equal(mixed, rows)
    np.testing.assert_array_equal(request.embeddings["text"], held["text"])
    np.testing.assert_array_equal(request.target, case.sample(0).target)


def test_of_shuffled_rows_nothing_may_be_told(case):
    check = shuffled_rows("image", "text")
    quiet = {
        "unique": (NOTHING, FOUND),
        "marginal_information": (NOTHING, FOUND),
        "synergy": NOTHING,
        "contribution": (Estimate(0.0, -0.01, 0.01), Estimate(1.0, 0.99, 1.01)),
    }
    assert evaluate(check, case, **quiet).surprises == frozenset()
    assert evaluate(check, case, **quiet | {"synergy": FOUND}).surprises == {"S"}
    assert evaluate(check, case, **quiet | {"unique": (FOUND, FOUND)}).surprises == {"U image"}
    shared = (Estimate(0.2, 0.1, 0.3), Estimate(0.8, 0.7, 0.9))
    assert evaluate(check, case, **quiet | {"contribution": shared}).surprises == {"C text"}
    unknown = (Estimate(float("nan")),) * 2
    seen = evaluate(check, case, **quiet | {"contribution": unknown})
    assert seen.surprises == frozenset()
    assert "undetermined" in seen.words


def test_a_modality_beside_itself_is_redundant(case):
    check = duplicate("image")
    (request,) = check.requests(case, 0)
    one, other = request.embeddings.values()
    np.testing.assert_array_equal(one, other)
    whole = {"redundancy": FOUND, "information": FOUND}
    whole |= {"unique": (NOTHING, NOTHING), "synergy": NOTHING}
    assert evaluate(check, case, **whole).surprises == frozenset()
    assert evaluate(check, case, **whole | {"redundancy": NOTHING}).surprises == {"R"}
    seen = evaluate(check, case, **whole | {"synergy": FOUND})
    assert seen.surprises == {"S"}
    assert "S 0.400" in seen.words


def test_what_tells_nothing_cannot_be_redundant(case, monkeypatch):
    silent_image = replace(case.analysis(), marginal_information=(NOTHING, FOUND))
    monkeypatch.setattr(case, "base", silent_image)
    with pytest.raises(NotRunError, match="image alone has no information"):
        duplicate("image").requests(case, 0)


def test_swapped_labels_are_swapped_back(case):
    check, base = swapped(), case.analysis()
    (request,) = check.requests(case, 0)
    assert list(request.embeddings) == ["text", "image"]
    np.testing.assert_array_equal(request.embeddings["text"], case.sample(0).embeddings["image"])
    turned = {"unique": base.unique[::-1]}
    assert evaluate(check, case, **turned).surprises == frozenset()
    assert evaluate(check, case, **turned | {"synergy": FOUND}).surprises == {"S"}


def test_of_random_labels_nothing_may_be_told(case):
    check = random_labels()
    (request,) = check.requests(case, 0)
    assert sorted(request.target) == sorted(case.sample(0).target)
    assert not np.array_equal(request.target, case.sample(0).target)
    quiet = dict.fromkeys(("redundancy", "synergy", "information"), NOTHING)
    quiet |= dict.fromkeys(("unique", "marginal_information"), (NOTHING, NOTHING))
    assert evaluate(check, case, **quiet).surprises == frozenset()
    assert evaluate(check, case, **quiet | {"redundancy": FOUND}).surprises == {"R"}


def test_the_same_run_gives_the_same_bits(case):
    check = same_twice()
    assert evaluate(check, case).surprises == frozenset()
    nudged = replace(case.analysis().synergy, high=case.analysis().synergy.high + 1e-12)
    assert evaluate(check, case, synergy=nudged).surprises == {"bits"}


@pytest.mark.slow
def test_a_store_without_a_model_passes(case, verdicts):
    found = verdicts(case.study_store, settings=SETTINGS, examples=160)
    assert {found[check.name].verdict for check in embedding_checks(("image", "text"))} == {"pass"}
    assert {one.seen for one in found.values() if one.verdict == "not run"} == {
        "here are embeddings and no model"
    }
