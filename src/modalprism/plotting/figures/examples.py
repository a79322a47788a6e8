"""Figure of the examples of a model on a dataset that stand for each atom."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from modalprism.plotting.bar import segments
from modalprism.plotting.figures.panels import ShownFigure, heading, patches
from modalprism.plotting.figures.tooltips import hover
from modalprism.plotting.style import ALARM, FAINT, INK, AtomStyle, atom_styles
from modalprism.results.examples import ShownExample, by_case, most_of
from modalprism.results.notation import counts, label, number, shortened, written
from modalprism.results.quantities import ATOMS, QuantityKey, keys
from modalprism.results.table import Case, Table

# Inches, all of them.
_WIDTH: Final = 7.4
_EDGE: Final = 0.12
_TOP: Final = 0.62  # title and key
_BOTTOM: Final = 0.3  # footer
_HEADING: Final = 0.26
_PICTURE: Final = 0.62
_LINE: Final = 0.125
_BAR: Final = 0.1
_NUMBER: Final = 0.34
_GAP: Final = 0.14
_COLUMNS: Final = 4
_LETTERS: Final = 29  # of a column
_TEXT_LINES: Final = 2
_SMALL: Final = 6.5


@dataclass(frozen=True)
class _Cards:
    """The layout of every card of a figure."""

    styles: Sequence[AtomStyle]
    pictured: bool  # whether any has a picture
    lines: int  # of text, the most of any
    low: float  # ends of the bars, in the unit of the atoms
    high: float

    @classmethod
    def of(cls, examples: Sequence[ShownExample], styles: Sequence[AtomStyle]) -> _Cards:
        ends = [0.0]
        for example in examples:
            for start, length in segments(example.atoms):
                ends += [start, start + length]
        lines = max((len(_lines(example)) for example in examples), default=0)
        pictured = any(any(example.pictures) for example in examples)
        return cls(styles, pictured, lines, min(ends), max(ends))

    @property
    def height(self) -> float:
        return (_PICTURE + 0.05) * self.pictured + self.lines * _LINE + 0.05 + _BAR + _GAP

    @property
    def width(self) -> float:
        return (_WIDTH - 2 * _EDGE) / _COLUMNS


def examples_figure(
    results: Table, case: Case, found: Mapping[QuantityKey, Sequence[ShownExample]]
) -> Figure:
    """Draw the examples of a case, a row of cards an atom, with the first four of each.

    An atom that is not distinguishable from zero over the dataset has no cards, since its examples
    may be noise.
    """
    styles = atom_styles(results.shown)
    rows = _rows(results, case, found)
    cards = _Cards.of([example for _, shown in rows for example in shown], styles)
    height = _TOP + _BOTTOM + sum(_HEADING + cards.height * bool(shown) for _, shown in rows)
    figure = ShownFigure((_WIDTH, height))
    figure.suppressComposite = True  # a picture each, not one as large as the figure
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, _WIDTH), ylim=(height, 0))
    axes.axis("off")
    top = _TOP
    for words, shown in rows:
        weight, size, colour = ("bold", 8, INK) if shown else ("normal", 7, FAINT)
        axes.text(_EDGE, top + _HEADING / 2, words, va="center", fontsize=size, color=colour,
                  fontweight=weight, in_layout=False)  # fmt: skip
        top += _HEADING
        for column, example in enumerate(shown):
            _draw_card(axes, _EDGE + column * cards.width, top, example, cards)
        top += cards.height * bool(shown)
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))  # pictures move them
    title = f"Examples that tell most of each atom: {label(case.name, 52, 1)}"
    heading(figure, title, patches(styles))
    redundancy = results.get(case, "answer", "redundancy")
    facts = [] if redundancy is None else [counts(redundancy.n, redundancy.n)]
    facts += [] if results.seed is None else [f"seed {results.seed}"]
    facts.append("bars: pointwise atoms, estimates that have no interval; numbers: their sum")
    words = f"{' · '.join(facts)} ({results.unit('answer')})"
    figure.text(_EDGE / _WIDTH, 0.1 / height, words, fontsize=7, color=FAINT)
    return figure


def _rows(
    results: Table, case: Case, found: Mapping[QuantityKey, Sequence[ShownExample]]
) -> list[tuple[str, list[ShownExample]]]:
    """Return the heading of each atom, and the examples below it."""
    rows = []
    atoms = results.atoms(case, "answer")
    for key, atom in zip(keys(ATOMS, results.modalities), atoms, strict=True):
        shown_at_all = atom is None or atom.positive
        shown = list(found.get(key, ()))[:_COLUMNS] if shown_at_all else []
        words = most_of((key[0], shortened(key[1])))
        if not shown_at_all and atom is not None:
            words += f": over the dataset {written(atom)}, not told from zero; no examples shown"
        elif not shown:
            words += ": no example tells any by itself"
        rows.append((words, shown))
    return rows


def _draw_card(axes: Axes, left: float, top: float, example: ShownExample, cards: _Cards) -> None:
    start = left
    for picture in filter(None, example.pictures):
        with Image.open(io.BytesIO(picture)) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        high, wide = pixels.shape[:2]
        scale = min(_PICTURE / high, (cards.width - _GAP) / 2 / wide)
        extent = (start, start + wide * scale, top + high * scale, top)
        axes.imshow(pixels, extent=extent, aspect="auto", interpolation="antialiased")
        start += wide * scale + 0.08
    line = top + (_PICTURE + 0.05) * cards.pictured
    for words, colour in _lines(example):
        axes.text(left, line, words, va="top", fontsize=_SMALL, color=colour, in_layout=False)
        line += _LINE
    bar = top + cards.height - _GAP - _BAR
    room = cards.width - _GAP - _NUMBER
    scale = room / ((cards.high - cards.low) or 1.0)
    zero = left - cards.low * scale
    for (begin, length), style in zip(segments(example.atoms), cards.styles, strict=True):
        corner = (zero + begin * scale, bar)
        fill: dict[str, Any] = {"facecolor": style.colour, "hatch": style.hatch}
        axes.add_patch(
            Rectangle(corner, length * scale, _BAR, edgecolor="white", linewidth=0.3, **fill)
        )
    axes.plot([zero, zero], [bar - 0.02, bar + _BAR + 0.02], color=INK, linewidth=0.7)
    end = zero + scale * sum(length for _, length in segments(example.atoms) if length > 0)
    total = number(sum(example.atoms))
    axes.text(end + 0.04, bar + _BAR / 2, total, va="center", fontsize=_SMALL, in_layout=False)
    area = Rectangle((left, top), cards.width - _GAP, cards.height - _GAP, alpha=0, zorder=10)
    amounts = [
        f"{style.name}: {number(value)} {example.unit}"
        for style, value in zip(cards.styles, example.atoms, strict=True)
    ]
    hover(area, "\n".join([example.name, *amounts]))
    axes.add_patch(area)


def _lines(example: ShownExample) -> list[tuple[str, str]]:
    """Return what stands below a picture, with its colour."""
    lines = [
        (line, INK)
        for text in filter(None, example.texts)
        for line in label(text, _LETTERS, _TEXT_LINES, prose=True).splitlines()
    ]
    if not any((*example.texts, *example.pictures)):
        lines.append((label(example.name, _LETTERS, 1), INK))
    if answer := example.answer_text:
        wrong = example.right is False
        lines.append(
            (label(f"model: {answer}", _LETTERS + 4, 1, prose=True), ALARM if wrong else FAINT)
        )
    if example.label:
        lines.append((label(f"right: {example.label}", _LETTERS + 4, 1, prose=True), FAINT))
    return lines


def figure_names(results: Table, examples: Iterable[ShownExample]) -> dict[Case, str]:
    """Name the figure of every case that has something to draw.

    As files may be named, and no two alike: ``a/b`` and ``a_b`` on ``q`` are ``examples-a_b-q`` and
    ``examples-a_b-q-2``.
    """
    names: dict[Case, str] = {}
    found = by_case(examples)
    for case in results.cases("answer"):
        if not any(shown for _, shown in _rows(results, case, found.get(case, {}))):
            continue
        # Without dots: what follows one is a file's kind, wherever figures are listed.
        plain = re.sub(r"[^A-Za-z0-9-]+", "_", f"examples-{case.model}-{case.dataset}")[:120]
        name, number_ = plain, 1
        while name.lower() in {one.lower() for one in names.values()}:
            number_ += 1
            name = f"{plain}-{number_}"
        names[case] = name
    return names
