"""MM-SHAP: additive models by hand, the axioms, masks that reach every family alike."""

import sys
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn

from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.mm_shap import MmShap, shapley_values
from modalprism.baselines.running import Runner, drawn_rows
from modalprism.baselines.states import Moments, masked, player_of, players_of, read_moments, tiled
from modalprism.capture.adapter import Adapter, Site
from modalprism.capture.loading import load_adapter
from modalprism.datasets.dataset import Example
from modalprism.demo.adapter import FusionAdapter
from modalprism.demo.fusion_network import FusionConfig, FusionNetwork
from modalprism.errors import InputError


class Toy(nn.Module):
    """Two spans as they are, and a probability that some function makes of them."""

    def __init__(self, function):
        super().__init__()
        self.spans, self.function = nn.Identity(), function

    def forward(self, image, text, mask):
        image, text = self.spans((image, text))
        return self.function(image, text * mask[..., None])


class ToyAdapter(Adapter):
    auto_class, fusion = "Toy", "in the function"

    def __init__(self, function):
        super().__init__(Toy(function), None)

    def prepare(self, examples):
        texts = [torch.as_tensor(e.inputs["text"], dtype=torch.float32) for e in examples]
        mask = nn.utils.rnn.pad_sequence([torch.ones(len(t)) for t in texts], batch_first=True)
        return {
            "image": torch.stack(
                [torch.as_tensor(e.inputs["image"], dtype=torch.float32) for e in examples]
            ),
            "text": nn.utils.rnn.pad_sequence(texts, batch_first=True),
            "mask": mask > 0,
        }

    def sites(self):
        return (Site(0, "spans", ("image",), part=0), Site(0, "spans", ("text",), part=1))

    def spans(self, inputs):
        return {"text": inputs["mask"]}

    def answer(self, output, inputs):  # noqa: ARG002
        return torch.stack([output, 1 - output], 1)


def additive(image, text):
    return 0.6 + 0.02 * image.sum((1, 2)) + 0.01 * text.sum((1, 2))


@pytest.fixture
def subject_of():
    """Six examples of two image tokens and one to three words, one channel each."""

    def make(function, n=6, **options):
        rng = np.random.default_rng(0)
        examples = [
            Example(
                str(i),
                {"image": rng.normal(size=(2, 1)), "text": rng.normal(size=(1 + i % 3, 1))},
                groups={"pair": str(i // 2)},
            )
            for i in range(n)
        ]
        return Subject(ToyAdapter(function), examples, "toy", "numbers", **options)

    return make


def score_of(result, quantity, modality):
    (found,) = [s for s in result.scores if (s.quantity, s.modality) == (quantity, modality)]
    return found


@pytest.mark.slow
def test_an_additive_model_by_hand(subject_of):
    subject = subject_of(additive)
    result = MmShap(players=2, permutations=1).score(subject, seed=0, replicates=50)
    image = np.stack([e.inputs["image"] for e in subject.examples])[..., 0]
    texts = [e.inputs["text"][:, 0] for e in subject.examples]
    means = np.float32(image).mean(), np.float32(np.concatenate(texts)).mean()
    shares = []
    for row, text in zip(image, texts, strict=True):
        players = min(2, len(text))
        parts = (
            sum(abs(0.02 * (group - means[0]).sum()) for group in groups_of(row, players)),
            sum(abs(0.01 * (group - means[1]).sum()) for group in groups_of(text, players)),
        )
        shares.append(parts[0] / sum(parts))
    assert result.per_example["share (image)"] == pytest.approx(shares, abs=1e-5)
    assert score_of(result, "share", "image").estimate.value == pytest.approx(
        np.mean(shares), abs=1e-5
    )
    both = [score_of(result, "share", modality).estimate.value for modality in ("image", "text")]
    assert sum(both) == pytest.approx(1)
    found = score_of(result, "share", "image")
    assert found.estimate.low <= found.estimate.value <= found.estimate.high


def groups_of(row, players):
    place = np.arange(len(row)) * players // len(row)
    return [row[place == player] for player in range(players)]


def by_definition(value, players):
    """Average marginal contributions over all orders."""
    total = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        coalition = np.zeros((1, players), dtype=bool)
        for player in order:
            before = value(coalition)[0]
            coalition[0, player] = True
            total[player] += value(coalition)[0] - before
    return total / len(orders)


@pytest.mark.slow
def test_values_are_efficient_symmetric_and_exact_for_pairs():
    table = np.random.default_rng(1).normal(size=(4, 4))

    def pairs(coalitions):
        return np.einsum("bi,ij,bj->b", coalitions * 1.0, table, coalitions * 1.0)

    found = shapley_values(pairs, 4, permutations=1, seed=3, batch_size=2)
    assert found == pytest.approx(by_definition(pairs, 4))

    def wild(coalitions):
        return np.sin(coalitions @ np.array([1.0, 1.0, 5.0, 0.0]) ** 3)

    found = shapley_values(wild, 4, permutations=40, seed=3, batch_size=64)
    whole, none = wild(np.ones((1, 4), dtype=bool))[0], wild(np.zeros((1, 4), dtype=bool))[0]
    assert found.sum() == pytest.approx(whole - none)
    assert found == pytest.approx(by_definition(wild, 4), abs=0.1)
    assert found[3] == pytest.approx(0)  # who changes nothing gets nothing

    def same(coalitions):
        return coalitions.sum(1) ** 2.0

    found = shapley_values(same, 4, permutations=1, seed=0, batch_size=64)
    assert found == pytest.approx(4)


def test_cost_is_bounded_before_and_counted_while_running(subject_of):
    subject = subject_of(additive, batch_size=4)
    baseline = MmShap(players=2, permutations=3)
    assert baseline.cost(subject) == Cost(6 * (1 + 2 + 3 * 6))
    result = baseline.score(subject, replicates=5)
    # Four coalitions of two players, and no more than sixteen of four.
    assert 6 + 2 * 4 + 4 * 4 < result.cost.forward <= 6 + 2 * 4 + 4 * 16
    assert result.cost.backward == 0
    assert MmShap(examples=3).cost(subject) == Cost(3 * 123)


def test_same_seed_same_numbers_and_the_global_generator_is_left(subject_of):
    subject = subject_of(lambda image, text: torch.sigmoid(image.sum((1, 2)) * text.sum((1, 2))))
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    one, two = (MmShap(players=2).score(subject, seed=1, replicates=20) for _ in range(2))
    assert np.array_equal(np.random.random(3), expected)  # noqa: NPY002
    assert one.scores == two.scores
    assert all(np.array_equal(one.per_example[k], two.per_example[k]) for k in one.per_example)


def test_a_sample_is_drawn_in_order(subject_of):
    subject = subject_of(additive)
    drawn = drawn_rows(6, 3, seed=0).tolist()
    assert len(set(drawn)) == 3
    assert drawn == sorted(drawn)
    assert drawn_rows(6, 6, seed=0).tolist() == list(range(6))
    assert MmShap(examples=3, players=1).score(subject, replicates=5).n == 3


def test_an_empty_span_has_no_share(subject_of):
    subject = subject_of(additive)
    subject.examples[2].inputs["text"] = np.zeros((0, 1))
    result = MmShap(players=2).score(subject, replicates=20)
    assert (
        np.isnan(result.per_example["share (text)"]).tolist() == [False] * 2 + [True] + [False] * 3
    )
    assert np.isfinite(score_of(result, "share", "text").estimate.value)


def test_players_are_even_groups_in_order():
    span = torch.tensor([[True] * 5 + [False], [False, True, True, False, True, True]])
    who = player_of(span, 2)
    assert who[0, :5].tolist() == [0, 0, 0, 1, 1]
    assert who[1][span[1]].tolist() == [0, 0, 1, 1]
    image = Moments(lengths=[torch.tensor([9, 3]), torch.tensor([4])])
    text = Moments(lengths=[torch.tensor([5, 7, 0])])
    assert players_of({"image": image, "text": text}, 4).tolist() == [4, 3, 0]


def test_the_mean_is_that_of_a_span_over_all_examples(subject_of):
    subject = subject_of(additive, batch_size=4)
    _, moments = read_moments(Runner(subject), "reading")
    words = np.concatenate([e.inputs["text"] for e in subject.examples])
    assert moments["text"].mean.item() == pytest.approx(words.mean(), abs=1e-6)
    assert torch.cat(moments["text"].lengths).tolist() == [1, 2, 3, 1, 2, 3]


def test_fusion_networks_and_towers_are_explained(clip_folder, emoji_examples):
    torch.manual_seed(0)
    network = FusionNetwork(FusionConfig("concat", 6, 5, 4, 3, width=8, heads=2)).eval()

    class Direct(FusionAdapter):
        def prepare(self, examples):
            generator = torch.Generator().manual_seed(0)
            keys = [int(e.inputs["image"]) for e in examples]
            image, text = (torch.randn(9, k, c, generator=generator) for k, c in ((4, 6), (5, 5)))
            mask = torch.arange(5) < 2 + torch.tensor(keys)[:, None] % 4
            return {"image": image[keys], "text": text[keys], "text_mask": mask}

        def answer(self, output, inputs):  # noqa: ARG002
            return torch.softmax(output, 1)

    examples = [Example(str(k), {"image": k, "text": k}) for k in range(4)]
    adapter = Direct(network, None, None)
    result = MmShap(players=3, permutations=1).score(
        Subject(adapter, examples, "net", "numbers"), replicates=20
    )
    assert 0 < score_of(result, "share", "text").estimate.value < 1

    clip = load_adapter(clip_folder, candidates=("face", "button"))
    with torch.no_grad():
        clip._compared = torch.eye(2, 8)
    result = MmShap().score(Subject(clip, emoji_examples, "clip", "emojis"), replicates=20)
    # One projected embedding a tower: one player a modality, and the text's is not asked.
    assert result.per_example["share (image)"] == pytest.approx(1)
    assert result.cost == Cost(8 * 5)


def test_copies_of_prepared_inputs_are_what_copies_would_be(clip_folder, emoji_examples):
    clip = load_adapter(clip_folder)
    copies = clip.prepare(emoji_examples[:1] * 3)
    for name, value in tiled(clip.prepare(emoji_examples[:1]), 3).items():
        assert torch.equal(value, copies[name])


def test_a_mask_of_all_players_changes_nothing(subject_of):
    subject = subject_of(additive)
    runner = Runner(subject)
    answers, moments = read_moments(runner, "reading")
    every = torch.ones(6, 2, dtype=torch.bool)
    again = runner.answers(
        "again",
        around=lambda batch: masked(
            subject.adapter, batch.inputs, moments, {"image": every, "text": every}
        ),
    )
    assert np.array_equal(again, answers)


def test_what_cannot_be_is_said(subject_of, monkeypatch):
    with pytest.raises(InputError, match="0 players"):
        MmShap(players=0)
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(InputError, match=r"modalprism\[baselines\]"):
        MmShap().score(subject_of(additive))
