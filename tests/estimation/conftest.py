"""Samples whose atoms are known: symbols of a gate written into noisy embeddings."""

import dataclasses

import numpy as np
import pytest

GATES = {
    "rdn": lambda a, _b: (a, a, a),
    "unq": lambda a, b: (a, b, a),
    "xor": lambda a, b: (a, b, a ^ b),
    "and": lambda a, b: (a, b, a & b),
}


@pytest.fixture(scope="session")
def written():
    """Make ({"image": X1, "text": X2}, y) of a gate over two fair bits."""

    def make(gate, n=1000, *, seed=0, noise=0.15, dimensions=12):
        rng = np.random.default_rng(seed)
        first, second, y = GATES[gate](rng.integers(2, size=n), rng.integers(2, size=n))
        sources = [
            np.eye(2)[bits] @ rng.normal(size=(2, dimensions))
            + noise * rng.normal(size=(n, dimensions))
            for bits in (first, second)
        ]
        return dict(zip(("image", "text"), sources, strict=True)), y

    return make


@pytest.fixture(scope="session")
def random_sample():
    """Make a random sample: both sources know something, neither knows all."""

    def make(seed, n=90, classes=3, *, soft=False):
        rng = np.random.default_rng(seed)
        y = np.concatenate([np.repeat(np.arange(classes), 10), rng.integers(classes, size=n)])[:n]
        logits = rng.normal(size=(n, classes)) + 2 * np.eye(classes)[y]
        sources = {
            name: logits @ rng.normal(size=(classes, width)) + rng.normal(size=(n, width))
            for name, width in (("image", 4), ("text", 3))
        }
        p = np.exp(logits)
        return sources, p / p.sum(1, keepdims=True) if soft else y

    return make


@pytest.fixture(scope="session")
def circle():
    """Make what every run of `examples` × `partners` redrawn pairs was given."""

    def make(examples=80, partners=20):
        first = np.repeat(np.arange(examples), partners)
        draw = np.tile(np.arange(partners), examples)
        return first, (first + 1 + draw) % examples

    return make


@pytest.fixture(scope="session")
def spell():
    """Spell an analysis out to the last bit, by quantity and modality, whatever their order."""

    def make(analysis):
        numbers = {
            (quantity, modality): repr(estimate)
            for quantity, modality, estimate in analysis.quantities()
        }
        rest = dataclasses.asdict(analysis)
        return numbers, [rest[key] for key in ("n", "gap", "estimator", "target", "families")]

    return make
