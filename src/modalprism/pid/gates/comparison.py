"""Comparison of known atoms with computed ones, against the certificate's bound."""

from __future__ import annotations

from modalprism.pid.gates.definition import Atoms
from modalprism.pid.result import Decomposition

_ROUNDING = 1e-12  # of float64; smaller differences are rounding


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
