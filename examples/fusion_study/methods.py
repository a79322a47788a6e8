"""The methods that the study compares, and the one number by which they stand side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from modalprism.baselines import BASELINES
from modalprism.baselines.ablation import ModalityAblation
from modalprism.baselines.interface import Baseline
from modalprism.baselines.mm_shap import MmShap
from modalprism.demo.fusion_network import checkpoint_folder

FUSIONS: Final = ("concat", "cross_attention", "late", "gated")
QUESTIONS: Final = ("pictured", "kind", "named", "match")
SEEDS: Final = (0, 1, 2, 3, 4)
DEMO: Final = "demo"  # the networks that travel with the demo, trained for longer
TRAININGS: Final = (*(f"seed-{seed}" for seed in SEEDS), DEMO)
RUNS: Final = Path(__file__).parents[2] / "runs" / "fusion_study"
DEMO_RUN: Final = RUNS.parent / "demo"  # of ``modalprism demo``
CHECKPOINTS: Final = RUNS / "checkpoints"
SUMMARY: Final = Path(__file__).parent / "summary.csv"

CHEAP, DEAR = 120, 30  # held-out pairs of a baseline
TRUTH: Final = {"pictured": 1.0, "named": 0.0}  # of C of the image
OBSERVED, REDRAWN, STREAM = "answer, observed", "answer, redrawn", "stream"
OURS: Final = (OBSERVED, REDRAWN)
SHARE = "share, observed"  # of the same analysis as OBSERVED

Share = Callable[[pd.Series], float]
"""From one network's numbers on one question, by (quantity, modality), to the image's share."""


@dataclass(frozen=True)
class Method:
    """Method that scores the contribution of the image.

    Attributes
    ----------
    title : str
        In tables and figures.
    share : callable
        The image's share, of what the method gives.
    baseline : Baseline, optional
        None where the method is ours.
    examples : int
        How many pairs a baseline is given.
    """

    title: str
    share: Share
    baseline: Baseline | None = None
    examples: int = CHEAP


def _told(quantity: str) -> Share:
    """Take the share that the method itself gives."""
    return lambda numbers: float(numbers.get((quantity, "image"), float("nan")))


def _of_both(quantity: str) -> Share:
    """Divide the image's score by that of both; nan where both sum to nothing or less."""

    def share(numbers: pd.Series) -> float:
        image, text = (float(numbers[(quantity, modality)]) for modality in ("image", "text"))
        return image / (image + text) if image + text > 0 else float("nan")

    return share


METHODS: Final = {
    OBSERVED: Method("ours: C, observed pairs", _told("contribution")),
    REDRAWN: Method("ours: C, redrawn pairs", _told("contribution")),
    "ablation": Method(
        "ablation (mean state)",
        _told("share of accuracy drop (mean)"),
        ModalityAblation(("zero", "mean", "another")),
    ),
    "perceptual": Method(
        "Perceptual Score", _of_both("perceptual score"), BASELINES["perceptual"]()
    ),
    "input_x_gradient": Method("input × gradient", _told("share"), BASELINES["input_x_gradient"]()),
    "integrated_gradients": Method(
        "integrated gradients", _told("share"), BASELINES["integrated_gradients"](), DEAR
    ),
    "attention": Method("attention mass", _told("attention mass"), BASELINES["attention"]()),
    "mm_shap": Method("MM-SHAP", _told("share"), MmShap(permutations=2), DEAR),
    "intershap": Method(
        "InterSHAP, main effects", _of_both("main effect"), BASELINES["intershap"]()
    ),
    "paper": Method("the paper's protocol", _told("contribution"), BASELINES["paper"](), DEAR),
}
"""By name, in the order of every table. Attention is read of `concat` alone: see its adapter."""


def checkpoint(training: str, fusion: str) -> Path:
    """Where a network's weights are, if it is trained."""
    folder = checkpoint_folder() if training == DEMO else CHECKPOINTS / training
    return folder / f"{fusion}.safetensors"


def gives(method: str, fusion: str) -> bool:
    """Whether a method says anything of a fusion."""
    return method != "attention" or fusion == "concat"


SHOWN: Final = {
    OBSERVED: METHODS[OBSERVED].title,
    REDRAWN: METHODS[REDRAWN].title,
    SHARE: "ours: Shapley share, observed pairs",
    **{name: method.title for name, method in METHODS.items()},
}
"""The rows of every table and figure, and their titles."""


def image_shares(results: pd.DataFrame) -> pd.Series:
    """Return the image's share by every row, for every network and question that was asked.

    It is nan where a method finds it undetermined; what was not run is not there.
    """
    found = {}
    by = ["training", "fusion", "question", "method"]
    for (training, fusion, question, method), part in results.groupby(by):
        if method not in METHODS:
            continue
        numbers = part.set_index(["quantity", "modality"])["value"]
        found[training, fusion, question, method] = METHODS[method].share(numbers)
        if method == OBSERVED:
            found[training, fusion, question, SHARE] = float(numbers["share", "image"])
    series = pd.Series(found, dtype=float)
    series.index.names = by
    return series


def of_row(shares: pd.Series, method: str, question: str) -> pd.Series:
    """Return one row's shares on one question, by (training, fusion); empty if it was not run."""
    levels = shares.index
    chosen = (levels.get_level_values("method") == method) & (
        levels.get_level_values("question") == question
    )
    return shares[chosen].droplevel(["question", "method"])


def read_results() -> pd.DataFrame:
    """Read the numbers of the networks that were asked all questions by all methods."""
    results = pd.read_csv(RUNS / "results.csv")
    results["modality"] = results["modality"].fillna("")
    last = results[results["method"] == list(METHODS)[-1]]
    asked = last.groupby(["training", "fusion"])["question"].nunique()
    whole = asked[asked == len(QUESTIONS)].index
    return results[results.set_index(["training", "fusion"]).index.isin(whole)]
