"""Tables with known atoms, and random ones."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():  # Before anything imports Triton: its kernels are interpreted.
    os.environ.setdefault("TRITON_INTERPRET", "1")

GATES = json.loads(Path(__file__).with_name("gates.json").read_text())["gates"]


def pytest_generate_tests(metafunc):
    if "gate" in metafunc.fixturenames:
        metafunc.parametrize("gate", sorted(GATES), indirect=True)


@pytest.fixture
def gate(request):
    """(joint, bits) of one gate."""
    entry = GATES[request.param]
    joint = np.zeros(entry["shape"])
    for x1, x2, y, p in entry["pdf"]:
        joint[x1, x2, y] += p
    return joint, entry["bits"]


@pytest.fixture
def random_joint():
    """Make a random joint table; `zeros` is the fraction of empty cells."""

    def make(seed, shape, *, zeros=0.0, concentration=1.0):
        rng = np.random.default_rng(seed)
        table = rng.gamma(concentration, size=shape) * (rng.random(shape) >= zeros)
        return table / table.sum()

    return make


@pytest.fixture
def random_posteriors():
    """Make the marginals of two sets of n posteriors over C classes, with one p(y)."""

    def make(seed, n, n_classes, *, scale=2.0, correlation=0.0):
        rng = np.random.default_rng(seed)
        first = rng.normal(size=(n, n_classes)) * scale
        noise = rng.normal(size=(n, n_classes)) * scale
        second = correlation * first + np.sqrt(1 - correlation**2) * noise
        tables = [np.exp(z - z.max(1, keepdims=True)) for z in (first, second)]
        p_y = np.mean([(t / t.sum(1, keepdims=True)).mean(0) for t in tables], axis=0)
        for table in tables:
            for _ in range(200):
                table /= table.sum(1, keepdims=True) * n
                table *= p_y / table.sum(0)
        return tables

    return make
