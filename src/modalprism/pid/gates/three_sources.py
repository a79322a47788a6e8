"""The gates of three sources, with the atoms of each against the rest and of each pair."""

from __future__ import annotations

from itertools import product
from math import log2
from types import MappingProxyType

from modalprism.pid.gates.definition import Atoms, ThreeSourceGate

_GRIFFITH_KOCH = "Griffith and Koch 2014, arXiv:1205.4265"

_ONE_INPUT = 0.75 * log2(4 / 3)  # what one input of AND tells
_AND = Atoms(redundancy=_ONE_INPUT, synergy=1 / 2)
_NOTHING = Atoms()

THREE_SOURCE_GATES = (
    ThreeSourceGate(
        name="parity",
        about="the target is the parity of three independent bits",
        rows=tuple((a, b, c, a ^ b ^ c, 1 / 8) for a, b, c in product((0, 1), repeat=3)),
        against_rest=(Atoms(synergy=1), Atoms(synergy=1), Atoms(synergy=1)),
        pairs=MappingProxyType({(0, 1): _NOTHING, (0, 2): _NOTHING, (1, 2): _NOTHING}),
        information=1,
        citation=_GRIFFITH_KOCH,
    ),
    ThreeSourceGate(
        name="and_duplicate",
        about="the target is the logical and of sources 1 and 2; source 3 copies source 1",
        rows=tuple((a, b, a, a & b, 1 / 4) for a, b in product((0, 1), repeat=2)),
        against_rest=(
            Atoms(redundancy=_ONE_INPUT, unique=(0, 1 / 2)),
            _AND,
            Atoms(redundancy=_ONE_INPUT, unique=(0, 1 / 2)),
        ),
        pairs=MappingProxyType({(0, 1): _AND, (0, 2): Atoms(redundancy=_ONE_INPUT), (1, 2): _AND}),
        information=_AND.information,
        citation=_GRIFFITH_KOCH,
    ),
    ThreeSourceGate(
        name="xor_duplicate",
        about="the target is the exclusive or of sources 1 and 2; source 3 copies source 1",
        rows=tuple((a, b, a, a ^ b, 1 / 4) for a, b in product((0, 1), repeat=2)),
        against_rest=(Atoms(unique=(0, 1)), Atoms(synergy=1), Atoms(unique=(0, 1))),
        pairs=MappingProxyType(
            {(0, 1): Atoms(synergy=1), (0, 2): _NOTHING, (1, 2): Atoms(synergy=1)}
        ),
        information=1,
        citation=_GRIFFITH_KOCH,
    ),
    ThreeSourceGate(
        name="xor_loses",
        about="the target is the exclusive or of sources 1 and 2, and source 3 has it already",
        rows=tuple((a, b, a ^ b, a ^ b, 1 / 4) for a, b in product((0, 1), repeat=2)),
        against_rest=(Atoms(unique=(0, 1)), Atoms(unique=(0, 1)), Atoms(redundancy=1)),
        pairs=MappingProxyType(
            {(0, 1): Atoms(synergy=1), (0, 2): Atoms(unique=(0, 1)), (1, 2): Atoms(unique=(0, 1))}
        ),
        information=1,
        citation=_GRIFFITH_KOCH,
    ),
    ThreeSourceGate(
        name="xor_multi_coal",
        about="the target is the parity of three bits; each source has two of them",
        rows=tuple(
            (2 * a + b, 2 * a + c, 2 * b + c, a ^ b ^ c, 1 / 8)
            for a, b, c in product((0, 1), repeat=3)
        ),
        against_rest=(Atoms(unique=(0, 1)), Atoms(unique=(0, 1)), Atoms(unique=(0, 1))),
        pairs=MappingProxyType(dict.fromkeys(((0, 1), (0, 2), (1, 2)), Atoms(synergy=1))),
        information=1,
        citation=_GRIFFITH_KOCH,
    ),
    ThreeSourceGate(
        name="chained_copies",
        about="source 1 has the target's three bits, source 2 two of these, source 3 one of those",
        rows=tuple(
            (4 * a + 2 * b + c, 2 * a + b, a, 4 * a + 2 * b + c, 1 / 8)
            for a, b, c in product((0, 1), repeat=3)
        ),
        against_rest=(
            Atoms(redundancy=2, unique=(1, 0)),
            Atoms(redundancy=2, unique=(0, 1)),
            Atoms(redundancy=1, unique=(0, 2)),
        ),
        pairs=MappingProxyType(
            {
                (0, 1): Atoms(redundancy=2, unique=(1, 0)),
                (0, 2): Atoms(redundancy=1, unique=(2, 0)),
                (1, 2): Atoms(redundancy=1, unique=(1, 0)),
            }
        ),
        information=3,
        citation="this project: a chain Y → X₁ → X₂ → X₃, each link of which loses one bit",
    ),
)
