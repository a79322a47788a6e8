"""Modality ablation: drops by hand, replacements that tell nothing, every family alike."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from modalprism.baselines.ablation import ModalityAblation
from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.states import Moments, with_noise
from modalprism.capture.interventions import exchanged
from modalprism.capture.loading import load_adapter
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

OF_NUMBERS = ("zero", "mean", "noise", "another")


def sign_of_image(image, _text):
    """Yes by the sign of the image's first number; (b, 2)."""
    return torch.sigmoid(torch.stack([-3 * image[:, 0], 3 * image[:, 0]], 1))


def sign_of_text(image, text):
    return sign_of_image(text, image)


def test_drops_by_hand(pair_of, number_examples, value_of):
    result = ModalityAblation().score(pair_of(sign_of_image, number_examples), replicates=50)
    first = np.array([e.inputs["image"][0] for e in number_examples])
    label = np.array([e.label for e in number_examples])
    right = np.log2(1 / (1 + np.exp(-3 * np.abs(first))))  # what it says of its own sign
    assert value_of(result, "accuracy") == 1
    for replacement in OF_NUMBERS:  # the text is not looked at
        for quantity in ("accuracy drop", "log-likelihood drop"):
            assert value_of(result, f"{quantity} ({replacement})", "text") == 0
            share = value_of(result, f"share of {quantity} ({replacement})", "image")
            assert share == 1 or (replacement == "mean" and math.isnan(share))
    # Zeros are answered by the first column, and by either with one bit.
    assert value_of(result, "accuracy drop (zero)", "image") == pytest.approx(label.mean())
    bits = value_of(result, "log-likelihood drop (zero)", "image")
    assert bits == pytest.approx((right + 1).mean(), abs=1e-5)
    always = np.full(20, int(first.mean() > 0))
    assert value_of(result, "accuracy drop (mean)", "image") == pytest.approx(
        (always != label).mean()
    )
    of_mean = np.log2(1 / (1 + np.exp(3 * first.mean() * np.where(label, -1, 1))))
    bits = value_of(result, "log-likelihood drop (mean)", "image")
    assert bits == pytest.approx((right - of_mean).mean(), abs=1e-5)
    other = [e.inputs["image"][0] > 0 for e in exchanged(number_examples, "image", seed=0)]
    assert value_of(result, "accuracy drop (another)", "image") == pytest.approx(
        (np.array(other) != label).mean()
    )


def test_without_labels_the_models_own_answer_is_right(pair_of, number_examples, value_of):
    # The text alone is looked at, and says something else than the labels.
    labelled = ModalityAblation(("zero",)).score(pair_of(sign_of_text, number_examples))
    assert value_of(labelled, "accuracy") < 1
    bare = [replace(example, label=None) for example in number_examples]
    result = ModalityAblation(("zero",)).score(pair_of(sign_of_text, bare))
    assert value_of(result, "agreement") == 1
    first = np.array([e.inputs["text"][0] for e in bare])
    assert value_of(result, "agreement drop (zero)", "text") == pytest.approx((first > 0).mean())
    assert value_of(result, "agreement drop (zero)", "image") == 0


def test_labels_may_be_the_candidates_words(pair_of, number_examples, value_of):
    subject = pair_of(sign_of_image, number_examples)
    subject.adapter.candidates = ("no", "yes")
    words = [replace(example, label=("no", "yes")[example.label]) for example in number_examples]
    result = ModalityAblation(("zero",)).score(replace(subject, examples=words))
    assert value_of(result, "accuracy") == 1


def test_a_share_of_nothing_is_undetermined(pair_of, number_examples, value_of):
    def constant(image, _text):
        return torch.full((len(image), 2), 0.5)

    result = ModalityAblation(("another",)).score(pair_of(constant, number_examples))
    for modality in ("image", "text"):
        assert value_of(result, "accuracy drop (another)", modality) == 0
        assert math.isnan(value_of(result, "share of accuracy drop (another)", modality))


def test_swapped_modalities_swap_the_scores(pair_of, number_examples, value_of, swapped):
    def both(image, text):
        return sign_of_image(image + 0.5 * text, None)

    one = ModalityAblation().score(pair_of(both, number_examples), replicates=20)
    turned = pair_of(lambda image, text: both(text, image), swapped(number_examples))
    other = ModalityAblation().score(turned, replicates=20)
    differ = 0
    for score in one.scores:
        if score.modality:
            back = {"image": "text", "text": "image"}[score.modality]
            assert value_of(other, score.quantity, back) == pytest.approx(
                score.estimate.value, nan_ok=True
            )
            own = value_of(one, score.quantity, back)
            differ += not math.isclose(own, score.estimate.value, abs_tol=1e-6)
    assert differ


def test_noise_has_every_channels_mean_and_variance():
    moments, spread = Moments(), torch.tensor([0.5, 3.0])
    drawn = torch.randn(50, 40, 2, generator=torch.Generator().manual_seed(0)) * spread
    span = torch.ones(50, 40, dtype=torch.bool)
    span[:, 30:] = False
    drawn[:, 30:] = 1e6  # outside of the span, where nothing counts
    moments.add(drawn + torch.tensor([2.0, -1.0]), span)
    torch.testing.assert_close(
        moments.mean.float(), (drawn[:, :30] + torch.tensor([2.0, -1.0])).flatten(0, 1).mean(0)
    )
    torch.testing.assert_close(
        moments.deviation.float(), drawn[:, :30].flatten(0, 1).std(0, correction=0)
    )
    made = with_noise(moments, range(50), seed=0)(drawn, span)
    assert torch.equal(made[:, 30:], torch.zeros(50, 10, 2))
    mean, deviation = (f(made[:, :30].flatten(0, 1).double(), 0) for f in (torch.mean, torch.std))
    torch.testing.assert_close(mean, moments.mean, rtol=0, atol=0.25)
    torch.testing.assert_close(deviation, moments.deviation, rtol=0.06, atol=0)
    # Padding in front changes nothing of what an example is given.
    later = with_noise(moments, range(50), seed=0)(drawn.flip(1), span.flip(1))
    assert torch.equal(later[:, 10:], made[:, :30])
    # As loud as what was there, it leaves mean and variance as they were, and half of the rest.
    both = with_noise(moments, range(50), seed=0, sigma=1)(drawn, span)
    mixed = both[:, :30].flatten(0, 1).double()
    torch.testing.assert_close(mixed.std(0), moments.deviation, rtol=0.06, atol=0)
    own = drawn[:, :30].flatten(0, 1).double()
    alike = [
        float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in zip(own.T, mixed.T, strict=True)
    ]
    assert alike == pytest.approx([0.5**0.5] * len(alike), abs=0.06)
    # None at all changes nothing.
    none = with_noise(moments, range(50), seed=0, sigma=0)(drawn, span)
    torch.testing.assert_close(none[:, :30], drawn[:, :30])


def test_every_family_is_ablated_and_counted(family, same):
    ablation = ModalityAblation(None if family.model in {"vilt", "llava"} else OF_NUMBERS)
    result = ablation.score(family, seed=3, replicates=20)
    n = len(family.examples)
    assert result.cost == ablation.cost(family)
    replacements = 5 if ablation.replacements is None else 4
    assert result.cost == Cost(n * (1 + 2 * replacements))
    assert {name for s in result.scores if (name := s.modality)} == set(family.adapter.modalities)
    same(result, ablation.score(family, seed=3, replicates=20))
    same(
        result, ablation.score(replace(family, batch_size=5), seed=3, replicates=20), exactly=False
    )
    other = ablation.score(family, seed=4, replicates=20)
    first = family.adapter.modalities[0]
    name = f"log-likelihood (noise, {first})"
    assert not np.allclose(result.per_example[name], other.per_example[name], atol=1e-9)


def test_clip_among_candidates_does_not_look_at_its_text(clip_folder, pictured, value_of):
    names = [example.inputs["text"] for example in pictured[:2]]
    subject = Subject(load_adapter(clip_folder, candidates=names), pictured, "clip", "emojis")
    result = ModalityAblation(OF_NUMBERS).score(subject, replicates=20)
    for replacement in ("mean", "noise", "another"):
        assert value_of(result, f"log-likelihood drop ({replacement})", "text") == 0
        assert value_of(result, f"log-likelihood drop ({replacement})", "image") != 0
    # CLIP divides by the length of what it compares, and zeros have none.
    assert math.isnan(value_of(result, "accuracy drop (zero)", "image"))
    assert math.isnan(value_of(result, "log-likelihood drop (zero)", "image"))


def test_the_demos_match_needs_both(demo, value_of):
    result = ModalityAblation(("another",)).score(demo("concat"), replicates=50)
    for modality in ("image", "text"):
        assert value_of(result, "accuracy drop (another)", modality) > 0.1


def refused(subject, words, **options):
    with pytest.raises(InputError, match=words):
        ModalityAblation(**options).score(subject, replicates=5)


def test_what_cannot_be_scored_is_refused_in_a_sentence(pair_of, number_examples):
    subject = pair_of(sign_of_image, number_examples)
    refused(replace(subject, examples=number_examples[:1]), "there is one example")
    refused(replace(subject, examples=[]), "there are no examples")
    refused(replace(subject, batch_size=0), "batch size is 0")
    refused(subject, "nothing is blank for them", replacements=("blank",))
    refused(subject, "no replacement 'fog'", replacements=("fog",))
    some = [replace(number_examples[0], label=None), *number_examples[1:]]
    refused(replace(subject, examples=some), "1 of 20 examples have no label")
    wrong = [replace(number_examples[0], label=2), *number_examples[1:]]
    refused(replace(subject, examples=wrong), "the label 2 is no answer of the model")
    lacking = [*number_examples[:-1], Example("x", {"image": [0.0, 0.0, 0.0]}, label=0)]
    refused(replace(subject, examples=lacking), "'0' to 'x' cannot be prepared")
    refused(pair_of(lambda image, _: torch.ones(len(image), 1), number_examples), "one answer")
    with pytest.raises(InputError, match="0 replicates"):
        ModalityAblation(("zero",)).score(subject, replicates=0)


def test_a_model_without_an_answer_is_refused(clip_folder, pictured):
    refused(Subject(load_adapter(clip_folder), pictured, "clip", "emojis"), "gives no answer")
