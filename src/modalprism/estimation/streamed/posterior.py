"""The posterior estimator of many rows: the same probes, calibration and coupling, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis, Estimate
from modalprism.estimation.learning import Logits
from modalprism.estimation.posterior import Predictions, analysis_of
from modalprism.estimation.readout import HeldOut
from modalprism.estimation.streamed.roles import Roles
from modalprism.estimation.streamed.sample import StreamedSample
from modalprism.estimation.streamed.scratch import KINDS, scratch_folder, written
from modalprism.estimation.streamed.source import stretches
from modalprism.estimation.streamed.streaming import Streaming
from modalprism.estimation.streamed.turns import Taken, Turn, learn_turn

GAP_TOLERANCE: Final = 5e-4
"""Bound asked of the solver, in nats: a million rows resolve more than thousands do."""


def analyze_streamed(
    sample: StreamedSample,
    streaming: Streaming,
    *,
    target: str,
    base: float,
    folds: int,
    replicates: int,
    permutations: int,
    seed: int,
) -> Analysis:
    """Probe, calibrate, couple and resample a checked sample of many rows.

    Parameters
    ----------
    sample : StreamedSample
    streaming : Streaming
    target, base, folds, replicates, permutations, seed
        As in `modalprism.analyze`.

    Returns
    -------
    Analysis
        In the order of the sample's modalities. Its gap bounds the union information of all rows:
        it is the solver's and what merging into states may have lost.

    Raises
    ------
    InputError
        If the groups leave too few folds, or the disk is full.
    """
    roles = Roles.of(sample, folds, streaming, seed)
    taken = Taken.of(sample, roles)
    turns = [learn_turn(taken, fold, seed) for fold in range(folds)]
    fewer = taken.halved()
    halves = [learn_turn(fewer, fold, seed, like=turn) for fold, turn in enumerate(turns)]
    learnt_rows = len(taken.fold)
    del taken, fewer
    tested = roles.looked_at
    first, second = sample.modalities
    with scratch_folder(streaming.folder) as folder:
        blocks = _read_all(sample, roles, turns)
        logits = written(folder / "log-odds", blocks, sample.target.classes)
        predictions = Predictions(
            held_out=HeldOut(logits, sample.target),
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
        analysis, reading = analysis_of(
            predictions,
            sample.modalities,
            sample.groups,
            states=streaming.states,
            tol=GAP_TOLERANCE,
            soft=sample.target.soft,
            target=target,
            base=base,
            replicates=replicates,
            permutations=permutations,
            seed=seed,
        )
        del predictions, logits
    nat = float(np.log(base))
    coupling = reading.coupling
    states = coupling.information - coupling.merge_correction
    upper, lower = states + coupling.loss, states - coupling.gap
    bounds = {
        "solver_gap": Estimate(coupling.gap / nat),
        "union_lower": Estimate(lower / nat),
        "union_upper": Estimate(upper / nat),
    }
    return replace(analysis, gap=(upper - lower) / nat, diagnostics=analysis.diagnostics | bounds)


def _read_all(
    sample: StreamedSample, roles: Roles, turns: list[Turn]
) -> Iterator[NDArray[np.float32]]:
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


def _read_tested(sample: StreamedSample, roles: Roles, halves: list[Turn]) -> list[Logits]:
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
