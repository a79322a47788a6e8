"""Named distributions of the literature, with their atoms.

`gate` returns one of two sources, `three_source_gate` one of three. `GATES` and
`THREE_SOURCE_GATES` hold all of them, from ``two_sources.toml`` and ``three_sources.toml``.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import combinations
from types import MappingProxyType
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from modalprism.errors import InputError
from modalprism.pid.result import Decomposition
from modalprism.pid.validation import check_base
from modalprism.suggest import suggestion

__all__ = [
    "GATES",
    "THREE_SOURCE_GATES",
    "Atoms",
    "Gate",
    "ThreeSourceGate",
    "compare",
    "gate",
    "three_source_gate",
]

Outcomes = tuple[tuple[float, ...], ...]

_ROUNDING = 1e-12  # of float64; smaller differences are rounding


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
    rows: Outcomes
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
    rows: Outcomes
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


def _table(rows: Outcomes) -> NDArray[np.float64]:
    cells = np.array([row[:-1] for row in rows], dtype=np.intp)
    table = np.zeros(cells.max(0) + 1)
    np.add.at(table, tuple(cells.T), [row[-1] for row in rows])
    table.flags.writeable = False
    return table


def _read(file: str) -> Iterator[tuple[str, Outcomes, dict[str, Any]]]:
    """Yield name, outcomes and other entries of each gate; the files state their format."""
    text = files(__package__).joinpath(file).read_text(encoding="utf-8")
    for name, entry in tomllib.loads(text).items():
        outcomes = entry.pop("outcomes").split()
        weights = entry.pop("weights", [1] * len(outcomes))
        rows = tuple(
            (*(int(digit, 16) for digit in outcome), weight / sum(weights))
            for outcome, weight in zip(outcomes, weights, strict=True)
        )
        yield name, rows, entry


def _read_gates() -> Mapping[str, Gate]:
    found = {}
    for name, rows, entry in _read("two_sources.toml"):
        entry["unique"] = tuple(entry.get("unique", (0, 0)))
        found[name] = Gate(name=name, rows=rows, **entry)
    return MappingProxyType(found)


def _read_three_source_gates() -> Mapping[str, ThreeSourceGate]:
    found = {}
    for name, rows, entry in _read("three_sources.toml"):
        against_rest, pairs = (
            [Atoms(r, (first, second), s) for r, first, second, s in entry.pop(key)]
            for key in ("against_rest", "pairs")
        )
        by_pair = MappingProxyType(dict(zip(combinations(range(3), 2), pairs, strict=True)))
        found[name] = ThreeSourceGate(
            name=name, rows=rows, against_rest=tuple(against_rest), pairs=by_pair, **entry
        )
    return MappingProxyType(found)


GATES: Final = _read_gates()
THREE_SOURCE_GATES: Final = _read_three_source_gates()

Found = TypeVar("Found")


def gate(name: str) -> Gate:
    """Return a gate of two sources by its name.

    Parameters
    ----------
    name : str
        One of `GATES`; upper case, blanks and hyphens are accepted.

    Raises
    ------
    InputError
        If the name is unknown; the message suggests a name and lists all.

    Examples
    --------
    >>> and_gate = gate("and")
    >>> and_gate.about
    'the target is the logical and of two independent bits'
    >>> f"R {and_gate.redundancy:.6f}, S {and_gate.synergy:.6f} bit"
    'R 0.311278, S 0.500000 bit'
    """
    if (key := _key(name)) in THREE_SOURCE_GATES:
        raise InputError(
            f"the gate {name!r} has three sources: take three_source_gate({key!r}) in Python, or"
            f" choose one of {', '.join(GATES)}",
            parameter="gate",
        )
    return _found(name, GATES)


def three_source_gate(name: str) -> ThreeSourceGate:
    """Return a gate of three sources by its name, one of `THREE_SOURCE_GATES`, as `gate` does.

    Examples
    --------
    >>> three_source_gate("and_duplicate").against_rest[0].unique
    (0, 0.5)
    """
    return _found(name, THREE_SOURCE_GATES)


def _key(name: str) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def _found(name: str, gates: Mapping[str, Found]) -> Found:
    if (key := _key(name)) in gates:
        return gates[key]
    hint = suggestion(key, gates)
    raise InputError(
        f"unknown gate {name!r}: choose one of {', '.join(gates)}{hint}", parameter="gate"
    )


def compare(known: Atoms, decomposition: Decomposition) -> str:
    """Return a text table of known atoms and the differences of the computed ones.

    By the certificate no atom differs by more than the gap: redundancy and synergy may
    be too small, and each unique atom too large.

    Parameters
    ----------
    known : Atoms
        In the unit of `decomposition`; see `Atoms.in_base`.
    decomposition : Decomposition
        Decomposition of a distribution with these atoms.

    Returns
    -------
    str
        One line per computed atom, and one with the largest difference and its verdict.

    Examples
    --------
    >>> from modalprism.pid import decompose
    >>> from modalprism.pid.gates import gate
    >>> print(compare(gate("sum").atoms, decompose(gate("sum").joint)))  # doctest: +ELLIPSIS
                      known   difference
    redundancy     0.500000 ...
    unique 1       0.000000 ...
    unique 2       0.000000 ...
    synergy        1.000000 ...
    largest difference ... bit, within the gap
    """
    computed = (decomposition.redundancy, *decomposition.unique, decomposition.synergy)
    names = ("redundancy", "unique 1", "unique 2", "synergy")
    lines, largest = [f"{'':<12}{'known':>11}{'difference':>13}"], 0.0
    for name, truth, value in zip(
        names, (known.redundancy, *known.unique, known.synergy), computed, strict=True
    ):
        if value is None:
            continue
        difference = value - truth
        largest = max(largest, abs(difference))
        lines.append(f"{name:<12}{truth:>11.6f}{difference:>13.1e}")
    within = largest <= decomposition.gap + _ROUNDING
    lines.append(
        f"largest difference {largest:.1e} {decomposition.unit},"
        f" {'within' if within else 'beyond'} the gap"
    )
    return "\n".join(lines)
