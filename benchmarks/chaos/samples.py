"""Generated samples: finite intervals that hold their value, or a refusal."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from modalprism import analyze
from modalprism.errors import DataWarning
from modalprism.results.quantities import AMOUNTS, QUANTITIES

RATIOS = tuple(quantity.name for quantity in QUANTITIES if quantity.ratio)
"""Quantities that are NaN as a whole where the data cannot determine them."""
WILD_LABELS = [
    "", " ", "yes", "Yes", "YES ", "−1", "-1", "1", "01", "nan", "None", "null", "NA", "🙂", "👍🏽",
    "日本語", "العربية", "हिन्दी", "é", "é", "a\nb", "a\0b", "\x1b[31mred", "<b>", "x" * 2_000,
    "true", "0", "\u200b", "\ufeffyes", "../..", "'; drop", "{}", "%s", "\\",
]  # fmt: skip


def embedding(n: int, target: NDArray[np.int64], rng: Generator) -> Any:
    """Draw one modality, with or without something to tell about the target."""
    d = int(rng.choice([1, 2, 3, 8, 40]))
    values = rng.normal(size=(n, d))
    if rng.random() < 0.5:
        values += rng.normal(size=(target.max() + 1, d))[target] * rng.choice([0.3, 3, 1e3])
    degenerate = [
        lambda: values,
        lambda: np.ones((n, d)),
        lambda: values[rng.integers(0, 2, n)],
        lambda: np.repeat(values[:, :1], d, 1),
        lambda: values * 10.0 ** float(rng.integers(-300, 300)),
        lambda: values * 10.0 ** rng.integers(-12, 12, d).astype(float),
        lambda: np.round(values),
        lambda: np.where(rng.random((n, d)) < 0.01, rng.choice([np.nan, np.inf]), values),
        lambda: np.hstack([values, values]),
        lambda: values[:, 0],
        lambda: values[: n - 1],
        lambda: values[:, :0],
        lambda: values[:, :, None],
        lambda: np.eye(n)[:, : min(n, 60)],
    ]
    weights = np.array([20, 1, 3, 1, 1, 3, 1, 0.3, 1, 1, 0.3, 0.2, 0.2, 1])
    with np.errstate(all="ignore"):
        return _typed(degenerate[rng.choice(14, p=weights / weights.sum())](), rng)


def _typed(values: NDArray[Any], rng: Generator) -> Any:
    kinds = [
        lambda: values,
        lambda: values.astype(np.float32),
        lambda: values.astype(np.float16),
        lambda: torch.from_numpy(np.ascontiguousarray(values)).requires_grad_(),
        lambda: torch.from_numpy(np.ascontiguousarray(values)).to(torch.bfloat16),
        lambda: values.tolist(),
        lambda: pd.DataFrame(values) if values.ndim == 2 else pd.Series(values.ravel()),
        lambda: values > 0,
        lambda: np.nan_to_num(values).clip(-100, 100).astype(np.int8),
        lambda: values.astype(object),
        lambda: np.ma.masked_invalid(values),
        lambda: values.astype(complex),
        lambda: values.astype(str),
    ]
    weights = np.array([20, 3, 1, 1, 1, 1, 3, 1, 1, 0.5, 0.5, 0.2, 0.2])
    return kinds[rng.choice(13, p=weights / weights.sum())]()


def labels(target: NDArray[np.int64], rng: Generator) -> Any:
    """Give the classes names of all kinds, or none, or too many."""
    n, classes = len(target), int(target.max()) + 1
    wild = np.array(rng.choice(WILD_LABELS, classes, replace=False), dtype=object)
    missing = [None, math.nan, pd.NA, pd.NaT, np.datetime64("NaT")][rng.integers(5)]
    kinds = [
        lambda: target,
        lambda: wild[target],
        lambda: wild[target].tolist(),
        lambda: pd.Series(wild[target]),
        lambda: pd.Categorical(wild[target].astype(str)),
        lambda: np.where(rng.random(n) < 0.05, missing, wild[target]),
        lambda: target.astype(float) * 0.5,
        lambda: target == 0,
        lambda: target[:, None],
        lambda: torch.from_numpy(target),
        lambda: np.eye(classes)[target] * 0.9 + 0.1 / classes,
        lambda: rng.dirichlet(np.ones(classes), n),
        lambda: np.eye(classes, dtype=int)[target],
        lambda: np.zeros(n, int),
        lambda: np.arange(n),
        lambda: rng.normal(size=n),
        lambda: pd.date_range("2020-01-01", periods=classes)[target],
        lambda: [(a, a) for a in target.tolist()],
        lambda: [{"a": 1}] * n,
        lambda: "labels",
        lambda: None,
    ]
    weights = np.array([20, 6, 3, 2, 2, 0.7, 2, 2, 2, 2, 5, 4, *[0.3] * 9])
    return kinds[rng.choice(21, p=weights / weights.sum())]()


def groups(n: int, rng: Generator) -> Any:
    """Draw groups: most often none."""
    kinds = [
        lambda: None,
        lambda: np.arange(n) // 3,
        lambda: {"patient": np.arange(n) // 2, "site": np.arange(n) % 5},
        lambda: np.zeros(n, int),
        lambda: [math.nan, *range(n - 1)],
        lambda: np.arange(n + 1),
        lambda: pd.Series(np.arange(n) // 2, index=np.arange(n) + 1),
        lambda: "groups",
    ]
    return kinds[rng.choice(8, p=[0.7, 0.12, 0.12, 0.02, *[0.01] * 4])]()


def sample(rng: Generator) -> tuple[dict[Any, Any], Any, Any]:
    """Draw embeddings, labels and groups."""
    sizes = [0, 1, 2, 5, 12, 30, 60, 120, 240]
    n = int(rng.choice(sizes, p=[0.01, 0.01, 0.01, 0.02, 0.05, 0.15, *[0.25] * 3]))
    classes = int(rng.choice([1, 2, 3, 5, 12], p=[0.05, 0.45, 0.3, 0.15, 0.05]))
    target = rng.integers(0, classes, n) if n else np.zeros(1, int)
    skewed = np.where(rng.random(len(target)) < 0.9, 0, target)
    target = skewed if rng.random() < 0.2 else target
    names = [
        ("image", "text"), ("日本", "🙂"), ("a" * 300, "b\n"), ("image",), ("a", "b", "c"), (1, 2),
    ]  # fmt: skip
    chosen = names[rng.choice(6, p=[0.85, 0.08, 0.03, 0.01, 0.02, 0.01])]
    return {m: embedding(n, target, rng) for m in chosen}, labels(target, rng), groups(n, rng)


def trial(seed: int) -> None:
    """Analyse a sample."""
    rng = np.random.default_rng(seed)
    embeddings, y, grouped = sample(rng)
    estimator = "codebook" if rng.random() < 0.3 else "posterior"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Copies and constant embeddings: said, and meant.
        warnings.simplefilter("ignore", DataWarning)
        analysis = analyze(
            embeddings, y, groups=grouped, estimator=estimator, folds=3, replicates=20,
            permutations=19, seed=int(rng.integers(1000)),
        )  # fmt: skip
    for row in analysis.frame().to_dict("records"):
        _check(row)


def _check(row: dict[str, Any]) -> None:
    numbers = [row["value"], row["low"], row["high"]]
    if row["quantity"] in RATIOS and all(map(math.isnan, numbers)):
        return
    # Some quantities beside the atoms and their ratios have no interval.
    whole = row["quantity"] in AMOUNTS + RATIOS or not math.isnan(row["low"])
    assert all(map(math.isfinite, numbers if whole else numbers[:1])), f"not finite: {row}"
    assert not row["low"] > row["high"], f"low above high: {row}"
