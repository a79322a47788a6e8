"""Fusion networks: which span can know of which, and what a mask hides."""

import pytest
import torch

from modalprism.demo.fusion_network import FUSIONS, FusionConfig, FusionNetwork, masked_mean

DEPTH = 3
MASK = torch.arange(6) < torch.tensor([[6], [4], [2]])


@pytest.fixture(params=FUSIONS)
def network(request):
    torch.manual_seed(0)
    config = FusionConfig(
        request.param, 7, 5, image_tokens=4, answers=3, width=8, heads=2, depth=DEPTH
    )
    return FusionNetwork(config).eval()


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 4, 7, generator=generator), torch.randn(3, 6, 5, generator=generator)


@torch.inference_mode()
def spans(network, image, text, mask=MASK):
    """Return (image spans, text spans, answer), spans of every layer by depth."""
    modules = {0: network.projections, **dict(enumerate(network.layers, start=1))}
    outputs = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, out, layer=layer: outputs.update({layer: out}))
        for layer, module in modules.items()
    ]
    answer = network(image, text, mask)
    for handle in handles:
        handle.remove()
    states = [outputs[layer] for layer in range(DEPTH + 1)]
    return [image for image, _ in states], [text for _, text in states], answer


def changed(before, after):
    return [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]


def test_spans_keep_their_shape_in_every_layer(network, inputs):
    images, texts, answer = spans(network, *inputs)
    assert {tuple(image.shape) for image in images} == {(3, 4, 8)}
    assert {tuple(text.shape) for text in texts} == {(3, 6, 8)}
    assert tuple(answer.shape) == (3, 3)


def test_the_image_span_knows_of_the_text_only_where_they_fuse(network, inputs):
    image, text = inputs
    before, _, answer = spans(network, image, text)
    after, _, other = spans(network, image, text.flip(0))
    fused = network.config.fusion != "late"
    assert changed(before, after) == [False] + [fused] * DEPTH
    assert not torch.allclose(answer, other)


def test_the_text_span_knows_of_the_image_only_where_they_fuse(network, inputs):
    image, text = inputs
    _, before, answer = spans(network, image, text)
    _, after, other = spans(network, image.flip(0), text)
    fused = network.config.fusion != "late"
    assert changed(before, after) == [False] + [fused] * DEPTH
    assert not torch.allclose(answer, other)


def test_what_the_mask_hides_changes_nothing(network, inputs):
    image, text = inputs
    images, texts, answer = spans(network, image, text)
    noise = torch.randn(text.shape, generator=torch.Generator().manual_seed(2))
    padded = torch.where(MASK[..., None], text, 100 * noise)
    other_images, other_texts, other = spans(network, image, padded)
    torch.testing.assert_close(answer, other)
    for a, b in zip(images, other_images, strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(texts, other_texts, strict=True):
        torch.testing.assert_close(a[MASK], b[MASK])


def test_longer_padding_changes_nothing(network, inputs):
    image, text = inputs
    longer = torch.cat([text, torch.full((3, 5, 5), 9.0)], 1)
    mask = torch.cat([MASK, torch.zeros(3, 5, dtype=torch.bool)], 1)
    expected = spans(network, image, text)[2]
    torch.testing.assert_close(spans(network, image, longer, mask)[2], expected)


def test_rows_do_not_know_of_each_other(network, inputs):
    image, text = inputs
    together = spans(network, image, text)[2]
    alone = torch.cat(
        [spans(network, image[i : i + 1], text[i : i + 1], MASK[i : i + 1])[2] for i in range(3)]
    )
    torch.testing.assert_close(together, alone)


def test_inference_is_without_dropout_and_training_is_not(network, inputs):
    first, second = (network(*inputs, MASK) for _ in range(2))
    assert torch.equal(first, second)
    network.train()
    assert not torch.equal(network(*inputs, MASK), network(*inputs, MASK))


@torch.inference_mode()
def test_a_closed_gate_lets_nothing_through(inputs):
    torch.manual_seed(0)
    config = FusionConfig("gated", 7, 5, image_tokens=4, answers=3, width=8, heads=2, depth=DEPTH)
    network = FusionNetwork(config).eval()
    for layer in network.layers:
        layer.gate.weight.zero_()
        layer.gate.bias.fill_(-torch.inf)
    image, text = inputs
    images, texts, _ = spans(network, image, text)
    other_images, _, _ = spans(network, image, text.flip(0))
    _, other_texts, _ = spans(network, image.flip(0), text)
    assert changed(images, other_images) == [False] * (DEPTH + 1)
    assert changed(texts, other_texts) == [False] * (DEPTH + 1)


@torch.inference_mode()
def test_the_gate_reads_both_spans(inputs):
    torch.manual_seed(0)
    config = FusionConfig("gated", 7, 5, image_tokens=4, answers=3, width=8, heads=2, depth=1)
    network = FusionNetwork(config).eval()
    gates = []
    handle = network.layers[0].gate.register_forward_hook(lambda _m, _i, out: gates.append(out))
    image, text = inputs
    for given in ((image, text), (image.flip(0), text), (image, text.flip(0))):
        network(*given, MASK)
    handle.remove()
    as_given, other_image, other_text = gates
    assert not torch.allclose(as_given, other_image)
    assert not torch.allclose(as_given, other_text)


def test_masked_mean_averages_what_is_there():
    state = torch.arange(12.0).view(1, 4, 3)
    mask = torch.tensor([[True, False, True, False]])
    assert masked_mean(state, mask).tolist() == [[3, 4, 5]]
