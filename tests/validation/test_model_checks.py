"""Checks that run the model: an honest one passes, and a broken one fails by name."""

import numpy as np
import pytest

from modalprism.validation.model_checks import (
    answer_moves,
    divergence,
    names_fit,
    noise,
    rows_belong,
)

MODALITIES = ("image", "text")
ROWS, NAMES = "rows belong together", "names of the modalities"
MOVES = "the answer moves with the image"


def pairing():
    return [rows_belong(), names_fit(MODALITIES)]


def verdict_of(found):
    return {name: one.verdict for name, one in found.items()}


def test_an_honest_model_passes(captured, stored, models, verdicts):
    study_store = stored(captured(models["honest"]), models["honest"])
    checks = [*pairing(), answer_moves("image"), noise("image")]
    found = verdicts(study_store, checks=checks)
    assert set(verdict_of(found).values()) == {"pass"}
    assert found[ROWS].seen == "of 64 rows: image 64, text 64, answer 64"
    assert found[ROWS].rest.estimate.low > 0.9
    assert found[MOVES].rest.estimate.low > 0.2
    # Under noise alone two inputs of one shape cannot be told apart at all.
    assert "→ 0.000 bit at σ = 0, 1, 4, 16, ∞" in found["noise over the image"].seen


@pytest.mark.slow
def test_a_target_that_never_saw_the_image_fails(captured, stored, models, verdicts):
    # The store holds answers of the model as it should be; the model that runs is blind.
    study_store = stored(captured(models["honest"]), models["blind"])
    found = verdicts(study_store, checks=[answer_moves("image"), noise("image")])
    assert found[MOVES].verdict == "fail"
    assert found[MOVES].seen.startswith("the answer stays: J image 0.000")
    assert found["noise over the image"].verdict == "not run"


def test_answers_that_never_saw_the_image_fail(captured, stored, models, verdicts):
    # And the other way round: the store's answers are a blind model's.
    arrays = captured(models["honest"]) | {"answer": captured(models["blind"])["answer"]}
    found = verdicts(stored(arrays, models["honest"]), checks=[*pairing(), answer_moves("image")])
    assert found[MOVES].verdict == "fail"
    assert found[MOVES].seen.startswith("no information found: J image")
    assert found[ROWS].seen.startswith("answer: of 64 rows: image 64, text 64, answer ")
    assert found[NAMES].verdict == "pass"


def test_exchanged_names_fail(captured, stored, models, verdicts):
    # An adapter that takes each for the other, in the store and whenever it is run again.
    found = verdicts(stored(captured(models["renamed"]), models["renamed"]), checks=pairing())
    assert verdict_of(found) == {ROWS: "pass", NAMES: "fail"}
    assert "image in 0" in found[NAMES].seen.replace("image moves in 0", "image in 0")
    # The store alone has the names exchanged.
    honest = captured(models["honest"])
    swapped = honest | {"image/0": honest["text/0"], "text/0": honest["image/0"]}
    found = verdicts(stored(swapped, models["honest"]), checks=pairing())
    assert verdict_of(found) == {ROWS: "pass", NAMES: "fail"}
    assert "the store calls image what is text" in found[NAMES].seen


@pytest.mark.parametrize("names", [("image/0", "text/0", "answer", "label"), ("image/0",)])
def test_rows_paired_at_random_fail(names, captured, stored, models, verdicts):
    honest = captured(models["honest"])
    order = np.random.default_rng(1).permutation(len(honest["label"]))
    arrays = honest | {name: honest[name][order] for name in names}
    found = verdicts(stored(arrays, models["honest"]), checks=pairing())
    assert verdict_of(found) == {ROWS: "fail", NAMES: "pass"}
    assert "image" in found[ROWS].seen.split(":")[0]


def test_a_store_in_half_precision_is_the_same_store(captured, stored, models, verdicts):
    arrays = captured(models["honest"])
    for name in ("image/0", "text/0"):
        arrays[name] = arrays[name].astype(np.float16)
    found = verdicts(stored(arrays, models["honest"]), checks=pairing())
    assert set(verdict_of(found).values()) == {"pass"}


def test_without_a_model_its_checks_say_so(captured, stored, models, verdicts):
    checks = [*pairing(), answer_moves("image")]
    with pytest.raises(ValueError, match="here are embeddings and no model"):
        verdicts(stored(captured(models["honest"])), checks=checks)


def test_divergence_is_between_nothing_and_a_bit():
    rng = np.random.default_rng(0)
    own, other = rng.dirichlet(np.ones(4), size=(2, 50))
    assert divergence(own, own, 2).max() == 0
    between = divergence(own, other, 2)
    assert (between > 0).all()
    assert (between < 1).all()
    np.testing.assert_allclose(between, divergence(other, own, 2))
