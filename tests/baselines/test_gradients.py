"""Gradients: a model whose attributions are its weights times its input; completeness; families."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from modalprism.baselines.gradients import AnswerOfStates, InputTimesGradient, IntegratedGradients
from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.running import Runner
from modalprism.capture.loading import load_adapter
from modalprism.errors import InputError

ERROR = "completeness error"
WEIGHTS = {"image": np.array([0.02, -0.05, 0.0]), "text": np.array([-0.01, 0.01, 0.03])}
KINDS = (InputTimesGradient(), IntegratedGradients(4, "zero"))


def linear(image, text):
    """A first answer whose log₂-probability is linear, and always above that of the second."""
    bits = sum(
        state @ torch.tensor(WEIGHTS[name], dtype=torch.float32)
        for name, state in (("image", image), ("text", text))
    )
    probability = torch.exp2(-0.45 + bits)
    return torch.stack([probability, 1 - probability], 1)


def curved(image, text):
    """Smooth, and no more linear: both meet in a product."""
    score = torch.tanh(image).sum(1) * text.sum(1) + 0.3 * text[:, 0]
    return torch.softmax(torch.stack([score, -score, 0 * score], 1), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_linear_model_attributions_are_weights_times_inputs(
    kind, pair_of, number_examples, value_of
):
    result = kind.score(pair_of(linear, number_examples, batch_size=8), replicates=50)
    sums = {
        modality: np.array([np.abs(w * e.inputs[modality]).sum() for e in number_examples])
        for modality, w in WEIGHTS.items()
    }
    share = sums["image"] / (sums["image"] + sums["text"])
    for modality, of in sums.items():
        assert value_of(result, "attribution", modality) == pytest.approx(of.mean(), abs=1e-5)
    np.testing.assert_allclose(result.per_example["share (image)"], share, atol=1e-4)
    assert value_of(result, "share", "image") == pytest.approx(share.mean(), abs=1e-4)
    assert value_of(result, "share", "text") == pytest.approx(1 - share.mean(), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_modality_that_is_not_looked_at_has_no_share(kind, pair_of, number_examples, value_of):
    subject = pair_of(lambda image, _text: linear(image, 0 * image), number_examples)
    result = kind.score(subject, replicates=5)
    assert value_of(result, "attribution", "text") == 0
    assert value_of(result, "share", "image") == 1


def test_a_model_that_looks_at_nothing_has_no_shares(pair_of, number_examples, value_of):
    subject = pair_of(lambda image, _: torch.full((len(image), 2), 0.5), number_examples)
    result = InputTimesGradient().score(subject, replicates=5)
    assert value_of(result, "attribution", "image") == 0
    assert math.isnan(value_of(result, "share", "image"))


@pytest.mark.parametrize("begin", ["mean", "zero"])
def test_integrated_gradients_sum_to_what_is_gained(begin, pair_of, number_examples, value_of):
    subject = pair_of(curved, number_examples)
    errors = [
        value_of(IntegratedGradients(steps, begin).score(subject, replicates=5), ERROR)
        for steps in (2, 8, 64)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_swapped_modalities_swap_the_scores(kind, pair_of, number_examples, value_of, swapped):
    one = kind.score(pair_of(curved, number_examples), replicates=5)
    turned = pair_of(lambda image, text: curved(text, image), swapped(number_examples))
    other = kind.score(turned, replicates=5)
    for quantity in ("attribution", "share"):
        image, text = (value_of(one, quantity, modality) for modality in ("image", "text"))
        assert abs(image - text) > 1e-3
        assert value_of(other, quantity, "image") == pytest.approx(text, rel=1e-5)
        assert value_of(other, quantity, "text") == pytest.approx(image, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "cost"), [(KINDS[0], Cost(2, backward=1)), (KINDS[1], Cost(6, backward=4))]
)
def test_every_family_is_scored_counted_and_left_as_it_was(kind, cost, family, value_of, same):
    wanted = {name: w.requires_grad for name, w in family.adapter.model.named_parameters()}
    result = kind.score(family, replicates=20)
    n = len(family.examples)
    assert result.cost == kind.cost(family) == Cost(n * cost.forward, n * cost.backward)
    same(result, kind.score(family, replicates=20))
    first, second = family.adapter.modalities
    assert value_of(result, "attribution", first) > 0
    assert (value_of(result, "attribution", second) > 0) == (family.model != "clip")
    total = value_of(result, "share", first) + value_of(result, "share", second)
    assert total == pytest.approx(1)
    alone = kind.score(replace(family, batch_size=5), replicates=20)
    np.testing.assert_allclose(
        alone.per_example[f"share ({first})"], result.per_example[f"share ({first})"], atol=1e-3
    )
    for name, weight in family.adapter.model.named_parameters():
        assert weight.requires_grad == wanted[name]
        assert weight.grad is None


def test_of_real_families_many_steps_are_complete(family, value_of):
    subject = replace(family, examples=family.examples[:3])
    few, many = (IntegratedGradients(steps).score(subject, replicates=5) for steps in (1, 24))
    errors = [value_of(result, ERROR) for result in (few, many)]
    assert errors[1] < errors[0] / 10


def test_a_line_from_means_by_hand(pair_of, number_examples, value_of):
    kind = IntegratedGradients(4)
    subject = pair_of(linear, number_examples, batch_size=8)
    result = kind.score(subject, replicates=5)
    for modality, weight in WEIGHTS.items():
        given = np.array([e.inputs[modality] for e in number_examples])
        expected = np.abs(weight * (given - given.mean(0))).sum(1)
        found = result.per_example[f"attribution ({modality})"]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert value_of(result, ERROR) < 1e-5
    assert result.cost == kind.cost(subject) == Cost(7 * 20, backward=4 * 20)


def test_clip_has_no_answer_to_zeros(clip_folder, pictured, value_of):
    names = [example.inputs["text"] for example in pictured[:2]]
    subject = Subject(load_adapter(clip_folder, candidates=names), pictured, "clip", "emojis")
    assert math.isnan(value_of(IntegratedGradients(4, "zero").score(subject, replicates=5), ERROR))


def test_the_line_begins_where_both_spans_are_zeros(llava, pictured):
    runner = Runner(Subject(llava, pictured, "llava", "emojis"))
    (batch,) = runner.batches("one batch")
    function = AnswerOfStates(runner, batch)
    (state,), (begin,) = function.states.values(), function.without_spans({})
    spans = llava.spans(batch.inputs)
    both = spans["image"] | spans["text"]
    assert both.any()
    assert not both.all()
    assert torch.equal(begin[both], torch.zeros_like(begin[both]))
    assert torch.equal(begin[~both], state[~both])
    with torch.no_grad():  # the states that were read are those that the model has
        torch.testing.assert_close(function(state), function.value, rtol=0, atol=0)


def test_without_captum_the_extra_is_named(monkeypatch, pair_of, number_examples):
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(InputError, match=r"pip install 'modalprism\[baselines\]'"):
        InputTimesGradient().score(pair_of(linear, number_examples))


def test_what_cannot_be_scored_is_refused(pair_of, number_examples):
    with pytest.raises(InputError, match="one example"):
        InputTimesGradient().score(pair_of(linear, number_examples[:1]))
    with pytest.raises(InputError, match="0 steps"):
        IntegratedGradients(steps=0)
    with pytest.raises(InputError, match="begins with 'noise'"):
        IntegratedGradients(begin="noise")
