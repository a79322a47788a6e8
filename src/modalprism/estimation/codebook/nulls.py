"""Tables that would have been counted if one atom were zero and all else as it is.

Each null changes as little as it can. The optimal coupling q of the union information is what makes
that possible for three of them: q has the marginals p(x₁,y) and p(x₂,y) of the sample and no
synergy, and replacing x₁ by a draw from q(x₁|x₂) makes it a garbling of x₂, which has nothing
unique by Blackwell's order (Bertschinger et al. 2014, doi:10.3390/e16042161), yet keeps what it
shares. Where x₂ is noise, q(x₁|x₂) knows of y what noise does, and the draw is about a permutation.

Rows of one block that have the same code draw with one random number, so that a null repeats its
errors as often as the sample does.
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
    """Null tables, and what the informations of noise would be in such tables.

    Attributes
    ----------
    tables : ndarray, shape (B, k1, k2, C)
        The atom in question is zero.
    noise : ndarray, shape (B', k1, k2, C)
        The same codes against a permuted target: their mean is the null's own level.
    """

    tables: Array
    noise: Array


def permuted_target(coded: Coded, count: int, rng: np.random.Generator) -> Array:
    """No information: the target is permuted against both codes, in whole blocks; (B, …)."""
    first, second = coded.codes
    orders = (coded.permutation(rng) for _ in range(count))
    return np.stack([coded.count(first[order], second[order]) for order in orders])


def permuted_source(
    coded: Coded, source: int, count: int, levels: int, rng: np.random.Generator
) -> Draws:
    """No redundancy: one source is permuted in whole blocks, so that it knows nothing to share."""

    def pair() -> tuple[Codes, Codes]:
        permuted = coded.codes[source][coded.permutation(rng)]
        other = coded.codes[1 - source]
        return (permuted, other) if source == 0 else (other, permuted)

    return _draw(coded, pair, count, levels, rng)


def garbled_source(
    coded: Coded, coupling: Array, source: int, count: int, levels: int, rng: np.random.Generator
) -> Draws:
    """Nothing unique: one source is drawn from the other, by q(x₁|x₂) or q(x₂|x₁)."""
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
    """Nothing unique, as in `garbled_source`, but drawn given y alone, apart from the other source.

    The unique atoms follow from p(x₁,y) and p(x₂,y), so that Σ q(x₁|x₂) p(x₂|y) serves as well.
    Here the two tables err independently, which adds to what seems unique.
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
    """No synergy: x₁ is drawn from q(x₁|x₂,y); all that either source knows by itself is kept."""
    second = coded.codes[1][coded.row]
    cumulative = _cumulative(coupling.reshape(coded.shape[0], -1))
    given = cumulative[second * coded.shape[2] + coded.label]
    rank = _Rank(coded, coded.codes[0])
    tables = [coded.count(_sample(given, rank.draw(rng)[coded.row]), second) for _ in range(count)]
    # Noise must not see y: its x₁ follows x₂ alone, as the codes of these tables do.
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
    # A state without mass is not met, but where rounding made it so.
    return running / np.maximum(running[:, -1:], 1e-300)


def _sample(cumulative: Array, uniform: Array) -> Codes:
    """Draw a code a row by its distribution function, (m, k), and a number in [0, 1), (m,)."""
    codes: Codes = (uniform[:, None] >= cumulative[:, :-1]).sum(1, dtype=np.int64)
    return codes


class _Rank:
    """Uniform numbers, one for all rows of a block that have the same code."""

    def __init__(self, coded: Coded, codes: Codes) -> None:
        block = np.empty(coded.n, dtype=np.int64)
        for number, rows in enumerate(coded.blocks):
            block[rows] = number
        _, self._of_row = np.unique(block * (codes.max() + 1) + codes, return_inverse=True)
        self._count = int(self._of_row.max()) + 1

    def draw(self, rng: np.random.Generator) -> Array:
        return rng.random(self._count)[self._of_row]
