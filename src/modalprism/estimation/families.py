"""Families of features, and the regressions on them among which a probe is chosen.

A probe is a logistic regression on few or many principal components (linear structure), on radial
basis functions of them (smooth structure), or on components and the products of a few directions
(interaction within the embedding).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from modalprism.estimation.features import Features
from modalprism.estimation.interactions import Standard, Whitening, leading_axes, squares
from modalprism.estimation.logistic import LogisticFits, fit_logistic

COMPONENTS: Final = (8, 32, 128)
MOST_COMPONENTS: Final = max(COMPONENTS)
RIDGES: Final = (1e-2, 1e-1)
CURVED_COMPONENTS: Final = 16
CURVED_BASE: Final = 32
CURVED_DIRECTIONS: Final = 3
CURVED_RIDGES: Final = (1e-3, 1e-2)
ITERATIONS: Final = 40
SLOPES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)

Family = Callable[[Features], Tensor]
"""From features to those of one family, (B, n, D)."""


@dataclass(frozen=True)
class Linear:
    """The leading components as they are."""

    count: int

    def __call__(self, features: Features) -> Tensor:
        """Return (B, n, count)."""
        return features.components[..., : self.count]


@dataclass(frozen=True)
class Curved:
    """Components, and squares of the directions in which the target bends, for each of B fits."""

    whitenings: list[Whitening]
    axes: list[Tensor]
    standards: list[Standard]

    @classmethod
    def of(cls, features: Features, logits: Tensor, target: Tensor, masks: Tensor) -> Curved:
        """Find the directions, where `logits` (B, n, C) are the linear family's own."""
        found = cls([], [], [])
        leading = features.components[..., :CURVED_COMPONENTS]
        for block, start, mask in zip(leading, logits, masks, strict=True):
            whitening = Whitening.of(block, mask, CURVED_COMPONENTS)
            white = whitening(block)
            frequency = (target * mask[:, None]).sum(0) / mask.sum()
            axes = [
                leading_axes(white, white, (target - p) * mask[:, None], CURVED_DIRECTIONS)[0]
                for p in (torch.softmax(start, -1), frequency)
            ]
            found.whitenings.append(whitening)
            found.axes.append(torch.cat(axes, -1))
            found.standards.append(Standard.of(squares(white @ found.axes[-1]), mask))
        return found

    def __call__(self, features: Features) -> Tensor:
        """Return (B, n, base + squares)."""
        leading = features.components[..., :CURVED_COMPONENTS]
        fits = zip(leading, self.whitenings, self.axes, self.standards, strict=True)
        bent = torch.stack(
            [
                standard(squares(whitening(block) @ axes))
                for block, whitening, axes, standard in fits
            ]
        )
        return torch.cat([features.components[..., :CURVED_BASE], bent], -1)


@dataclass(frozen=True)
class Smooth:
    """Radial basis functions."""

    def __call__(self, features: Features) -> Tensor:
        """Return (B, n, landmarks)."""
        return features.smooth


@dataclass(frozen=True)
class Candidates:
    """Regressions on one family of features, with L ridges, of B fits.

    Attributes
    ----------
    names : tuple of str
        One a ridge.
    family : Family
    fits : LogisticFits
    """

    names: tuple[str, ...]
    family: Family
    fits: LogisticFits

    def logits(self, features: Features) -> Tensor:
        """Return logits, (B, n, L, C)."""
        return self.fits.logits(self.family(features))

    def only(self, name: str) -> Candidates:
        """Return the candidate of a name."""
        at = self.names.index(name)
        return replace(self, names=(name,), fits=self.fits.ridge(at))


def fit_candidates(
    features: Features, target: Tensor, masks: Tensor, only: str = ""
) -> list[Candidates]:
    """Fit every family with every ridge.

    Parameters
    ----------
    features : Features
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    masks : Tensor of float32, shape (B, n)
        1 for the rows that a fit sees.
    only : str
        Name of a candidate that has been chosen before; no other family is then fitted.
    """
    found: list[Candidates] = []

    def fit(name: str, family: Family, ridges: tuple[float, ...]) -> None:
        fits = fit_logistic(
            family(features), target, masks, torch.tensor(ridges), iterations=ITERATIONS
        )
        found.append(Candidates(tuple(f"{name}, ridge {r:g}" for r in ridges), family, fits))

    width = features.components.shape[-1]
    counts = sorted({min(count, width) for count in COMPONENTS})
    base = max(count for count in counts if count <= CURVED_BASE or count == counts[0])
    for count in counts:
        name = f"linear in {count} components"
        # The curved family begins from the linear one of its components.
        if only.startswith((f"{name},", "curved" if count == base else f"{name},")) or not only:
            fit(name, Linear(count), RIDGES)
    if only.startswith("curved") or not only:
        linear = next(each for each in found if each.family == Linear(base))
        start = linear.logits(features)[:, :, 0]
        fit("curved", Curved.of(features, start, target, masks), CURVED_RIDGES)
    if only.startswith("smooth") or not only:
        fit("smooth", Smooth(), RIDGES)
    return [each.only(only) for each in found if only in each.names] if only else found


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of every row, over the last axis, in nats."""
    return -(target * torch.log_softmax(logits, -1)).sum(-1)


def choice_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return a candidate's loss, (...), by logits (..., n, C), targets, and weights (..., n).

    At the best of a few slopes: confidence is corrected later, and must not decide.
    """
    losses = [(cross_entropy(slope * logits, target) * weight).sum(-1) for slope in SLOPES]
    return torch.stack(losses).amin(0)
