"""The paper's tables of counts: from one example's tokens to codes to counts of triples.

The unit is the token in an example: a table of k³ cells is filled by at most as many rows as the
shortest sequence has tokens. By the paper's pairing, rows form triples in the order of k-means'
centroids, which is arbitrary.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

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
