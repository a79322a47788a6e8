"""LaTeX tables for papers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from modalprism.plotting.grid import Cell, Grid
from modalprism.results.table import VIEW_TITLES, Table

_HEAD: Final = (
    "% Needs \\usepackage{booktabs}. Numbers with intervals are wide: leave out columns, or set\n"
    "% the table sideways, where the page has no room.\n"
)
_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    # After the end of a row these would be read as its options.
    **{character: f"{{{character}}}" for character in "[]*"},
    "\u200b": "{}",
    "–": "--",
    "−": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",
    "°": r"\ensuremath{^{\circ}}",
}
_AMOUNT: Final = re.compile(r"(?P<number>[−-]?\d[\d,]*(\.\d+)?)(e(?P<power>[+-]?\d+))?(?P<more>.*)")
_MORE: Final = {"": "", "°": r"^{\circ}", " %": r"\,\%", " %°": r"\,\%^{\circ}"}
_BRACKETS: Final = re.compile(r"[\[(][−\d., ]+[\])]")


def grid_latex(grid: Grid, results: Table, view: str) -> str:
    """Return the grid of a view as a floating LaTeX table, with rules of the package booktabs.

    The caption names target, unit and n of the results, from which the grid was made.
    """
    columns = "l" * grid.names + "r" * (len(grid.columns) - grid.names)
    lines = [_line(map(escaped, grid.columns)), r"\midrule"]
    for index, row in enumerate(grid.rows):
        if index and row[0] != grid.rows[index - 1][0]:
            lines.append(r"\addlinespace")
        names = [escaped(str(cell)) for cell in row[: grid.names]]
        lines.append(_line([*names, *map(_number, row[grid.names :])]))
    body = "\n".join(lines)
    return (
        f"{_HEAD}\\begin{{table*}}\n\\centering\n\\footnotesize\n\\setlength{{\\tabcolsep}}{{3pt}}\n"
        f"\\caption{{{_caption(grid, results, view)}}}\n\\label{{tab:{view}}}\n"
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{body}\n\\bottomrule\n"
        "\\end{tabular}\n\\end{table*}\n"
    )


def escaped(text: str) -> str:
    r"""Escape what LaTeX would read as a command.

    Examples
    --------
    >>> print(escaped("a_b & 5 %"), escaped("{x}^~"))
    a\_b \& 5 \% \{x\}\textasciicircum{}\textasciitilde{}
    """
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    # Two hyphens in a row would be joined to a dash.
    apart = re.sub("-(?=-)", "-\u200b", words)
    return "".join(_SPECIAL.get(character, character) for character in apart)


def _caption(grid: Grid, results: Table, view: str) -> str:
    first, second = results.modalities
    sentences = [
        VIEW_TITLES[view],
        f"Target: {results.target(view)}",
        f"R (redundant), U {first} and U {second} (unique), S (synergy) and I (information, their "
        f"sum) in {results.unit(view)}; C {first}: the part of the unique information that comes "
        f"from {first}",
        "Square brackets are 95 % intervals",
        *(note[:1].upper() + note[1:] for note in grid.notes),
        "; ".join(results.size_and_seed(view)),
    ]
    return " ".join(f"{escaped(sentence)}." for sentence in sentences)


def _number(cell: Cell) -> str:
    r"""Write a cell in mathematics as far as it is numbers, and as words elsewhere.

    Examples
    --------
    >>> print(_number(Cell("0.32", "[0.28, 0.36]")), _number(Cell("−1 %")), _number(Cell("4e-05")))
    $0.32\,[0.28, 0.36]$ $-1\,\%$ $4 \times 10^{-5}$
    >>> _number(Cell("undetermined"))
    'undetermined'
    """
    amount = _AMOUNT.fullmatch(cell.text)
    if amount is None or amount["more"] not in _MORE:
        return escaped(str(cell))
    number = amount["number"] + _MORE[amount["more"]]
    if amount["power"]:
        number += rf" \times 10^{{{int(amount['power'])}}}"
    brackets = _BRACKETS.match(cell.aside)
    number += rf"\,{brackets[0]}" if brackets else ""
    rest = cell.aside[brackets.end() if brackets else 0 :].strip()
    number = re.sub(r"(?<=\d),(?=\d)", "{,}", number.replace("−", "-"))
    return f"${number}${' ' if rest else ''}{escaped(rest)}"


def _line(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
