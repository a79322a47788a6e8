"""Base class of a study and of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from modalprism.foreign import repeated_name
from modalprism.suggest import suggestion

_Values = TypeVar("_Values", bound=tuple[Any, ...] | None)


class StudyPart(BaseModel):
    """A frozen model that refuses unknown keys and truth values in place of numbers.

    Pydantic reads True as the number 1: ``layers: [yes]`` of a YAML file would be layer 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _strict(cls, content: Any) -> Any:
        for key, value in content.items() if isinstance(content, Mapping) else ():
            if key not in cls.model_fields:
                raise _mistake("unknown_key", key, f"there is no such key{_hint(key, cls)}")
            items = value if isinstance(value, list | tuple) else [value]
            wanted = cls.model_fields[key].annotation is bool
            if not wanted and any(isinstance(item, bool) for item in items):
                raise _mistake("truth_value", key, "a truth value is no number and no word")
        return content


def each_once(values: _Values) -> _Values:
    """Return what a key lists, where nothing stands twice; None is no list."""
    if values is not None and (twice := repeated_name(values)) is not None:
        raise ValueError(f"{twice} is named more than once")
    return values


def _hint(key: Any, part: type[StudyPart]) -> str:
    known = part.model_fields
    return suggestion(str(key), known) or f"; the keys are {', '.join(known)}"


def _mistake(kind: str, key: Any, words: str) -> PydanticCustomError:
    """Return an error of one key, which stands in its context under ``key``."""
    return PydanticCustomError(kind, words.replace("{", "{{"), {"key": key})
