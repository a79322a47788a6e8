"""Generated tables and marginals: finite, certified, atoms that sum to I, or a refusal."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from modalprism import decompose, decompose_marginals
from modalprism.pid import Decomposition

ROUNDING = 1e-9
"""Bits by which sums of rounded numbers may differ."""
_KINDS = ("dirichlet", "counts", "sparse", "gate", "scales", "tiny", "product", "nonsense")


def table(rng: Generator) -> Any:
    """Draw a table: ordinary, degenerate, extreme, or none at all."""
    shape = tuple(rng.integers(1, rng.choice([3, 5, 9]), 3))
    kind = rng.choice(_KINDS)
    if kind == "dirichlet":
        joint = rng.dirichlet(np.full(math.prod(shape), rng.choice([0.05, 1, 50]))).reshape(shape)
    elif kind == "counts":
        joint = rng.integers(0, rng.choice([2, 5, 10**6]), shape)
    elif kind == "sparse":
        joint = rng.random(shape) * (rng.random(shape) < 0.2)
    elif kind == "gate":
        joint = _gate(shape, rng)
    elif kind == "scales":
        joint = 10.0 ** rng.uniform(-300, 0, shape)
    elif kind == "tiny":
        joint = rng.random(shape) * 10.0 ** float(rng.integers(-320, 308))
    elif kind == "product":
        one, two, three = (rng.dirichlet(np.ones(size)) for size in shape)
        joint = np.einsum("i,j,k->ijk", one, two, three)
    else:
        return _nonsense(shape, rng)
    return _typed(joint, rng)


def _gate(shape: tuple[int, ...], rng: Generator) -> NDArray[np.float64]:
    """Make the target a random function of the sources, with zeros everywhere else."""
    joint = np.zeros(shape)
    for first, second in np.ndindex(shape[:2]):
        joint[first, second, rng.integers(shape[2])] = rng.random()
    return joint


def _typed(joint: NDArray[Any], rng: Generator) -> Any:
    """Give a table another type or container."""
    with np.errstate(over="ignore", under="ignore"):
        kinds = [
            lambda: joint,
            lambda: joint.astype(np.float32),
            lambda: joint.astype(np.float16),
            lambda: torch.from_numpy(np.asarray(joint, float)).requires_grad_(),
            lambda: joint.tolist(),
            lambda: np.asfortranarray(joint)[::-1],
        ]
        return kinds[rng.choice(6, p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1])]()


def _nonsense(shape: tuple[int, ...], rng: Generator) -> Any:
    joint = rng.random(shape)
    wrong = [
        np.where(rng.random(shape) < 0.2, rng.choice([np.nan, np.inf, -1.0]), joint),
        np.zeros(shape),
        joint[0],
        joint[None],
        joint[:0],
        joint.astype(str),
        joint.astype(complex),
        joint.astype(object),
        joint > 0.5,
        "a table",
        None,
        [[[1, 2], [3]]],
        {"image": 1},
        np.float64(1),
        [[[None]]],
        np.ma.masked_less(joint, 0.3),
        10**400,
        [[[10**400, 1]]],
    ]
    return wrong[rng.integers(len(wrong))]


def options(rng: Generator) -> dict[str, Any]:
    """Draw options, a few of them wrong."""
    drawn: dict[str, Any] = {"base": float(rng.choice([2, math.e, 10])), "max_iter": 2_000}
    if rng.random() < 0.5:
        drawn["solver"] = str(rng.choice(["auto", "newton", "ipfp"]))
    if rng.random() < 0.3:
        drawn["tol"] = 10.0 ** float(rng.integers(-12, 0))
    if rng.random() < 0.02:
        name = str(rng.choice(["base", "tol", "solver", "max_iter"]))
        drawn[name] = [0, -1, math.nan, "x", None, 10**400][rng.integers(6)]
    return drawn


def check(d: Decomposition) -> None:
    """Require that a decomposition is finite, certified, and adds up."""
    numbers = [*d.marginal_information, d.lower, d.upper, d.redundancy, *d.unique]
    if d.information is not None:
        numbers += [d.information, d.synergy]
    assert all(map(math.isfinite, numbers)), f"not finite: {d!r}"
    slack = ROUNDING + d.gap
    assert d.gap >= 0, f"lower above upper: {d.lower!r}, {d.upper!r}"
    assert min(d.redundancy, *d.unique) >= -slack, f"negative atom: {d!r}"
    assert d.upper >= max(d.marginal_information) - slack, f"below a marginal: {d!r}"
    if d.information is not None and d.synergy is not None:
        total = d.redundancy + sum(d.unique) + d.synergy
        assert abs(total - d.information) <= ROUNDING, f"the atoms sum to {total}: {d!r}"
        assert d.synergy >= -slack, f"negative synergy: {d!r}"


def joint_trial(seed: int) -> None:
    """Decompose a table."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(decompose(table(rng), **options(rng)))


def marginals_trial(seed: int) -> None:
    """Decompose two marginals: of one table, or of two that do not agree."""
    rng = np.random.default_rng(seed)
    drawn, chosen = table(rng), options(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if not isinstance(drawn, np.ndarray) or drawn.ndim != 3 or drawn.dtype.kind not in "fiu":
            check(decompose_marginals(drawn, table(rng), **chosen))
            return
        with np.errstate(over="ignore"):  # of a total beyond its type
            first, second = drawn.sum(1, dtype=drawn.dtype), drawn.sum(0, dtype=drawn.dtype)
        if rng.random() < 0.1:
            second = second * rng.uniform(0.9, 1.1)
        check(decompose_marginals(first, second, **chosen))


def agreement_trial(seed: int) -> None:
    """Solve a table with two solvers, whose proven bounds must overlap."""
    rng = np.random.default_rng(seed)
    drawn = table(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = decompose(drawn, solver="newton", max_iter=2_000)
        two = decompose(drawn, solver="ipfp", max_iter=2_000)
    assert one.lower <= two.upper + ROUNDING, f"bounds do not overlap: {one!r}, {two!r}"
    assert two.lower <= one.upper + ROUNDING, f"bounds do not overlap: {one!r}, {two!r}"
