"""Codes of embeddings: principal components, then k-means. Symbols stay as they are.

Coding sees no target, so it is fitted to all rows. Rows are read a block at a time. Up to 20,000
rows are clustered together; beyond, the centres of 20,000 random rows move with every row
(mini-batch k-means, Sculley 2010, doi:10.1145/1772690.1772862).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans

from modalprism.errors import InputError
from modalprism.estimation.features import principal_components
from modalprism.estimation.sample import Sample
from modalprism.estimation.source import Source, stretches

Codes = NDArray[np.int64]

ROWS_A_CELL: Final = 3
FEWEST_CODES: Final = 3
MOST_CODES: Final = 20
MOST_SYMBOLS: Final = 64
COMPONENTS: Final = 16
FIRST_ROWS: Final = 20_000
BATCH_ROWS: Final = 4_096
"""Rows by which centres move at a time, whatever a block is: blocks decide nothing."""


def code_count(n: int, classes: int, symbols: int | None = None) -> int:
    """Return how many codes the rows can fill: k1 k2 C cells with three rows each, on average.

    With equal codes k² C · 3 = n, and with a partner of a known number of symbols k · symbols · C ·
    3 = n; from 3 to 20. Fewer rows a cell leave more to `adjust`, more rows leave too few
    codes: with 200 rows and two classes, the atoms of gates of four noisy symbols erred by .056,
    .040, .031, .042 and .097 bit (root mean square) at 1, 2, 3, 5 and 10 rows a cell.

    Examples
    --------
    >>> code_count(200, 2), code_count(5_000, 10), code_count(5_000, 10, symbols=3)
    (5, 12, 20)
    """
    cells = n / (ROWS_A_CELL * classes)
    count = np.sqrt(cells) if symbols is None else cells / symbols
    return int(np.clip(count, FEWEST_CODES, MOST_CODES))


def code_sources(sample: Sample, seed: int) -> tuple[Codes, Codes]:
    """Code two sources, each with as many codes as the rows can fill.

    Returns
    -------
    two of ndarray of int64, shape (n,)
        Codes 0 … k−1, each with a row at least; symbols as they are, see `symbols_of`.

    Raises
    ------
    InputError
        If a column of symbols has more than 64 different ones, or cannot be told apart.
    """
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


def symbols_of(name: str, source: NDArray[Any]) -> Codes | None:
    """Return the symbols of a source that is a column of them, numbered, or None if it is not.

    One column, (n,) or (n, 1), of whole numbers, truth values or words is symbols. So is one of
    floats that are whole numbers, where there are at most 64 different ones; others are measured.

    Raises
    ------
    InputError
        If a column of whole numbers or words has more than 64 different ones.

    Examples
    --------
    >>> symbols_of("colour", np.array(["red", "blue", "red"]))
    array([1, 0, 1])
    >>> symbols_of("height", np.array([[1.82], [1.64], [1.7]])) is None
    True
    """
    if source.ndim != 1 and source.shape[1:] != (1,):
        return None
    column = source.reshape(len(source))
    measured = column.dtype.kind == "f"
    if measured and not np.array_equal(column, np.round(column)):
        return None
    try:
        values, code = np.unique(column, return_inverse=True)
    except TypeError as error:
        raise InputError(f"{name!r} mixes symbols that have no order ({error})") from error
    if len(values) > MOST_SYMBOLS:
        if measured:
            return None
        raise InputError(
            f"{name!r} has {len(values)} different symbols, and tables can hold {MOST_SYMBOLS}; "
            "merge the rare ones, or give an embedding of them, (n, d)"
        )
    return code.astype(np.int64)


def code_source(source: Source, count: int, seed: int) -> Codes:
    """Code rows by k-means on their first 16 principal components.

    Parameters
    ----------
    source : Source
    count : int
        Codes; fewer come back where fewer rows are different.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    if source.constant:
        return np.zeros(len(source), dtype=np.int64)
    some = source.take(np.sort(np.random.default_rng(seed).permutation(len(source))[:FIRST_ROWS]))
    reduction = principal_components(
        lambda: (source.scaled(source.read(*at)) for at in stretches(len(source), source.step)),
        COMPONENTS,
        seed,
    )

    def reduced(rows: NDArray[Any]) -> NDArray[np.float64]:
        blocks = [reduction(block) for block in source.blocks(rows)]
        return torch.cat(blocks).numpy().astype(np.float64)

    start = k_means(reduced(some), count, seed)
    if len(some) == len(source):
        return renumbered(start.labels_)
    means = MiniBatchKMeans(
        start.n_clusters, init=start.cluster_centers_, n_init=1, random_state=seed
    )
    for begin, end in stretches(len(source), BATCH_ROWS):
        means.partial_fit(reduced(source.read(begin, end)))
    codes = [
        means.predict(reduced(source.read(begin, end)))
        for begin, end in stretches(len(source), BATCH_ROWS)
    ]
    return renumbered(np.concatenate(codes))


def renumbered(codes: NDArray[Any]) -> Codes:
    """Number codes anew, so that each has a row."""
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def k_means(rows: NDArray[np.float64], count: int, seed: int) -> KMeans:
    """Find centres of rows, no more than there are different ones: k-means would warn."""
    count = min(count, len(np.unique(rows.round(9), axis=0)))
    return KMeans(count, n_init=4, random_state=seed).fit(rows)
