"""Figures of the results: colours safe for colour-blind readers, and a marker besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from estimators import ESTIMATORS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measure import ALPHA
from problems import ATOMS
from rates import wilson

from modalprism.plotting.style import FAINT, INK, drawing

# Okabe and Ito's colours, in an order that tells neighbours apart in grey as well.
_LOOKS = dict(
    zip(
        ESTIMATORS,
        (
            ("#0072B2", "o"),
            ("#E69F00", "s"),
            ("#009E73", "^"),
            ("#CC79A7", "D"),
            ("#D55E00", "v"),
            ("#56B4E9", "P"),
        ),
        strict=True,
    )
)
_SYMBOLS = dict(zip(ATOMS, ("redundant", "unique 1", "unique 2", "synergy"), strict=True))
_WIDTH, _ENTRY = 7.2, 1.2  # inches; of a figure, and of an entry of its legend
_LEVEL = 0.95


def draw(frame: pd.DataFrame, summary: pd.DataFrame, folder: Path) -> Iterator[Path]:
    """Draw every figure that there are draws for, and yield its files.

    Parameters
    ----------
    frame, summary : DataFrame
        From `measure.tidy` and `measure.summarize`.
    folder : Path
        Made where there is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = summary[summary["truth_kind"] != "none"]
    nulls = frame[(frame["group"] == "null") & (frame["quantity"] == "information")]
    with drawing():
        for group, cells in known[known["group"] != "null"].groupby("group", sort=False):
            yield from _save(_atoms(cells), folder, f"recovery-{group}")
        if known["coverage"].notna().any():
            yield from _save(_rates(known), folder, "recovery-intervals")
        if len(nulls):
            yield from _save(_noise(nulls), folder, "recovery-noise")
        ratios = known[(known["quantity"] == "contribution") & known["truth"].notna()]
        if len(ratios):
            yield from _save(_contribution(ratios), folder, "recovery-contribution")


def _atoms(cells: pd.DataFrame) -> Figure:
    """Draw a panel an atom and a row a problem: what is true, and what each estimator reads."""
    atoms = cells[cells["quantity"].isin(ATOMS)]
    keys = list(atoms[["problem", "n"]].drop_duplicates().itertuples(index=False, name=None))
    places = {key: -row for row, key in enumerate(keys)}
    figure, axes = plt.subplots(
        1,
        4,
        figsize=(_WIDTH, 1.1 + 0.26 * len(keys)),
        sharey=True,
        sharex=True,
        layout="constrained",
    )
    for axis, atom in zip(axes, ATOMS, strict=True):
        here = atoms[atoms["quantity"] == atom]
        for (problem, n), cell in here.groupby(["problem", "n"], sort=False):
            place, truth = places[problem, n], cell["truth"].iloc[0]
            axis.plot([truth, truth], [place - 0.42, place + 0.42], color=INK, linewidth=1.6)
        _points(axis, here, [places[key] for key in zip(here["problem"], here["n"], strict=True)])
        axis.set_title(_SYMBOLS[atom])
        axis.grid(axis="x")
    axes[0].set_yticks(list(places.values()), [f"{problem}, {n:,}" for problem, n in keys])
    figure.supxlabel("bit; the stroke is the truth, the bar one standard deviation of the draws")
    _legend(figure, axes[0])
    return figure


def _points(axis: Axes, cells: pd.DataFrame, places: Sequence[int]) -> None:
    """Draw one estimator's mean and spread beside the other's."""
    cells = cells.assign(place=places)
    names = _present(cells)
    offsets = np.linspace(0.3, -0.3, len(names)) if len(names) > 1 else np.zeros(1)
    for name, offset in zip(names, offsets, strict=True):
        one = cells[cells["estimator"] == name]
        colour, marker = _LOOKS[name]
        axis.errorbar(
            one["mean"],
            one["place"] + offset,
            xerr=one["spread"].fillna(0),
            fmt=marker,
            color=colour,
            markersize=3.2,
            elinewidth=0.9,
            label=name,
        )


def _rates(known: pd.DataFrame) -> Figure:
    """Draw how often intervals hold the truth, and tests reject a truth of 0, and chance's part."""
    atoms = known[known["quantity"].isin(ATOMS) & (known["truth_kind"] != "upper")]
    zero = atoms[atoms["truth"].abs() < 1e-9]
    figure, axes = plt.subplots(1, 2, figsize=(_WIDTH, 2.8), layout="constrained")
    panels = (
        (atoms, "coverage", _LEVEL, "intervals that hold the truth"),
        (zero, "rejected", ALPHA, "tests at .05 that reject a truth of 0"),
    )
    for axis, (cells, column, level, title) in zip(axes, panels, strict=True):
        told = cells[cells[column].notna()]
        axis.axhline(level, color=FAINT, linewidth=1, linestyle="--")
        groups = list(dict.fromkeys(told["group"]))
        names = _present(told)
        for number, name in enumerate(names):
            one = told[told["estimator"] == name]
            mean = one.groupby("group")[column].mean()
            # Atoms of a draw depend on each other: what counts is how many draws there are.
            draws = one.drop_duplicates(["problem", "n"]).groupby("group")["draws"].sum()
            colour, marker = _LOOKS[name]
            there = [group for group in groups if group in mean.index]
            ends = np.array([wilson(mean[group], draws[group]) for group in there]).T
            shift = 0.12 * (number - (len(names) - 1) / 2)
            axis.errorbar(
                [groups.index(group) + shift for group in there],
                mean[there],
                yerr=np.abs(ends - mean[there].to_numpy()),
                fmt=marker,
                color=colour,
                elinewidth=0.9,
                label=name,
            )
        if not groups:
            axis.text(0.5, 0.5, "no estimator tells", ha="center", transform=axis.transAxes)
        axis.set_xticks(range(len(groups)), groups, rotation=35, ha="right")
        axis.set_ylim(-0.03, 1.03)
        axis.set_title(title)
        axis.grid(axis="y")
    _legend(figure, axes[0])
    return figure


def _noise(nulls: pd.DataFrame) -> Figure:
    """Draw how much information each estimator reads where there is none."""
    figure, axis = plt.subplots(figsize=(_WIDTH * 0.6, 2.8), layout="constrained")
    for number, name in enumerate(_present(nulls)):
        one = nulls[nulls["estimator"] == name].groupby("n")["value"].agg(["mean", "max"])
        colour, marker = _LOOKS[name]
        spots = one.index * 1.05 ** (number - 2)  # so that none hides another
        axis.plot(spots, one["mean"], marker=marker, color=colour, label=name)
        axis.plot(spots, one["max"], color=colour, linewidth=0.7, linestyle=":")
    axis.axhline(0, color=INK, linewidth=1)
    axis.set_xscale("log")
    sizes = sorted(nulls["n"].unique())
    axis.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axis.minorticks_off()
    axis.set_xlabel("rows; dotted: the worst draw")
    axis.set_ylabel("bit read from noise")
    axis.grid(axis="y")
    _legend(figure, axis)
    return figure


def _contribution(ratios: pd.DataFrame) -> Figure:
    """Draw the contribution that is read over the one that is true."""
    figure, axis = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
    axis.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
    for name in _present(ratios):
        one = ratios[ratios["estimator"] == name]
        colour, marker = _LOOKS[name]
        shift = 0.012 * (list(_LOOKS).index(name) - 2)  # so that none hides another
        axis.plot(one["truth"] + shift, one["mean"], marker, color=colour, label=name, alpha=0.75)
    axis.set_xlabel("true contribution of source 1")
    axis.set_ylabel("mean of the draws")
    axis.grid()
    _legend(figure, axis)
    return figure


def _present(cells: pd.DataFrame) -> list[str]:
    """Estimators of these cells, in the order of the tables."""
    return [name for name in ESTIMATORS if name in set(cells["estimator"])]


def _legend(figure: Figure, axis: Axes) -> None:
    """Put one legend above all panels, in as many rows as it needs."""
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        columns = min(len(labels), int(figure.get_figwidth() / _ENTRY))
        figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def _save(figure: Figure, folder: Path, name: str) -> Iterator[Path]:
    """Save a figure as SVG, the same bytes each time, and as PNG."""
    for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
        file = folder / f"{name}{suffix}"
        figure.savefig(file, metadata=metadata)
        yield file
    plt.close(figure)
