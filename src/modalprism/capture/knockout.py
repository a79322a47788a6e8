"""Attention knock-out by modality: hide a span from all other positions, in every layer.

After Geva et al. 2023 (arXiv:2304.14767). What one modality alone has must then stay in its own
span, whatever the network learnt: no other position is told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from torch import Tensor

from modalprism.capture.adapter import Adapter
from modalprism.capture.interventions import attention_cut
from modalprism.errors import InputError


@runtime_checkable
class Cuts(Protocol):
    """An adapter that cuts the attention of its network itself."""

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
