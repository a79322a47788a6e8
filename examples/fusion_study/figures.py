"""Draw the study of fusions, from ``runs/fusion_study/results.csv``.

``python examples/fusion_study/figures.py`` reads the networks that ``study.py`` has finished.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from methods import (
    DEMO,
    FUSIONS,
    OBSERVED,
    OURS,
    QUESTIONS,
    SHARE,
    SHOWN,
    STREAM,
    TRUTH,
    image_shares,
    of_row,
    read_results,
)

from modalprism.plotting.style import FAINT, GRID, INK, AtomStyle, atom_styles
from modalprism.results.quantities import ATOMS, keys

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
STYLES: Final = atom_styles(("image", "text"))
ATOM_KEYS: Final = keys(ATOMS, ("image", "text"))
MARKERS: Final = dict(zip(FUSIONS, "osD^", strict=True))
WORDS: Final = {
    "pictured": "pictured\ntruth: 1",
    "kind": "kind\ntruth: both informative",
    "named": "named\ntruth: 0",
    "match": "match\ntruth: neither alone",
}
OUR_ROWS: Final = (*OURS, SHARE)
_REACH: Final = (-0.12, 1.12)
_STABLE: Final = {"svg.hashsalt": "modalprism", "svg.fonttype": "none", "font.size": 9}


def study_store(results: pd.DataFrame) -> list[str]:
    """List the fusions of which there are numbers, in the order of every figure."""
    there = set(results["fusion"])
    return [fusion for fusion in FUSIONS if fusion in there]


def draw_shares(results: pd.DataFrame) -> Figure:
    """Draw every method's image share on every question, a mark a network."""
    shares = image_shares(results)
    figure = Figure((10.2, 4.9), layout="constrained")
    panels = figure.subplots(1, len(QUESTIONS), sharey=True)
    for panel, question in zip(panels, QUESTIONS, strict=True):
        _truth(panel, question)
        for place, method in enumerate(SHOWN):
            _method(panel, place, method, of_row(shares, method, question))
        panel.set_title(WORDS[question], fontsize=9.5, color=INK)
        panel.set_xlim(*_REACH)
        panel.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    panels[0].set_yticks(range(len(SHOWN)), list(SHOWN.values()))
    panels[0].invert_yaxis()
    for tick, method in zip(panels[0].get_yticklabels(), SHOWN, strict=True):
        tick.set_fontweight("bold" if method in OUR_ROWS else "normal")
    key = [
        Line2D([], [], color=FAINT, marker=marker, linestyle="", markersize=5, label=fusion)
        for fusion, marker in MARKERS.items()
        if fusion in study_store(results)
    ]
    demo = {"marker": "o", "markerfacecolor": "white", "markeredgecolor": FAINT, "markersize": 5}
    key.append(Line2D([], [], linestyle="", label="the demo's own", **demo))
    key.append(Line2D([], [], color=INK, linewidth=6, alpha=0.18, label="truth, ± .03"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    figure.suptitle(
        "The image's part, by every method: 0 is all text, 1 all image; a mark is a network",
        color=INK,
    )
    return figure


def _truth(panel: Axes, question: str) -> None:
    if question in TRUTH:
        panel.axvspan(TRUTH[question] - 0.03, TRUTH[question] + 0.03, color=INK, alpha=0.18, lw=0)
    elif question == "kind":
        panel.axvline(0.5, color=INK, alpha=0.35, linestyle=":")
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.axvline(0, color=GRID, linewidth=0.8, zorder=0)
    panel.axvline(1, color=GRID, linewidth=0.8, zorder=0)


def _method(panel: Axes, place: int, method: str, values: pd.Series) -> None:
    """Draw the networks of one method, and say how many have no number."""
    colour = STYLES[1].colour if method in OUR_ROWS else FAINT
    panel.axhline(place, color=GRID, linewidth=0.6, zorder=0)
    known = values.dropna()
    for (training, fusion), value in known.items():
        lane = FUSIONS.index(fusion)
        hollow = training == DEMO
        panel.scatter(
            np.clip(value, *_REACH),
            place + 0.17 * (lane - 1.5),
            15,
            marker=MARKERS[fusion],
            facecolor="white" if hollow else colour,
            edgecolor=colour,
            linewidth=1 if hollow else 0.4,
            clip_on=False,
            zorder=3,
        )
    told = int(values.notna().sum())
    if told < len(values):
        nowhere = told == 0
        words = "undetermined" if nowhere else f"{len(values) - told} of {len(values)} undetermined"
        panel.text(
            0.5,
            place + (0.0 if nowhere else 0.42),
            words,
            ha="center",
            va="center",
            fontsize=7.5,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )


def draw_match(results: pd.DataFrame) -> Figure:
    """Draw what ablation says of `match`, and what our atoms say."""
    of_match = results[(results["question"] == "match") & (results["training"] != DEMO)]
    figure = Figure((9.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.25))
    ablation = of_match[of_match["method"] == "ablation"]
    fusions = study_store(ablation)
    for place, fusion in enumerate(fusions):
        for lane, style in ((-0.2, STYLES[1]), (0.2, STYLES[2])):
            modality = style.name.removeprefix("unique ")
            drop = _mean(ablation, fusion, "accuracy drop (mean)", modality)
            left.barh(
                place + lane, drop["value"], 0.36, color=style.colour, hatch=style.hatch, ec="white"
            )
            left.plot([drop["low"], drop["high"]], [place + lane] * 2, color=INK, linewidth=1)
        _stack(right, place, of_match[of_match["method"] == OBSERVED], fusion)
    left.set_title("Ablation: both matter. How, it cannot say.", fontsize=10, color=INK)
    right.set_title("Ours: neither is informative alone. It is synergy.", fontsize=10, color=INK)
    left.set_xlabel("accuracy lost without the modality, 95 % interval")
    right.set_xlabel("information about the answer (bit), 95 % interval of S")
    left.set_yticks(range(len(fusions)), [fusion.replace("_", " ") for fusion in fusions])
    left.invert_yaxis()
    right.set_xlim(right=1.12 * right.get_xlim()[1])
    for panel in (left, right):
        panel.spines[["top", "right"]].set_visible(False)
        panel.axvline(0, color=INK, linewidth=0.8)
    figure.legend(handles=_key(STYLES), loc="outside lower right", ncols=4, frameon=False)
    drop = [
        Patch(facecolor=style.colour, hatch=style.hatch, ec="white", label=f"without the {name}")
        for style, name in ((STYLES[1], "image"), (STYLES[2], "text"))
    ]
    figure.legend(handles=drop, loc="outside lower left", ncols=2, frameon=False)
    return figure


def _mean(frame: pd.DataFrame, fusion: str, quantity: str, modality: str) -> pd.Series:
    """Average a value and the ends of its 95 % interval over trainings."""
    chosen = frame[(frame["fusion"] == fusion) & (frame["quantity"] == quantity)]
    return chosen.loc[chosen["modality"] == modality, ["value", "low", "high"]].mean()


def _stack(panel: Axes, place: int, frame: pd.DataFrame, fusion: str) -> None:
    """Stack the mean atoms; negative ones to the left of zero."""
    ends = {True: 0.0, False: 0.0}
    for style, (quantity, modality) in zip(STYLES, ATOM_KEYS, strict=True):
        atom = _mean(frame, fusion, quantity, modality)
        mean, positive = atom["value"], atom["value"] >= 0
        start = ends[positive]
        panel.barh(place, mean, 0.6, start, color=style.colour, hatch=style.hatch, ec="white")
        ends[positive] = start + mean
        if quantity == "synergy":
            reach = [start + atom["low"], start + atom["high"]]
            panel.plot(reach, [place, place], color=INK, linewidth=1)
            panel.text(reach[1] + 0.004, place, f"S {mean:.2f}", va="center", fontsize=8.5)


def _key(styles: Sequence[AtomStyle]) -> list[Patch]:
    return [
        Patch(facecolor=style.colour, hatch=style.hatch, ec="white", label=style.name)
        for style in styles
    ]


def draw_layers(results: pd.DataFrame) -> Figure:
    """Draw the atoms of `match`, layer by layer, in every fusion."""
    stream = results[
        (results["method"] == STREAM)
        & (results["question"] == "match")
        & (results["training"] != DEMO)
    ]
    figure = Figure((10.2, 3.1), layout="constrained")
    fusions = study_store(stream)
    panels = figure.subplots(1, len(fusions), sharey=True)
    for panel, fusion in zip(panels, fusions, strict=True):
        of_fusion = stream[stream["fusion"] == fusion]
        for style, (quantity, modality) in zip(STYLES, ATOM_KEYS, strict=True):
            chosen = of_fusion[
                (of_fusion["quantity"] == quantity) & (of_fusion["modality"] == modality)
            ]
            by_layer = chosen.groupby("layer")["value"].agg(["mean", "min", "max"])
            panel.fill_between(
                by_layer.index,
                by_layer["min"],
                by_layer["max"],
                color=style.colour,
                alpha=0.2,
                lw=0,
            )
            panel.plot(
                by_layer.index, by_layer["mean"], color=style.colour, marker=style.marker,
                linestyle=style.dashes, markersize=4.5, label=style.name,
            )  # fmt: skip
        panel.set_title(fusion.replace("_", " "), fontsize=10, color=INK)
        panel.axhline(0, color=INK, linewidth=0.8)
        panel.set_xticks(range(5), ["before", "1", "2", "3", "4"])
        panel.set_xlabel("layer")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("information about the label (bit)")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle("match: information of the two streams, layer by layer", color=INK)
    return figure


DRAWN: Final = {"shares": draw_shares, "match": draw_match, "layers": draw_layers}


def main() -> None:
    """Draw all figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--format", choices=("svg", "png"), default="svg")
    arguments = parser.parse_args()
    results = read_results()
    with mpl.rc_context(_STABLE):
        for name, draw in DRAWN.items():
            path = arguments.out / f"fusion-study-{name}.{arguments.format}"
            stamp = {"Date": None} if arguments.format == "svg" else None
            draw(results).savefig(path, dpi=110, metadata=stamp)


if __name__ == "__main__":
    main()
