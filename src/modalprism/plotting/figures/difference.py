"""Differences between two analyses, atom by atom, with their intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.atoms import FAINT, INK, AtomStyle, atom_styles
from modalprism.plotting.figures.panels import bare, heading
from modalprism.plotting.notation import counts, label, shortened

SIGNIFICANCE: Final = 0.05
MOST_ROWS: Final = 24
_PITCH: Final = 0.36  # inches a row


def difference_figure(frame: pd.DataFrame, modalities: tuple[str, str]) -> Figure:
    """Draw what differs between two sides, one row a pair of analyses.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of `modalprism.studies.comparison.compare`, of one view and kind of pairs.
    modalities : (str, str)

    Returns
    -------
    matplotlib.figure.Figure
        A panel an atom; filled where the difference is told apart from none (q ≤ .05). At most
        `MOST_ROWS` pairs are drawn, those that differ most.
    """
    first, second = modalities
    styles = atom_styles((shortened(first), shortened(second)))
    atoms = list(zip(("redundancy", "unique", "unique", "synergy"), ("", first, second, ""),
                     styles, strict=True))  # fmt: skip
    keys = ["side_1", "side_2"]
    named = frame.assign(**{key: [side_name(row, key[-1]) for row in frame.to_dict("records")]
                            for key in keys})  # fmt: skip
    largest = named.assign(size=named["difference"].abs()).groupby(keys, sort=False)["size"].max()
    shown = largest.nlargest(MOST_ROWS).index
    pairs = [pair for pair in largest.index if pair in shown]
    figure = Figure((8.4, len(pairs) * _PITCH + 1.5), layout="constrained")
    panels = figure.subplots(1, len(atoms), sharex=True, sharey=True)
    unit = str(frame["unit"].iloc[0])
    for panel, (quantity, modality, style) in zip(panels, atoms, strict=True):
        of_atom = named[(named["quantity"] == quantity) & (named["modality"] == modality)]
        found = {(row["side_1"], row["side_2"]): row for row in of_atom.to_dict("records")}
        for place, pair in enumerate(pairs):
            if pair in found:
                _point(panel, place, found[pair], style)
        panel.axvline(0, color=INK, linewidth=0.8)
        panel.set_title(style.name, loc="left", fontweight="bold")
        panel.set_xlabel(f"difference ({unit})")
        bare(panel)
    panels[0].set_ylim(len(pairs) - 0.5, -0.5)
    texts = [f"{label(other, 26, 1)}\nless {label(one, 26, 1)}" for one, other in pairs]
    panels[0].set_yticks(range(len(pairs)), texts)
    looks = (("told apart from none (q ≤ .05)", INK), ("not told apart", "white"))
    key = [
        Line2D([], [], color=INK, marker="o", markerfacecolor=colour, linewidth=1.2, label=words)
        for words, colour in looks
    ]
    heading(figure, "What differs", key)
    facts = [counts(int(frame["n_1"].min()), int(frame["n_1"].max())), "lines: 95 % intervals"]
    if len(largest) > len(pairs):
        facts.append(f"the {len(pairs)} of {len(largest)} pairs that differ most")
    figure.supxlabel(" · ".join(facts), x=0.01, ha="left", fontsize=7, color=FAINT)
    return figure


def side_name(row: Mapping[Hashable, Any], number: str) -> str:
    """Name a side of a difference, "1" or "2", by what is not the same on both.

    Examples
    --------
    >>> row = {"run_1": "a", "model_1": "m", "dataset_1": "d"}
    >>> side_name({**row, "run_2": "b", "model_2": "m", "dataset_2": "d"}, "2")
    'b · d'
    """
    parts = [
        str(row[f"{part}_{number}"])
        for part in ("run", "model", "dataset")
        if row[f"{part}_1"] != row[f"{part}_2"]
    ]
    same = [
        str(row[f"{part}_{number}"])
        for part in ("dataset", "model")
        if row[f"{part}_1"] == row[f"{part}_2"]
    ]
    return " · ".join([*parts, *same[:1]]) or "the same"


def _point(panel: Axes, place: int, row: Mapping[Hashable, Any], style: AtomStyle) -> None:
    low, high, value = (float(row[key]) for key in ("low", "high", "difference"))
    told = float(row["q_value"]) <= SIGNIFICANCE
    panel.plot([low, high], [place, place], color=INK, linewidth=1.1)
    panel.plot(
        value,
        place,
        style.marker,
        markersize=5.5,
        markerfacecolor=style.colour if told else "white",
        markeredgecolor=INK,
        markeredgewidth=0.8,
    )
