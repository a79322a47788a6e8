"""Print the tables of ``docs/fusion_study.md``, from ``runs/fusion_study``.

``python examples/fusion_study/tables.py`` reads the networks that ``study.py`` has finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from methods import (
    CHECKPOINTS,
    DEMO,
    FUSIONS,
    METHODS,
    OBSERVED,
    OURS,
    QUESTIONS,
    REDRAWN,
    SHARE,
    SHOWN,
    STREAM,
    TRUTH,
    image_shares,
    of_row,
    read_results,
)
from rich.console import Console

ORDERED: Final = ("pictured", "kind", "named")  # from the most image to the least
MARGIN: Final = 0.03
TIE: Final = 0.01
DROP: Final = "accuracy drop (mean)"
ATOMS: Final = {
    "R": ("redundancy", ""),
    "U image": ("unique", "image"),
    "U text": ("unique", "text"),
    "S": ("synergy", ""),
    "I": ("information", ""),
}


def rows_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float) -> str:
    """Write a number with two digits, without the zero before the point."""
    words = f"{abs(value):.2f}"
    sign = "−" if value < 0 and float(words) else ""
    return sign + (words.removeprefix("0") if abs(value) < 1 else words)


def spread(values: pd.Series) -> str:
    """Write the mean, and the least and the greatest; and how many are undetermined."""
    if values.empty:
        return "not run"
    known = values.dropna()
    missing = len(values) - len(known)
    if known.empty:
        return "undetermined"
    words = number(known.mean())
    if len(known) > 1:
        words += f" ({number(known.min())}–{number(known.max())})"
    return f"{words}, {missing} undetermined" if missing else words


def accuracies(results: pd.DataFrame) -> str:
    """Tabulate what the networks get right on held-out pairs."""
    found = []
    for training, fusion in results.groupby(["training", "fusion"]).groups:
        record = json.loads((CHECKPOINTS / training / "accuracies.json").read_text("utf-8"))
        for question, scores in record[fusion]["accuracy"].items():
            found.append({"fusion": fusion, "question": question, **scores})
    frame = pd.DataFrame(found)
    rows = []
    for fusion in FUSIONS:
        of_fusion = frame[frame["fusion"] == fusion]
        cells = [spread(of_fusion.loc[of_fusion["question"] == q, "both"]) for q in QUESTIONS]
        rows.append([f"`{fusion}`", *cells])
    chance = [number(frame.loc[frame["question"] == q, "commonest"].iloc[0]) for q in QUESTIONS]
    return rows_of(["network", *QUESTIONS], [*rows, ["commonest answer", *chance]])


def shares(results: pd.DataFrame) -> str:
    """Tabulate the image's share by every method on every question."""
    found = image_shares(results)
    sizes = results.groupby("method")["n"].agg(["min", "max"])
    rows = []
    for name, title in SHOWN.items():
        if (OBSERVED if name == SHARE else name) not in sizes.index:
            continue
        size = sizes.loc[OBSERVED if name == SHARE else name]
        n = "–".join(dict.fromkeys(map(str, size)))
        rows.append([title, n, *(spread(of_row(found, name, question)) for question in QUESTIONS)])
    truth = ["1", "both informative", "0", "neither alone"]
    return rows_of(["method", "n", *QUESTIONS], [["*truth*", "", *truth], *rows])


def criterion(results: pd.DataFrame) -> str:
    """Tabulate how far our C is from the truth, in every fusion."""
    rows = []
    for method in OURS:
        ours = results[
            (results["method"] == method)
            & (results["quantity"] == "contribution")
            & (results["modality"] == "image")
        ]
        for fusion in FUSIONS:
            cells = []
            for question, truth in TRUTH.items():
                of_one = ours[(ours["fusion"] == fusion) & (ours["question"] == question)]
                error = (of_one["value"] - truth).abs()
                held = int((error <= MARGIN).sum())
                wide = (of_one["high"] - of_one["low"]).max()
                if of_one.empty:
                    cells += ["not run", "", ""]
                else:
                    cells += [f"{held} of {len(error)}", f"{error.max():.4f}", f"{wide:.4f}"]
            rows.append([METHODS[method].title, f"`{fusion}`", *cells])
    heads = [
        f"{question}: {words}"
        for question in TRUTH
        for words in ("within .03", "largest error", "widest interval")
    ]
    return rows_of(["view", "network", *heads], rows)


def agreement(results: pd.DataFrame) -> str:
    """Tabulate whether each method orders the questions as they are, network by network.

    An order counts where the two differ by more than a hundredth; undetermined values agree with
    nothing.
    """
    found = image_shares(results)
    rows = []
    for name, title in SHOWN.items():
        columns = {question: of_row(found, name, question) for question in ORDERED}
        asked = sorted(set.intersection(*(set(column.index) for column in columns.values())))
        networks = pd.DataFrame({question: column[asked] for question, column in columns.items()})
        steps = [networks[more] - networks[less] for more, less in combinations(ORDERED, 2)]
        signs = np.stack([np.sign(step.where(step.abs() > TIE, 0.0)) for step in steps])
        error = pd.concat([(networks[q] - truth).abs() for q, truth in TRUTH.items()])
        rows.append(
            [
                title,
                f"{int((signs > 0).all(0).sum())} of {len(networks)}",
                f"{int((signs < 0).any(0).sum())} of {len(networks)}",
                number(signs.mean()),
                number(error.mean()),
                number(error.max()),
            ]
        )
    heads = ["method", "correct order", "with an inverted pair", "mean Kendall τ"]
    return rows_of([*heads, "mean error", "largest error"], rows)


def match(results: pd.DataFrame) -> str:
    """Tabulate ablation, InterSHAP and our atoms on `match`."""
    of_match = results[results["question"] == "match"]

    def cell(fusion: str, method: str, quantity: str, modality: str) -> str:
        chosen = of_match[
            (of_match["fusion"] == fusion)
            & (of_match["method"] == method)
            & (of_match["quantity"] == quantity)
            & (of_match["modality"] == modality)
        ]
        return spread(chosen["value"])

    asked = [
        (f"ablation: accuracy lost without the {modality}", "ablation", DROP, modality)
        for modality in ("image", "text")
    ]
    asked.append(("InterSHAP: interaction (%)", "intershap", "interaction", ""))
    for method in OURS:
        words = f"ours, {method.removeprefix('answer, ')}: "
        for atom, (quantity, modality) in ATOMS.items():
            asked.append((f"{words}{atom} (bit)", method, quantity, modality))
        asked.append((f"{words}S of I", method, "synergy_fraction", ""))
        asked.append((f"{words}C of the image", method, "contribution", "image"))
    rows = [
        [words, *(cell(fusion, method, quantity, modality) for fusion in FUSIONS)]
        for words, method, quantity, modality in asked
    ]
    return rows_of(["", *(f"`{fusion}`" for fusion in FUSIONS)], rows)


def layers(results: pd.DataFrame) -> str:
    """Tabulate the layer profiles."""
    stream = results[(results["method"] == STREAM) & (results["question"] == "match")]
    rows = []
    for fusion in FUSIONS:
        for layer in sorted(stream["layer"].unique()):
            of_one = stream[(stream["fusion"] == fusion) & (stream["layer"] == layer)]
            cells = [
                spread(
                    of_one.loc[
                        (of_one["quantity"] == quantity) & (of_one["modality"] == modality), "value"
                    ]
                )
                for quantity, modality in ATOMS.values()
            ]
            rows.append([f"`{fusion}`", str(layer), *cells])
    return rows_of(["network", "layer", *ATOMS], rows)


def costs(results: pd.DataFrame) -> str:
    """Tabulate the cost of each method for one network and one question."""
    cells = results.drop_duplicates(["training", "fusion", "question", "method"])
    rows = []
    for name in [*METHODS, STREAM]:
        of_one = cells[cells["method"] == name]
        title = METHODS[name].title if name in METHODS else "ours: layer profile, 5 layers"
        n = of_one["forward" if name == REDRAWN else "n"]
        seconds = of_one["cpu_seconds"]
        rows.append(
            [
                title,
                "–".join(dict.fromkeys(str(int(size)) for size in (n.min(), n.max()))),
                f"{(of_one['forward'] / n).mean():.0f}",
                f"{(of_one['backward'] / n).mean():.0f}",
                f"{seconds.mean():.1f} ({seconds.min():.1f}–{seconds.max():.1f})",
                f"{1000 * (seconds / n).mean():.0f}",
            ]
        )
    heads = ["method", "pairs", "forward per pair", "backward per pair"]
    return rows_of([*heads, "processor seconds", "ms per pair"], rows)


def tables(results: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Make every table: of the networks that were trained alike, and of the demo's own."""
    alike, demo = results[results["training"] != DEMO], results[results["training"] == DEMO]
    counts = alike.groupby(["fusion", "question"])["training"].nunique().unstack()
    yield "networks trained alike, by question", counts.to_string()
    yield "accuracy", accuracies(alike)
    for words, some in (("trained alike", alike), ("the demo's own", demo)):
        if len(some):
            yield f"image's share, {words}", shares(some)
            yield f"criterion, {words}", criterion(some)
            yield f"rank agreement, {words}", agreement(some)
    yield "match", match(alike)
    yield "layers of match", layers(alike)
    yield "cost", costs(alike)


def main() -> None:
    """Print the tables."""
    results = read_results()
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for title, table in tables(results):
        console.print(f"## {title}\n\n{table}")


if __name__ == "__main__":
    main()
