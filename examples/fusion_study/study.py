"""Ask our views and every baseline about every network of the study of fusions.

    python examples/fusion_study/study.py                   # what is missing of all that is trained
    python examples/fusion_study/study.py --trainings demo  # fewer

Every (training, fusion, question, method) is a file, written as soon as it is there; a run that is
killed goes on where it stood. At its end ``results.csv`` has all of them, and ``summary.csv``,
which is kept with the code, their means over trainings.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from methods import (
    CHEAP,
    DEMO,
    DEMO_RUN,
    FUSIONS,
    METHODS,
    OBSERVED,
    QUESTIONS,
    REDRAWN,
    RUNS,
    STREAM,
    SUMMARY,
    TRAININGS,
    checkpoint,
    gives,
    read_results,
)
from rich.console import Console

from modalprism.baselines.interface import Subject
from modalprism.demo.input import EmojiInput
from modalprism.files import write_whole
from modalprism.studies.profile import Profile
from modalprism.studies.study import Study
from modalprism.studies.study_store import StudyStore

PAIRS_SEED = 0  # the same held-out pairs for every network: what differs is the training
LAYERS_OF = ("match",)  # questions of which the layers are analysed, too
REDRAWN_EXAMPLES, REDRAWN_PARTNERS = 120, 24
KEPT = (  # of every method's numbers, in the small table
    *("redundancy", "unique", "synergy", "information", "contribution", "share"),
    *("redundancy_fraction", "synergy_fraction", "accuracy", "accuracy drop (mean)"),
    *("share of accuracy drop (mean)", "perceptual score", "attention mass", "interaction"),
    *("main effect", "contribution (null)"),
)
NUMBERS = ["quantity", "modality", "layer", "value", "low", "high", "p_value", "unit", "n"]
VIEWS: dict[str, dict[str, Any]] = {
    OBSERVED: {"views": ("answer",), "pairs": ("observed",)},
    REDRAWN: {"views": ("answer",), "pairs": ("redrawn",)},
    STREAM: {"views": ("stream",)},
}
COSTS = ["forward", "backward", "cpu_seconds", "wall_seconds"]
Found = TypeVar("Found")

console = Console()


class Cell:
    """One network on one question: what was found of it, a file a method."""

    def __init__(self, training: str, fusion: str, question: str) -> None:
        self.training, self.fusion, self.question = training, fusion, question
        self.folder = RUNS / "cells" / training / fusion / question

    def path(self, method: str) -> Path:
        """Where a method's numbers are."""
        return self.folder / f"{method.replace(', ', '-')}.csv"

    def missing(self) -> list[str]:
        """List the methods whose numbers are not there."""
        layers = [STREAM] if self.question in LAYERS_OF else []
        wanted = [name for name in [*METHODS, *layers] if gives(name, self.fusion)]
        return [name for name in wanted if not self.path(name).is_file()]

    def keep(self, method: str, numbers: pd.DataFrame, **cost: float) -> None:
        """Write a method's numbers."""
        who = {"training": self.training, "fusion": self.fusion, "question": self.question}
        frame = numbers.assign(**who, method=method, **cost)[[*who, "method", *NUMBERS, *COSTS]]
        write_whole(self.path(method), frame.to_csv(index=False))


def timed(work: Callable[[], Found]) -> tuple[Found, dict[str, float]]:
    """Do some work, and return what it gives and the seconds it took, of the processor and all."""
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    return found, {
        "cpu_seconds": time.process_time() - processor,
        "wall_seconds": time.perf_counter() - wall,
    }


def ask_ours(cell: Cell, missing: Sequence[str]) -> StudyStore:
    """Run our views of a network on a question through the public study."""
    source = EmojiInput(
        kind="emoji_questions",
        fusions=(cell.fusion,),
        questions=(cell.question,),
        checkpoints=checkpoint(cell.training, cell.fusion).parent,
        redrawn_examples=REDRAWN_EXAMPLES,
        redrawn_partners=REDRAWN_PARTNERS,
    )
    out = RUNS / "ours" / cell.training / cell.fusion / cell.question
    ((study_store,), capture) = timed(lambda: tuple(source.stores(out / "store", PAIRS_SEED)))
    passes = passes_of(study_store)
    for method, how in VIEWS.items():
        if method not in missing:
            continue
        # The demo's settings; in this process, so that its seconds are counted.
        study = Study(sources=(source,), folds=4, seed=PAIRS_SEED, workers=1, out=out, **how)
        profile, took = timed(study.run)
        # The capture makes both kinds of pairs at once: its seconds are split by passes.
        mine = passes[method]
        whole = passes[OBSERVED] + passes[REDRAWN]
        took = {k: v + capture[k] * mine / whole for k, v in took.items()}
        cell.keep(method, profile.frame, forward=mine, backward=0, **took)
    return study_store


def passes_of(study_store: StudyStore) -> dict[str, int]:
    """Count the passes that our views need of a network on a question."""
    observed = len(study_store.store.array("label"))
    redrawn = len(study_store.store.array("redrawn/answer"))
    return {OBSERVED: observed, REDRAWN: redrawn, STREAM: observed}


def take_demo(cell: Cell, missing: Sequence[str]) -> StudyStore:
    """Take our views of the demo's networks from the demo's own run; it does not say their cost."""
    source = EmojiInput(kind="emoji_questions", fusions=(cell.fusion,), questions=(cell.question,))
    (study_store,) = source.stores(DEMO_RUN / "store", PAIRS_SEED)
    profile = Profile.read(DEMO_RUN)
    frame, passes = profile.frame, passes_of(study_store)
    for method, how in VIEWS.items():
        if method not in missing:
            continue
        (view,), (pairs,) = how["views"], how.get("pairs", ("observed",))
        chosen = frame[
            (frame["model"] == cell.fusion)
            & (frame["dataset"] == cell.question)
            & (frame["view"] == view)
            & (frame["pairs"] == pairs)
        ]
        unknown = {"cpu_seconds": np.nan, "wall_seconds": np.nan}
        cell.keep(method, chosen, forward=passes[method], backward=0, **unknown)
    return study_store


def ask_baselines(cell: Cell, missing: Sequence[str], study_store: StudyStore) -> None:
    """Run the baselines on a seeded sample of the same held-out pairs."""
    if study_store.origin is None:
        raise SystemExit(f"{study_store.store.path} does not say what it was made of")
    n = len(study_store.store.array("label"))
    rows = np.random.default_rng(PAIRS_SEED).permutation(n)[:CHEAP]
    subject: Subject = study_store.origin.subject(rows)
    for name, method in METHODS.items():
        if name not in missing or method.baseline is None:
            continue
        fewer = replace(subject, examples=subject.examples[: method.examples])
        score = method.baseline.score
        result, took = timed(lambda score=score, fewer=fewer: score(fewer, seed=PAIRS_SEED))
        numbers = pd.DataFrame([vars(score) for score in result.scores])
        numbers = numbers.assign(layer=-1, p_value=np.nan, n=result.n)
        cost = result.cost
        cell.keep(name, numbers, forward=cost.forward, backward=cost.backward, **took)


def gather() -> None:
    """Put the numbers of all cells into one table, and their means into a small one."""
    found = sorted((RUNS / "cells").rglob("*.csv"))
    write_whole(RUNS / "results.csv", pd.concat(map(pd.read_csv, found)).to_csv(index=False))
    results = read_results()
    results = results[results["quantity"].isin(KEPT)]
    results["trained"] = np.where(results["training"] == DEMO, DEMO, "alike")
    by = ["trained", "fusion", "question", "method", "quantity", "modality", "layer", "unit"]
    summary = (
        results.groupby(by)
        .agg(
            mean=("value", "mean"),
            low=("value", "min"),
            high=("value", "max"),
            determined=("value", "count"),
            trainings=("training", "nunique"),
            n=("n", "first"),
            forward=("forward", "mean"),
            backward=("backward", "mean"),
            cpu_seconds=("cpu_seconds", "mean"),
        )
        .reset_index()
    )
    write_whole(SUMMARY, summary.to_csv(index=False, float_format="%.4g"))


def main() -> None:
    """Ask what is missing of the networks that are trained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    parser.add_argument("--fusions", nargs="+", default=list(FUSIONS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for training in arguments.trainings:
        for fusion in arguments.fusions:
            if not checkpoint(training, fusion).is_file():
                console.print(f"{training}, {fusion}: not trained")
                continue
            for question in QUESTIONS:
                cell = Cell(training, fusion, question)
                if missing := cell.missing():
                    ask = take_demo if training == DEMO else ask_ours
                    answers = [method for method in missing if method != STREAM]
                    if answers:
                        ask_baselines(cell, missing, ask(cell, answers))
                    if STREAM in missing:  # last: it takes the longest
                        ask(cell, [STREAM])
                    console.print(f"{training}, {fusion}, {question}: {len(missing)} methods")
    gather()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
