"""Masks of nested cross-fitting: the rows of each fit, and the fit that predicts each row.

A prediction of fold f comes from fits without rows of f. Choices and recalibrations for fold f need
held-out predictions as well, which come from fits without f and another fold g. The one or two
excluded folds identify each fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class CrossFit:
    """Folds, and the fits that exclude one or two of them.

    Attributes
    ----------
    which : Tensor of int64, shape (n,)
        Fold of every row.
    folds : int
        K.
    left_out : tuple of (int, int)
        B = K (K+1) / 2 pairs f ≤ g; (f, f) excludes f alone.
    masks : Tensor of float32, shape (B, n)
        1 for a row of the fit, 0 for others.
    """

    which: Tensor
    folds: int
    left_out: tuple[tuple[int, int], ...]
    masks: Tensor

    @classmethod
    def of(cls, fold: NDArray[np.int64]) -> CrossFit:
        """Plan the fits for these folds.

        Examples
        --------
        >>> plan = CrossFit.of(np.array([0, 1, 2, 0]))
        >>> plan.left_out
        ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
        >>> plan.masks[1].tolist()
        [0.0, 0.0, 1.0, 0.0]
        """
        which = torch.from_numpy(fold)
        folds = int(fold.max()) + 1
        left_out = tuple(combinations_with_replacement(range(folds), 2))
        masks = torch.stack([(which != f) & (which != g) for f, g in left_out]).float()
        return cls(which, folds, left_out, masks)

    @property
    def outside(self) -> Tensor:
        """Rows outside every fold, float32, shape (K, n)."""
        return torch.stack([self.which != f for f in range(self.folds)]).float()

    @property
    def rows(self) -> Tensor:
        """Indices of the rows, shape (n,)."""
        return torch.arange(len(self.which))

    def index(self, f: int, g: int) -> int:
        """Return the index of the fit without f and g."""
        return self.left_out.index((min(f, g), max(f, g)))

    def reading(self, f: int) -> Tensor:
        """Return the fit that predicts every row for fold f, which excludes both folds, (n,)."""
        return torch.tensor([self.index(f, g) for g in range(self.folds)])[self.which]

    def held_out(self, nested: Tensor) -> Tensor:
        """Return the prediction of every row for its own fold, (n, …) of (K, n, …)."""
        return nested[self.which, self.rows]
