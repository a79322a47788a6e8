"""A joint probe that can be kept; `modalprism.estimation.joint` says what it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.calibration import Stack, fit_stack
from modalprism.estimation.interactions import Standard, Whitening, all_products, leading_axes
from modalprism.estimation.joint import DIRECTIONS, LINEAR, RIDGES, SMOOTH
from modalprism.estimation.logistic import LogisticFits, fit_logistic
from modalprism.estimation.probes import ITERATIONS
from modalprism.estimation.streamed.probe import Traits, least_loss, one_by_one
from modalprism.estimation.streamed.recalibration import Recalibration, Scale

STACK_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Heard:
    """What one source's probe makes of some rows.

    Attributes
    ----------
    logits : Tensor of float32, shape (n, C)
        Recalibrated log-probabilities.
    traits : Traits
    """

    logits: Tensor
    traits: Traits

    def __getitem__(self, rows: NDArray[np.bool_]) -> Heard:
        """Return what it makes of some of them."""
        return Heard(self.logits[torch.from_numpy(rows)], self.traits[rows])


Both = tuple[Heard, Heard]


@dataclass(frozen=True)
class _Whitened:
    """Uncorrelated features of one source, in which its directions are sought."""

    linear: Whitening
    smooth: Whitening

    @classmethod
    def of(cls, traits: Traits) -> _Whitened:
        seen = torch.ones(len(traits.components))
        return cls(
            Whitening.of(traits.components[:, :LINEAR], seen, LINEAR),
            Whitening.of(traits.smooth, seen, SMOOTH),
        )

    def __call__(self, traits: Traits) -> Tensor:
        linear = self.linear(traits.components[:, :LINEAR])
        return torch.cat([linear, self.smooth(traits.smooth)], -1)


@dataclass(frozen=True)
class _Added:
    """What products of a few directions add to the weighed log-odds."""

    name: str
    count: int
    standard: Standard
    fits: LogisticFits

    def logits(self, log_odds: Tensor, directions: tuple[Tensor, Tensor]) -> Tensor:
        one, other = (projected[:, : self.count] for projected in directions)
        terms = torch.cat([log_odds, self.standard(all_products(one, other))], -1)
        return self.fits.logits(terms)[0, :, 0]


@dataclass(frozen=True)
class _Terms:
    """What candidates are made of: weighed log-odds to start from, and what may be added."""

    stack: Stack
    scale: Scale
    whitened: tuple[_Whitened, _Whitened]
    axes: tuple[Tensor, Tensor]

    def start(self, both: Both) -> Tensor:
        return _weighed(self.stack, both)

    def log_odds(self, both: Both) -> Tensor:
        return self.scale(torch.cat([heard.logits for heard in both], -1))

    def directions(self, both: Both) -> tuple[Tensor, Tensor]:
        one, other = (
            white(heard.traits) @ axes
            for white, heard, axes in zip(self.whitened, both, self.axes, strict=True)
        )
        return one, other


@dataclass(frozen=True)
class JointProbe:
    """What both sources tell.

    Attributes
    ----------
    chosen : str
        The candidate: weighed log-odds alone, or with products.
    terms, added, loudest
        What it is made of: `added` is None where nothing is; `loudest` are the products that lose
        least, whether they were chosen or not, for the test of synergy.
    recalibration : Recalibration
    """

    chosen: str
    terms: _Terms
    added: _Added | None
    loudest: _Added
    recalibration: Recalibration

    def logits(self, both: Both) -> tuple[Tensor, Tensor]:
        """Return recalibrated log-probabilities, and what products add, both (n, C)."""
        start, log_odds = self.terms.start(both), self.terms.log_odds(both)
        directions = self.terms.directions(both)
        interaction = self.loudest.logits(log_odds, directions)
        said = start
        if self.added is not None:
            same = self.added is self.loudest
            said = start + (interaction if same else self.added.logits(log_odds, directions))
        return self.recalibration(said), interaction


def _weighed(stack: Stack, both: Both) -> Tensor:
    scores = [heard.logits.numpy().astype(np.float64) for heard in both]
    return torch.from_numpy(stack.log_probabilities(scores)).float()


def choose_joint(
    learnt: Both,
    target: Tensor,
    choice: Both,
    choice_target: Tensor,
    half: NDArray[np.bool_],
    *,
    bound: int,
    seed: int,
    only: str = "",
) -> JointProbe:
    """Learn the candidates from rows that the sources' probes have not seen, and choose by others.

    Parameters
    ----------
    learnt, choice : two of Heard
        What either source's probe makes of the rows to learn from, and of those to choose by.
    target, choice_target : Tensor of float32, shape (n, C)
    half, bound, seed, only
        As in `modalprism.estimation.streamed.probe.choose_probe`.
    """
    wanted = target.numpy().astype(np.float64)
    scores = [heard.logits.numpy().astype(np.float64) for heard in learnt]
    stack = fit_stack(scores, wanted, tolerance=STACK_TOLERANCE)
    start = _weighed(stack, learnt)
    whitened = (_Whitened.of(learnt[0].traits), _Whitened.of(learnt[1].traits))
    axes = leading_axes(
        whitened[0](learnt[0].traits),
        whitened[1](learnt[1].traits),
        target - torch.softmax(start, -1),
        max(DIRECTIONS),
    )
    scale = Scale.of(torch.cat([heard.logits for heard in learnt], -1))
    terms = _Terms(stack, scale, whitened, axes)
    candidates = _candidates(terms, learnt, target, start)
    others = _Read(terms, choice)
    said = [others.start, *(others.start + others.added(each) for each in candidates)]
    names = ["weighed log-odds", *(each.name for each in candidates)]
    loudest = 1 + least_loss(said[1:], choice_target)
    best = names.index(only) if only else least_loss(said, choice_target)
    return JointProbe(
        chosen=names[best],
        terms=terms,
        added=candidates[best - 1] if best else None,
        loudest=candidates[(best or loudest) - 1],
        recalibration=Recalibration.of(said[best], choice_target, half, bound, seed),
    )


class _Read:
    """What candidates are made of, in some rows, once for all of them."""

    def __init__(self, terms: _Terms, both: Both) -> None:
        self.start, self._log_odds = terms.start(both), terms.log_odds(both)
        self._directions = terms.directions(both)

    def added(self, candidate: _Added) -> Tensor:
        return candidate.logits(self._log_odds, self._directions)


def _candidates(terms: _Terms, learnt: Both, target: Tensor, start: Tensor) -> list[_Added]:
    log_odds, directions = terms.log_odds(learnt), terms.directions(learnt)
    seen = torch.ones(len(target))
    found = []
    for count in DIRECTIONS:
        products = all_products(*(projected[:, :count] for projected in directions))
        standard = Standard.of(products, seen)
        fits = fit_logistic(
            torch.cat([log_odds, standard(products)], -1),
            target,
            seen[None],
            torch.tensor(RIDGES),
            iterations=ITERATIONS,
            offset=start[None],
        )
        found += [
            _Added(f"and {count} × {count} interactions, ridge {ridge:g}", count, standard, fit)
            for ridge, fit in zip(RIDGES, one_by_one(fits), strict=True)
        ]
    return found
