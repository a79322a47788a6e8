"""Attention knock-out in fusion networks: what is hidden moves nobody else."""

import pytest
import torch

from modalprism.capture.interventions import Cuts, span_hidden
from modalprism.demo.adapter import FusionAdapter, fusion_hidden
from modalprism.demo.fusion_network import FusionConfig, FusionNetwork
from modalprism.errors import InputError

PIECES, WORDS = 4, 6


def network_of(fusion):
    torch.manual_seed(0)
    config = FusionConfig(fusion, 8, 8, image_tokens=PIECES, answers=3, width=16, depth=3, heads=2)
    return FusionNetwork(config).eval()


@torch.inference_mode()
def last_states(network, image, text, mask):
    """Return both streams as they leave the last layer."""
    kept = []
    handle = network.layers[-1].register_forward_hook(lambda _m, _g, out: kept.append(out))
    network(image, text, mask)
    handle.remove()
    return dict(zip(("image", "text"), kept[0], strict=True))


def inputs():
    generator = torch.Generator().manual_seed(1)
    image, other = torch.randn(2, 2, PIECES, 8, generator=generator)
    text, another = torch.randn(2, 2, WORDS, 8, generator=generator)
    mask = torch.ones(2, WORDS, dtype=torch.bool)
    mask[1, 4:] = False
    return image, other, text, another, mask


@pytest.mark.parametrize("fusion", ["concat", "cross_attention", "gated"])
@pytest.mark.parametrize("hidden", ["image", "text"])
def test_the_other_stream_knows_nothing_of_what_is_hidden(fusion, hidden):
    network = network_of(fusion)
    image, other, text, another, mask = inputs()
    changed = (other, text) if hidden == "image" else (image, another)
    seeing = "text" if hidden == "image" else "image"

    before = last_states(network, image, text, mask)
    assert not torch.allclose(last_states(network, *changed, mask)[seeing], before[seeing])
    with fusion_hidden(network, PIECES, hidden):
        cut = last_states(network, image, text, mask)
        moved = last_states(network, *changed, mask)
    torch.testing.assert_close(moved[seeing], cut[seeing])
    assert not torch.allclose(moved[hidden], cut[hidden])  # which still sees itself
    # One way alone: the hidden span sees the other as before.
    with fusion_hidden(network, PIECES, hidden):
        again = (image, another) if hidden == "image" else (other, text)
        assert not torch.allclose(last_states(network, *again, mask)[hidden], cut[hidden])
    for stream, state in last_states(network, image, text, mask).items():
        assert torch.equal(state, before[stream])  # afterwards all is as it was


def test_streams_that_never_meet_cannot_be_cut():
    with (
        pytest.raises(InputError, match="never look at each other"),
        fusion_hidden(network_of("late"), PIECES, "image"),
    ):
        pass


def test_the_demo_cuts_in_a_way_of_its_own():
    adapter = FusionAdapter(network_of("concat"), None, None)
    assert isinstance(adapter, Cuts)
    image, other, text, _, mask = inputs()
    batch = {"image": image, "text": text, "text_mask": mask}
    with span_hidden(adapter, batch, "image"):
        cut = last_states(adapter.network, image, text, mask)["text"]
        moved = last_states(adapter.network, other, text, mask)["text"]
    torch.testing.assert_close(moved, cut)
