"""The joint probe: what both embeddings tell, starting from what each tells.

The joint starts from the unimodal probes' log-odds, weighed together, and may add to them products
of one direction of each embedding, or nothing (`interactions` finds the directions).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from modalprism.estimation.calibration import Stack, fit_stack
from modalprism.estimation.families import ITERATIONS
from modalprism.estimation.features import Features
from modalprism.estimation.interactions import Standard, Whitening, leading_axes, products
from modalprism.estimation.logistic import LogisticFits, fit_logistic
from modalprism.estimation.recalibration import Scale

LINEAR: Final = 24
SMOOTH: Final = 24
DIRECTIONS: Final = (2, 6)
RIDGES: Final = (1e-3, 1e-2)
ALONE: Final = "weighed log-odds"
"""The candidate that adds nothing."""

Pair = tuple[Tensor, Tensor]
"""Log-odds of both sources' probes, (n, C) each."""
Whitened = list[Tensor]
"""Uncorrelated features of a source, (n, W), one a fit."""


@dataclass(frozen=True)
class Whitenings:
    """Uncorrelated features of one source, in which its directions are sought, of B fits.

    Attributes
    ----------
    linear, smooth : list of Whitening
        Of components, and of radial basis functions.
    """

    linear: list[Whitening]
    smooth: list[Whitening]

    @classmethod
    def of(cls, features: Features, masks: Tensor) -> Whitenings:
        """Fit them to the rows of every mask, (B, n)."""
        leading = features.components[..., :LINEAR]
        return cls(
            [Whitening.of(*each, LINEAR) for each in zip(leading, masks, strict=True)],
            [Whitening.of(*each, SMOOTH) for each in zip(features.smooth, masks, strict=True)],
        )

    def __call__(self, features: Features) -> Whitened:
        """Return them of some rows."""
        fits = zip(
            self.linear,
            features.components[..., :LINEAR],
            self.smooth,
            features.smooth,
            strict=True,
        )
        return [torch.cat([linear(x), smooth(z)], -1) for linear, x, smooth, z in fits]


@dataclass(frozen=True)
class Products:
    """Regressions of products of `count` directions of each source, with L ridges, of B fits."""

    names: tuple[str, ...]
    count: int
    standards: list[Standard]
    fits: LogisticFits

    def only(self, at: int) -> Products:
        """Return the regressions with one of the ridges."""
        return replace(self, names=(self.names[at],), fits=self.fits.ridge(at))


@dataclass(frozen=True)
class JointFits:
    """Fitted joint candidates: weighed log-odds, and what products may add to them; B fits each.

    Attributes
    ----------
    stacks : list of Stack
    scale : Scale
        Of the log-odds.
    axes : list of two Tensors, shapes (W1, 6) and (W2, 6)
        Directions of either source.
    products : tuple of Products
    """

    stacks: list[Stack]
    scale: Scale
    axes: list[tuple[Tensor, Tensor]]
    products: tuple[Products, ...]

    def start(self, log_odds: Pair) -> Tensor:
        """Return the weighed log-odds of some rows, (B, n, C)."""
        return _weighed(self.stacks, log_odds)

    def added(self, log_odds: Pair, whitened: tuple[Whitened, Whitened]) -> list[Tensor]:
        """Return what each of the products adds to them, (B, n, L, C) each."""
        scaled = self.scale(torch.cat(log_odds, -1))
        directions = _directions(whitened, self.axes)
        return [
            each.fits.logits(_terms(scaled, directions, each.standards, each.count))
            for each in self.products
        ]


def fit_joint(
    log_odds: Pair,
    whitened: tuple[Whitened, Whitened],
    target: Tensor,
    masks: Tensor,
    seen: Tensor,
) -> JointFits:
    """Fit the joint candidates to rows that the sources' probes have not seen.

    Parameters
    ----------
    log_odds : two of Tensor, shape (n, C)
    whitened : two of B Tensors, shapes (n, W1) and (n, W2)
        See `Whitenings`.
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    masks : Tensor of float32, shape (B, n)
        1 for the rows that a fit sees.
    seen : Tensor of float32, shape (n,)
        1 for the rows that the scale of the log-odds is fitted to.
    """
    scores, wanted = _doubles(log_odds), target.numpy().astype(np.float64)
    stacks = [
        fit_stack([score[mask] for score in scores], wanted[mask], tolerance=1e-5)
        for mask in masks.numpy() > 0
    ]
    start = _weighed(stacks, log_odds)
    residual = (target - torch.softmax(start, -1)) * masks[..., None]
    axes = [
        leading_axes(first, second, left_over, max(DIRECTIONS))
        for first, second, left_over in zip(*whitened, residual, strict=True)
    ]
    scale = Scale.of(torch.cat(log_odds, -1), seen)
    scaled, directions = scale(torch.cat(log_odds, -1)), _directions(whitened, axes)
    found = []
    for count in DIRECTIONS:
        standards = [
            Standard.of(products(u[:, :count], v[:, :count]), mask)
            for (u, v), mask in zip(directions, masks, strict=True)
        ]
        fits = fit_logistic(
            _terms(scaled, directions, standards, count),
            target,
            masks,
            torch.tensor(RIDGES),
            iterations=ITERATIONS,
            offset=start,
        )
        names = tuple(f"and {count} × {count} interactions, ridge {ridge:g}" for ridge in RIDGES)
        found.append(Products(names, count, standards, fits))
    return JointFits(stacks, scale, axes, tuple(found))


def _doubles(log_odds: Pair) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return [each.numpy().astype(np.float64) for each in log_odds]


def _weighed(stacks: list[Stack], log_odds: Pair) -> Tensor:
    scores = _doubles(log_odds)
    weighed = [torch.from_numpy(stack.log_probabilities(scores)).float() for stack in stacks]
    return torch.stack(weighed)


def _directions(
    whitened: tuple[Whitened, Whitened], axes: list[tuple[Tensor, Tensor]]
) -> list[tuple[Tensor, Tensor]]:
    return [
        (first @ left, second @ right)
        for first, second, (left, right) in zip(*whitened, axes, strict=True)
    ]


def _terms(
    scaled: Tensor,
    directions: list[tuple[Tensor, Tensor]],
    standards: list[Standard],
    count: int,
) -> Tensor:
    return torch.stack(
        [
            torch.cat([scaled, standard(products(u[:, :count], v[:, :count]))], -1)
            for (u, v), standard in zip(directions, standards, strict=True)
        ]
    )
