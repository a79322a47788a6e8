import numpy as np
import pytest

from modalprism.estimation.atoms import split_information
from modalprism.estimation.codebook.corrections import CORRECTIONS, adjust, adjusted
from modalprism.estimation.codebook.tables import Coded

BIT = np.log(2)


@pytest.mark.parametrize("name", list(CORRECTIONS))
def test_every_correction_reads_a_well_filled_gate(name):
    one, other = np.random.default_rng(0).integers(2, size=(2, 2000))
    coded = Coded.of((one, other), np.eye(2)[one ^ other], {})
    atoms = split_information(*CORRECTIONS[name](coded, np.random.default_rng(0))) / BIT
    assert np.allclose(atoms[:5], [0, 0, 0, 1, 1], atol=0.02)


@pytest.mark.parametrize("name", list(CORRECTIONS))
def test_relabelling_codes_changes_nothing(name):
    rng = np.random.default_rng(1)
    first, second, y = rng.integers(4, size=(3, 300))
    moved = rng.permutation(4)[first]
    values = [
        CORRECTIONS[name](Coded.of((codes, second), np.eye(4)[y], {}), np.random.default_rng(0))
        for codes in (first, moved)
    ]
    assert np.allclose(*values, atol=3e-2 if name == "extrapolation" else 5e-3)


@pytest.mark.slow
def test_noise_in_a_thousand_cells_reads_as_nothing_on_average(noise):
    rng = np.random.default_rng(0)
    found = [split_information(*adjusted(noise(s, k=10, classes=10), rng))[:4] for s in range(30)]
    error = np.std(found, axis=0) / np.sqrt(30)
    assert (np.abs(np.mean(found, axis=0)) < 0.01 * BIT + 2.5 * error).all()


def test_what_the_codes_know_is_left_as_it_is():
    level, ceiling = np.full(4, 0.2), 0.7
    assert np.allclose(adjust(np.full((4, 3), ceiling), level, ceiling), ceiling)
    assert np.allclose(adjust(level, level, ceiling), 0)


def test_a_row_a_cell_tells_nothing():
    assert (adjust(np.full(4, 0.7), np.full(4, 0.7), 0.7) == 0).all()
