"""The Perceptual Score: by hand, its two norms, every family alike."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from modalprism.baselines.interface import Cost
from modalprism.baselines.perceptual import PerceptualScore
from modalprism.errors import InputError


def sign_of_image(image, _text):
    return torch.sigmoid(torch.stack([-3 * image[:, 0], 3 * image[:, 0]], 1))


def test_the_score_by_hand(pair_of, number_examples, value_of):
    wrong = [
        replace(e, label=1 - e.label) if row < 4 else e for row, e in enumerate(number_examples)
    ]
    subject = pair_of(sign_of_image, wrong, batch_size=6)
    result = PerceptualScore(permutations=3).score(subject, seed=5, replicates=50)
    label = np.array([e.label for e in wrong])
    says = np.array([e.inputs["image"][0] > 0 for e in wrong])
    generator = np.random.default_rng(5)
    permuted = np.mean([(says[generator.permutation(20)] == label).mean() for _ in range(3)])
    majority = max(label.mean(), 1 - label.mean())
    assert value_of(result, "accuracy") == pytest.approx(0.8)
    assert value_of(result, "majority accuracy") == pytest.approx(majority)
    lost = 0.8 - permuted
    assert lost > 0.1
    for words, norm in (("", 1), (", task-normalized", 1 - majority), (", model-normalized", 0.8)):
        assert value_of(result, f"perceptual score{words}", "image") == pytest.approx(lost / norm)
        assert value_of(result, f"perceptual score{words}", "text") == 0
    for score in result.scores:
        assert (
            score.estimate.low <= score.estimate.value <= score.estimate.high
            or score.quantity.endswith("normalized")
        )
    assert result.cost == Cost(20 * 7) == PerceptualScore(permutations=3).cost(subject)
    assert result.n == 20
    assert all(len(values) == 20 for values in result.per_example.values())


def test_a_model_that_is_always_wrong_has_no_model_norm(pair_of, number_examples, value_of):
    wrong = [replace(example, label=1 - example.label) for example in number_examples]
    result = PerceptualScore().score(pair_of(sign_of_image, wrong), replicates=20)
    assert value_of(result, "accuracy") == 0
    assert math.isnan(value_of(result, "perceptual score, model-normalized", "image"))
    assert value_of(result, "perceptual score", "image") < 0


def test_swapped_modalities_swap_the_scores(pair_of, number_examples, value_of, swapped):
    def both(image, text):
        return sign_of_image(image + 0.5 * text, None)

    one = PerceptualScore().score(pair_of(both, number_examples), replicates=20)
    turned = pair_of(lambda image, text: both(text, image), swapped(number_examples))
    other = PerceptualScore().score(turned, replicates=20)
    image, text = (value_of(one, "perceptual score", m) for m in ("image", "text"))
    assert image > text
    assert value_of(other, "perceptual score", "image") == text
    assert value_of(other, "perceptual score", "text") == image


def test_every_family_is_scored_and_counted(family, same):
    perceptual = PerceptualScore(permutations=2)
    result = perceptual.score(family, seed=3, replicates=20)
    assert result.cost == perceptual.cost(family) == Cost(5 * len(family.examples))
    same(result, perceptual.score(family, seed=3, replicates=20))
    assert (result.baseline, result.model, result.seed) == ("perceptual", family.model, 3)
    # Of both modalities the score lies between nothing and everything that was right.
    right = result.per_example["accuracy"]
    for modality in family.adapter.modalities:
        values = result.per_example[f"accuracy (permuted, {modality})"]
        assert set(np.unique(values)) <= {0.0, 0.5, 1.0}
        assert values.shape == right.shape


def test_another_seed_draws_other_permutations(pair_of, number_examples):
    subject = pair_of(sign_of_image, number_examples)
    one, other = (PerceptualScore().score(subject, seed=seed, replicates=5) for seed in (0, 1))
    name = "accuracy (permuted, image)"
    assert not np.array_equal(one.per_example[name], other.per_example[name])


def test_without_labels_it_is_agreement(pair_of, number_examples, value_of):
    bare = [replace(example, label=None) for example in number_examples]
    result = PerceptualScore().score(pair_of(sign_of_image, bare), replicates=20)
    assert value_of(result, "agreement") == 1
    score = value_of(result, "perceptual score", "image")
    assert value_of(result, "perceptual score, model-normalized", "image") == score > 0


def test_what_cannot_be_scored_is_refused(pair_of, number_examples):
    one_class = [replace(example, label=1) for example in number_examples]
    with pytest.raises(InputError, match="the same answer is right"):
        PerceptualScore().score(pair_of(sign_of_image, one_class))
    with pytest.raises(InputError, match="one example"):
        PerceptualScore().score(pair_of(sign_of_image, number_examples[:1]))
    with pytest.raises(InputError, match="0 permutations"):
        PerceptualScore(permutations=0).score(pair_of(sign_of_image, number_examples))
