"""Options of a command that are generated from the fields of a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from modalprism.options import Options

_Command = TypeVar("_Command", bound=Callable[..., None])
_PLAIN = (bool, int)


@dataclass(frozen=True)
class Flag:
    """Form of a field on the command line, where it differs from the default form.

    `kind` is the type of the option's value, `name` the option, such as ``--candidate``, and `hint`
    a sentence that follows the field's description.
    """

    kind: Any = None
    name: str = ""
    hint: str = ""


def with_options(
    fields: Mapping[str, type[Options]], flags: Mapping[str, Flag], *, before: str
) -> Callable[[_Command], _Command]:
    """Give a command an option for each field, in place of its ``**options``.

    An option has the name, default and description of its field. Its type is bool or int where the
    field's is; other values are words, which the model reads. In the command's help, the options
    stand before its parameter `before`.
    """

    def extend(command: _Command) -> _Command:
        hints = get_type_hints(command, include_extras=True)
        given = list(inspect.signature(command).parameters.values())
        parameters = [one for one in given if one.kind is not one.VAR_KEYWORD]
        hints.pop(next(one.name for one in given if one.kind is one.VAR_KEYWORD))
        generated = []
        for name, model in fields.items():
            field, flag = model.model_fields[name], flags.get(name, Flag())
            kind = flag.kind or (field.annotation if field.annotation in _PLAIN else str)
            text = f"{field.description} {flag.hint}".strip()
            option = typer.Option(*filter(None, [flag.name]), help=text)
            default = None if field.default in (None, ()) else field.default
            hints[name] = Annotated[kind if default is not None else kind | None, option]
            generated.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            )
        place = next(i for i, one in enumerate(parameters) if one.name == before)
        names = [*parameters[:place], *generated, *parameters[place:]]
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [one.replace(kind=one.KEYWORD_ONLY, annotation=hints[one.name]) for one in names]
        )
        command.__annotations__ = hints
        return command

    return extend
