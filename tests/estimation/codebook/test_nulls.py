import numpy as np
import pytest

from modalprism.estimation.atoms import split_information
from modalprism.estimation.codebook.nulls import (
    coupled_sources,
    garbled_apart,
    garbled_source,
    permuted_source,
)
from modalprism.estimation.codebook.tables import Coded, informations
from modalprism.pid.gates import gate
from modalprism.pid.solve import solve_union_information


@pytest.fixture(scope="module")
def rich():
    """Rows of a gate with redundancy, unique information and synergy, and their coupling."""
    joint = 0.7 * gate("rdnunqxor").joint + 0.3 / gate("rdnunqxor").joint.size
    rng = np.random.default_rng(0)
    cells = rng.choice(joint.size, 4000, p=(joint / joint.sum()).ravel())
    first, second, y = np.unravel_index(cells, joint.shape)
    coded = Coded.of((first, second), np.eye(joint.shape[2])[y], {})
    p = coded.table() / coded.n
    union = solve_union_information(p.sum(1), p.sum(0), tol=1e-4, max_iter=2000)
    return coded, union.coupling()


def mean_atoms(tables):
    return split_information(*informations(tables)[0].mean(1))


def test_a_garbled_source_has_nothing_unique_and_shares_what_it_did(rich):
    coded, coupling = rich
    observed = mean_atoms(coded.table()[None])
    for source in (0, 1):
        draws = garbled_source(coded, coupling, source, 10, 10, np.random.default_rng(0))
        atoms = mean_atoms(draws.tables) - mean_atoms(draws.noise)
        assert abs(atoms[1 + source]) < 0.1 * observed[1 + source]
        assert np.isclose(atoms[0], observed[0], rtol=0.1)


@pytest.mark.parametrize("source", [0, 1])
def test_a_source_garbled_apart_has_next_to_nothing_unique(rich, source):
    coded, coupling = rich
    observed = mean_atoms(coded.table()[None])
    draws = garbled_apart(coded, coupling, source, 10, 10, np.random.default_rng(0))
    atoms = mean_atoms(draws.tables) - mean_atoms(draws.noise)
    assert abs(atoms[1 + source]) < 0.3 * observed[1 + source]
    assert np.allclose(draws.tables.sum(1 + source), coded.table().sum(source))


def test_coupled_sources_have_no_synergy_and_know_what_they_did(rich):
    coded, coupling = rich
    observed = mean_atoms(coded.table()[None])
    draws = coupled_sources(coded, coupling, 10, 10, np.random.default_rng(0))
    atoms = mean_atoms(draws.tables)
    assert atoms[3] - mean_atoms(draws.noise)[3] < 0.05 * observed[3]
    assert np.allclose(atoms[5:7], observed[5:7], rtol=0.1)
    assert np.allclose(draws.tables.sum(1), coded.table().sum(0))


def test_a_permuted_source_shares_nothing(rich):
    coded, _ = rich
    tables = permuted_source(coded, 0, 10, 10, np.random.default_rng(0)).tables
    assert abs(mean_atoms(tables)[0]) < 0.02
    assert np.allclose(tables.sum(1), coded.table().sum(0))


def test_rows_of_a_block_with_one_code_draw_alike():
    picture = np.repeat(np.arange(40), 3)
    code = picture % 4
    coded = Coded.of((code, code), np.eye(2)[picture % 2], {"picture": picture})
    coupling = np.full((4, 4, 2), 1 / 32)
    table = garbled_source(coded, coupling, 0, 1, 1, np.random.default_rng(0)).tables[0]
    assert (table % 3 == 0).all()
