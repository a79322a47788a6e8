"""How each number and each name is written, everywhere."""

from __future__ import annotations

import math
import re
from typing import Final

from modalprism.look.reading import Reading

UNDETERMINED: Final = "undetermined"
NOISE_MARK: Final = "°"


def number(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign, and zero without one.

    Examples
    --------
    >>> number(2.137), number(-0.04), number(-0.001), number(float("nan"))
    ('2.14', '−0.04', '0.00', 'undetermined')
    """
    if not math.isfinite(value):
        return UNDETERMINED
    text = f"{value:.{digits}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")


def interval(reading: Reading, scale: float = 1, digits: int = 2) -> str:
    """Write the interval of a reading; empty where there is none.

    Examples
    --------
    >>> interval(Reading(0.99, 0.97, 1.0), scale=100, digits=0), interval(Reading(0.3))
    ('[97, 100]', '')
    """
    if not reading.bounded:
        return ""
    return f"[{number(reading.low * scale, digits)}, {number(reading.high * scale, digits)}]"


def percent(reading: Reading) -> str:
    """Write a ratio as a percentage with its interval.

    Examples
    --------
    >>> percent(Reading(0.99, 0.97, 1.0)), percent(Reading(float("nan")))
    ('99 % [97, 100]', 'undetermined')
    """
    if not reading.determined:
        return UNDETERMINED
    return f"{number(reading.value * 100, 0)} % {interval(reading, 100, 0)}".rstrip()


def amount(reading: Reading) -> str:
    """Write a value with its unit and its interval.

    Examples
    --------
    >>> amount(Reading(0.99, 0.97, 1.0, unit="bit"))
    '0.99 bit [0.97, 1.00]'
    """
    return f"{number(reading.value)} {reading.unit} {interval(reading)}".rstrip()


def significance(p_value: float) -> str:
    """Write a p-value; empty where there is none.

    Examples
    --------
    >>> significance(0.0312), significance(1e-9), significance(float("nan"))
    ('p = 0.031', 'p < 0.001', '')
    """
    if not math.isfinite(p_value):
        return ""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def label(name: str, width: int = 22, lines: int = 3) -> str:
    """Wrap a name for a figure; what does not fit ends in an ellipsis.

    Examples
    --------
    >>> label("HuggingFaceTB/SmolVLM-256M-Instruct").splitlines()
    ['HuggingFaceTB/SmolVLM-', '256M-Instruct']
    """
    rows = [""]
    # A row may also end after a slash, an underscore or a dash: the joints of model names.
    for piece in re.findall(r"[^\s/_-]*[/_-]?\s*", name):
        if rows[-1] and len((rows[-1] + piece).rstrip()) > width:
            rows.append("")
        rows[-1] += piece
        while len(rows[-1].rstrip()) > width:
            rows[-1:] = [rows[-1][:width], rows[-1][width:]]
    rows = [row.strip() for row in rows]
    if len(rows) > lines:
        rows = [*rows[: lines - 1], rows[lines - 1][: width - 1] + "…"]
    return "\n".join(rows)


def counts(low: int, high: int) -> str:
    """Write one number of examples or their range.

    Examples
    --------
    >>> counts(2000, 2000), counts(200, 400)
    ('n = 2,000', 'n = 200 to 400')
    """
    return f"n = {low:,}" if low == high else f"n = {low:,} to {high:,}"
