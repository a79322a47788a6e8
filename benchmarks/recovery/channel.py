"""Symbols written into noisy, high-dimensional embeddings, and what can still be read of them.

Symbol s of a source becomes vertex s of a simplex whose edges are `separation` long, along a random
orthonormal frame of d dimensions, plus white noise of standard deviation 1 and, in directions
orthogonal to the simplex, strong nuisance variables that know nothing. The nuisance may be common
to both sources, and an invertible mixing may correlate all dimensions: neither changes the
information, for the noise inside the simplex's plane stays independent of everything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.cluster import KMeans
from symbol_tables import SymbolTable, Table

from modalprism import decompose_marginals
from modalprism.pid.gates import Atoms

Rows = NDArray[np.float64]
_DRAWS, _STATES, _FITTED = 200_000, 600, 20_000
_RESOLUTION = 0.004  # bits; what the draws cannot tell from 0 is 0
_TOLERANCE, _SECONDS = 1.5e-3, 20.0  # bits asked of the solver, and when it ends in any case


@dataclass(frozen=True)
class Channel:
    """Map from symbols to embeddings.

    Parameters
    ----------
    separation : float
        Distance of any two symbols, in standard deviations of the noise.
    dimensions : int
        d of each source.
    nuisance : int
        Directions of nuisance in each source.
    strength : float
        Standard deviation of each nuisance variable.
    common : bool
        Whether both sources have the same nuisance variables, as two views of a scene have.
    mixed : bool
        Whether an invertible matrix correlates the dimensions of each source.
    """

    separation: float = 8.0
    dimensions: int = 100
    nuisance: int = 10
    strength: float = 3.0
    common: bool = False
    mixed: bool = False

    def codes(self, symbols: int) -> Rows:
        """Return the vertices of a simplex of this separation, (symbols, symbols − 1).

        Examples
        --------
        >>> codes = Channel(separation=3).codes(4)
        >>> np.round(np.linalg.norm(codes[0] - codes[2]), 6).item()
        3.0
        """
        centred = np.eye(symbols) - 1 / symbols
        basis = np.linalg.svd(centred)[0][:, : symbols - 1]
        return centred @ basis * self.separation / math.sqrt(2)

    def draw(
        self, table: SymbolTable, n: int, rng: np.random.Generator
    ) -> tuple[Rows, Rows, NDArray[np.int64]]:
        """Return two sources (n, d) and the target (n,)."""
        k1, k2, _ = table.joint.shape
        cells = rng.choice(table.joint.size, size=n, p=table.joint.ravel())
        s1, s2, y = np.unravel_index(cells, table.joint.shape)
        hidden = rng.normal(size=(n, self.nuisance))
        x1 = self._write(self.codes(k1)[s1], hidden, rng)
        if not self.common:
            hidden = rng.normal(size=(n, self.nuisance))
        return x1, self._write(self.codes(k2)[s2], hidden, rng), y

    def _write(self, code: Rows, hidden: Rows, rng: np.random.Generator) -> Rows:
        """Write codes and nuisance into d dimensions."""
        content = np.hstack([code, self.strength * hidden])
        frame = np.linalg.qr(rng.normal(size=(self.dimensions, content.shape[1])))[0]
        rows = content @ frame.T + rng.normal(size=(len(code), self.dimensions))
        if not self.mixed:
            return rows
        left, right = (np.linalg.qr(rng.normal(size=(self.dimensions,) * 2))[0] for _ in range(2))
        return rows @ (left * np.geomspace(0.5, 2, self.dimensions)) @ right


def noisy_atoms(
    table: SymbolTable, channel: Channel, *, draws: int = _DRAWS, states: int = _STATES
) -> Atoms:
    """Return the atoms of symbols seen through a channel, in bits, computed numerically.

    The posteriors p(y|x₁), p(y|x₂) and p(y|x₁,x₂) of many draws are exact, since they depend on
    the projections on the code planes alone. Their mean entropies give the information; the union
    information is that of the posteriors merged into states. Good to about .005 bit.

    Parameters
    ----------
    table : SymbolTable
        The symbols.
    channel : Channel
        Of which only the separation matters.
    draws, states : int
        How many points, and into how many states of each source they are merged.
    """
    rng = np.random.default_rng(0)
    k1, k2, classes = table.joint.shape
    p_y = table.joint.sum((0, 1))
    cells = np.searchsorted(table.joint.ravel().cumsum(), (np.arange(draws) + 0.5) / draws)
    s1, s2, _ = np.unravel_index(np.minimum(cells, table.joint.size - 1), table.joint.shape)
    seen1, seen2 = (_likelihoods(channel.codes(k), s, rng) for k, s in ((k1, s1), (k2, s2)))

    def posterior(likelihood: Rows, symbols: Table) -> Rows:
        rows = likelihood @ symbols
        return rows / rows.sum(1, keepdims=True)

    first = posterior(seen1, table.joint.sum(1))
    second = posterior(seen2, table.joint.sum(0))
    weighted = np.zeros((draws, classes))
    for symbol in range(k1):
        weighted += seen1[:, symbol, None] * (seen2 @ table.joint[symbol])
    both = weighted / weighted.sum(1, keepdims=True)
    entropy = -xlogy(p_y, p_y).sum()
    information = (entropy + xlogy(both, both).sum(1).mean()) / math.log(2)
    found = decompose_marginals(
        _merge(first, p_y, states),
        _merge(second, p_y, states),
        information,
        tol=_TOLERANCE,
        time_limit=_SECONDS,
    )
    atoms = [found.redundancy, *found.unique, found.synergy]
    r, u1, u2, s = (0.0 if abs(atom) < _RESOLUTION else float(atom) for atom in atoms)
    return Atoms(r, (u1, u2), s)


def _likelihoods(codes: Rows, symbols: NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """Return the likelihood of every symbol at noisy points, up to a factor a row."""
    points = codes[symbols] + rng.normal(size=(len(symbols), codes.shape[1]))
    scores = points @ codes.T - (codes**2).sum(1) / 2
    return np.exp(scores - scores.max(1, keepdims=True))


def _merge(posteriors: Rows, p_y: Table, states: int) -> Table:
    """Merge posteriors into p(state, y), whose classes are as frequent as they really are."""
    roots = np.sqrt(posteriors)
    different, state = np.unique(roots.round(6), axis=0, return_inverse=True)
    state = state.ravel()
    if len(different) > states:
        clusters = KMeans(states, n_init=1, max_iter=50, random_state=0)
        state = clusters.fit(roots[:: max(len(roots) // _FITTED, 1)]).predict(roots)
    merged = np.zeros((state.max() + 1, len(p_y)))
    np.add.at(merged, state, posteriors)
    merged = merged[merged.sum(1) > 0]
    return merged * (p_y / merged.sum(0))
