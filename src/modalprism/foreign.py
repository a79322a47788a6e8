"""Guarded access to files that somebody else wrote.

Parsers of foreign formats fail in many ways: with errors of their own, with a traceback out of the
middle of a codec, or by waiting for ever on a pipe. Every module that opens a user's file does so
through `require_file` and `guarded`, so that each failure is one `InputError`.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from modalprism.errors import InputError

_LONGEST_REASON: Final = 300
HIDDEN: Final = "***"
"""What stands in an address in place of a password or a token."""
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s'\"]+")
_USER: Final = re.compile(r"(?<=://)([^/?#]*|[^/?#:]+:(?!\d+(/|$)|:)\S*)@")
_QUERY: Final = re.compile(r"[?#]((?!::).)+")
_VALUE: Final = re.compile(r"(?<=[?#&;])([^=?#&;]*=)?[^?#&;]+")


def require_file(path: Path) -> Path:
    """Return the path of a regular file.

    Pipes, sockets and devices are refused: reading one may never end. Links are followed.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If the path does not exist, cannot be looked at, is a folder, or is not a regular file.

    Examples
    --------
    >>> require_file(Path("missing.npz"))
    Traceback (most recent call last):
    modalprism.errors.InputError: the file missing.npz does not exist; check the path
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"the file {path} does not exist; check the path") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {reason_of(error)}") from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder; name a file")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is not a regular file (a pipe, socket or device); copy it to one")
    return path


@contextmanager
def guarded(what: str | Path, advice: str = "") -> Iterator[None]:
    """Turn any failure of a foreign parser inside the block into one `InputError`.

    Keep the block to calls of the parser: an error of our own code would be reported as damage.

    Parameters
    ----------
    what : str or Path
        The file, as messages name it.
    advice : str
        What to do about it, such as ``"write the file again"``.

    Raises
    ------
    InputError
        If the block raises anything but `InputError`, including `MemoryError` (a header that
        claims a huge array) and `RecursionError` (deep nesting).

    Examples
    --------
    >>> with guarded("broken.json"):
    ...     raise KeyError("shape")
    Traceback (most recent call last):
    modalprism.errors.InputError: broken.json cannot be read: KeyError: 'shape'
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        words = f"{what} cannot be read: {reason_of(error)}"
        raise InputError(f"{words}; {advice}" if advice else words) from error


def reason_of(error: BaseException) -> str:
    r"""Return one printable line on what went wrong, at most 300 characters long.

    Text from inside the file may stand in it, so control characters are escaped; an address in it
    is `redacted`.

    Examples
    --------
    >>> reason_of(ValueError("bad\nheader \x1b[2J"))
    'bad header \\x1b[2J'
    """
    words = str(getattr(error, "strerror", None) or error)[: 10 * _LONGEST_REASON]
    words = redacted(" ".join(words.split()))
    if not words or isinstance(error, KeyError | RecursionError | MemoryError | AssertionError):
        words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    words = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return words if len(words) <= _LONGEST_REASON else f"{words[: _LONGEST_REASON - 1]}…"


def redacted(words: str) -> str:
    """Hide the user, the password and the query values of every address in a text.

    Query values are hidden whatever their key: a signed address carries its token in one of them.

    Examples
    --------
    >>> redacted("cannot open sftp://ada:secret@host/x.npz")
    'cannot open sftp://***@host/x.npz'
    >>> redacted("zip://s::https://host/run.zip?sig=abc%3D&v=2")
    'zip://s::https://host/run.zip?sig=***&v=***'
    """
    return _ADDRESS.sub(_hidden, words)


def _hidden(address: re.Match[str]) -> str:
    anonymous = _USER.sub(f"{HIDDEN}@", address[0])
    return _QUERY.sub(lambda query: _VALUE.sub(rf"\1{HIDDEN}", query[0]), anonymous)
