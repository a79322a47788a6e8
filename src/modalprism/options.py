"""Base class of options that people write in files, on the command line, or as arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from textwrap import fill
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from modalprism.errors import InputError
from modalprism.foreign import repeated_name
from modalprism.mistakes import first_mistake
from modalprism.registry import Registry
from modalprism.suggest import suggestion

_Values = TypeVar("_Values", bound=tuple[Any, ...] | None)
_Function = TypeVar("_Function", bound=Callable[..., Any])


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _Checked(ModelMetaclass):
    """Makes options whose mistakes are an `InputError` where Python code calls the class.

    Pydantic itself does not call it: from YAML, `ValidationError` tells where the mistake stands.
    """

    def __call__(cls, *args: Any, **values: Any) -> Any:  # noqa: N805
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            mistake = error.errors()[0]
            name = str(mistake.get("ctx", {}).get("key") or next(iter(mistake["loc"]), ""))
            raise InputError(first_mistake(error), parameter=name) from error


class Options(BaseModel, metaclass=_Checked):
    """A frozen model that refuses unknown keys and truth values in place of numbers.

    Pydantic reads True as the number 1: ``layers: [yes]`` of a YAML file would be layer 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _strict(cls, content: Any) -> Any:
        for key, value in content.items() if isinstance(content, Mapping) else ():
            if key not in cls.model_fields:
                keys = cls.model_fields
                hint = suggestion(str(key), keys) or f"; the keys are {', '.join(keys)}"
                raise _mistake("unknown_key", key, f"there is no such key{hint}")
            items = value if isinstance(value, list | tuple) else [value]
            expects_bool = cls.model_fields[key].annotation is bool
            if not expects_bool and any(isinstance(item, bool) for item in items):
                raise _mistake("truth_value", key, "a truth value is no number and no word")
        return content


def each_once(values: _Values) -> _Values:
    """Return the values of a key if no value repeats; None stays None."""
    if values is not None and (twice := repeated_name(values)) is not None:
        raise ValueError(f"{twice} is named more than once")
    return values


def name_in(registry: Registry[Any]) -> AfterValidator:
    """Return what refuses a name that a registry lacks, or whose object has no version."""

    def check(name: str) -> str:
        registry.version(name)
        return name

    return AfterValidator(check)


def documented(options: type[Options]) -> Callable[[_Function], _Function]:
    """Put the fields of `options` in place of ``{options}`` in a function's docstring."""

    def complete(function: _Function) -> _Function:
        lines = []
        for name, field in options.model_fields.items():
            text = fill(
                str(field.description), 100, initial_indent="    ", subsequent_indent="    "
            )
            lines += [f"{name} : {kind_of(field)}", text]
        text = inspect.cleandoc(function.__doc__ or "")
        function.__doc__ = text.replace("{options}", "\n".join(lines))
        return function

    return complete


def kind_of(field: FieldInfo) -> str:
    """Return the type of a field as docstrings of NumPy style write it."""
    text = _kind(field.annotation)
    return text if field.default is not None else f"{text}, optional"


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is Literal:
        words = ", ".join(map(repr, arguments))
        return words if len(arguments) == 1 else f"{{{words}}}"
    if origin in {Union, UnionType}:
        return " or ".join(_kind(one) for one in arguments if one is not NoneType)
    if origin is tuple:
        return f"sequence of {_kind(arguments[0])}"
    return re.sub(r"^type$", "class", getattr(origin or annotation, "__name__", str(annotation)))


def _mistake(kind: str, key: Any, words: str) -> PydanticCustomError:
    return PydanticCustomError(kind, words.replace("{", "{{"), {"key": key})
