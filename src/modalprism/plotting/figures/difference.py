"""Figure of the differences between analyses, atom by atom."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.figures.panels import bare, captions, point
from modalprism.plotting.style import INK, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import counts, label, shortened
from modalprism.results.quantities import ATOMS, keys

MOST_ROWS: Final = 24
_PITCH: Final = 0.36  # inches a row


def difference_figure(frame: pd.DataFrame, modalities: tuple[str, str]) -> Figure:
    """Draw the differences between two sides, one row a pair of analyses and one panel an atom.

    The frame has rows of `modalprism.studies.comparison.compare`, of one view and kind of pairs.
    Markers are filled where q ≤ .05. At most `MOST_ROWS` pairs are drawn, those with the largest
    differences.
    """
    first, second = modalities
    styles = atom_styles((shortened(first), shortened(second)))
    sides = ["side_1", "side_2"]
    named = frame.assign(**{side: [side_name(row, side[-1]) for row in frame.to_dict("records")]
                            for side in sides})  # fmt: skip
    largest = named.assign(size=named["difference"].abs()).groupby(sides, sort=False)["size"].max()
    shown = largest.nlargest(MOST_ROWS).index
    pairs = [pair for pair in largest.index if pair in shown]
    figure = Figure((8.4, len(pairs) * _PITCH + 1.5), layout="constrained")
    panels = figure.subplots(1, len(styles), sharex=True, sharey=True)
    unit = str(frame["unit"].iloc[0])
    for panel, key, style in zip(panels, keys(ATOMS, modalities), styles, strict=True):
        for row in named.to_dict("records"):
            pair = (row["side_1"], row["side_2"])
            if (row["quantity"], row["modality"]) == key and pair in pairs:
                place, difference = pairs.index(pair), difference_of(row)
                ends = [difference.low, difference.high]
                panel.plot(ends, [place, place], color=INK, linewidth=1.1)
                face = style.colour if difference.nonzero else "white"
                point(panel, difference.value, place, style.marker, face, 5.5)
        panel.axvline(0, color=INK, linewidth=0.8)
        panel.set_title(label(style.name, 22, 2), loc="left", fontweight="bold")
        panel.set_xlabel(f"difference ({unit})")
        bare(panel)
    panels[0].set_ylim(len(pairs) - 0.5, -0.5)
    texts = [f"{label(other, 26, 1)}\nless {label(one, 26, 1)}" for one, other in pairs]
    panels[0].set_yticks(range(len(pairs)), texts)
    entries = (("told apart from none (q ≤ .05)", INK), ("not told apart", "white"))
    legend = [
        Line2D([], [], color=INK, marker="o", markerfacecolor=colour, linewidth=1.2, label=words)
        for words, colour in entries
    ]
    facts = [counts(int(frame["n_1"].min()), int(frame["n_1"].max())), "lines: 95 % intervals"]
    if len(largest) > len(pairs):
        facts.append(f"the {len(pairs)} of {len(largest)} pairs that differ most")
    captions(figure, "What differs", legend, *facts)
    return figure


def difference_of(row: Mapping[Hashable, Any]) -> Estimate:
    """Return a row of `modalprism.studies.comparison.compare` as an estimate with its q-value."""
    value, low, high, q_value = (
        float(row[name]) for name in ("difference", "low", "high", "q_value")
    )
    return Estimate(value, low, high, q_value, str(row["unit"]))


def side_name(row: Mapping[Hashable, Any], number: str) -> str:
    """Name a side of a difference, "1" or "2", by what differs between both.

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
