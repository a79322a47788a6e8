"""Named distributions of the literature, with their atoms.

`gate` returns one of two sources, `three_source_gate` one of three. `GATES` and
`THREE_SOURCE_GATES` hold all of them, from ``two_sources.toml`` and ``three_sources.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from modalprism.errors import InputError
from modalprism.pid.gates.comparison import compare
from modalprism.pid.gates.definition import (
    Atoms,
    Gate,
    ThreeSourceGate,
    read_gates,
    read_three_source_gates,
)
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

GATES: Final = read_gates()
THREE_SOURCE_GATES: Final = read_three_source_gates()

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
    """Return the key of a name."""
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def _found(name: str, gates: Mapping[str, Found]) -> Found:
    """Return the gate of a name, or raise `InputError`."""
    if (key := _key(name)) in gates:
        return gates[key]
    hint = suggestion(key, gates)
    raise InputError(
        f"unknown gate {name!r}: choose one of {', '.join(gates)}{hint}", parameter="gate"
    )
