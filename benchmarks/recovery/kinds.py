"""Kinds of data that are hard to read, with atoms known in closed form or by one quadrature.

`Bits` are seen through Gaussian noise, weakly, in odd units or in a few groups; `Direction` hides a
linear signal among many columns; `Sectors` and `Strips` have sharp edges inside a source or across
both. All noise is Gaussian, of standard deviation 1 before columns are scaled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtr
from symbol_tables import atoms_of, entropy

from modalprism.pid.gates import Atoms

Rows = NDArray[np.float64]
Labels = NDArray[np.int64]
_GRID = np.linspace(-10, 10, 20_001)
_DENSITY = np.exp(-(_GRID**2) / 2)
_DENSITY /= _DENSITY.sum()
_STEEPEST = 60.0  # separation or slope; beyond it nothing is left to read


class Known:
    """Base of kinds with an exact truth and any number of rows."""

    truth: ClassVar[str] = "exact"
    most: ClassVar[float] = math.inf

    def missing(self) -> None:
        """Nothing is missing."""


@dataclass(frozen=True)
class Bits(Known):
    """Independent fair bits, which are the target, each seen in one direction of a source.

    Of a bit that both sources see, the weaker view is a degraded copy of the stronger one: it has
    nothing unique. Independent bits add up.

    Parameters
    ----------
    first, second : tuple of float
        Separation of the two values of every bit in X₁ and in X₂, in standard deviations.
    dimensions : int
        Columns of each source; a random rotation spreads the bits over all of them.
    powers : int
        Columns are in units of 10^−powers to 10^powers.
    groups : int
        Number of pictures where every picture has many rows: they have the same X₁ and the same
        first bit, which is all that X₁ may show. 0 for rows that are independent.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    dimensions: int = 6
    powers: int = 0
    groups: int = 0

    def atoms(self) -> Atoms:
        """Atoms by quadrature, summed over the bits."""
        redundancy, synergy = 0.0, 0.0
        unique = [0.0, 0.0]
        for separations in zip(self.first, self.second, strict=True):
            weak, strong = sorted(map(bit_information, separations))
            redundancy += weak
            unique[int(np.argmax(separations))] += strong - weak
            if weak:
                synergy += bit_information(math.hypot(*separations)) - strong
        return Atoms(redundancy, (unique[0], unique[1]), synergy)

    def rows(
        self, n: int, rng: np.random.Generator
    ) -> tuple[Rows, Rows, Labels, Mapping[str, Labels] | None]:
        """Draw n rows; all powers draw the same rows from the same random numbers."""
        bits = rng.integers(2, size=(n, len(self.first)))
        x1, x2 = rng.normal(size=(2, n, self.dimensions))
        groups = None
        if self.groups:
            picture = np.arange(n) % self.groups
            bits[:, 0], x1, groups = bits[picture, 0], x1[picture], {"picture": picture}
        y = bits @ (1 << np.arange(bits.shape[1]))
        seen = []
        for x, separations in ((x1, self.first), (x2, self.second)):
            x[:, : bits.shape[1]] += (bits - 0.5) * separations
            units = 10.0 ** (self.powers * rng.uniform(-1, 1, self.dimensions).round(1))
            seen.append(_rotated(x, rng) * units)
        return seen[0], seen[1], y, groups


@dataclass(frozen=True)
class Direction(Known):
    """A bit whose log-odds are linear in one of many principal components of X₁; X₂ is noise.

    Parameters
    ----------
    information : float
        I(X₁;Y) in bits.
    dimensions, component : int
        Columns of X₁, and the component that matters, counted from 0.
    decay : float
        Component k has standard deviation (k + 1)^−decay; 0 for equal variance.
    """

    information: float
    dimensions: int
    component: int
    decay: float = 0.0

    def atoms(self) -> Atoms:
        """Nothing but what is unique to X₁."""
        return Atoms(unique=(self.information, 0))

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Rows, Rows, Labels]:
        """Draw n rows."""
        x1, x2 = rng.normal(size=(n, self.dimensions)), rng.normal(size=(n, 8))
        slope = solve(logit_information, self.information)
        y = (rng.random(n) < expit(slope * x1[:, self.component])).astype(np.int64)
        return _decaying(x1, self.decay, rng), x2, y


@dataclass(frozen=True)
class Sectors(Known):
    """Sectors of the plane of the first two columns of X₁, classes taking turns; X₂ is noise.

    Parameters
    ----------
    sectors, classes : int
        The first is a multiple of the second.
    dimensions : int
        Columns of X₁.
    wrong : float
        Share of rows with one of the other classes.
    """

    sectors: int
    classes: int
    dimensions: int
    wrong: float

    def atoms(self) -> Atoms:
        """Nothing but what is unique to X₁."""
        lost = entropy(self.wrong) + self.wrong * math.log2(self.classes - 1)
        return Atoms(unique=(float(math.log2(self.classes) - lost), 0.0))

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Rows, Rows, Labels]:
        """Draw n rows."""
        x1, x2 = rng.normal(size=(n, self.dimensions)), rng.normal(size=(n, 8))
        turn = np.arctan2(x1[:, 0], x1[:, 1]) / (2 * math.pi) + 0.5
        sector = np.floor(turn * self.sectors).astype(np.int64)
        return x1, x2, _mislabelled(sector % self.classes, self.classes, self.wrong, rng)


@dataclass(frozen=True)
class Strips(Known):
    """Columns cut into equally likely strips; the target is whether the strips' sum is odd.

    Two strips a column make a parity of signs: an exclusive or where both sources have one column,
    a checkerboard where they have more strips.

    Parameters
    ----------
    strips : int
        Of every column that matters.
    columns : tuple of int
        Columns that matter in X₁ and X₂.
    dimensions : tuple of int
        All columns of X₁ and X₂.
    wrong : float
        Share of rows with the other class.
    component : int
        First component that matters, counted from 0.
    decay : float
        Component k has standard deviation (k + 1)^−decay, and a random rotation spreads all of
        them. 0 leaves the columns as they are.
    """

    strips: int
    columns: tuple[int, int]
    dimensions: tuple[int, int]
    wrong: float
    component: int = 0
    decay: float = 0.0

    @property
    def joint(self) -> Rows:
        """Table p(s₁,s₂,y) of the strips and the target."""
        strips = np.indices((self.strips,) * sum(self.columns))
        odd = strips.sum(0).reshape([self.strips**columns for columns in self.columns]) % 2
        likely = np.where(odd, 1 - self.wrong, self.wrong)
        return np.stack([1 - likely, likely], -1) / odd.size

    def atoms(self) -> Atoms:
        """Atoms of the table."""
        return atoms_of(self.joint)

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Rows, Rows, Labels]:
        """Draw n rows."""
        x1, x2 = (rng.normal(size=(n, dimensions)) for dimensions in self.dimensions)
        seen = [
            x[:, self.component : self.component + columns]
            for x, columns in zip((x1, x2), self.columns, strict=True)
        ]
        strip = np.floor(ndtr(np.hstack(seen)) * self.strips).astype(np.int64)
        y = _mislabelled(strip.sum(1) % 2, 2, self.wrong, rng)
        return _decaying(x1, self.decay, rng), _decaying(x2, self.decay, rng), y


def bit_information(separation: float) -> float:
    """Information on a fair bit whose values are this far apart in Gaussian noise, in bits.

    The log-odds of the bit that was sent are Gaussian, of mean separation²/2 and twice that
    variance.

    Examples
    --------
    >>> bit_information(0.0), round(bit_information(12.0), 6)
    (0.0, 1.0)
    """
    odds = separation**2 / 2 + separation * _GRID
    return round(1 - float(_DENSITY @ np.logaddexp(0, -odds)) / math.log(2), 12) + 0.0


def logit_information(slope: float) -> float:
    """Information of a Gaussian variable on a bit with these log-odds a standard deviation.

    Examples
    --------
    >>> round(logit_information(0.0), 9)
    0.0
    """
    return 1 - float(_DENSITY @ entropy(expit(slope * _GRID)))


def solve(information: Callable[[float], float], wanted: float) -> float:
    """Return the separation or slope that has the information.

    Examples
    --------
    >>> round(bit_information(solve(bit_information, 0.3)), 9)
    0.3
    """
    return float(brentq(lambda value: information(value) - wanted, 0, _STEEPEST, xtol=1e-12))


def _mislabelled(y: Labels, classes: int, wrong: float, rng: np.random.Generator) -> Labels:
    """Give a share of the rows one of the other classes."""
    return (y + (rng.random(len(y)) < wrong) * rng.integers(1, classes, len(y))) % classes


def _decaying(x: Rows, decay: float, rng: np.random.Generator) -> Rows:
    """Scale components by a power law and rotate them; leave them as they are without one."""
    return _rotated(x * np.arange(1, x.shape[1] + 1) ** -decay, rng) if decay else x


def _rotated(x: Rows, rng: np.random.Generator) -> Rows:
    """Rotate the columns at random."""
    return x @ np.linalg.qr(rng.normal(size=(x.shape[1],) * 2))[0]
