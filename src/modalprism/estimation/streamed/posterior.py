"""The posterior estimator of many rows: the same probes, calibration and coupling, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis, Estimate
from modalprism.estimation.atoms import Coupled, replicate_atoms, split_information
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.evidence import row_informations
from modalprism.estimation.exchange import exchangeable_blocks
from modalprism.estimation.learning import Learning, Logits, learning_of
from modalprism.estimation.posterior import read_sample
from modalprism.estimation.significance import Exchange, p_values_of
from modalprism.estimation.streamed.held_out import HeldOut, Read, read_blocks
from modalprism.estimation.streamed.roles import Roles
from modalprism.estimation.streamed.sample import StreamedSample
from modalprism.estimation.streamed.scratch import KINDS, scratch_folder, written
from modalprism.estimation.streamed.source import stretches
from modalprism.estimation.streamed.streaming import Streaming
from modalprism.estimation.streamed.turns import Taken, Turn, learn_turn
from modalprism.estimation.summary import resolution_of, summarize

Array = NDArray[np.float64]

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
    n, classes = len(sample), sample.target.classes
    roles = Roles.of(sample, folds, streaming, seed)
    taken = Taken.of(sample, roles)
    turns = [learn_turn(taken, fold, seed) for fold in range(folds)]
    fewer = taken.halved()
    halves = [learn_turn(fewer, fold, seed, like=turn) for fold, turn in enumerate(turns)]
    learnt_rows = len(taken.fold)
    del taken, fewer
    with scratch_folder(streaming.folder) as folder:
        logits = written(folder / "log-odds", _read_all(sample, roles, turns), classes)
        held_out = HeldOut(logits, sample.target)
        read = read_blocks(held_out, most_states=streaming.states, tol=GAP_TOLERANCE, seed=seed)
        del logits
        looked = roles.looked_at
        looked_logits = held_out.logits[looked].astype(np.float64)
        del held_out
    coupled = read.coupled
    one, other, both = map(np.asarray, read.information)
    value = split_information(one, other, both, np.asarray(coupled.information))
    ceiling = sample.target.ceiling()
    learning = _learning(sample, roles, looked_logits, halves, ceiling, seed)
    weights = weights_in_batches(sample.groups, n, replicates, seed)
    resampled = replicate_atoms(read.terms, weights)
    learnt = learning.replicate(replicates, seed)
    of_looked = {name: column[looked] for name, column in sample.groups.items()}
    p_values = p_values_of(
        _logits(looked_logits),
        looked_logits[:, 3],
        sample.target.rows(looked),
        _coupled_rows(read, looked),
        value,
        resampled + learnt,
        Exchange(roles.fold[looked].astype(np.int64), exchangeable_blocks(of_looked, len(looked))),
        permutations=permutations,
        seed=seed,
    )
    nat = float(np.log(base))
    upper = coupled.information - coupled.regained + coupled.loss
    lower = coupled.information - coupled.regained - coupled.gap
    diagnostics = {
        "state_loss": Estimate(coupled.loss / nat),
        "solver_gap": Estimate(coupled.gap / nat),
        "union_lower": Estimate(lower / nat),
        "union_upper": Estimate(upper / nat),
        "calibration_difference": Estimate(read.difference / nat),
        "matching_distance": Estimate(read.distance),
        "learnt_rows": Estimate(float(learnt_rows)),
        "tested_rows": Estimate(float(len(looked))),
    }
    if sample.target.soft and ceiling > 1e-9:
        diagnostics |= {
            "information_ceiling": Estimate(ceiling / nat),
            "recovered": Estimate(float(both) / ceiling),
        }
    analysis = summarize(
        value,
        resampled,
        learnt=learnt,
        rows=row_informations(read.terms),
        modalities=sample.modalities,
        target=target,
        base=base,
        n=n,
        gap=coupled.gap,
        loss=coupled.loss,
        regained=coupled.regained,
        classes=classes,
        resolution=resolution_of(classes, n),
        estimator="posterior",
        diagnostics=diagnostics,
        families={
            sample.modalities[0]: tuple(turn.probes[0].chosen.name for turn in turns),
            sample.modalities[1]: tuple(turn.probes[1].chosen.name for turn in turns),
            "both": tuple(turn.joint.chosen for turn in turns),
        },
        p_values=p_values,
    )
    return replace(analysis, gap=(upper - lower) / nat)


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


def _logits(kinds: Array) -> Logits:
    return kinds[:, 0], kinds[:, 1], kinds[:, 2]


def _coupled_rows(read: Read, rows: NDArray[np.int64]) -> Coupled:
    """Return the coupling of some rows."""
    coupled = read.coupled
    return Coupled(
        coupled.information, read.potential(rows), coupled.gap, coupled.loss, coupled.regained
    )


def _learning(
    sample: StreamedSample,
    roles: Roles,
    looked_logits: Array,
    halves: list[Turn],
    ceiling: float,
    seed: int,
) -> Learning:
    """Compare what probes read with what those read that learnt from half of the rows.

    On rows that no probe has learnt from, so that each can be read in every other fold's turn. From
    half to all is the step that two to three folds are, and so it is told to `learning_of`.
    """
    looked = roles.looked_at
    rows = tuple(source.take(looked) for source in sample.sources)
    scaled = tuple(
        torch.cat(list(source.blocks(block)))
        for source, block in zip(sample.sources, rows, strict=True)
    )
    wanted = sample.target.rows(looked)
    folds = roles.folds

    def atoms_of(logits: Logits) -> Array:
        return read_sample(logits, wanted, seed)[0].value

    turned = [
        _read_in_turn(
            (scaled[0], scaled[1]),
            ((roles.fold[looked] + turn) % folds).astype(np.int16),
            halves,
            sample.target.classes,
        ).astype(np.float64)
        for turn in range(1, folds)
    ]
    return learning_of(
        atoms_of(_logits(looked_logits)),
        [_logits(each) for each in turned],
        atoms_of,
        folds=3,
        ceiling=ceiling,
    )
