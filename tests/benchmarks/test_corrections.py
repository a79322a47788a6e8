"""Corrections of counted tables that the benchmark compares."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from modalprism.estimation.atoms import split_information
from modalprism.estimation.codebook.tables import Coded

BIT = np.log(2)
CORRECTIONS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "corrections.py"))[
    "CORRECTIONS"
]


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
