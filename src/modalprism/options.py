"""Base class of options that people write in files, on the command line, or as arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from textwrap import fill
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from modalprism.errors import InputError
from modalprism.foreign import repeated_name
from modalprism.registry import Registry
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
