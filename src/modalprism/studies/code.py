"""Permission to run code that a study brings along.

A study may name an adapter, which is imported, and may ask for the code of a model's repository.
Both run with the rights of the user, so neither runs before the user has allowed it by name.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modalprism.errors import InputError

ALLOW_CODE_VARIABLE: Final = "MODALPRISM_ALLOW_CODE"
"""Names, with commas between, that are allowed beside those of the call."""


@dataclass(frozen=True)
class Code:
    """Code that a study would run: the name by which it is allowed, and a description."""

    name: str
    what: str


class CodeRefusedError(InputError):
    """A study would run code that the user has not allowed; `names` are what to allow."""

    def __init__(self, refused: Sequence[Code]) -> None:
        self.names = tuple(code.name for code in refused)
        self._found = " and ".join(code.what for code in refused)
        super().__init__(self._sentence(f"allow_code={list(self.names)!r}"))

    @property
    def for_shell(self) -> str:
        """The message, with command-line flags in place of the parameter."""
        flags = " ".join(f"--allow-code {shlex.quote(name)}" for name in self.names)
        return self._sentence(flags)

    def _sentence(self, how: str) -> str:
        return (
            f"the study would run {self._found}, with all your rights; read that code, and if you "
            f"trust it allow it by name: {how}"
        )


def require_allowed(code: Iterable[Code], allow_code: str | Iterable[str] = ()) -> None:
    """Refuse code that the user has not named, with a `CodeRefusedError`.

    Allowed are the names in `allow_code` and in the variable ``MODALPRISM_ALLOW_CODE``. Names must
    be equal: there are no patterns. A folder may be relative to the working folder.

    Examples
    --------
    >>> mine = Code("mine:Mine", "the adapter 'mine:Mine'")
    >>> require_allowed([mine], allow_code=["mine:Mine"])
    >>> try:
    ...     require_allowed([mine])
    ... except CodeRefusedError as error:
    ...     error.names
    ('mine:Mine',)
    """
    given = [allow_code] if isinstance(allow_code, str) else allow_code
    if not isinstance(given, Iterable) or not all(isinstance(name, str) for name in given):
        raise InputError(f"allow_code is {allow_code!r}; give the names of what may run")
    names = [*given, *os.environ.get(ALLOW_CODE_VARIABLE, "").split(",")]
    allowed = {name.strip() for name in names}
    allowed |= {str(Path(name).resolve()) for name in allowed if _is_path(name)}
    if refused := [one for one in dict.fromkeys(code) if one.name not in allowed]:
        raise CodeRefusedError(refused)


def adapter_code(adapter: str) -> Code | None:
    """Return the code of an adapter, ``module:Class``; None for those of Modalprism itself."""
    own = adapter.startswith("modalprism.capture.")
    return None if own else Code(adapter, f"the adapter {adapter!r}")


def repository_code(model: str, revision: str | None) -> Code:
    """Return the code that comes with a model.

    A folder is named by its whole path, so that it cannot pass for a repository of the model hub. A
    revision is part of the name, since anybody may propose one (``refs/pr/1``) to a repository.

    Examples
    --------
    >>> repository_code("owner/model", "refs/pr/1").name
    'owner/model@refs/pr/1'
    """
    name = str(Path(model).resolve()) if Path(model).is_dir() else model
    name = name if revision is None else f"{name}@{revision}"
    return Code(name, f"the code that comes with the model {name!r}")


def _is_path(name: str) -> bool:
    return name.startswith(".") or Path(name).is_absolute()
