"""The plan for many rows: probes are fitted to a part of them, and predict all in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.estimation.analysis import Estimate
from modalprism.estimation.learning import Logits
from modalprism.estimation.plan import Predictions
from modalprism.estimation.readout import HeldOut
from modalprism.estimation.sample import Sample
from modalprism.estimation.source import stretches
from modalprism.estimation.streamed.roles import Roles
from modalprism.estimation.streamed.scratch import KINDS, scratch_folder, written
from modalprism.estimation.streamed.turns import Taken, Turn, learn_turn
from modalprism.estimation.streaming import Streaming


@dataclass(frozen=True)
class Split:
    """A split of the rows: some fit probes, some choose and calibrate them, all are predicted.

    Attributes
    ----------
    folds : int
        A row is predicted by probes that were fitted to rows of the other folds.
    streaming : Streaming
    tolerance : float
        A million rows resolve more than thousands do.
    """

    folds: int
    streaming: Streaming
    tolerance: float = 5e-4
    bounds_merging: bool = True

    @property
    def states(self) -> int:
        """Each source's rows are merged into at most so many."""
        return self.streaming.states

    @contextmanager
    def predictions(self, sample: Sample, seed: int) -> Iterator[Predictions]:
        """Fit the probes of a sample, and predict its rows, which are read a block at a time.

        Raises
        ------
        InputError
            If the groups leave too few folds, or the disk is full.
        """
        roles = Roles.of(sample, self.folds, self.streaming, seed)
        taken = Taken.of(sample, roles)
        turns = [learn_turn(taken, fold, seed) for fold in range(self.folds)]
        fewer = taken.halved()
        halves = [learn_turn(fewer, fold, seed, like=turn) for fold, turn in enumerate(turns)]
        learnt_rows = len(taken.fold)
        del taken, fewer
        tested = roles.looked_at
        first, second = sample.modalities
        with scratch_folder(self.streaming.folder) as folder:
            blocks = _read_all(sample, roles, turns)
            yield Predictions(
                held_out=HeldOut(
                    written(folder / "log-odds", blocks, sample.target.classes), sample.target
                ),
                tested=tested,
                fold=roles.fold[tested].astype(np.int64),
                fewer=_read_tested(sample, roles, halves),
                folds=3,  # from half to all of the rows is the step that two to three folds are
                families={
                    first: tuple(turn.probes[0].chosen.name for turn in turns),
                    second: tuple(turn.probes[1].chosen.name for turn in turns),
                    "both": tuple(turn.joint.chosen for turn in turns),
                },
                diagnostics={
                    "learnt_rows": Estimate(float(learnt_rows)),
                    "tested_rows": Estimate(float(len(tested))),
                },
            )


def _read_all(sample: Sample, roles: Roles, turns: list[Turn]) -> Iterator[NDArray[np.float32]]:
    """Read every row in its fold's turn, a block at a time, (b, 4, C)."""
    one, other = sample.sources
    for start, stop in stretches(len(sample), min(one.step, other.step)):
        blocks = one.scaled(one.read(start, stop)), other.scaled(other.read(start, stop))
        yield _read_in_turn(blocks, roles.fold[start:stop], turns, sample.target.classes)


def _read_in_turn(
    rows: tuple[Any, Any], fold: NDArray[np.int16], turns: list[Turn], classes: int
) -> NDArray[np.float32]:
    said = np.empty((len(fold), KINDS, classes), dtype=np.float32)
    for number, turn in enumerate(turns):
        own = np.flatnonzero(fold == number)
        if len(own):
            index = torch.from_numpy(own)
            said[own] = turn.read(rows[0][index], rows[1][index]).numpy()
    return said


def _read_tested(sample: Sample, roles: Roles, halves: list[Turn]) -> list[Logits]:
    """Read the tested rows in every other fold's turn, by probes that learnt from half of the rows.

    No probe has learnt from the tested rows, so that each can be read in any turn.
    """
    tested = roles.looked_at
    one, other = (torch.cat(list(source.blocks(source.take(tested)))) for source in sample.sources)
    return [
        _read_in_turn(
            (one, other),
            ((roles.fold[tested] + turn) % roles.folds).astype(np.int16),
            halves,
            sample.target.classes,
        )
        for turn in range(1, roles.folds)
    ]
