"""The codebook estimator of many rows: codes, tables and resampled tables in blocks.

Centres move with every row (mini-batch k-means, Sculley 2010, doi:10.1145/1772690.1772862), tables
and their replicates are of all rows, and nulls are drawn for some rows: a null takes hundreds of
tables, and what a million rows could find beyond tens of thousands no codes could bear.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from modalprism.estimation.analysis import Analysis, Estimate
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.codebook.codebook import decompose_coded, decompose_many_coded
from modalprism.estimation.codebook.coding import (
    COMPONENTS,
    FIRST_ROWS,
    Codes,
    code_count,
    k_means,
    symbols_of,
)
from modalprism.estimation.codebook.tables import Coded
from modalprism.estimation.folds import connected_groups
from modalprism.estimation.streamed.reduction import (
    EXACT_DIMENSIONS,
    Moments,
    Reduction,
    exact_axes,
    randomised_axes,
)
from modalprism.estimation.streamed.sample import StreamedSample
from modalprism.estimation.streamed.source import Source, stretches
from modalprism.estimation.streamed.streaming import Streaming
from modalprism.estimation.summary import summarize_codebook

BATCH_ROWS: Final = 4_096
"""Rows by which centres move at a time, whatever a block is: blocks decide nothing."""


def analyze_streamed_codebook(
    sample: StreamedSample,
    streaming: Streaming,
    *,
    target: str,
    base: float,
    folds: int,  # noqa: ARG001
    replicates: int,
    permutations: int,
    seed: int,
) -> Analysis:
    """Code, count, correct and resample a checked sample of many rows.

    Parameters
    ----------
    sample : StreamedSample
    streaming : Streaming
    target, base, replicates, permutations, seed
        As in `modalprism.analyze`.
    folds : int
        Of the other estimator: codes see no target, and need none.

    Returns
    -------
    Analysis
        In the order of the sample's modalities.
    """
    n, classes = len(sample), sample.target.classes
    codes = _code_sources(sample, seed)
    tested = _some_rows(sample, streaming.looked_at, seed)
    of_tested = {name: column[tested] for name, column in sample.groups.items()}
    some = Coded.of(
        (_numbered(codes[0][tested]), _numbered(codes[1][tested])),
        sample.target.rows(tested),
        of_tested,
    )
    weights = chain.from_iterable(weights_in_batches(of_tested, len(tested), replicates, seed))
    p_values = decompose_coded(some, weights, permutations, seed).p_values
    coded = Coded.of(codes, sample.target.rows(slice(None)), sample.groups)
    weights = chain.from_iterable(weights_in_batches(sample.groups, n, replicates, seed))
    counted = decompose_many_coded(coded, weights, p_values, seed)
    analysis = summarize_codebook(counted, sample.modalities, n, classes, target=target, base=base)
    told = {"tested_rows": Estimate(float(len(tested)))}
    return replace(analysis, diagnostics=analysis.diagnostics | told)


def _some_rows(sample: StreamedSample, most: int, seed: int) -> NDArray[np.int64]:
    """Return whole components of rows at random, at most so many rows where that can be."""
    component = connected_groups(sample.groups, len(sample))
    size = np.bincount(component)
    order = np.random.default_rng(seed).permutation(len(size))
    kept = np.zeros(len(size), dtype=np.bool_)
    kept[order[np.cumsum(size[order]) <= max(most, size[order[0]])]] = True
    return np.flatnonzero(kept[component])


def _numbered(codes: Codes) -> Codes:
    """Number codes anew, where some of them are not met."""
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _code_sources(sample: StreamedSample, seed: int) -> tuple[Codes, Codes]:
    """Code both sources, each with as many codes as the rows can fill; see `coding`."""
    known = [
        symbols_of(name, source.read(0, len(source))) if source.rows.shape[1] == 1 else None
        for name, source in zip(sample.modalities, sample.sources, strict=True)
    ]

    def code(number: int) -> Codes:
        own, other = known[number], known[1 - number]
        if own is not None:
            return own
        symbols = None if other is None else int(other.max()) + 1
        count = code_count(len(sample), sample.target.classes, symbols)
        return code_source(sample.sources[number], count, seed)

    return code(0), code(1)


def code_source(source: Source, count: int, seed: int) -> Codes:
    """Code rows by k-means on their first 16 principal components, a block at a time."""
    if source.constant:
        return np.zeros(len(source), dtype=np.int64)
    rng = np.random.default_rng(seed)
    some = source.take(np.sort(rng.permutation(len(source))[:FIRST_ROWS]))
    reduction = _components(source, some, seed)

    def reduced(rows: NDArray[Any]) -> NDArray[np.float64]:
        blocks = [reduction(block) for block in source.blocks(rows)]
        return torch.cat(blocks).numpy().astype(np.float64)

    start = k_means(reduced(some), count, seed)
    means = MiniBatchKMeans(
        start.n_clusters, init=start.cluster_centers_, n_init=1, random_state=seed
    )
    for begin, end in stretches(len(source), BATCH_ROWS):
        means.partial_fit(reduced(source.read(begin, end)))
    codes = [
        means.predict(reduced(source.read(begin, end)))
        for begin, end in stretches(len(source), BATCH_ROWS)
    ]
    return _numbered(np.concatenate(codes))


def _components(source: Source, some: NDArray[Any], seed: int) -> Reduction:
    """Learn components as they are, of all rows, or of some where there are many dimensions."""
    d = some.shape[1]
    if d > EXACT_DIMENSIONS:
        centre, axes, _ = randomised_axes(source.scaled(some).numpy(), COMPONENTS, seed)
    else:
        read = (source.scaled(source.read(*where)) for where in stretches(len(source), source.step))
        centre, axes, _ = exact_axes([Moments.of(read, d)], min(COMPONENTS, d))
    return Reduction(torch.from_numpy(centre).float(), torch.from_numpy(axes.copy()).float())
