"""Errors about input that cannot be used; the command line turns them into exit codes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_LONGEST: Final = 1_500
_END: Final = 400
_JOINERS: Final = "\u200c\u200d"
"""Zero-width characters that words of some languages, and emoji, are written with."""


def escaped(words: str) -> str:
    r"""Escape what a terminal would not show as a character: controls, line breaks, surrogates.

    Examples
    --------
    >>> escaped("red \x1b[31m\n日本")
    'red \\x1b[31m\\n日本'
    """
    return "".join(
        c if c.isprintable() or c in _JOINERS else c.encode("unicode_escape").decode()
        for c in words
    )


class InputError(ValueError):
    r"""The input cannot be used: the message says what was wrong, where, and what to do.

    Names and values of the user's stand in messages. They are escaped where they would not print,
    and a message that they make very long loses its middle.

    Parameters
    ----------
    message : str
        It names parameters of the library; the command line adds its option.
    parameter : str
        The parameter that has to change, where it is one.

    Examples
    --------
    >>> str(InputError("the class \x1b[2J has one row"))
    'the class \\x1b[2J has one row'
    """

    def __init__(self, message: str = "", *, parameter: str = "") -> None:
        message = escaped(message)
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST - _END]}…{message[1 - _END :]}"
        super().__init__(message)
        self.parameter = parameter


class DataWarning(UserWarning):
    """The data make the numbers misleading; `modalprism.Analysis.cautions` says so too."""


def optional(module: str, need: str, extra: str) -> Any:
    """Import a module that an extra of this package installs; `need` says what it is for.

    Raises InputError if it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{need} ({error}); run pip install 'modalprism[{extra}]'") from error


@contextmanager
def concerning(parameter: str) -> Iterator[None]:
    """Name the parameter that every `InputError` of the block is about, where it names none.

    Examples
    --------
    >>> try:
    ...     with concerning("columns"):
    ...         raise InputError("there is no column 'scan'")
    ... except InputError as error:
    ...     error.parameter
    'columns'
    """
    try:
        yield
    except InputError as error:
        error.parameter = error.parameter or parameter
        raise


class WorkerError(RuntimeError):
    """Work could not be finished where it ran, through no fault of the input.

    The message says what happened. The command line adds what is kept, with exit code 1.
    """
