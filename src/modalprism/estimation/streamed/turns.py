"""The probes of every fold's turn, learnt from rows of the other folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.sample import Sample
from modalprism.estimation.source import Source
from modalprism.estimation.streamed.joint import Both, Heard, JointProbe, choose_joint
from modalprism.estimation.streamed.probe import (
    MOST_COMPONENTS,
    Lesson,
    Probe,
    Traits,
    choose_probe,
    radial_basis,
)
from modalprism.estimation.streamed.reduction import (
    EXACT_DIMENSIONS,
    Moments,
    Reduction,
    reduction_of,
)
from modalprism.estimation.streamed.roles import CHOICE, JOINT, PROBE, Roles
from modalprism.estimation.threads import side_by_side

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Turn:
    """The probes that read a fold.

    Attributes
    ----------
    probes : two of Probe
    joint : JointProbe
    """

    probes: tuple[Probe, Probe]
    joint: JointProbe

    def read(self, one: Tensor, other: Tensor) -> Tensor:
        """Return log-odds of both sources' scaled rows, (n, 4, C).

        Of the first source, of the second, of both, and what products add.
        """
        heard = _heard(self.probes, tuple(map(Probe.traits, self.probes, (one, other))))
        return torch.stack([heard[0].logits, heard[1].logits, *self.joint.logits(heard)], 1)


def _heard(probes: tuple[Probe, Probe], traits: Sequence[Traits]) -> Both:
    one, other = (
        Heard(probe.logits(each), each) for probe, each in zip(probes, traits, strict=True)
    )
    return one, other


@dataclass(frozen=True)
class Taken:
    """The rows that are learnt from, in memory.

    Attributes
    ----------
    sources : two of Source
    rows : two of ndarray, shape (m, d)
        As they are stored.
    moments : two of list of Moments, or None
        Of every fold, where there are few enough dimensions.
    target : Tensor of float32, shape (m, C)
    fold, role, half : ndarray, shape (m,)
        See `Roles`.
    """

    sources: tuple[Source, Source]
    rows: tuple[NDArray[Any], NDArray[Any]]
    moments: tuple[list[Moments] | None, list[Moments] | None]
    target: Tensor
    fold: NDArray[np.int16]
    role: NDArray[np.int8]
    half: NDArray[np.bool_]

    @classmethod
    def of(cls, sample: Sample, roles: Roles) -> Taken:
        """Read the rows that are learnt from, in one pass."""
        index = roles.learnt_from
        one, other = (source.take(index) for source in sample.sources)
        fold = roles.fold[index]

        def moments(pair: tuple[Source, NDArray[Any]]) -> list[Moments] | None:
            source, rows = pair
            d = rows.shape[1]
            if d > EXACT_DIMENSIONS:
                return None
            return [
                Moments.of(source.blocks(rows[fold == number]), d) for number in range(roles.folds)
            ]

        sums = side_by_side(moments, list(zip(sample.sources, (one, other), strict=True)))
        return cls(
            sources=sample.sources,
            rows=(one, other),
            moments=(sums[0], sums[1]),
            target=torch.from_numpy(sample.target.rows(index)).float(),
            fold=fold,
            role=roles.role[index],
            half=roles.half[index],
        )

    def halved(self) -> Taken:
        """Return the same with half of the rows that probes learn from, whole groups.

        Those that others are chosen by stay: what is compared is how much there is to learn from.
        """
        kept = self.half | (self.role == CHOICE)
        return replace(
            self,
            rows=(self.rows[0][kept], self.rows[1][kept]),
            target=self.target[torch.from_numpy(kept)],
            fold=self.fold[kept],
            role=self.role[kept],
            half=self.half[kept],
        )


def learn_turn(taken: Taken, fold: int, seed: int, like: Turn | None = None) -> Turn:
    """Learn the probes that read a fold, from the rows of all others.

    Parameters
    ----------
    taken : Taken
    fold : int
    seed : int
    like : Turn, optional
        Of more rows: its families and ridges are taken as they were chosen there.
    """
    seen = taken.fold != fold
    role, half = taken.role[seen], taken.half[seen]
    target = taken.target[torch.from_numpy(seen)]
    bound = len(target)
    lessons = {part: torch.from_numpy(role == part) for part in (PROBE, CHOICE, JOINT)}

    def learn(number: int) -> tuple[Probe, Traits]:
        source, rows = taken.sources[number], taken.rows[number][seen]
        reduction = reduction_of(
            source,
            taken.rows[number],
            taken.moments[number],
            taken.fold,
            fold,
            count=MOST_COMPONENTS,
            seed=seed,
        )
        traits, basis = _traits(source, rows, reduction, role == PROBE, seed)
        probe = choose_probe(
            reduction,
            basis,
            Lesson(traits[role == PROBE], target[lessons[PROBE]]),
            Lesson(traits[role == CHOICE], target[lessons[CHOICE]]),
            half[role == CHOICE],
            bound=bound,
            seed=seed,
            only=like.probes[number].chosen.name if like else "",
        )
        return probe, traits

    (one, traits_1), (other, traits_2) = side_by_side(learn, [0, 1])
    heard = _heard((one, other), (traits_1, traits_2))
    joint = choose_joint(
        (heard[0][role == JOINT], heard[1][role == JOINT]),
        target[lessons[JOINT]],
        (heard[0][role == CHOICE], heard[1][role == CHOICE]),
        target[lessons[CHOICE]],
        half[role == CHOICE],
        bound=bound,
        seed=seed,
        only=like.joint.chosen if like else "",
    )
    return Turn((one, other), joint)


def _traits(
    source: Source,
    rows: NDArray[Any],
    reduction: Reduction,
    learnt: NDArray[np.bool_],
    seed: int,
) -> tuple[Traits, Any]:
    """Return the traits of rows, and radial basis functions that were learnt from some of them."""
    components = torch.cat([reduction(block) for block in source.blocks(rows)])
    basis, _ = radial_basis(components[torch.from_numpy(learnt)], seed)
    return Traits(components, basis(components)), basis
