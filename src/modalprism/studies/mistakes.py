"""One sentence for what pydantic finds wrong with a study."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from modalprism.suggest import suggestion
from modalprism.yaml_files import Place, YamlFile

_KINDS_OF_SOURCES: Final = (
    "say where the embeddings are, path: file.npz, or what makes them, kind: capture with model: "
    "and data:, or kind: emoji_questions"
)


def first_mistake(error: ValidationError, file: YamlFile | None = None) -> str:
    """Return where a study is wrong first, and how.

    Parameters
    ----------
    error : ValidationError
    file : YamlFile, optional
        Where the study was read from; the sentence then begins with the file and the line.
    """
    first = error.errors()[0]
    words = _words(first, file)
    place = _place(first)
    if file is None:
        return f"{_dotted(place) or 'the study'}: {words}"
    # Pydantic adds the kinds of unions, which the file does not hold.
    known = file.nearest(place)
    where = _dotted((*known, place[-1]) if first["type"] == "missing" else known)
    return f"{file.name}, line {file.line_of(place)}: {where or 'the study'}: {words}"


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def _place(mistake: ErrorDetails) -> Place:
    key = mistake.get("ctx", {}).get("key")  # of `StudyPart`
    return mistake["loc"] if key is None else (*mistake["loc"], key)


def _words(mistake: ErrorDetails, file: YamlFile | None) -> str:
    kind, given, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    words = mistake["msg"].removeprefix("Value error, ")
    if kind == "union_tag_not_found":
        return _KINDS_OF_SOURCES
    if kind == "union_tag_invalid":
        return words + suggestion(context["tag"], _quoted_in(context["expected_tags"]))
    if kind == "literal_error" and isinstance(given, str):
        return words + suggestion(given, _quoted_in(context["expected"]))
    if kind == "path_type":
        return "it is no path; give the path of a file or folder in quotes"
    return (file and _advice(mistake, file)) or words


def _advice(mistake: ErrorDetails, file: YamlFile) -> str:
    """Return the advice to quote a value that YAML does not read as the word that is wanted."""
    if mistake["type"] == "truth_value":
        return file.quotes_for(_place(mistake), {"bool"})
    wanted = mistake["type"] in {"string_type", "literal_error"}
    scalar = not isinstance(mistake["input"], str | list | dict)
    return file.quotes_for(mistake["loc"]) if wanted and scalar else ""


def _quoted_in(words: str) -> list[str]:
    return re.findall(r"'([^']*)'", words)
