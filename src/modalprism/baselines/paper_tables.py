"""The paper's tables of counts: from one example's tokens to codes to counts of triples.

X₁ and X₂ are the tokens before fusion, Y those of a fused layer. The paper does not say which
positions Y has. Here they are all positions of both spans whose state at the layer differs from
layer 0: both spans in their order, or one after the other where they are two streams (LXMERT,
BridgeTower, the demo). Where one modality's state never changes (the picture of BLIP, Whisper's
audio), they are the other's span alone.

The unit is the token in an example: a table of k³ cells is filled by at most as many rows as the
shortest sequence has tokens. By the paper's pairing, rows form triples in the order of k-means'
centroids, which is arbitrary.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.baselines.running import Runner
from modalprism.baselines.states import before_fusion, positions_of, span_of, state_key
from modalprism.capture.adapter import Adapter, Site
from modalprism.capture.interventions import replaced_states
from modalprism.errors import InputError

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Pairing = Literal["centroids", "aligned"]
PAIRINGS: Final[tuple[Pairing, ...]] = ("centroids", "aligned")


def coded_triples(
    tokens: Sequence[Array], symbols: int, pairing: Pairing, generator: np.random.Generator
) -> Codes:
    """Code the rows of three sequences of tokens, (length, d) each.

    `symbols` is k, and the number of principal components too; at most as many as there are rows.
    Longer sequences are cut to the shortest: to the centroids of k-means in arbitrary order (the
    paper's "centroids"), or to tokens evenly spaced ("aligned"). Returns codes below `symbols`,
    int64, shape (3, L), where the length L of the shortest may be 0.

    Examples
    --------
    >>> same = [np.repeat(np.eye(2), 3, axis=0)] * 3
    >>> codes = coded_triples(same, 2, "aligned", np.random.default_rng(0))
    >>> [len(set(zip(codes[0], other))) for other in codes[1:]]
    [2, 2]
    """
    length = min(map(len, tokens))
    if not length:
        return np.zeros((3, 0), dtype=np.int64)
    cut = [_cut(sequence, length, pairing, generator) for sequence in tokens]
    return np.stack([_coded(_components(_unit(rows), symbols), symbols, generator) for rows in cut])


def counted(triples: Sequence[Codes], symbols: int) -> Array:
    """Count the triples of codes, (3, L), of many examples: (B, symbols, symbols, symbols).

    Examples
    --------
    >>> counted([np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]])], 2)[0, 0, 0].tolist()
    [0.0, 2.0]
    """
    tables = np.zeros((len(triples), symbols, symbols, symbols))
    for table, codes in zip(tables, triples, strict=True):
        np.add.at(table, tuple(codes), 1)
    return tables


def shuffled(triples: Sequence[Codes], seed: int) -> list[Codes]:
    """Make the three sequences of each example independent: permute the rows of each by itself.

    To permute whole tokens before they are coded would be the same in law, since principal
    components and clusters depend on the order of the rows only by k-means' draws.
    """
    return [
        np.random.default_rng([seed, place]).permuted(codes, axis=1)
        for place, codes in enumerate(triples)
    ]


def _cut(rows: Array, length: int, pairing: Pairing, generator: np.random.Generator) -> Array:
    if len(rows) == length:
        return rows
    if pairing == "aligned":
        return rows[np.linspace(0, len(rows) - 1, length).round().astype(np.intp)]
    centroids: Array = _clusters(rows, length, generator).cluster_centers_
    return centroids


def _unit(rows: Array) -> Array:
    """Bring rows to length 1; those of length 0 stay."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)


def _components(rows: Array, count: int) -> Array:
    """Return the first principal components of rows, as many as they have."""
    u, scale, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    components: Array = (u * scale)[:, :count]
    return components


def _coded(rows: Array, symbols: int, generator: np.random.Generator) -> Codes:
    codes: Codes = _clusters(rows, min(symbols, len(rows)), generator).labels_.astype(np.int64)
    return codes


def _clusters(rows: Array, count: int, generator: np.random.Generator) -> Any:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    seed = int(generator.integers(2**31))
    with warnings.catch_warnings():
        # Fewer different rows than clusters: some clusters stay empty, as in the paper's protocol.
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        return KMeans(count, n_init=1, random_state=seed).fit(rows)


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
        site_of = {
            modality: site for site in before_fusion(adapter) for modality in site.modalities
        }
        sources = [
            _of_spans(spans, (modality,), found[site_of[modality], modality])
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
