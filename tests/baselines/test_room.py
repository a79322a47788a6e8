"""What all baselines share: the registry, counted passes, intervals, and the right answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from modalprism.baselines import BASELINES
from modalprism.baselines.interface import Baseline, Cost
from modalprism.baselines.intervals import average, sample_weights, scored
from modalprism.baselines.running import Runner, frozen
from modalprism.baselines.states import before_fusion, filled, positions_of, shaped_as
from modalprism.baselines.table import COLUMNS, frame_of
from modalprism.capture.adapter import Site
from modalprism.capture.generic import ModuleAdapter
from modalprism.errors import InputError


def half(image, _text):
    return torch.full((len(image), 2), 0.5)


@pytest.mark.parametrize("name", BASELINES.builtin)
def test_every_name_is_a_baseline_that_says_who_made_it(name):
    found = BASELINES[name]
    assert issubclass(found, Baseline)
    assert found.name == name
    assert found.title
    assert any(mark in found.source for mark in ("arXiv:", "doi:"))
    assert found()  # its settings have defaults


def test_another_name_is_refused():
    with pytest.raises(InputError, match="no baseline 'guess': choose one of 'ablation'"):
        BASELINES["guess"]


def test_passes_are_counted_in_examples(pair_of, number_examples):
    runner = Runner(pair_of(half, number_examples, batch_size=8))
    batches = list(runner.batches("counting"))
    assert [len(batch.places) for batch in batches] == [8, 8, 4]
    assert runner.cost == Cost(0)
    runner.answers("counting")
    runner.output(batches[2])
    assert runner.cost == Cost(24)


def test_progress_walks_the_batches(pair_of, number_examples):
    seen = []

    def track(sequence, *, total, description):
        seen.append((total, description))
        return sequence

    Runner(pair_of(half, number_examples, batch_size=8), track).answers("running")
    assert seen == [(3, "running")]


def test_memory_that_does_not_suffice_is_said(pair_of, number_examples):
    def greedy(_image, _text):
        raise MemoryError

    with pytest.raises(InputError, match="batch of 20; give a smaller batch"):
        Runner(pair_of(greedy, number_examples)).answers("running")


def test_groups_are_drawn_whole():
    groups = {place: {"pair": str(place // 2)} for place in range(6)}
    weights = sample_weights(groups, replicates=40, seed=0)
    assert (weights[0] == 1).all()
    np.testing.assert_array_equal(weights[:, ::2], weights[:, 1::2])
    assert not np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights, sample_weights(groups, replicates=40, seed=0))
    assert not np.array_equal(weights, sample_weights(groups, replicates=40, seed=1))


def test_an_intervals_width_is_that_of_theory():
    values = np.random.default_rng(0).standard_normal(400)
    weights = sample_weights({place: {} for place in range(400)}, replicates=2000, seed=0)
    score = scored("mean", None, average(weights, values))
    assert score.estimate.value == pytest.approx(values.mean())
    width = 2 * 1.96 * values.std() / 20
    assert score.estimate.high - score.estimate.low == pytest.approx(width, rel=0.08)


def test_examples_without_a_value_do_not_count():
    weights = np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 0.0]])
    assert average(weights, np.array([np.nan, 2.0, 4.0])).tolist() == pytest.approx(
        [3.0, np.nan], nan_ok=True
    )


@pytest.mark.parametrize("shape", [(2, 8), (2, 5, 8), (2, 8, 3, 5)])
def test_states_of_every_shape_are_positions_and_back(shape):
    state = torch.arange(float(np.prod(shape))).reshape(shape)
    positions = positions_of(state)
    assert positions.shape[::2] == (2, 8)
    assert torch.equal(shaped_as(positions, state), state)


def test_a_span_is_filled_and_nothing_else():
    class Reads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.both = torch.nn.Identity()

        def forward(self, state):
            return self.both(state)

    site = Site(0, "both", ("image", "text"))
    span = {
        "image": torch.tensor([[True, False, False]]),
        "text": torch.tensor([[False, True, False]]),
    }
    adapter = ModuleAdapter(
        Reads(),
        dict,
        {"image": [site], "text": [replace(site, modalities=())]},
        spans=lambda _: span,
    )
    state = torch.tensor([[[1.0], [2.0], [3.0]]])
    with filled(adapter, {"state": state}, {"text": lambda positions, _span: 0 * positions}):
        assert adapter.model(state).flatten().tolist() == [1.0, 0.0, 3.0]
    assert adapter.model(state).flatten().tolist() == [1.0, 2.0, 3.0]


def test_a_modality_without_a_state_before_fusion_is_refused():
    adapter = ModuleAdapter(
        torch.nn.Identity(), dict, {"image": [""], "text": [Site(1, "", ("text",))]}
    )
    with pytest.raises(InputError, match="no state of text before fusion"):
        before_fusion(adapter)


def test_frozen_weights_are_given_back():
    layer = torch.nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    with torch.inference_mode(), frozen(layer):
        assert not layer.weight.requires_grad
        assert torch.is_grad_enabled()
    assert (layer.weight.requires_grad, layer.bias.requires_grad) == (True, False)


def test_results_become_a_tidy_table(pair_of, number_examples):
    subject = pair_of(half, number_examples)
    results = [
        BASELINES[name]().score(subject, seed=7, replicates=5)
        for name in ("ablation", "input_x_gradient")
    ]
    table = frame_of(results)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == sum(len(result.scores) for result in results)
    row = table.iloc[-1]
    assert (row.baseline, row.quantity, row.modality) == ("input_x_gradient", "share", "text")
    assert (row.n, row.forward_passes, row.backward_passes, row.seed) == (20, 40, 20, 7)
    assert table[table.modality == ""].quantity.tolist() == ["accuracy"]
    assert frame_of([]).empty
