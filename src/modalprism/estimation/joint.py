"""Products of directions of two sources: information that only both embeddings together have.

The regressions start from a weighted sum of both sources' log-odds, and add products of one
direction of each embedding (`interactions` finds the directions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from modalprism.estimation.features import Features
from modalprism.estimation.interactions import Standard, Whitening, leading_axes, products
from modalprism.estimation.logistic import LogisticFits, fit_logistic
from modalprism.estimation.recalibration import Scale
from modalprism.estimation.stacking import Weights, fit_weights

WIDTH: Final = 24
"""Directions of components, and of radial basis functions, in which products are sought."""
DIRECTIONS: Final = (1, 2, 6)
RIDGES: Final = (1e-3, 1e-2)
ITERATIONS: Final = 40

Pair = tuple[Tensor, Tensor]
"""Log-odds of both sources, (n, C) each; or uncorrelated features of both, (n, W) each."""


@dataclass(frozen=True)
class Whitenings:
    """Uncorrelated features of one source, among which its directions are sought.

    Attributes
    ----------
    linear, smooth : Whitening
        Of components, and of radial basis functions.
    width : Tensor, shape (W,)
        Relative deviation of each before whitening, at most 1.
    """

    linear: Whitening
    smooth: Whitening
    width: Tensor

    @classmethod
    def of(cls, features: Features) -> Whitenings:
        """Fit them to all rows."""
        linear = Whitening.of(features.components[:, :WIDTH], WIDTH)
        smooth = Whitening.of(features.smooth, WIDTH)
        widths = [1 / each.axes.norm(dim=0).clamp_min(1e-12) for each in (linear, smooth)]
        largest = [width.max() if width.numel() else width.new_ones(()) for width in widths]
        return cls(
            linear, smooth, torch.cat([w / most for w, most in zip(widths, largest, strict=True)])
        )

    def __call__(self, features: Features) -> Tensor:
        """Return them of some rows, (n, W)."""
        linear = self.linear(features.components[:, :WIDTH])
        return torch.cat([linear, self.smooth(features.smooth)], -1)


@dataclass(frozen=True)
class Products:
    """Regressions on products of `count` directions of each source, with L ridges, of B fits."""

    names: tuple[str, ...]
    view: int
    count: int
    standards: list[Standard]
    fits: LogisticFits


@dataclass(frozen=True)
class ProductFits:
    """Fitted products; B fits each.

    Attributes
    ----------
    weights : Weights
        Of both sources' log-odds.
    scale : Scale
        Of the log-odds.
    axes : two lists of two Tensors, shapes (W1, 6) and (W2, 6)
        Directions of either source: among whitened features, and among wide ones first.
    products : tuple of Products
    """

    weights: Weights
    scale: Scale
    axes: tuple[list[Pair], list[Pair]]
    products: tuple[Products, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """One for each number of directions and ridge."""
        return tuple(name for each in self.products for name in each.names)

    def logits(self, log_odds: Pair, white: Pair) -> Tensor:
        """Return what the products add to the weighted log-odds of some rows, (B, n, L, C)."""
        scaled = self.scale(torch.cat(log_odds, -1))
        directions = [_directions(white, axes) for axes in self.axes]
        added = [
            each.fits.logits(_terms(scaled, directions[each.view], each.standards, each.count))
            for each in self.products
        ]
        return torch.cat(added, 2)


def fit_products(
    log_odds: Pair, white: Pair, widths: Pair, target: Tensor, masks: Tensor, seen: Tensor
) -> ProductFits:
    """Fit products to rows that the sources' learners have not seen.

    Parameters
    ----------
    log_odds : two of Tensor, shape (n, C)
    white : two of Tensor, shapes (n, W1) and (n, W2)
        See `Whitenings`.
    widths : two of Tensor, shapes (W1,) and (W2,)
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    masks : Tensor of float32, shape (B, n)
        1 for the rows that a fit sees.
    seen : Tensor of float32, shape (n,)
        1 for the rows that the scale of the log-odds is fitted to.
    """
    both = torch.stack(log_odds, 1)
    weights = fit_weights(both, target, masks)
    start = torch.stack([weights(both, fit) for fit in range(len(masks))])
    residual = (target - torch.softmax(start, -1)) * masks[..., None]
    one, other = widths
    whitened = [leading_axes(*white, left_over, max(DIRECTIONS)) for left_over in residual]
    wide = [
        (one[:, None] * left, other[:, None] * right)
        for left, right in (
            leading_axes(white[0] * one, white[1] * other, left_over, max(DIRECTIONS))
            for left_over in residual
        )
    ]
    scale = Scale.of(torch.cat(log_odds, -1), seen)
    scaled = scale(torch.cat(log_odds, -1))
    found = []
    for view, axes in enumerate((whitened, wide)):
        directions = _directions(white, axes)
        for count in DIRECTIONS:
            standards = [
                Standard.of(_with_products(u[:, :count], v[:, :count]), mask)
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
            kind = f"{count} × {count} products{' of wide directions' if view else ''}"
            names = tuple(f"{kind}, ridge {ridge:g}" for ridge in RIDGES)
            found.append(Products(names, view, count, standards, fits))
    return ProductFits(weights, scale, (whitened, wide), tuple(found))


def _directions(white: Pair, axes: list[Pair]) -> list[Pair]:
    return [(white[0] @ left, white[1] @ right) for left, right in axes]


def _with_products(first: Tensor, second: Tensor) -> Tensor:
    """Return directions of both sources, and their products: a gate is a sum of both."""
    return torch.cat([first, second, products(first, second)], 1)


def _terms(scaled: Tensor, directions: list[Pair], standards: list[Standard], count: int) -> Tensor:
    return torch.stack(
        [
            torch.cat([scaled, standard(_with_products(u[:, :count], v[:, :count]))], -1)
            for (u, v), standard in zip(directions, standards, strict=True)
        ]
    )
