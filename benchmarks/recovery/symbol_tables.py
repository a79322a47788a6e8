"""Joint tables p(s₁,s₂,y) of symbols, whose atoms are known.

Gates come from `modalprism.pid.gates`. Two independent tables side by side make a third: the
symbols and the classes become pairs, and every atom is the sum of the two parts' atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log, log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py, xlogy

from modalprism import decompose
from modalprism.pid.gates import Atoms, gate

Table = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SymbolTable:
    """A joint distribution of two symbols and a class, and its atoms.

    Parameters
    ----------
    name, about : str
        Name, and a description in one line.
    joint : ndarray
        (k1, k2, C), summing to 1.
    atoms : Atoms
        In bits.
    """

    name: str
    about: str
    joint: Table = field(repr=False)
    atoms: Atoms

    def __add__(self, other: SymbolTable) -> SymbolTable:
        """Both tables, drawn independently, side by side.

        Examples
        --------
        >>> both = from_gate("rdn") + from_gate("unq1")
        >>> both.name, both.joint.shape, both.atoms.redundancy, both.atoms.unique
        ('rdn+unq1', (4, 4, 4), 1, (1, 0))
        """
        shape = tuple(a * b for a, b in zip(self.joint.shape, other.joint.shape, strict=True))
        product = self.joint[:, None, :, None, :, None] * other.joint[None, :, None, :, None, :]
        (a1, a2), (b1, b2) = self.atoms.unique, other.atoms.unique
        return SymbolTable(
            f"{self.name}+{other.name}",
            f"{self.about}; and {other.about}",
            product.reshape(shape),
            Atoms(
                self.atoms.redundancy + other.atoms.redundancy,
                (a1 + b1, a2 + b2),
                self.atoms.synergy + other.atoms.synergy,
            ),
        )


def from_gate(name: str) -> SymbolTable:
    """Return a gate of the package as a table.

    Examples
    --------
    >>> from_gate("xor").atoms.synergy
    1
    """
    known = gate(name)
    return SymbolTable(
        name, known.about, known.joint, Atoms(known.redundancy, known.unique, known.synergy)
    )


def noise(classes: int, symbols: int = 1) -> SymbolTable:
    """Return a target that has nothing to do with a symbol that both sources show."""
    joint = np.eye(symbols)[:, :, None] / symbols * np.full(classes, 1 / classes)
    about = f"the target is one of {classes} classes, drawn by itself"
    return SymbolTable(f"noise{classes}", about, joint, Atoms())


def shared(classes: int) -> SymbolTable:
    """Return a target that both sources are."""
    joint = np.zeros((classes,) * 3)
    joint[(np.arange(classes),) * 3] = 1 / classes
    about = f"both sources are the target, one of {classes} classes"
    return SymbolTable(f"shared{classes}", about, joint, Atoms(redundancy=log2(classes)))


def first_only(classes: int) -> SymbolTable:
    """Return a target that source 1 is; source 2 is constant."""
    about = f"source 1 alone is the target, one of {classes} classes"
    joint = np.eye(classes)[:, None, :] / classes
    return SymbolTable(f"first{classes}", about, joint, Atoms(unique=(log2(classes), 0)))


def second_only(classes: int) -> SymbolTable:
    """Return a target that source 2 is; source 1 is constant."""
    about = f"source 2 alone is the target, one of {classes} classes"
    joint = np.eye(classes)[None, :, :] / classes
    return SymbolTable(f"second{classes}", about, joint, Atoms(unique=(0, log2(classes))))


def sum_modulo(classes: int) -> SymbolTable:
    """Return a target that is the sum of two independent symbols, modulo their number."""
    joint = np.zeros((classes,) * 3)
    first, second = np.indices((classes, classes))
    joint[first, second, (first + second) % classes] = 1 / classes**2
    about = f"the target is the sum of two symbols modulo {classes}"
    return SymbolTable(f"modulo{classes}", about, joint, Atoms(synergy=log2(classes)))


def rare_xor(rare: float = 0.1) -> SymbolTable:
    """Return an exclusive or that is seldom true; either source alone is a fair coin."""
    joint = np.zeros((2, 2, 2))
    joint[[0, 1], [0, 1], 0] = (1 - rare) / 2
    joint[[0, 1], [1, 0], 1] = rare / 2
    about = f"the target is the exclusive or of two bits, true in {rare:.0%} of the rows"
    return SymbolTable("rare-xor", about, joint, Atoms(synergy=float(entropy(rare))))


def rare_unique(rare: float = 0.1) -> SymbolTable:
    """Return a seldom class that source 1 knows; source 2 is a coin."""
    joint = np.zeros((2, 2, 2))
    joint[0, :, 0] = (1 - rare) / 2
    joint[1, :, 1] = rare / 2
    about = f"the target is source 1, which is 1 in {rare:.0%} of the rows; source 2 is a coin"
    return SymbolTable("rare-unq1", about, joint, Atoms(unique=(float(entropy(rare)), 0)))


def stochastic(name: str, chances: Sequence[Sequence[float]]) -> SymbolTable:
    """Return a target that is 1 with a chance that two independent fair bits decide.

    Parameters
    ----------
    name : str
    chances : sequence
        p(y = 1|s₁,s₂), a row for each s₁.
    """
    ones = np.array(chances) / 4
    joint = np.stack([1 / 4 - ones, ones], -1)
    said = ", ".join(f"{chance:g}" for row in chances for chance in row)
    about = f"the target is 1 with a chance of {said} where two bits are 00, 01, 10, 11"
    return SymbolTable(name, about, joint, atoms_of(joint))


def xor_not() -> SymbolTable:
    """Return XOR+NOT: a bit that both sources know says which of the two the target is.

    Half of the rows have y = x₁ xor x₂ and half y = not x₂, so that U₂ = S = ½ bit (.347 nat).
    """
    joint = np.zeros((4, 4, 2))
    for x1, x2 in np.ndindex(2, 2):
        joint[x1, x2, x1 ^ x2] = joint[2 + x1, 2 + x2, 1 - x2] = 1 / 8
    about = "both know which: the target is x₁ xor x₂, or it is not x₂"
    return SymbolTable("xor-not", about, joint, Atoms(unique=(0, 0.5), synergy=0.5))


def atoms_of(joint: Table) -> Atoms:
    """Decompose a table, to a millionth of a bit.

    Examples
    --------
    >>> atoms_of(from_gate("xor").joint)
    Atoms(redundancy=0.0, unique=(0.0, 0.0), synergy=1.0)
    """
    found = decompose(joint, tol=1e-7)
    atoms = (found.redundancy, *found.unique, found.synergy)
    r, u1, u2, s = (round(float(atom), 6) + 0.0 for atom in atoms)
    return Atoms(r, (u1, u2), s)


def entropy(p: float | Table) -> Table:
    """Binary entropy h(p) in bits.

    Examples
    --------
    >>> round(float(entropy(0.5)), 9), round(float(entropy(0.11)), 3)
    (1.0, 0.5)
    """
    return -(xlogy(p, p) + xlog1py(1 - p, -p)) / log(2)
