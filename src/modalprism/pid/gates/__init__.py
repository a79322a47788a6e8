"""Distributions that the literature knows by name, with their atoms in closed form.

`gate` finds one of two sources, `three_source_gate` one of three; `GATES` and `THREE_SOURCE_GATES`
hold them all. They are what a solver is first tried on, and what a reader knows the answers of.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modalprism.errors import InputError
from modalprism.pid.gates.comparison import compare
from modalprism.pid.gates.definition import Atoms, Gate, ThreeSourceGate
from modalprism.pid.gates.three_sources import THREE_SOURCE_GATES as _OF_THREE
from modalprism.pid.gates.two_sources import TWO_SOURCE_GATES as _OF_TWO

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

GATES: Final[Mapping[str, Gate]] = MappingProxyType({known.name: known for known in _OF_TWO})
THREE_SOURCE_GATES: Final[Mapping[str, ThreeSourceGate]] = MappingProxyType(
    {known.name: known for known in _OF_THREE}
)


def gate(name: str) -> Gate:
    """Find a gate of two sources by its name.

    Parameters
    ----------
    name : str
        One of `GATES`; upper case, blanks and hyphens are read as well.

    Returns
    -------
    Gate

    Raises
    ------
    InputError
        If there is no gate of that name; the message lists close matches and all names.

    Examples
    --------
    >>> and_gate = gate("and")
    >>> and_gate.about
    'the target is the logical and of two independent bits'
    >>> f"R {and_gate.redundancy:.6f}, S {and_gate.synergy:.6f} bit"
    'R 0.311278, S 0.500000 bit'
    """
    if (key := _key(name)) in GATES:
        return GATES[key]
    if key in THREE_SOURCE_GATES:
        raise InputError(
            f"the gate {name!r} has three sources: take three_source_gate({key!r}) in Python, or"
            f" choose one of {', '.join(GATES)}"
        )
    raise InputError(_no_gate(name, GATES))


def three_source_gate(name: str) -> ThreeSourceGate:
    """Find a gate of three sources by its name.

    Parameters
    ----------
    name : str
        One of `THREE_SOURCE_GATES`; upper case, blanks and hyphens are read as well.

    Returns
    -------
    ThreeSourceGate

    Raises
    ------
    InputError
        If there is no gate of that name; the message lists close matches and all names.

    Examples
    --------
    >>> three_source_gate("and_duplicate").against_rest[0].unique
    (0, 0.5)
    """
    if (key := _key(name)) in THREE_SOURCE_GATES:
        return THREE_SOURCE_GATES[key]
    raise InputError(_no_gate(name, THREE_SOURCE_GATES))


def _key(name: str) -> str:
    """Return a name as the gates are named."""
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def _no_gate(name: str, gates: Mapping[str, object]) -> str:
    """Say that there is no such gate, which ones are close, and which there are."""
    close = difflib.get_close_matches(_key(name), gates, n=3)
    meant = f" (did you mean {' or '.join(close)}?)" if close else ""
    return f"there is no gate {name!r}{meant}: choose one of {', '.join(gates)}"
