"""The tokens that the paper's protocol reads of each example: X₁ and X₂ before fusion, Y behind it.

The paper does not say which positions of a layer's fused states are Y. Here they are all positions
of both spans whose state at the layer differs from layer 0: both spans in their order, or one after
the other where they are two streams (LXMERT, BridgeTower, the demo). Where one modality's state
never changes (the picture of BLIP, Whisper's audio), they are the other's span alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.baselines.running import Runner
from modalprism.baselines.states import before_fusion, positions_of, span_of, state_key
from modalprism.capture.adapter import Adapter, Site
from modalprism.capture.replacing import replaced_states
from modalprism.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tokens:
    """Tokens of one example, (length, d): of each modality before fusion, and fused ones."""

    place: int
    sources: tuple[Array, Array]
    fused: Mapping[int, Array]


def fused_sites(adapter: Adapter) -> dict[int, list[Site]]:
    """Return the sites of the fused states of every layer; an `InputError` if no layer fuses."""
    unfused = {state_key(site) for site in before_fusion(adapter)}
    found: dict[int, list[Site]] = {}
    for site in adapter.sites():
        spans = set(site.modalities) <= set(adapter.modalities)
        if site.layer and spans and state_key(site) not in unfused:
            found.setdefault(site.layer, []).append(site)
    if adapter.fused == "none" or not found:
        raise InputError(
            f"no layer of this family is fused ({adapter.fusion}); the paper's protocol has no "
            "target there"
        )
    return found


def read_tokens(runner: Runner, layers: Sequence[int], description: str) -> Iterator[Tokens]:
    """Run all examples, and yield the tokens of each; states must be finite and of one width."""
    adapter = runner.subject.adapter
    of_layer = fused_sites(adapter)
    sites = (*before_fusion(adapter), *(site for layer in layers for site in of_layer[layer]))
    found: dict[tuple[Site, str], Tensor] = {}

    def note(site: Site, modality: str, state: Tensor) -> Tensor:
        found[site, modality] = state
        return state

    for batch in runner.batches(description):
        with torch.inference_mode(), replaced_states(adapter.model, sites, note):
            runner.output(batch)
        spans = adapter.spans(batch.inputs)
        standing = {
            modality: site for site in before_fusion(adapter) for modality in site.modalities
        }
        sources = [
            _of_spans(spans, (modality,), found[standing[modality], modality])
            for modality in adapter.modalities
        ]
        fused = {
            layer: [
                _of_spans(spans, site.modalities, found[site, site.modalities[0]])
                for site in of_layer[layer]
            ]
            for layer in layers
        }
        for row, place in enumerate(batch.places):
            first, second = (_checked(source[row], runner, place) for source in sources)
            joined = {
                layer: _checked(_joined([stream[row] for stream in streams]), runner, place)
                for layer, streams in fused.items()
            }
            yield Tokens(place, (first, second), joined)


def _of_spans(
    spans: Mapping[str, Tensor], modalities: Sequence[str], state: Tensor
) -> list[Tensor]:
    """Return the tokens of some spans in one state, for every example, in order."""
    masks = [span_of(spans, modality, state) for modality in modalities]
    inside = torch.stack(masks).any(0)
    pairs = zip(positions_of(state), inside, strict=True)
    return [positions[mask].double().cpu() for positions, mask in pairs]


def _joined(streams: Sequence[Tensor]) -> Tensor:
    if len({stream.shape[1] for stream in streams}) > 1:
        widths = " and ".join(str(stream.shape[1]) for stream in streams)
        raise InputError(
            f"the streams of a layer have states of width {widths}; the paper's protocol needs one"
        )
    return torch.cat(list(streams))


def _checked(tokens: Tensor, runner: Runner, place: int) -> Any:
    values = tokens.numpy()
    if not np.isfinite(values).all():
        raise InputError(
            f"a state of the example {runner.subject.examples[place].id!r} is not finite; the "
            "model overflows"
        )
    return values
