"""Learners: regressions on families of features, fitted under many masks at once.

`stacking` combines several. A learner that reads nothing gets no weight: it costs time, but no
information.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Protocol

import torch
from torch import Tensor

from modalprism.estimation.features import Features
from modalprism.estimation.interactions import Standard, Whitening, leading_axes, squares
from modalprism.estimation.logistic import LogisticFits, fit_logistic

RIDGES: Final = (0.1, 1.0)
"""On all d dimensions, in units of d/n, with which the noise of their weights grows."""
RANKS: Final = (1, 2)
FEW_RIDGES: Final = (1e-2, 1e-1)
COUNTS: Final = (8, 32, 128)
ITERATIONS: Final = 30
CURVED_COMPONENTS: Final = 16
CURVED_BASE: Final = 32
CURVED_DIRECTIONS: Final = 3
CURVED_RIDGES: Final = (1e-3, 1e-2)


class Fitted(Protocol):
    """B fits of L candidates."""

    @property
    def names(self) -> tuple[str, ...]:
        """One for each candidate."""

    def logits(self, features: Features) -> Tensor:
        """Return logits, (B, n, L, C)."""


class Learner(Protocol):
    """A family of features, and a regression on them."""

    def fit(self, features: Features, target: Tensor, masks: Tensor, seed: int) -> Fitted:
        """Fit to the rows of every mask.

        Parameters
        ----------
        features : Features
            Of n rows.
        target : Tensor of float32, shape (n, C)
            Rows sum to 1.
        masks : Tensor of float32, shape (B, n)
            1 for the rows that a fit sees.
        seed : int
        """


@dataclass(frozen=True)
class LinearFits:
    """Logistic regressions on features that are the same for all fits."""

    names: tuple[str, ...]
    view: Callable[[Features], Tensor]
    fits: LogisticFits

    def logits(self, features: Features) -> Tensor:
        """Return logits, (B, n, L, C)."""
        return self.fits.logits(self.view(features))


@dataclass(frozen=True)
class Linear:
    """Logistic regressions with several ridges on one view of the features.

    Attributes
    ----------
    name : str
    view : callable
        From features to (n, D).
    ridges : tuple of float
    uncorrelated : bool
        Whether the view's columns are centred and uncorrelated.
    relative : bool
        Whether ridges are in units of d/n, with d columns and n rows.
    ranks : tuple of int
        Ranks of weights below that of all classes, which are candidates as well.
    """

    name: str
    view: Callable[[Features], Tensor]
    ridges: tuple[float, ...]
    uncorrelated: bool = True
    relative: bool = False
    ranks: tuple[int, ...] = ()

    def fit(self, features: Features, target: Tensor, masks: Tensor, seed: int) -> LinearFits:  # noqa: ARG002
        """Fit to the rows of every mask."""
        columns = self.view(features)
        unit = columns.shape[1] / float(masks.sum(1).max()) if self.relative else 1.0
        ridges = torch.tensor(self.ridges) * unit
        fits = fit_logistic(
            columns, target, masks, ridges, iterations=ITERATIONS, uncorrelated=self.uncorrelated
        )
        names = _named(self.name, self.ridges, " d/n" if self.relative else "")
        ranks = [rank for rank in self.ranks if rank < min(target.shape[1] - 1, columns.shape[1])]
        if ranks:
            fits = fits.joined(_of_ranks(fits.ridge(0), columns, ranks))
            names += tuple(f"{self.name}, rank {rank}" for rank in ranks)
        return LinearFits(names, self.view, fits)


def _of_ranks(fits: LogisticFits, columns: Tensor, ranks: Sequence[int]) -> LogisticFits:
    """Return fits with the leading singular directions of the logits alone, one a rank.

    A weak signal often has one direction, such as one bit of a target of two; truncation removes
    the noise of the others.
    """
    width = columns.square().mean(0).sqrt().clamp_min(1e-12)  # columns are uncorrelated
    left, values, right = torch.linalg.svd(fits.weight[:, 0] * width, full_matrices=False)
    kept = [(left[..., :r] * values[:, None, :r]) @ right[:, :r] / width for r in ranks]
    return LogisticFits(torch.stack(kept, 1), fits.bias.expand(-1, len(ranks), -1, -1))


@dataclass(frozen=True)
class CurvedFits:
    """Logistic regressions on components, and squares of the directions that each fit found."""

    names: tuple[str, ...]
    view: Callable[[Features], Tensor]
    whitening: Whitening
    axes: list[Tensor]
    standards: list[Standard]
    fits: LogisticFits

    def logits(self, features: Features) -> Tensor:
        """Return logits, (B, n, L, C)."""
        leading = self.view(features)
        white = self.whitening(leading[:, :CURVED_COMPONENTS])
        return self.fits.logits(_with_squares(leading, white, self.axes, self.standards))


def _with_squares(
    leading: Tensor, white: Tensor, axes: list[Tensor], standards: list[Standard]
) -> Tensor:
    """Return components, and the squares of every fit's directions, (B, n, D)."""
    base = leading[:, :CURVED_BASE]
    return torch.stack(
        [
            torch.cat([base, standard(squares(white @ own))], -1)
            for own, standard in zip(axes, standards, strict=True)
        ]
    )


@dataclass(frozen=True)
class Curved:
    """Components, and squares of the directions in which the target bends.

    The directions are principal Hessian directions (Li 1992,
    doi:10.1080/01621459.1992.10476258), of the target and of what a linear fit leaves over.
    """

    name: str
    view: Callable[[Features], Tensor]

    def fit(self, features: Features, target: Tensor, masks: Tensor, seed: int) -> CurvedFits:  # noqa: ARG002
        """Fit to the rows of every mask."""
        leading = self.view(features)
        linear = fit_logistic(
            leading[:, :CURVED_BASE], target, masks, torch.tensor(FEW_RIDGES[:1]),
            iterations=ITERATIONS,
        ).logits(leading[:, :CURVED_BASE])[:, :, 0]  # fmt: skip
        points = leading[:, :CURVED_COMPONENTS]
        whitening = Whitening.of(points, CURVED_COMPONENTS)
        white = whitening(points)
        axes: list[Tensor] = []
        standards: list[Standard] = []
        for start, mask in zip(linear, masks, strict=True):
            frequency = (target * mask[:, None]).sum(0) / mask.sum()
            residuals = [
                (target - p) * mask[:, None] for p in (torch.softmax(start, -1), frequency)
            ]
            found = [leading_axes(white, white, r, CURVED_DIRECTIONS)[0] for r in residuals]
            axes.append(torch.cat(found, -1))
            standards.append(Standard.of(squares(white @ axes[-1]), mask))
        fits = fit_logistic(
            _with_squares(leading, white, axes, standards),
            target,
            masks,
            torch.tensor(CURVED_RIDGES),
            iterations=ITERATIONS,
        )
        names = _named(self.name, CURVED_RIDGES)
        return CurvedFits(names, self.view, whitening, axes, standards, fits)


def _named(name: str, ridges: Sequence[float], unit: str = "") -> tuple[str, ...]:
    return tuple(f"{name}, ridge {ridge:g}{unit}" for ridge in ridges)


standard = attrgetter("standard")
components = attrgetter("components")
smooth = attrgetter("smooth")
smooth_standard = attrgetter("smooth_standard")


@dataclass(frozen=True)
class Leading:
    """The leading raw components."""

    count: int

    def __call__(self, features: Features) -> Tensor:
        """Return (n, count)."""
        return features.components[:, : self.count]


def cheap_learners(width: int) -> list[Learner]:
    """Return the learners for features with `width` raw components that are always fitted."""
    counts = sorted({min(count, width) for count in COUNTS})
    return [
        Linear("all dimensions", standard, RIDGES, relative=True, ranks=RANKS),
        *(Linear(f"{count} components", Leading(count), FEW_RIDGES) for count in counts),
        Curved("curved", components),
        Curved("curved, standardised", standard),
        Linear("smooth", smooth, FEW_RIDGES, uncorrelated=False),
        Linear("smooth, standardised", smooth_standard, FEW_RIDGES, uncorrelated=False),
    ]
