"""Null tables in which one atom is zero and the rest is unchanged.

Each null changes the sample as little as possible. Three of them use the optimal coupling q of the
union information. q has the marginals p(x₁,y) and p(x₂,y) of the sample and no synergy. A draw from
q(x₁|x₂) makes x₁ a garbling of x₂, which has no unique information by Blackwell's order
(Bertschinger et al. 2014, doi:10.3390/e16042161) but keeps the shared information. If x₂ is noise,
q(x₁|x₂) is as uninformative about y, and the draw is nearly a permutation.

Rows of one block with the same code share one random number, so that errors repeat in a null as
often as in the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.codebook.tables import Coded, Codes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Null tables, and tables of noise for their level.

    Attributes
    ----------
    tables : ndarray, shape (B, k1, k2, C)
        Tables in which the atom is zero.
    noise : ndarray, shape (B', k1, k2, C)
        The same codes with a permuted target; their mean is the null's noise level.
    """

    tables: Array
    noise: Array


def permuted_target(coded: Coded, count: int, rng: np.random.Generator) -> Array:
    """Return null tables without information: permute the target in whole blocks; (B, …)."""
    first, second = coded.codes
    orders = (coded.permutation(rng) for _ in range(count))
    return np.stack([coded.count(first[order], second[order]) for order in orders])


def permuted_source(
    coded: Coded, source: int, count: int, levels: int, rng: np.random.Generator
) -> Draws:
    """Return null tables without redundancy: permute one source in whole blocks."""

    def pair() -> tuple[Codes, Codes]:
        permuted = coded.codes[source][coded.permutation(rng)]
        other = coded.codes[1 - source]
        return (permuted, other) if source == 0 else (other, permuted)

    return _draw(coded, pair, count, levels, rng)


def garbled_source(
    coded: Coded, coupling: Array, source: int, count: int, levels: int, rng: np.random.Generator
) -> Draws:
    """Return null tables without a unique atom: draw one source by q(x₁|x₂) or q(x₂|x₁)."""
    q = coupling.sum(2) if source == 0 else coupling.sum(2).T
    other = coded.codes[1 - source]
    rank = _Rank(coded, coded.codes[source])

    def pair() -> tuple[Codes, Codes]:
        drawn = _sample(_cumulative(q)[other], rank.draw(rng))
        return (drawn, other) if source == 0 else (other, drawn)

    return _draw(coded, pair, count, levels, rng)


def garbled_apart(
    coded: Coded, coupling: Array, source: int, count: int, levels: int, rng: np.random.Generator
) -> Draws:
    """Return null tables as `garbled_source`, drawn given y and apart from the other source.

    The unique atoms depend on p(x₁,y) and p(x₂,y) only, so Σ q(x₁|x₂) p(x₂|y) is a valid null too.
    The errors of its two tables are independent, which increases the apparent unique atom.
    """
    q = coupling.sum(2) if source == 0 else coupling.sum(2).T
    p_other = coded.table().sum(source)
    law = (q / np.maximum(q.sum(0), 1e-300)) @ p_other
    given = _cumulative(law)[coded.label]
    other = coded.codes[1 - source][coded.row]
    rank = _Rank(coded, coded.codes[source])
    tables = np.zeros((count, *coded.shape))
    for table in tables:
        drawn = _sample(given, rank.draw(rng)[coded.row])
        table += coded.count(*((drawn, other) if source == 0 else (other, drawn)))
    return Draws(tables, permuted_source(coded, source, 0, levels, rng).noise)


def coupled_sources(
    coded: Coded, coupling: Array, count: int, levels: int, rng: np.random.Generator
) -> Draws:
    """Return null tables without synergy: draw x₁ from q(x₁|x₂,y), which keeps both marginals."""
    second = coded.codes[1][coded.row]
    cumulative = _cumulative(coupling.reshape(coded.shape[0], -1))
    given = cumulative[second * coded.shape[2] + coded.label]
    rank = _Rank(coded, coded.codes[0])
    tables = [coded.count(_sample(given, rank.draw(rng)[coded.row]), second) for _ in range(count)]
    # Noise is independent of y: its x₁ is drawn given x₂ alone, as in these tables.
    noise = garbled_source(coded, coupling, 0, 0, levels, rng).noise
    return Draws(np.stack(tables), noise)


def _draw(
    coded: Coded,
    pair: Callable[[], tuple[Codes, Codes]],
    count: int,
    levels: int,
    rng: np.random.Generator,
) -> Draws:
    tables = np.zeros((count, *coded.shape))
    noise = np.zeros((levels, *coded.shape))
    for table in tables:
        table += coded.count(*pair())
    for table in noise:
        first, second = pair()
        order = coded.permutation(rng)
        table += coded.count(first[order], second[order])
    return Draws(tables, noise)


def _cumulative(q: Array) -> Array:
    """Return the distribution functions of q(x|s) from q(x,s), (states s, k)."""
    running = np.cumsum(q.T, axis=1)
    # States without mass occur only by rounding.
    return running / np.maximum(running[:, -1:], 1e-300)


def _sample(cumulative: Array, uniform: Array) -> Codes:
    """Return the code of each row, given distribution functions (m, k) and uniform numbers (m,)."""
    codes: Codes = (uniform[:, None] >= cumulative[:, :-1]).sum(1, dtype=np.int64)
    return codes


class _Rank:
    """Uniform numbers, one per block and code."""

    def __init__(self, coded: Coded, codes: Codes) -> None:
        block = np.empty(coded.n, dtype=np.int64)
        for number, rows in enumerate(coded.blocks):
            block[rows] = number
        _, self._of_row = np.unique(block * (codes.max() + 1) + codes, return_inverse=True)
        self._count = int(self._of_row.max()) + 1

    def draw(self, rng: np.random.Generator) -> Array:
        return rng.random(self._count)[self._of_row]
