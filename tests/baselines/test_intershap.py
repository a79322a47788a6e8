"""InterSHAP: exclusive or is all interaction, a sum is none, and the parts make a whole."""

import numpy as np
import pytest
import torch
from torch import nn

from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.intershap import InterShap, behaviour
from modalprism.capture.adapter import Adapter, Site
from modalprism.datasets.dataset import Example


class Bits(Adapter):
    """A sign of each modality; a function of both is the probability of the first answer."""

    auto_class, fusion = "Bits", "in the function"

    def __init__(self, function):
        network = nn.Sequential(nn.Identity())
        super().__init__(network, None)
        self.function = function

    def prepare(self, examples):
        return {m: torch.tensor([[[e.inputs[m]]] for e in examples]) for m in self.modalities}

    def sites(self):
        return (Site(0, "0", ("image",), part="image"), Site(0, "0", ("text",), part="text"))

    def spans(self, inputs):  # noqa: ARG002
        return {}

    def forward(self, inputs):
        states = self.model(dict(inputs))
        return self.function(states["image"][:, 0, 0], states["text"][:, 0, 0])

    def answer(self, output, inputs):  # noqa: ARG002
        return torch.stack([output, 1 - output], 1)


def result_of(function, signs=((-1.0, 1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, -1.0)), **options):
    examples = [Example(str(i), {"image": a, "text": b}) for i, (a, b) in enumerate(signs)]
    subject = Subject(Bits(function), examples, "bits", "signs", batch_size=3)
    assert InterShap().cost(subject) == Cost(4 * len(examples))
    return InterShap().score(subject, replicates=50, **options)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a, b: 0.5 + 0.4 * a * b, [100, 0, 0]),  # exclusive or
        (lambda a, b: 0.5 + 0.3 * a + 0.1 * b, [0, 75, 25]),  # a sum
        (lambda a, _: 0.5 + 0.4 * a, [0, 100, 0]),
        (lambda a, b: 0.5 + 0.2 * a + 0.2 * a * b, [50, 50, 0]),
    ],
    ids=["xor", "additive", "image", "half"],
)
def test_by_hand(function, expected):
    result = result_of(function)
    assert [score.estimate.value for score in result.scores] == pytest.approx(expected, abs=1e-4)
    assert [score.modality for score in result.scores] == [None, "image", "text"]
    assert {score.estimate.unit for score in result.scores} == {"%"}
    assert sum(result.per_example.values()) == pytest.approx(100)
    assert result.cost == Cost(16)
    assert result.n == 4


def test_swapped_modalities_swap_the_main_effects():
    def one(a, b):
        return torch.sigmoid(a + 0.3 * b + 0.5 * a * b)

    signs = [(-1.0, 1.0), (1.0, 0.5), (0.2, -1.0)]
    given = result_of(one, signs).scores
    swapped = result_of(lambda a, b: one(b, a), [(b, a) for a, b in signs]).scores
    assert given[0].estimate.value == pytest.approx(swapped[0].estimate.value, abs=1e-4)
    assert given[1].estimate.value == pytest.approx(swapped[2].estimate.value, abs=1e-4)


def test_same_seed_same_intervals():
    one, two = (result_of(lambda a, b: 0.5 + 0.1 * a + 0.2 * a * b, seed=3) for _ in range(2))
    assert one.scores == two.scores


def test_what_does_not_move_has_no_parts():
    result = result_of(lambda a, _: 0.7 + 0 * a)
    assert all(np.isnan(score.estimate.value) for score in result.scores)
    half = np.array([0.5])
    assert np.isnan(behaviour(half, half, half, half)).all()
