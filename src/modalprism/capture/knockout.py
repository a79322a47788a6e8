"""Attention knock-out by modality: nobody outside a span sees it, in every layer of a network.

After Geva et al. 2023 (arXiv:2304.14767). What one modality alone has must then stay in its own
span, whatever the network learnt: no other position is told of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter
from modalprism.capture.fusion_network import FusionNetwork
from modalprism.capture.interventions import attention_cut
from modalprism.errors import InputError


@runtime_checkable
class Cuts(Protocol):
    """An adapter whose network cuts attention in a way of its own."""

    def hidden(self, inputs: Mapping[str, Tensor], modality: str) -> AbstractContextManager[None]:
        """Hide a modality's span from all other positions; see `span_hidden`."""


def span_hidden(
    adapter: Adapter, inputs: Mapping[str, Tensor], modality: str
) -> AbstractContextManager[None]:
    """Hide a modality's span from all other positions, in passes on `inputs` inside the block.

    Marks between spans are kept from it, too: they would hand on what they saw.

    Parameters
    ----------
    adapter : Adapter
    inputs : mapping of name to Tensor
        Of the batch that runs.
    modality : str
        Whose span is not seen.

    Raises
    ------
    InputError
        If the family names no attention that could be cut.
    """
    if isinstance(adapter, Cuts):
        return adapter.hidden(inputs, modality)
    modules = [site.attention for site in adapter.sites() if site.layer and site.attention]
    spans = adapter.spans(inputs)
    if not modules or modality not in spans:
        raise InputError(
            f"{type(adapter).__name__} names no attention in which both modalities stand, so that "
            "none can be cut"
        )
    seen = spans[modality]
    causal = adapter.fused == "last"  # a decoder; others see what stands behind them
    return attention_cut(adapter.model, modules, ~seen, seen, causal=causal)


@contextmanager
def fusion_hidden(network: FusionNetwork, pieces: int, modality: str) -> Iterator[None]:
    """Hide a modality from the other one in a fusion network.

    Parameters
    ----------
    network : FusionNetwork
    pieces : int
        Positions of a picture.
    modality : {"image", "text"}
        Which is not seen.

    Raises
    ------
    InputError
        If the network's streams never look at each other.
    """
    fusion = network.config.fusion
    if fusion == "late":
        raise InputError("its two streams never look at each other, so that nothing can be cut")
    reader = "text_from_image" if modality == "image" else "image_from_text"
    with ExitStack() as hooks:
        for layer in network.layers:
            if fusion == "concat":
                handle = layer.get_submodule("attention").register_forward_hook(
                    lambda module, given, output: _own_context(
                        module, given, output, pieces, modality
                    )
                )
            elif fusion == "cross_attention":  # what it adds to its queries is left out
                handle = layer.get_submodule(reader).register_forward_hook(
                    lambda _module, given, _output: given[0]
                )
            else:  # the gate may open as it likes: what it lets in is nothing
                handle = layer.get_submodule(reader).register_forward_hook(
                    lambda _module, _given, output: torch.zeros_like(output)
                )
            hooks.callback(handle.remove)
        yield


def _own_context(
    attention: nn.Module, given: tuple[Any, ...], output: Tensor, pieces: int, hidden: str
) -> Tensor:
    """Attend anew from the span that must not see the other, to its own positions alone."""
    state, _, mask = given
    picture, words = slice(None, pieces), slice(pieces, None)
    # Not the module itself: its hooks would come here again.
    if hidden == "image":
        alone = attention.forward(state[:, words], state[:, words], mask[:, words])
        return torch.cat([output[:, picture], alone], 1)
    alone = attention.forward(state[:, picture], state[:, picture], mask[:, picture])
    return torch.cat([alone, output[:, words]], 1)
