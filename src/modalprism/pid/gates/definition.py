"""Gates: named distributions of the literature, with their known atoms."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalprism.pid.validation import check_base


@dataclass(frozen=True)
class Atoms:
    """Known atoms of two sources about a target; 0 by default.

    Parameters
    ----------
    redundancy : float
        R = I(X₁;Y) + I(X₂;Y) − I_Q, in bits unless `in_base` has converted it.
    unique : tuple of float
        U₁ = I_Q − I(X₂;Y) and U₂ = I_Q − I(X₁;Y), likewise.
    synergy : float
        S = I(X₁X₂;Y) − I_Q, likewise.

    Examples
    --------
    >>> xor = Atoms(synergy=1)
    >>> f"{xor.in_base(math.e).synergy:.6f} nat"
    '0.693147 nat'
    """

    redundancy: float = 0
    unique: tuple[float, float] = (0, 0)
    synergy: float = 0

    @property
    def information(self) -> float:
        """I(X₁X₂;Y) = R + U₁ + U₂ + S."""
        return self.redundancy + sum(self.unique) + self.synergy

    def in_base(self, base: float) -> Atoms:
        """Convert the atoms from bits to the unit of another base.

        Parameters
        ----------
        base : float
            Base of the logarithm, above 1.

        Raises
        ------
        InputError
            If `base` is not a number above 1.
        """
        factor = math.log(2) / math.log(check_base(base))
        first, second = self.unique
        return Atoms(
            self.redundancy * factor, (first * factor, second * factor), self.synergy * factor
        )


@dataclass(frozen=True, kw_only=True)
class Gate(Atoms):
    """Distribution of two sources and a target, with its atoms in bits.

    The atoms are those of Bertschinger, Rauh, Olbrich, Jost and Ay 2014 (doi:10.3390/e16042161);
    under another definition the same gate may have others.

    Parameters
    ----------
    name : str
        Name for `gate`.
    about : str
        One line of description.
    rows : tuple of (int, int, int, float)
        (x₁, x₂, y, probability) of every outcome, summing to 1.
    citation : str
        Reference of the distribution.

    Examples
    --------
    >>> from modalprism.pid.gates import gate
    >>> gate("and").joint.shape, gate("and").synergy
    ((2, 2, 2), 0.5)
    """

    name: str
    about: str
    rows: tuple[tuple[float, ...], ...]
    citation: str

    @property
    def joint(self) -> NDArray[np.float64]:
        """p(x₁,x₂,y): (n1, n2, C), float64, read-only."""
        return _table(self.rows)

    @property
    def atoms(self) -> Atoms:
        """The four atoms, in bits."""
        return Atoms(self.redundancy, self.unique, self.synergy)


@dataclass(frozen=True)
class ThreeSourceGate:
    """Distribution of three sources and a target, with the atoms of two sources at a time.

    Parameters
    ----------
    name, about, citation : str
        As those of a `Gate`; the name is for `three_source_gate`.
    rows : tuple of (int, int, int, int, float)
        (x₁, x₂, x₃, y, probability) of every outcome, summing to 1.
    against_rest : tuple of Atoms
        In bits, for each source against the two others together, as
        `decompose_each_against_rest` returns them.
    pairs : mapping of (int, int) to Atoms
        In bits, for each pair of sources, as `decompose_pairs` returns them.

    Examples
    --------
    >>> from modalprism.pid.gates import three_source_gate
    >>> parity = three_source_gate("parity")
    >>> parity.joint.shape, parity.against_rest[0].synergy, parity.pairs[0, 1].synergy
    ((2, 2, 2, 2), 1, 0)
    """

    name: str
    about: str
    rows: tuple[tuple[float, ...], ...]
    against_rest: tuple[Atoms, ...]
    pairs: Mapping[tuple[int, int], Atoms] = field(hash=False)
    citation: str

    @property
    def information(self) -> float:
        """I(X₁X₂X₃;Y) in bits."""
        return self.against_rest[0].information

    @property
    def joint(self) -> NDArray[np.float64]:
        """p(x₁,x₂,x₃,y): (n1, n2, n3, C), float64, read-only."""
        return _table(self.rows)


def read_gates() -> Mapping[str, Gate]:
    """Read the gates of two sources, by name."""
    return MappingProxyType(
        {
            name: Gate(
                name=name,
                about=entry["about"],
                rows=_rows(entry),
                citation=entry["citation"],
                redundancy=entry.get("redundancy", 0),
                unique=tuple(entry.get("unique", (0, 0))),
                synergy=entry.get("synergy", 0),
            )
            for name, entry in _entries("two_sources.toml").items()
        }
    )


def read_three_source_gates() -> Mapping[str, ThreeSourceGate]:
    """Read the gates of three sources, by name."""

    def atoms(values: list[list[float]]) -> tuple[Atoms, ...]:
        return tuple(Atoms(r, (first, second), s) for r, first, second, s in values)

    pairs = tuple(combinations(range(3), 2))
    return MappingProxyType(
        {
            name: ThreeSourceGate(
                name,
                entry["about"],
                _rows(entry),
                atoms(entry["against_rest"]),
                MappingProxyType(dict(zip(pairs, atoms(entry["pairs"]), strict=True))),
                entry["citation"],
            )
            for name, entry in _entries("three_sources.toml").items()
        }
    )


def _entries(file: str) -> dict[str, Any]:
    """Read a file of this folder; its comments state the format."""
    return tomllib.loads(files(__package__).joinpath(file).read_text(encoding="utf-8"))


def _rows(entry: dict[str, Any]) -> tuple[tuple[float, ...], ...]:
    """Return (state, …, probability) of every outcome."""
    outcomes = entry["outcomes"].split()
    weights = entry.get("weights", [1] * len(outcomes))
    return tuple(
        (*(int(digit, 16) for digit in outcome), weight / sum(weights))
        for outcome, weight in zip(outcomes, weights, strict=True)
    )


def _table(rows: tuple[tuple[float, ...], ...]) -> NDArray[np.float64]:
    """Return the table of (state, …, probability) rows, read-only."""
    cells = np.array([row[:-1] for row in rows], dtype=np.intp)
    table = np.zeros(cells.max(0) + 1)
    np.add.at(table, tuple(cells.T), [row[-1] for row in rows])
    table.flags.writeable = False
    return table
