"""One sentence for what pydantic finds wrong with options."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from modalprism.suggest import suggestion
from modalprism.yaml_files import Place, YamlFile

_A_LIST: Final = "give a list, such as [a, b]"
_KEYS: Final = "give keys with their values, such as {{key: value}}"
_WHOLE: Final = "give a whole number"
_EXPECTED: Final = {
    "tuple_type": _A_LIST,
    "list_type": _A_LIST,
    "too_short": "give a list of at least {min_length}",
    "too_long": "give a list of at most {max_length}",
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": "give a number",
    "float_parsing": "give a number",
    "finite_number": "give a finite number",
    "greater_than": "give a number above {gt:g}",
    "greater_than_equal": "give a number of at least {ge}",
    "less_than_equal": "give a number of at most {le}",
    "string_type": "give a word or a text",
    "literal_error": "give {expected}",
}
"""Expected value by pydantic's type of error; placeholders are filled from its context."""
_TYPE: Final = re.compile(r"(?:constrained-)?(?:int|str|float|bool)|\w+\[.*\]")


def first_mistake(error: ValidationError, file: YamlFile | None = None) -> str:
    """Return where a study is wrong first, and how; with `file`, by name of the file and line."""
    first, *others = map(_innermost, error.errors())
    place = _place(first)
    # The words that a union takes beside a number.
    words_too = [one for one in others if one["type"] == "literal_error" and _place(one) == place]
    also = "".join(f" or {one['ctx']['expected']}" for one in words_too)
    words = _words_of(first, file, also)
    if file is None:
        return f"{_dotted(place) or 'the study'}: {words}"
    # Pydantic adds the kinds of unions, which the file does not hold.
    nearest = file.nearest(place)
    missing_key = first["type"] == "missing" and isinstance(place[-1], str)
    where = _dotted((*nearest, place[-1]) if missing_key else nearest)
    return f"{file.name}, line {file.line_of(place)}: {where or 'the study'}: {words}"


def _innermost(mistake: ErrorDetails) -> ErrorDetails:
    """Return the mistake inside an input of a study, with its whole place."""
    inner: ErrorDetails | None = mistake.get("ctx", {}).get("inner")
    if inner is None:
        return mistake
    return _innermost({**inner, "loc": (*mistake["loc"], *inner["loc"])})


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def _place(mistake: ErrorDetails) -> Place:
    """Return the keys to a value, without the names that pydantic gives the types of a union."""
    key = mistake.get("ctx", {}).get("key")  # of `Options`
    keys = (*mistake["loc"], *([] if key is None else [key]))
    return tuple(one for one in keys if not (isinstance(one, str) and _TYPE.fullmatch(one)))


def _words_of(mistake: ErrorDetails, file: YamlFile | None, also: str) -> str:
    kind, given, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    words = mistake["msg"].removeprefix("Value error, ")
    if kind == "path_type":
        return "it is no path; give the path of a file or folder in quotes"
    if kind == "missing":
        last = mistake["loc"][-1]
        return f"entry {last + 1} is missing" if isinstance(last, int) else "this key is missing"
    if file:  # YAML may not read a word as one: it is put in quotes
        word = kind in {"string_type", "literal_error"}
        if kind == "truth_value":
            advice = file.quotes_for(_place(mistake), {"bool"})
        else:
            scalar = not isinstance(given, str | list | dict)
            advice = file.quotes_for(mistake["loc"]) if word and scalar else ""
        if advice:
            return advice
    if kind in _EXPECTED:
        choices = re.findall(r"'([^']*)'", context.get("expected", ""))
        hint = suggestion(given, choices) if isinstance(given, str) else ""
        return f"{_EXPECTED[kind].format_map(context)}{also}, not {_shown(given)}{hint}"
    return words


def _shown(given: object) -> str:
    if isinstance(given, list | tuple):
        return f"a list of {len(given)}"
    if isinstance(given, dict):
        return f"the keys {', '.join(map(str, given))}" if given else "an empty mapping"
    return "nothing" if given is None else f"{given!r:.60}"
