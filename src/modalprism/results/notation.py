"""Numbers, intervals and names as text, the same in every table, figure and sentence."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from modalprism.results.estimate import Estimate

UNDETERMINED: Final = "undetermined"
ABSENT: Final = "–"
"""Mark of a quantity that the study did not measure; undetermined is another."""
NOISE_MARK: Final = "°"
# Joiners and variation selectors belong to letters and emoji.
_KEPT: Final = "\n\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_WIDE: Final = 1.7
_NARROW: Final = 0.6
_THIN: Final = frozenset("iIljtfr.,:;'|!()[]-/ ")
_UNSEEN: Final = frozenset({"Cc", "Cf"})


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


def parts(
    estimate: Estimate | None, digits: int = 2, *, percent: bool = False, unit: bool = True
) -> tuple[str, str]:
    """Write an estimate as two texts: its value with unit, and its interval or nothing.

    Tables, figures, sentences and pages in every format take their numbers from here. None is what
    was not measured. `percent` writes a ratio in per cent, without digits after the point. Without
    `unit` the value has no unit beside it, except a per cent sign.

    Examples
    --------
    >>> parts(Estimate(0.99, 0.97, 1.0, unit="bit")), parts(Estimate(0.99, 0.97, 1.0), percent=True)
    (('0.99 bit', '[0.97, 1.00]'), ('99 %', '[97, 100]'))
    >>> parts(Estimate(float("nan"))), parts(None)
    (('undetermined', ''), ('–', ''))
    """
    if estimate is None:
        return ABSENT, ""
    if not estimate.determined:
        return UNDETERMINED, ""
    if percent:
        estimate, digits, unit = estimate.scaled(100, "%"), 0, True
    value = number(estimate.value, digits)
    named = unit and estimate.unit != "1"
    ends = f"[{number(estimate.low, digits)}, {number(estimate.high, digits)}]"
    return f"{value} {estimate.unit}" if named else value, ends if estimate.bounded else ""


def written(
    estimate: Estimate | None, digits: int = 2, *, percent: bool = False, unit: bool = True
) -> str:
    """Write an estimate with its unit and its interval; see `parts`.

    Examples
    --------
    >>> written(Estimate(0.99, 0.97, 1.0, unit="bit")), written(Estimate(0.3))
    ('0.99 bit [0.97, 1.00]', '0.30')
    """
    return " ".join(filter(None, parts(estimate, digits, percent=percent, unit=unit)))


def written_range(estimates: Sequence[Estimate], *, percent: bool = False) -> str:
    """Write the range of some estimates, and the interval that holds all of theirs.

    Examples
    --------
    >>> written_range([Estimate(0.95, 0.92, 0.99), Estimate(0.96, 0.91, 1.0)], percent=True)
    '95 to 96 % [91, 100]'
    """
    lowest, highest = (f(each.value for each in estimates) for f in (min, max))
    whole = all(each.bounded for each in estimates)
    low = min(each.low for each in estimates) if whole else math.nan
    high = max(each.high for each in estimates)
    text = written(Estimate(highest, low, high, unit=estimates[0].unit), percent=percent)
    ends = [parts(Estimate(end), percent=percent)[0] for end in (lowest, highest)]
    return text if ends[0] == ends[1] else f"{ends[0].removesuffix(' %')} to {text}"


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


def plain(words: str) -> str:
    r"""Return text without what would change its direction or its lines, but for line breaks.

    Examples
    --------
    >>> plain("an\tswer\u202e!"), plain("a\nb")
    ('an swer!', 'a\nb')
    """
    if words.isascii() and words.isprintable():
        return words
    words = words.encode("utf-8", "replace").decode()  # no half of a surrogate pair
    kept = (" " if c in "\t\r\v\f\x1c\x1d\x1e\x85\u2028\u2029" else c for c in words)
    return "".join(c for c in kept if c in _KEPT or unicodedata.category(c) not in _UNSEEN)


def letters(text: str) -> float:
    """Return the width of a text in letters of average width; at least one for each letter.

    Examples
    --------
    >>> letters("average"), round(letters("mmmm"), 1), letters("ill")
    (7, 6.8, 3)
    """
    widths = (_WIDE if _is_wide(c) else _NARROW if c in _THIN else 1 for c in text)
    return max(len(text), sum(widths))


def _is_wide(character: str) -> bool:
    return character in "mwMW@%—…" or unicodedata.east_asian_width(character) in "WF"


def _fitting(text: str, width: float) -> int:
    """Return how many letters of a text have room in a width; one at least."""
    count = min(len(text), max(int(width), 1))
    while count > 1 and letters(text[:count]) > width:
        count -= 1
    return count


def shortened(name: str, longest: int = 24) -> str:
    r"""Return a name as one line; of a long one its two ends, with a mark of the whole between.

    Long names that differ only in their middle have different marks.

    Examples
    --------
    >>> shortened("image"), shortened("left\nimage")
    ('image', 'left image')
    >>> shortened("x" * 40 + "a" + "x" * 40), shortened("x" * 40 + "b" + "x" * 40)
    ('xxxxxxxxxx…990…xxxxxxxxx', 'xxxxxxxxxx…b51…xxxxxxxxx')
    """
    name = " ".join(plain(name).split())
    if letters(name) <= longest:
        return name
    mark = f"…{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:3]}…"
    ends = max(longest - len(mark), 2)
    head, tail = _fitting(name, ends - ends // 2), _fitting(name[::-1], ends // 2)
    return f"{name[:head]}{mark}{name[-tail:]}"


def label(name: str, width: int = 22, lines: int = 3, *, prose: bool = False) -> str:
    """Wrap a name for a figure; of one that does not fit, both ends are shown, see `shortened`.

    A line has room for `width` letters of average width, see `letters`. Of `prose` that does not
    fit, the beginning is shown.

    Examples
    --------
    >>> label("HuggingFaceTB/SmolVLM-256M-Instruct").splitlines()
    ['HuggingFaceTB/SmolVLM-', '256M-Instruct']
    >>> label("once upon a time", 10, 1, prose=True)
    'once upon…'
    """
    name = " ".join(plain(name).split())
    rows = _wrapped(name, width)
    if len(rows) > lines and not prose:
        # Three quarters, because lines that end at a joint are not full.
        rows = _wrapped(shortened(name, max(3 * width * lines // 4, 12)), width)
    if len(rows) > lines:
        last = rows[lines - 1]
        rows = [*rows[: lines - 1], last[: _fitting(last, width - 1)] + "…"]
    return "\n".join(rows)


def _wrapped(name: str, width: int) -> list[str]:
    rows = [""]
    # A row may also end after a slash, an underscore or a dash: the joints of model names.
    for piece in re.findall(r"[^\s/_-]*[/_-]?\s*", name):
        if rows[-1] and letters((rows[-1] + piece).rstrip()) > width:
            rows.append("")
        rows[-1] += piece
        while letters(rows[-1].rstrip()) > width:
            fits = _fitting(rows[-1], width)
            rows[-1:] = [rows[-1][:fits], rows[-1][fits:]]
    return [row.strip() for row in rows]


def counts(low: int, high: int) -> str:
    """Write one number of examples or their range.

    Examples
    --------
    >>> counts(2000, 2000), counts(200, 400)
    ('n = 2,000', 'n = 200 to 400')
    """
    return f"n = {low:,}" if low == high else f"n = {low:,} to {high:,}"
