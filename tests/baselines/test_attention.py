"""Attention mass: uniform and given attention by hand, a decoder's own weights, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from modalprism.baselines.attention import AttentionMass, attention_weights
from modalprism.baselines.interface import Cost, Subject
from modalprism.capture.adapter import Site
from modalprism.capture.generic import ModuleAdapter
from modalprism.errors import InputError


class Given(nn.Module):
    """Attention that an example brings itself, of one head, (b, 1, 4, 4)."""

    def __init__(self):
        super().__init__()
        self.attention = nn.Identity()

    def forward(self, weights):
        self.attention((None, weights))
        return weights


@pytest.fixture
def given_of(number_examples):
    """Two image tokens, a text token, and one of neither, in an order of their own."""

    def make(weights, order=("image", "text", "image", "")):
        place = Site(1, "attention", ("image", "text"), attention="attention")
        adapter = ModuleAdapter(
            Given(),
            lambda examples: {"weights": weights[[int(e.id) for e in examples]]},
            {"image": [place], "text": [replace(place, attention="")]},
            spans=lambda inputs: {
                m: torch.tensor([[of == m for of in order]] * len(inputs["weights"]))
                for m in ("image", "text")
            },
        )
        return Subject(adapter, number_examples[: len(weights)], "given", "numbers", batch_size=2)

    return make


def test_the_mass_by_hand(given_of, value_of):
    weights = torch.full((3, 1, 4, 4), 0.25)
    weights[1, 0, :3] = torch.tensor([0.1, 0.6, 0.0, 0.3])
    weights[2, 0, :3] = torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0.5, 0.5]])
    weights[:, 0, 3] = torch.tensor([0.0, 0, 0, 1])  # of a position that is of no span
    result = AttentionMass().score(given_of(weights), replicates=20)
    expected = [2 / 3, 0.1 / 0.7, 1.5 / 2.5]
    np.testing.assert_allclose(result.per_example["attention mass (image)"], expected, atol=1e-6)
    assert value_of(result, "attention mass", "image") == pytest.approx(np.mean(expected))
    assert value_of(result, "attention mass (layer 1)", "text") == pytest.approx(
        1 - np.mean(expected)
    )
    assert result.cost == Cost(3)


def test_swapped_modalities_swap_the_masses(given_of, value_of):
    weights = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(3)
    one = AttentionMass().score(given_of(weights), replicates=20)
    other = AttentionMass().score(given_of(weights, ("text", "image", "text", "")), replicates=20)
    image, text = (value_of(one, "attention mass", modality) for modality in ("image", "text"))
    assert image != pytest.approx(text)
    assert value_of(other, "attention mass", "text") == pytest.approx(image)
    assert value_of(other, "attention mass", "image") == pytest.approx(text)


def test_attention_without_a_preference_falls_on_tokens_alike(demo):
    subject = demo("concat")
    for layer in subject.adapter.network.layers:
        for weight in layer.attention.query.parameters():
            nn.init.zeros_(weight)
    result = AttentionMass().score(subject, replicates=20)
    inputs = subject.adapter.prepare(subject.examples)
    pieces, words = inputs["image"].shape[1], inputs["text_mask"].sum(1).numpy()
    assert len(set(words.tolist())) > 1
    for layer in (1, 2, 3, 4):
        found = result.per_example[f"attention mass (layer {layer}) (image)"]
        np.testing.assert_allclose(found, pieces / (pieces + words), atol=1e-6)
    assert result.cost == Cost(16)


def test_who_listens_hears_the_demos_attention_and_changes_no_bit(demo):
    subject = demo("concat")
    network, inputs = subject.adapter.network, subject.adapter.prepare(subject.examples)
    seen = {}

    def remember(name):
        return lambda _module, given, output: seen.update({name: (given, output)})

    with torch.inference_mode():
        plain = network(**inputs)
        with attention_weights(network, subject.adapter.attention_sites()) as weights_of:
            attention = network.layers[1].attention
            handles = [
                attention.register_forward_hook(remember("attention")),
                attention.key_value.register_forward_hook(remember("key_value")),
                attention.weights.register_forward_hook(remember("weights")),
            ]
            heard = network(**inputs)
        for handle in handles:
            handle.remove()
        assert torch.equal(plain, heard)
        assert torch.equal(plain, network(**inputs))
        assert sorted(weights_of) == [1, 2, 3, 4]
        # The weights are those by which the fused kernel has weighed.
        (given, attended), (_, weights) = seen["attention"], seen["weights"]
        values = seen["key_value"][1].unflatten(-1, (2, attention.heads, -1))[:, :, 1]
        mixed = (weights @ values.transpose(1, 2)).transpose(1, 2).flatten(2)
        torch.testing.assert_close(given[0] + attention.out(mixed), attended, rtol=0, atol=1e-4)
        torch.testing.assert_close(weights_of[2], weights.mean(1))


def test_a_decoders_mass_is_that_of_its_last_position(llava, pictured, value_of, same):
    llava.model.set_attn_implementation("eager")
    subject = Subject(llava, pictured, "llava", "emojis")
    result = AttentionMass().score(subject, replicates=20)
    inputs = llava.prepare(pictured)
    spans = llava.spans(inputs)
    with torch.inference_mode():
        output = llava.model(**inputs, output_attentions=True)
    whole = []
    for layer, weights in enumerate(output.attentions, start=1):
        last = weights.mean(1)[:, -1].double()  # padding is on the left
        image, text = ((last * spans[modality]).sum(1) for modality in ("image", "text"))
        whole.append((image / (image + text)).numpy())
        found = result.per_example[f"attention mass (layer {layer}) (image)"]
        np.testing.assert_allclose(found, whole[-1], atol=1e-5)
    assert len(whole) == 3
    assert value_of(result, "attention mass", "image") == pytest.approx(np.mean(whole), abs=1e-5)
    same(
        result, AttentionMass().score(replace(subject, batch_size=3), replicates=20), exactly=False
    )


def test_attention_that_is_not_handed_out_is_refused(llava, pictured):
    with pytest.raises(InputError, match="attn_implementation='eager'"):
        AttentionMass().score(Subject(llava, pictured, "llava", "emojis"), replicates=5)


@pytest.mark.parametrize("fusion", ["late", "cross_attention"])
def test_a_fusion_whose_attention_is_built_in_is_refused(fusion, demo):
    with pytest.raises(InputError, match="names no attention in which both modalities stand"):
        AttentionMass().score(demo(fusion), replicates=5)


def test_families_that_name_no_attention_are_refused(family):
    if family.model == "llava":
        family.adapter.model.set_attn_implementation("eager")
        result = AttentionMass().score(family, replicates=5)
        assert result.cost == AttentionMass().cost(family) == Cost(8)
        return
    with pytest.raises(InputError, match="choose another baseline"):
        AttentionMass().score(family, replicates=5)


def test_one_example_is_refused(given_of):
    with pytest.raises(InputError, match="one example"):
        AttentionMass().score(given_of(torch.full((1, 1, 4, 4), 0.25)), replicates=5)
