"""Every gate whose atoms are known, within the gap that the result itself reports."""

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from modalprism.errors import InputError
from modalprism.pid import decompose, entropy, mutual_information, solve_union_information
from modalprism.pid.gates import (
    GATES,
    THREE_SOURCE_GATES,
    Atoms,
    compare,
    gate,
    three_source_gate,
)

ROUNDING = 1e-9  # of closed forms in float64
SIX_DECIMALS = 1e-6  # which the reference file gives
REFERENCE = json.loads(Path(__file__).with_name("gates.json").read_text())["gates"]


@pytest.fixture(params=list(GATES))
def known(request):
    """One gate."""
    return GATES[request.param]


@pytest.fixture(params=list(THREE_SOURCE_GATES))
def known_of_three(request):
    """One gate of three sources."""
    return THREE_SOURCE_GATES[request.param]


@pytest.mark.parametrize("name", REFERENCE)
def test_closed_forms_agree_with_the_reference(name):
    entry, found = REFERENCE[name], GATES[name]
    expected = np.zeros(entry["shape"])
    for x1, x2, y, p in entry["pdf"]:
        expected[x1, x2, y] += p
    np.testing.assert_allclose(found.joint, expected, atol=1e-15)
    bits = (found.information, found.redundancy, *found.unique, found.synergy)
    reference = [entry["bits"][atom] for atom in ("I", "R", "U1", "U2", "S")]
    assert bits == pytest.approx(reference, abs=SIX_DECIMALS)


def test_closed_forms_are_consistent(known):
    joint = known.joint
    n1, n2, n_classes = joint.shape
    assert joint.sum() == pytest.approx(1)
    bits = math.log(2)
    information = mutual_information(joint.reshape(n1 * n2, n_classes)) / bits
    assert known.information == pytest.approx(information, abs=1e-12)
    assert known.atoms.information == pytest.approx(information, abs=1e-12)
    for m in (0, 1):
        marginal = mutual_information(joint.sum(1 - m)) / bits
        assert known.redundancy + known.unique[m] == pytest.approx(marginal, abs=1e-12)
    assert min(known.redundancy, *known.unique, known.synergy) >= 0
    assert known.about
    assert known.citation


def test_bounds_bracket_the_known_union_information(known):
    d = decompose(known.joint)
    truth = known.information - known.synergy
    assert d.lower - ROUNDING <= truth <= d.upper + ROUNDING
    assert d.converged
    assert 0 <= d.gap <= 1e-6


def test_bounds_bracket_the_reference(gate):  # the fixture of conftest: a table of the file
    joint, bits = gate
    d = decompose(joint)
    truth = bits["I"] - bits["S"]
    assert d.lower - SIX_DECIMALS <= truth <= d.upper + SIX_DECIMALS


def test_atoms_are_right_within_the_gap(known):
    d = decompose(known.joint)
    within = d.gap + ROUNDING
    assert d.redundancy == pytest.approx(known.redundancy, abs=within)
    assert d.unique == pytest.approx(known.unique, abs=within)
    assert d.synergy == pytest.approx(known.synergy, abs=within)
    assert d.information == pytest.approx(known.information, abs=ROUNDING)


def test_contribution_is_undetermined_exactly_when_nothing_is_unique(known):
    contribution = decompose(known.joint).contribution
    total = sum(known.unique)
    if total == 0:
        assert all(map(math.isnan, contribution))
    else:
        assert contribution[0] == pytest.approx(known.unique[0] / total, abs=1e-4)
        assert sum(contribution) == pytest.approx(1)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 5, 10])
def test_bounds_hold_however_early_the_run_stops(known, max_iter):
    joint = known.joint
    union = solve_union_information(joint.sum(1), joint.sum(0), tol=1e-14, max_iter=max_iter)
    truth = (known.information - known.synergy) * math.log(2)
    assert union.lower - ROUNDING <= truth <= union.upper + ROUNDING
    assert union.lower <= union.upper
    assert union.iterations <= max_iter


def test_well_known_numbers_by_other_formulas():
    assert gate("and").redundancy == pytest.approx(1.5 - 0.75 * math.log2(3), abs=1e-15)
    assert gate("w").redundancy == pytest.approx(
        entropy(np.array([1, 2]) / 3) / math.log(2) - 2 / 3, abs=1e-15
    )


def test_tables_of_gates_cannot_be_changed(known):
    with pytest.raises(ValueError, match="read-only"):
        known.joint[0, 0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        known.synergy = 2
    with pytest.raises(TypeError):
        GATES["mine"] = known


@pytest.mark.parametrize("name", ["and", "AND", " Reduced OR ", "reduced-or", "RDNUNQXOR"])
def test_a_gate_is_found_by_its_name(name):
    assert gate(name).name in {"and", "reduced_or", "rdnunqxor"}


@pytest.mark.parametrize(
    ("find", "name", "message"),
    [
        (gate, "rdnxo", "did you mean 'rdnxor'?"),
        (gate, "zzz", "unknown gate 'zzz': choose one of rdn, "),
        (gate, "", "unknown gate '': choose one of rdn, "),
        (gate, None, "unknown gate None: choose one of rdn, "),
        (gate, "parity", "three sources: take three_source_gate('parity')"),
        (three_source_gate, "party", "unknown gate 'party': choose one of parity, and_dup"),
        (three_source_gate, "and", "unknown gate 'and'"),
    ],
)
def test_a_name_that_is_none_is_refused(find, name, message):
    with pytest.raises(InputError) as refusal:
        find(name)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_gates_of_three_are_consistent(known_of_three):
    joint = known_of_three.joint
    assert joint.ndim == 4
    assert joint.sum() == pytest.approx(1)
    assert not joint.flags.writeable
    assert hash(known_of_three) == hash(three_source_gate(known_of_three.name))
    bits = math.log(2)
    information = mutual_information(joint.reshape(-1, joint.shape[-1])) / bits
    assert known_of_three.information == pytest.approx(information)
    assert tuple(known_of_three.pairs) == tuple(itertools.combinations(range(3), 2))
    for m, atoms in enumerate(known_of_three.against_rest):
        assert atoms.information == pytest.approx(information)
        others = tuple({0, 1, 2} - {m})
        marginal = mutual_information(joint.sum(others)) / bits
        assert atoms.redundancy + atoms.unique[0] == pytest.approx(marginal)
    for (a, b), atoms in known_of_three.pairs.items():
        table = joint.sum(3 - a - b)
        assert atoms.information == pytest.approx(
            mutual_information(table.reshape(-1, joint.shape[-1])) / bits
        )


def test_atoms_in_another_base():
    atoms = Atoms(redundancy=1, unique=(2, 3), synergy=4)
    assert atoms.in_base(2) == atoms
    assert atoms.in_base(4) == Atoms(redundancy=0.5, unique=(1, 1.5), synergy=2)
    assert atoms.information == 10
    with pytest.raises(InputError, match="base is 1"):
        atoms.in_base(1)


def test_comparison_says_whether_the_certificate_holds():
    d = decompose(gate("and").joint)
    assert compare(gate("and").atoms, d).endswith("bit, within the gap")
    assert compare(gate("xor").atoms, d).endswith("bit, beyond the gap")
    unknown = dataclasses.replace(d, information=None)
    assert "synergy" not in compare(gate("and").atoms, unknown)
