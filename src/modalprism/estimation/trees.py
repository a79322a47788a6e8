"""Ensembles of trees: learners for sharp structure, such as parities and thresholds.

They cost more than all other learners together. The effort decides which may be fitted. The nested
plan fits them only where a small ensemble adds to the other learners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from torch import Tensor

from modalprism.estimation.features import Features

Effort = Literal["fast", "default", "thorough"]
EFFORTS: Final = get_args(Effort)

FEW_CLASSES: Final = 4
"""Classes up to which trees are boosted: their cost is a tree for every class and iteration."""
MOST_COLUMNS: Final = 48
"""Columns up to which trees see all of them, and the number that they see of more."""
TREE_COMPONENTS: Final = 12
MOST_ROWS: Final = 2_000
"""Rows that each of the extremely randomised trees is fitted to, of samples twice as large."""
_ONE_AT_A_TIME: Final = Lock()
"""scikit-learn sets the filters of warnings, which threads share, while it fits and predicts."""

Forest = Any  # scikit-learn has no types


@dataclass(frozen=True)
class TreeFits:
    """Ensembles of trees, one a fit, each on the columns that it chose."""

    names: tuple[str, ...]
    models: list[tuple[Forest, NDArray[np.int64]]]
    classes: int
    floor: float

    def logits(self, features: Features) -> Tensor:
        """Return logits, (B, n, 1, C)."""
        rows = tree_rows(features)
        said = np.full((len(self.models), len(rows), self.classes), self.floor)
        for own, (model, chosen) in zip(said, self.models, strict=True):
            with _ONE_AT_A_TIME:
                p = model.predict_proba(rows[:, chosen])
            own[:, model.classes_] = np.maximum(p, self.floor)
        said /= said.sum(-1, keepdims=True)
        return torch.from_numpy(np.log(said)).float()[:, :, None]


@dataclass(frozen=True)
class Trees:
    """Trees on columns and on the leading standardised components.

    Attributes
    ----------
    name : str
    make : callable
        From a number of trees and a seed to an ensemble of scikit-learn.
    size : int
        Trees (of every class, if boosted).
    """

    name: str
    make: Callable[[int, int], Forest]
    size: int

    def small(self) -> Trees:
        """Return the same with a third of the trees, for the test whether they add anything."""
        return replace(self, size=self.size // 3)

    def fit(self, features: Features, target: Tensor, masks: Tensor, seed: int) -> TreeFits:
        """Fit to the rows of every mask."""
        rows, wanted = tree_rows(features), target.numpy()
        models = []
        for mask in masks.numpy() > 0:
            chosen = tree_columns(rows[mask], wanted[mask])
            labels, index, weight = _weighted_labels(wanted[mask])
            inputs = rows[mask][:, chosen]
            if index is not None:
                inputs = inputs[index]
            model = self.make(self.size, seed)
            with _ONE_AT_A_TIME:
                model.fit(inputs, labels, sample_weight=weight)
            models.append((model, chosen))
        floor = 0.5 / (float(masks.sum(1).min()) * target.shape[1])
        return TreeFits((self.name,), models, target.shape[1], floor)


def pair_features(first: Features, second: Features) -> Features:
    """Return the features of both sources for trees: columns and components side by side."""
    leading = torch.cat([each.standard[:, :TREE_COMPONENTS] for each in (first, second)], 1)
    empty = leading[:, :0]
    columns = torch.cat([leading, first.columns, second.columns], 1)
    return Features(columns, empty, empty, empty, empty)


def tree_rows(features: Features) -> NDArray[np.float32]:
    """Return the columns and the leading components that trees choose from, (n, D)."""
    leading = features.standard[:, :TREE_COMPONENTS]
    return torch.cat([leading, features.columns], 1).numpy()


def tree_columns(rows: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the columns for trees: all, or those that correlate most with the target.

    Squares count as well. The leading columns are components, and always there.
    """
    d = rows.shape[1]
    if d <= MOST_COLUMNS + 2 * TREE_COMPONENTS:
        return np.arange(d)
    centred = rows - rows.mean(0)
    centred /= np.maximum(centred.std(0), 1e-12)
    wanted = target - target.mean(0)
    wanted = wanted / np.maximum(wanted.std(0), 1e-6)
    straight = np.square(centred.T @ wanted).sum(1)
    bent = np.square((np.square(centred) - 1).T @ wanted).sum(1) / 2
    score = np.maximum(straight, bent)
    score[: 2 * TREE_COMPONENTS] = np.inf
    return np.sort(np.argsort(-score, kind="stable")[: MOST_COLUMNS + 2 * TREE_COMPONENTS])


def _weighted_labels(
    target: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.float32] | None]:
    """Return labels; of a distribution every class that it holds, with its weight."""
    if (target.max(1) > 1 - 1e-6).all():
        return target.argmax(1), None, None
    row, label = np.nonzero(target > 1e-3)
    return label, row, target[row, label]


def boosted(size: int, seed: int) -> Forest:
    """Histogram gradient boosting; few trees take larger steps."""
    return HistGradientBoostingClassifier(
        learning_rate=min(8 / size, 0.3), max_iter=size, max_leaf_nodes=15, max_bins=63,
        early_stopping=False, random_state=seed,
    )  # fmt: skip


def extra(size: int, seed: int, *, most: int | None = None) -> Forest:
    """Extremely randomised trees (Geurts et al. 2006, doi:10.1007/s10994-006-6226-1).

    With `most`, each tree is fitted to that many rows, drawn anew.
    """
    return ExtraTreesClassifier(
        size, min_samples_leaf=3, bootstrap=bool(most), max_samples=most, random_state=seed
    )


def trees_of(effort: str, classes: int, n: int) -> tuple[Trees, ...]:
    """Return the ensembles that an effort allows for a number of classes and of rows.

    ``fast`` has none; ``default`` one, boosted for few classes and extremely randomised for more;
    ``thorough`` both, three times as large.

    Examples
    --------
    >>> [len(trees_of(effort, classes=2, n=1000)) for effort in EFFORTS]
    [0, 1, 2]
    """
    if effort == "fast":
        return ()
    make = partial(extra, most=MOST_ROWS if n > 2 * MOST_ROWS else None)
    if effort == "thorough":
        return Trees("boosted trees", boosted, 150), Trees("extra trees", make, 300)
    if classes <= FEW_CLASSES:
        return (Trees("boosted trees", boosted, 50),)
    return (Trees("extra trees", make, 100),)
