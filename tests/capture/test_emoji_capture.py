"""Captured states are what the network computes, pooled as is said."""

import numpy as np
import pytest
import torch

from modalprism.capture.emoji_capture import (
    answer_probabilities,
    capture_states,
    layer_names,
    redrawn_arrays,
    store_metadata,
)
from modalprism.capture.emoji_family import ANSWER_SLICES, BUNDLED, CONFIGS, load_network
from modalprism.capture.fusion_network import FUSIONS, FusionNetwork
from modalprism.datasets.emoji import kin_numbers
from modalprism.datasets.emoji_questions import QUESTIONS, label_pairs


@pytest.fixture(scope="module", params=FUSIONS)
def network(request):
    if request.param in BUNDLED:
        return load_network(request.param)
    torch.manual_seed(0)
    return FusionNetwork(CONFIGS[request.param]).eval()


@pytest.fixture(scope="module", params=["pictured", "match"])
def captured(network, encoded, request):
    """(pairs, arrays): every picture with every name."""
    emojis, members, inputs = encoded
    picture, name = np.repeat(members, 3), np.tile(members, 3)
    pairs = label_pairs(QUESTIONS[request.param], emojis, picture, name)
    return pairs, capture_states(network, inputs, pairs, kin_numbers(emojis))


def test_a_trained_network_is_loaded_for_inference(network):
    assert isinstance(network, FusionNetwork)
    assert not network.training
    assert all(value.dtype == torch.float32 for value in network.state_dict().values())


def test_the_answer_is_the_networks_own(network, encoded, captured):
    pairs, arrays = captured
    batch = encoded[2].batch(pairs.question, pairs.picture, pairs.name)
    with torch.inference_mode():
        logits = network(*batch)[:, ANSWER_SLICES[pairs.question.answer]]
        expected = torch.softmax(logits, 1).numpy()
    np.testing.assert_array_equal(arrays["answer"], expected)
    assert arrays["answer"].shape == (9, len(pairs.answers))
    np.testing.assert_array_equal(answer_probabilities(network, encoded[2], pairs), expected)


def test_spans_are_means_over_their_tokens(network, encoded, captured):
    pairs, arrays = captured
    image, text, mask = encoded[2].batch(pairs.question, pairs.picture, pairs.name)
    image_mask = torch.ones(image.shape[:2], dtype=torch.bool)
    with torch.inference_mode():
        states = [network.projections(image, text)]
        for layer in network.layers:
            states.append(layer(*states[-1], image_mask, mask))
    for depth, (image_span, text_span) in enumerate(states):
        for row in range(9):
            tokens = text_span[row][mask[row]].numpy()
            np.testing.assert_allclose(arrays[f"text/{depth}"][row], tokens.mean(0), atol=2e-6)
            tokens = image_span[row].numpy()
            np.testing.assert_allclose(arrays[f"image/{depth}"][row], tokens.mean(0), atol=2e-6)
        if depth:
            both = np.concatenate([arrays[f"image/{depth}"], arrays[f"text/{depth}"]], 1)
            np.testing.assert_array_equal(arrays[f"fused/{depth}"], both)


def test_the_heads_state_decides_the_answer(network, captured):
    pairs, arrays = captured
    state = torch.from_numpy(arrays[f"fused/{len(network.layers) + 1}"])
    with torch.inference_mode():
        logits = network.head(state)[:, ANSWER_SLICES[pairs.question.answer]]
    np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), arrays["answer"], atol=1e-6)


def test_before_fusion_a_modality_does_not_know_of_the_other(captured):
    _, arrays = captured
    images, texts = arrays["image/0"].reshape(3, 3, -1), arrays["text/0"].reshape(3, 3, -1)
    np.testing.assert_allclose(images, np.broadcast_to(images[:, :1], images.shape), atol=1e-6)
    np.testing.assert_allclose(texts, np.broadcast_to(texts[:1], texts.shape), atol=1e-6)


def test_rows_carry_their_labels_and_kin(encoded, captured):
    pairs, arrays = captured
    kin = kin_numbers(encoded[0])
    np.testing.assert_array_equal(arrays["label"], pairs.label)
    np.testing.assert_array_equal(arrays["group/picture"], kin[pairs.picture])
    np.testing.assert_array_equal(arrays["group/name"], kin[pairs.name])


def test_redrawn_runs_are_named_as_a_store_names_them(network, encoded):
    emojis, members, inputs = encoded
    picture, name = np.repeat(members, 2), members[[1, 2, 2, 0, 0, 1]]
    pairs = label_pairs(QUESTIONS["pictured"], emojis, picture, name)
    arrays = redrawn_arrays(network, inputs, pairs)
    np.testing.assert_array_equal(arrays["redrawn/image"], picture)
    np.testing.assert_array_equal(arrays["redrawn/text"], name)
    assert arrays["redrawn/answer"].sum(1) == pytest.approx(1, abs=1e-5)


def test_layers_have_names(network):
    names = layer_names(network)
    assert names[0] == "before fusion"
    assert names[1] == "layer 1"
    assert names[len(network.layers) + 1] == "head"
    assert store_metadata(network, model="concat")["model"] == "concat"


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
