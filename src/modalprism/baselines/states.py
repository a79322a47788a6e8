"""States before fusion as positions of a span, read and replaced whatever their shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

import torch
from torch import Tensor

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.replacing import replaced_states
from modalprism.errors import InputError

_GRID: Final = 4

StateKey = tuple[str, str, int | str]
"""Of a tensor: its module, whether it enters or leaves, and which part; see `Site`."""


def state_key(site: Site) -> StateKey:
    """Return the place of a site's tensor."""
    return site.module, site.reads, site.part


def before_fusion(adapter: Adapter) -> tuple[Site, ...]:
    """Return the sites before fusion, of both modalities; an `InputError` if one is missing."""
    sites = tuple(site for site in adapter.sites() if site.layer == BEFORE_FUSION)
    standing = {modality for site in sites for modality in site.modalities}
    if missing := [modality for modality in adapter.modalities if modality not in standing]:
        raise InputError(
            f"the adapter names no state of {missing[0]} before fusion, at layer {BEFORE_FUSION}"
        )
    return sites


def positions_of(state: Tensor) -> Tensor:
    """View a state, (b, t, d), (b, d) or (b, d, h, w), as positions (b, t, d).

    Examples
    --------
    >>> tuple(positions_of(torch.zeros(2, 8, 3, 5)).shape)
    (2, 15, 8)
    >>> tuple(positions_of(torch.zeros(2, 8)).shape)
    (2, 1, 8)
    """
    if state.ndim == _GRID:
        return state.flatten(2).transpose(1, 2)
    return state[:, None] if state.ndim == 2 else state


def shaped_as(positions: Tensor, state: Tensor) -> Tensor:
    """Give positions the shape of the state that they come from."""
    if state.ndim == _GRID:
        return positions.transpose(1, 2).reshape(state.shape)
    return positions[:, 0] if state.ndim == 2 else positions


def span_of(spans: Mapping[str, Tensor], modality: str, state: Tensor) -> Tensor:
    """Return which positions of a state belong to a modality, bool, (b, t)."""
    places = positions_of(state).shape[:2]
    span = spans.get(modality)
    if span is None or state.ndim == 2:  # of one state an example, all is its modality's
        return torch.ones(places, dtype=torch.bool, device=state.device)
    if span.shape != places:
        raise InputError(
            f"the span of {modality} has shape {tuple(span.shape)}, but the state before fusion "
            f"has positions of shape {tuple(places)}"
        )
    return span.to(state.device)


Fill = Callable[[Tensor, Tensor], Tensor]
"""From positions (b, t, d) and their span (b, t) to other positions; those outside stay."""


def filled(
    adapter: Adapter, inputs: Mapping[str, Tensor], fills: Mapping[str, Fill]
) -> AbstractContextManager[None]:
    """Replace the states before fusion of the modalities in `fills` while a batch runs."""
    spans = adapter.spans(inputs)

    def replace(_site: Site, modality: str, state: Tensor) -> Tensor:
        if modality not in fills:
            return state
        positions, span = positions_of(state), span_of(spans, modality, state)
        made = fills[modality](positions, span).to(positions.dtype)
        return shaped_as(torch.where(span[..., None], made, positions), state)

    return replaced_states(adapter.model, before_fusion(adapter), replace)
