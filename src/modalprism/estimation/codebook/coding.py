"""Embeddings → codes: principal components, then k-means; symbols stay as they are.

Coding sees no target, so it is fitted to all rows: a code cannot know what it was not told. Data
larger than memory, such as a `numpy.memmap`, are read a block of rows at a time; which of the two
ways is taken follows from their size alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA, IncrementalPCA

from modalprism.errors import InputError

Codes = NDArray[np.int64]

ROWS_A_CELL: Final = 3
FEWEST_CODES: Final = 3
MOST_CODES: Final = 20
MOST_SYMBOLS: Final = 64
COMPONENTS: Final = 16
MOST_IN_MEMORY: Final = 1 << 27
"""Elements of an embedding above which it is read in blocks: 1 GiB of float64."""
_BLOCK_ELEMENTS: Final = 1 << 23
FIRST_ROWS: Final = 20_000


def code_count(n: int, classes: int, symbols: int | None = None) -> int:
    """Return how many codes the rows can fill: k1 k2 C cells with three rows each, on average.

    With equal codes k² C · 3 = n, and with a partner of a known number of symbols k · symbols · C ·
    3 = n; from 3 to 20. Fewer rows a cell leave more to `corrections`, more rows leave too few
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


def code_sources(
    names: tuple[str, str],
    sources: tuple[NDArray[Any], NDArray[Any]],
    classes: int,
    *,
    seed: int = 0,
) -> tuple[Codes, Codes]:
    """Code two sources, each with as many codes as the rows can fill.

    Parameters
    ----------
    names : (str, str)
        What messages call them.
    sources : two of ndarray, shape (n, d), or (n,) or (n, 1) of symbols
        Embeddings, or symbols: see `symbols_of`.
    classes : int
        C, of the target.
    seed : int

    Returns
    -------
    two of ndarray of int64, shape (n,)
        Codes 0 … k−1, each with a row at least.

    Raises
    ------
    InputError
        If a column of symbols has more than 64 different ones, or cannot be told apart.
    """
    known = tuple(symbols_of(name, source) for name, source in zip(names, sources, strict=True))

    def code(source: NDArray[Any], own: Codes | None, other: Codes | None) -> Codes:
        if own is not None:
            return own
        symbols = None if other is None else int(other.max()) + 1
        return code_embedding(source, code_count(len(source), classes, symbols), seed=seed)

    return code(sources[0], known[0], known[1]), code(sources[1], known[1], known[0])


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


def code_embedding(
    embedding: NDArray[Any], count: int, *, seed: int = 0, most_in_memory: int = MOST_IN_MEMORY
) -> Codes:
    """Code rows by k-means on their first 16 principal components.

    Parameters
    ----------
    embedding : ndarray, shape (n, d), or (n,)
        Finite; a `numpy.memmap` is read in blocks of rows if it is large.
    count : int
        Codes; fewer come back where fewer rows are different.
    seed : int
    most_in_memory : int
        Elements above which rows are read in blocks, by incremental principal components (Ross et
        al. 2008, doi:10.1007/s11263-007-0075-7) and mini-batch k-means (Sculley 2010,
        doi:10.1145/1772690.1772862) from the centres of 20,000 random rows.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(300, 5)) + 20 * np.repeat(np.arange(3), 100)[:, None]
    >>> np.bincount(code_embedding(rows, 3)).tolist()
    [100, 100, 100]
    """
    rows = embedding.reshape(len(embedding), -1)
    first = rows[0].astype(np.float64)
    spread = max(float(np.abs(block - first).max()) for block in _blocks(rows, 0))
    if spread == 0:
        return np.zeros(len(rows), dtype=np.int64)
    # A power of two: what is large or small enough to square stays bit for bit as it is.
    exponent = int(np.frexp(spread)[1])
    code = _streamed if rows.size > most_in_memory else _in_memory
    return np.unique(code(rows, exponent, count, seed), return_inverse=True)[1].astype(np.int64)


def _blocks(rows: NDArray[Any], exponent: int) -> Iterator[NDArray[np.float64]]:
    """Yield rows / 2^exponent in blocks of nearly one size, of 2,000 rows or more if there are."""
    step = max(2_000, _BLOCK_ELEMENTS // rows.shape[1])
    parts = max(1, len(rows) // step)
    bounds = np.linspace(0, len(rows), parts + 1).astype(int)
    for start, stop in pairwise(bounds):
        yield np.ldexp(np.asarray(rows[start:stop], dtype=np.float64), -exponent)


def k_means(rows: NDArray[Any], count: int, seed: int) -> KMeans:
    """Find centres of rows, no more than there are different ones: k-means would warn."""
    count = min(count, len(np.unique(rows.round(9), axis=0)))
    return KMeans(count, n_init=4, random_state=seed).fit(rows)


def _in_memory(rows: NDArray[Any], exponent: int, count: int, seed: int) -> NDArray[Any]:
    reduction = PCA(min(COMPONENTS, *rows.shape), random_state=seed)
    components = reduction.fit_transform(np.concatenate([*_blocks(rows, exponent)]))
    codes: NDArray[Any] = k_means(components, count, seed).labels_
    return codes


def _streamed(rows: NDArray[Any], exponent: int, count: int, seed: int) -> NDArray[Any]:
    reduction = IncrementalPCA(min(COMPONENTS, *rows.shape))
    for block in _blocks(rows, exponent):
        reduction.partial_fit(block)
    chosen = np.random.default_rng(seed).permutation(len(rows))[:FIRST_ROWS]
    # In the order of the file: a random order would seek.
    sample = np.ldexp(rows[np.sort(chosen)].astype(np.float64), -exponent)
    start = k_means(reduction.transform(sample), count, seed)
    means = MiniBatchKMeans(
        start.n_clusters, init=start.cluster_centers_, n_init=1, random_state=seed
    )
    for block in _blocks(rows, exponent):
        means.partial_fit(reduction.transform(block))
    return np.concatenate(
        [means.predict(reduction.transform(block)) for block in _blocks(rows, exponent)]
    )
