"""The plan for many rows: probes are fitted to a part of them, and predict all in blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.errors import InputError
from modalprism.estimation.fold_model import FeatureMaps, FoldModel, TrainingData, fit_fold
from modalprism.estimation.learning import Logits
from modalprism.estimation.plan import Predictions
from modalprism.estimation.readout import HeldOut
from modalprism.estimation.sample import Sample
from modalprism.estimation.source import stretches
from modalprism.estimation.splits import PROBE, Splits
from modalprism.estimation.streaming import Streaming
from modalprism.estimation.trees import trees_of
from modalprism.progress import Step, no_step
from modalprism.results.estimate import Estimate


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
    effort: str = "default"

    @property
    def states(self) -> int:
        """Each source's rows are merged into at most so many."""
        return self.streaming.states

    def steps(self, sample: Sample) -> int:
        """Return the steps of `predictions`: two fits a fold, and the blocks of rows."""
        return 2 * self.folds + sum(1 for _ in _blocks(sample))

    @contextmanager
    def predictions(self, sample: Sample, seed: int, step: Step = no_step) -> Iterator[Predictions]:
        """Fit the probes of a sample, and predict its rows, which are read a block at a time.

        Raises
        ------
        InputError
            If the groups leave too few folds, or the disk is full.
        """
        splits = Splits.of(sample, self.folds, self.streaming, seed)
        data, maps = TrainingData.of(sample, splits, seed)
        trees = trees_of(self.effort, sample.target.classes, len(data))
        models: list[FoldModel] = []
        for fold in range(self.folds):
            models.append(fit_fold(data, fold, seed, trees=trees))
            step()
        fewer = data.halved()
        halves: list[FoldModel] = []
        for fold, model in enumerate(models):
            halves.append(fit_fold(fewer, fold, seed, trees=trees, like=model))
            step()
        learnt_rows = len(data)
        learning = float((data.role == PROBE).sum()) * (1 - 1 / splits.folds)
        freedom = tuple(each.dimensions() / learning for each in data.features)
        del data, fewer
        tested = splits.tested
        first, second = sample.modalities
        with _temporary_folder(self.streaming.folder) as folder:
            blocks = _predict_all(sample, splits, models, maps, step)
            yield Predictions(
                held_out=HeldOut(
                    _mapped(folder / "log-odds", blocks, sample.target.classes), sample.target
                ),
                tested=tested,
                fold=splits.fold[tested].astype(np.int64),
                fewer=_predict_tested(sample, splits, halves, maps),
                freedom=(freedom[0], freedom[1]),
                folds=3,  # from half to all of the rows is the step that two to three folds are
                families={
                    name: tuple(model.described[number] for model in models)
                    for number, name in enumerate((first, second, "both"))
                },
                diagnostics={
                    "learnt_rows": Estimate(float(learnt_rows)),
                    "tested_rows": Estimate(float(len(tested))),
                },
            )


def _blocks(sample: Sample) -> Iterator[tuple[int, int]]:
    one, other = sample.sources
    return stretches(len(sample), min(one.step, other.step))


def _predict_all(
    sample: Sample, splits: Splits, models: list[FoldModel], maps: FeatureMaps, step: Step
) -> Iterator[NDArray[np.float32]]:
    """Predict every row by the model of its fold, a block at a time, (b, 4, C)."""
    one, other = sample.sources
    for start, stop in _blocks(sample):
        blocks = one.scaled(one.read(start, stop)), other.scaled(other.read(start, stop))
        yield _predict(blocks, splits.fold[start:stop], models, maps, sample.target.classes)
        step()


def _predict(
    rows: tuple[Any, Any],
    fold: NDArray[np.int16],
    models: list[FoldModel],
    maps: FeatureMaps,
    classes: int,
) -> NDArray[np.float32]:
    said = np.empty((len(fold), 4, classes), dtype=np.float32)
    for number, model in enumerate(models):
        own = np.flatnonzero(fold == number)
        if len(own):
            index = torch.from_numpy(own)
            said[own] = model.predict(*maps(rows[0][index], rows[1][index])).numpy()
    return said


def _predict_tested(
    sample: Sample, splits: Splits, halves: list[FoldModel], maps: FeatureMaps
) -> list[Logits]:
    """Predict the tested rows by models of every other fold that were fitted to half of the rows.

    No model was fitted to a tested row, so that any may predict it.
    """
    tested = splits.tested
    one, other = (torch.cat(list(source.blocks(source.take(tested)))) for source in sample.sources)
    return [
        _predict(
            (one, other),
            ((splits.fold[tested] + turn) % splits.folds).astype(np.int16),
            halves,
            maps,
            sample.target.classes,
        )
        for turn in range(1, splits.folds)
    ]


@contextmanager
def _temporary_folder(place: Path | None) -> Iterator[Path]:
    """Make a folder that is removed on exit."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="modalprism-", dir=place)
    except OSError as error:
        raise InputError(
            f"no folder can be made in {place or tempfile.gettempdir()} ({error.strerror}); name "
            "another one, Streaming(folder=…)"
        ) from error
    with folder as path:
        yield Path(path)


def _mapped(path: Path, blocks: Iterator[NDArray[np.float32]], classes: int) -> NDArray[np.float32]:
    """Write blocks (b, 4, C) one after another, and return all of them, mapped, (n, 4, C).

    Written as a file is, not into a map of it: a full disk then raises an error, and does not kill
    the process.

    Raises
    ------
    InputError
        If the disk is full.
    """
    rows = 0
    try:
        with path.open("wb") as file:
            for block in blocks:
                file.write(np.ascontiguousarray(block).data)
                rows += len(block)
    except OSError as error:
        raise InputError(
            f"the log-odds of {rows:,} rows are in {path.parent}, and no more can be written there "
            f"({error.strerror}); free some space, or name another folder, Streaming(folder=…)"
        ) from error
    return np.memmap(path, np.float32, "r", shape=(rows, 4, classes))
