"""A source's probe that can be kept: learnt from some rows, it reads any others.

The families, ridges and the recalibration are those of `modalprism.estimation.probes`. What differs
is who decides: not inner folds, but rows that the fits have not seen (`roles`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.features import LANDMARKS, RadialBasis
from modalprism.estimation.interactions import Standard, Whitening, all_squares, leading_axes
from modalprism.estimation.logistic import LogisticFits, fit_logistic
from modalprism.estimation.probes import (
    COMPONENTS,
    CURVED_BASE,
    CURVED_COMPONENTS,
    CURVED_DIRECTIONS,
    CURVED_RIDGES,
    ITERATIONS,
    RIDGES,
    SLOPES,
    cross_entropy,
)
from modalprism.estimation.streamed.recalibration import Recalibration
from modalprism.estimation.streamed.reduction import Reduction

Family = Callable[["Traits"], Tensor]
"""From a row's traits to the features of one family, (n, D)."""


@dataclass(frozen=True)
class Traits:
    """What all families are made of, for some rows.

    Attributes
    ----------
    components, smooth : Tensor of float32, shapes (n, D) and (n, L)
    """

    components: Tensor
    smooth: Tensor

    def __getitem__(self, rows: NDArray[np.bool_]) -> Traits:
        """Return those of some rows."""
        mask = torch.from_numpy(rows)
        return Traits(self.components[mask], self.smooth[mask])


@dataclass(frozen=True)
class Linear:
    """The leading components as they are."""

    count: int

    def __call__(self, traits: Traits) -> Tensor:
        """Return (n, count)."""
        return traits.components[:, : self.count]


@dataclass(frozen=True)
class Curved:
    """Components, and squares of the directions in which the target bends."""

    whitening: Whitening
    axes: Tensor
    standard: Standard

    @classmethod
    def of(cls, components: Tensor, logits: Tensor, target: Tensor) -> Curved:
        """Find the directions, where `logits` (n, C) are the linear family's own."""
        seen = torch.ones(len(components))
        whitening = Whitening.of(components[:, :CURVED_COMPONENTS], seen, CURVED_COMPONENTS)
        white = whitening(components[:, :CURVED_COMPONENTS])
        axes = torch.cat(
            [
                leading_axes(white, white, target - p, CURVED_DIRECTIONS)[0]
                for p in (torch.softmax(logits, -1), target.mean(0))
            ],
            -1,
        )
        return cls(whitening, axes, Standard.of(all_squares(white @ axes), seen))

    def __call__(self, traits: Traits) -> Tensor:
        """Return (n, base + squares)."""
        white = self.whitening(traits.components[:, :CURVED_COMPONENTS])
        bent = self.standard(all_squares(white @ self.axes))
        return torch.cat([traits.components[:, :CURVED_BASE], bent], -1)


@dataclass(frozen=True)
class Smooth:
    """Radial basis functions."""

    def __call__(self, traits: Traits) -> Tensor:
        """Return (n, landmarks)."""
        return traits.smooth


@dataclass(frozen=True)
class Learnt:
    """One regression of one family."""

    name: str
    family: Family
    fits: LogisticFits

    def logits(self, traits: Traits) -> Tensor:
        """Return logits, (n, C)."""
        return self.fits.logits(self.family(traits))[0, :, 0]


@dataclass(frozen=True)
class Lesson:
    """Rows that fits learn from, or that others choose between them by.

    Attributes
    ----------
    traits : Traits
    target : Tensor of float32, shape (n, C)
    """

    traits: Traits
    target: Tensor


@dataclass(frozen=True)
class Probe:
    """A source's probe.

    Attributes
    ----------
    reduction : Reduction
    basis : RadialBasis
    chosen : Learnt
    recalibration : Recalibration
    """

    reduction: Reduction
    basis: RadialBasis
    chosen: Learnt
    recalibration: Recalibration

    def traits(self, rows: Tensor) -> Traits:
        """Return what all families are made of, of scaled rows (n, d)."""
        components = self.reduction(rows)
        return Traits(components, self.basis(components))

    def logits(self, traits: Traits) -> Tensor:
        """Return recalibrated log-probabilities, (n, C)."""
        return self.recalibration(self.chosen.logits(traits))


def one_by_one(fits: LogisticFits) -> list[LogisticFits]:
    """Part the regressions of several ridges."""
    return [
        LogisticFits(fits.weight[:, [number]], fits.bias[:, [number]])
        for number in range(fits.weight.shape[1])
    ]


def least_loss(candidates: list[Tensor], target: Tensor) -> int:
    """Return the number of the candidate (n, C) that loses least at the best of a few slopes."""
    losses = [
        min(float(cross_entropy(slope * logits, target).mean()) for slope in SLOPES)
        for logits in candidates
    ]
    return int(np.argmin(losses))


def radial_basis(components: Tensor, seed: int) -> tuple[RadialBasis, Tensor]:
    """Learn radial basis functions of components, and return them as well."""
    seen = np.ones(len(components), dtype=np.bool_)
    return RadialBasis.fitted(components, seen, min(LANDMARKS, len(components)), seed)


def candidates_of(lesson: Lesson, only: str = "") -> list[Learnt]:
    """Learn every family with every ridge, or those whose family `only` begins with."""
    found: list[Learnt] = []
    width = lesson.traits.components.shape[1]

    def learn(name: str, family: Family, ridges: tuple[float, ...]) -> None:
        features = family(lesson.traits)
        fits = fit_logistic(
            features,
            lesson.target,
            torch.ones(1, len(features)),
            torch.tensor(ridges),
            iterations=ITERATIONS,
        )
        names = [f"{name}, ridge {ridge:g}" for ridge in ridges]
        found.extend(
            Learnt(each, family, fit) for each, fit in zip(names, one_by_one(fits), strict=True)
        )

    counts = sorted({min(count, width) for count in COMPONENTS})
    for count in counts:
        name = f"linear in {count} components"
        # The curved family begins from the linear one of its components.
        if only.startswith((name, "curved" if count == _base(counts) else name)) or not only:
            learn(name, Linear(count), RIDGES)
    if only.startswith("curved") or not only:
        linear = f"linear in {_base(counts)} components, "
        start = next(each for each in found if each.name.startswith(linear))
        curved = Curved.of(lesson.traits.components, start.logits(lesson.traits), lesson.target)
        learn("curved", curved, CURVED_RIDGES)
    if only.startswith("smooth") or not only:
        learn("smooth", Smooth(), RIDGES)
    return [each for each in found if not only or each.name == only]


def _base(counts: list[int]) -> int:
    return max(count for count in counts if count <= CURVED_BASE or count == counts[0])


def choose_probe(
    reduction: Reduction,
    basis: RadialBasis,
    lesson: Lesson,
    choice: Lesson,
    half: NDArray[np.bool_],
    *,
    bound: int,
    seed: int,
    only: str = "",
) -> Probe:
    """Learn the candidates from one lesson, and choose and recalibrate one by another.

    Parameters
    ----------
    reduction : Reduction
    basis : RadialBasis
        What made the lessons' traits.
    lesson, choice : Lesson
    half : ndarray of bool
        A random half of the choice's rows, whole groups: a map is compared with others on rows that
        it was not fitted to.
    bound : int
        Rows that support a probability; see `modalprism.estimation.probes.bounded`.
    seed : int
        Of landmarks.
    only : str
        Of a family that has been chosen before.
    """
    learnt = candidates_of(lesson, only)
    said = [each.logits(choice.traits) for each in learnt]
    best = least_loss(said, choice.target)
    recalibration = Recalibration.of(said[best], choice.target, half, bound, seed)
    return Probe(reduction, basis, learnt[best], recalibration)


MOST_COMPONENTS: Final = max(COMPONENTS)
