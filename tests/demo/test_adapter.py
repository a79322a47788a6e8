"""Captured states are what the network computes, pooled as is said."""

import numpy as np
import pytest
import torch

from modalprism.capture.api import capture
from modalprism.demo.adapter import FusionAdapter
from modalprism.demo.fusion_network import (
    ANSWER_SLICES,
    BUNDLED,
    CONFIGS,
    FUSIONS,
    FusionNetwork,
    load_network,
)
from modalprism.demo.questions import QUESTIONS, kin_numbers, label_pairs


@pytest.fixture(scope="module", params=FUSIONS)
def network(request):
    if request.param in BUNDLED:
        return load_network(request.param)
    torch.manual_seed(0)
    return FusionNetwork(CONFIGS[request.param]).eval()


@pytest.fixture(scope="module", params=["pictured", "match"])
def captured(network, encoded, request, tmp_path_factory):
    """(pairs, store): every picture with every name."""
    emojis, members, inputs = encoded
    picture, name = np.repeat(members, 3), np.tile(members, 3)
    pairs = label_pairs(QUESTIONS[request.param], emojis, picture, name)
    adapter = FusionAdapter(network, inputs, pairs.question, pairs.answers)
    out = tmp_path_factory.mktemp("stores") / "store"
    return pairs, capture(
        adapter, None, pairs, out=out, dtype="float32", device="cpu", redrawn=3, partners=2
    )


def test_a_trained_network_is_loaded_for_inference(network):
    assert isinstance(network, FusionNetwork)
    assert not network.training
    assert all(value.dtype == torch.float32 for value in network.state_dict().values())


def test_the_answer_is_the_networks_own(network, encoded, captured):
    pairs, store = captured
    batch = encoded[2].batch(pairs.question, pairs.picture, pairs.name)
    with torch.inference_mode():
        logits = network(*batch)[:, ANSWER_SLICES[pairs.question.answer]]
        expected = torch.softmax(logits, 1).numpy()
    np.testing.assert_array_equal(store.array("answer"), expected)
    assert store.array("answer").shape == (9, len(pairs.answers))


def test_spans_are_means_over_their_tokens(network, encoded, captured):
    pairs, store = captured
    image, text, mask = encoded[2].batch(pairs.question, pairs.picture, pairs.name)
    image_mask = torch.ones(image.shape[:2], dtype=torch.bool)
    with torch.inference_mode():
        states = [network.projections(image, text)]
        for layer in network.layers:
            states.append(layer(*states[-1], (image_mask, mask)))
    for depth, (image_span, text_span) in enumerate(states):
        for row in range(9):
            tokens = text_span[row][mask[row]].numpy()
            state = store.array(f"text/{depth}")[row]
            np.testing.assert_allclose(state, tokens.mean(0), atol=2e-6)
            tokens = image_span[row].numpy()
            np.testing.assert_allclose(
                store.array(f"image/{depth}")[row], tokens.mean(0), atol=2e-6
            )
        if depth:
            both = np.concatenate([store.array(f"image/{depth}"), store.array(f"text/{depth}")], 1)
            np.testing.assert_array_equal(store.array(f"fused/{depth}"), both)


def test_the_heads_state_decides_the_answer(network, captured):
    pairs, store = captured
    state = torch.from_numpy(store.array(f"fused/{len(network.layers) + 1}"))
    with torch.inference_mode():
        logits = network.head(state)[:, ANSWER_SLICES[pairs.question.answer]]
    np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), store.array("answer"), atol=1e-6)


def test_before_fusion_a_modality_does_not_know_of_the_other(captured):
    _, store = captured
    images, texts = (
        store.array("image/0").reshape(3, 3, -1),
        store.array("text/0").reshape(3, 3, -1),
    )
    np.testing.assert_allclose(images, np.broadcast_to(images[:, :1], images.shape), atol=1e-6)
    np.testing.assert_allclose(texts, np.broadcast_to(texts[:1], texts.shape), atol=1e-6)


def test_rows_carry_their_labels_and_kin(encoded, captured):
    pairs, store = captured
    kin = kin_numbers(encoded[0])
    np.testing.assert_array_equal(store.array("label"), pairs.label)
    groups = {name: values.astype(int) for name, values in store.groups().items()}
    np.testing.assert_array_equal(groups["picture"], kin[pairs.picture])
    np.testing.assert_array_equal(groups["name"], kin[pairs.name])


def test_redrawn_runs_are_the_networks_own(network, encoded, captured):
    pairs, store = captured
    runs = store.redrawn(("image", "text"))
    picture, name = (inputs.astype(int) for inputs in runs.inputs)
    assert (picture != name).all()
    assert set(picture) == set(name) == set(encoded[1])
    batch = encoded[2].batch(pairs.question, picture, name)
    with torch.inference_mode():
        logits = network(*batch)[:, ANSWER_SLICES[pairs.question.answer]]
    np.testing.assert_array_equal(runs.probability, torch.softmax(logits, 1).numpy())


def test_layers_have_names(network, captured):
    names = [captured[1].layer_name(layer) for layer in (0, 1, len(network.layers) + 1)]
    assert names == ["before fusion", "layer 1", "head"]


def test_inputs_find_the_features_of_an_emoji(encoded):
    emojis, members, inputs = encoded
    image, text, mask = inputs.batch(QUESTIONS["match"], members[[2, 0]], members[[1, 1]])
    assert torch.equal(image[1], inputs.image[0].float())
    assert torch.equal(text[0], text[1])
    assert torch.equal(mask[0], mask[1])
    outside = np.setdiff1d(np.arange(len(emojis)), members)
    assert (inputs.row[outside] == -1).all()
    # The last sentence is the question with no name.
    assert inputs.text_mask["match"][-1].sum() < inputs.text_mask["match"][:-1].sum(1).min()
