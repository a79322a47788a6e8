"""Guarded access to files that somebody else wrote.

Parsers of foreign formats raise errors of their own, crash, or wait for ever on a pipe. Every
module opens a user's file through `require_file` and `guarded`: each failure is an `InputError`.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from modalprism.errors import InputError, escaped
from modalprism.memory import free_memory

WRITE_AGAIN: Final = "if it is damaged or truncated, write it again"
"""Advice for most files that cannot be read."""
MOST_FILES: Final = 1_000_000
"""Files in a folder that is read as one data set."""
MOST_CHUNKS: Final = 100_000
DEEPEST_JSON: Final = 50
_LONGEST_REASON: Final = 300
HIDDEN: Final = "***"
"""Replacement for a password or a token in an address."""
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s'\"]+")
_USER: Final = re.compile(r"(?<=://)([^/?#]*|[^/?#:]+:(?!\d+(/|$)|:)\S*)@")
_QUERY: Final = re.compile(r"[?#]((?!::).)+")
_VALUE: Final = re.compile(r"(?<=[?#&;])([^=?#&;]*=)?[^?#&;]+")
_UNKNOWN_MEMORY: Final = 2**40
_Name = TypeVar("_Name", str, int)


def require_file(path: Path, name: str = "") -> Path:
    """Return the path of a regular file, which messages call `name`, by default its path.

    Pipes, sockets and devices are refused: reading one may never end. Links are followed. Raises
    InputError if the path does not exist, cannot be looked at, is a folder, or is no regular file.
    """
    name = name or str(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"the file {name} does not exist; check the path") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read: {reason_of(error)}") from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{name} is a folder; name a file")
    if not stat.S_ISREG(mode):
        raise InputError(f"{name} is not a regular file (a pipe, socket or device); copy it to one")
    return path


def require_plain_folder(folder: Path, name: str = "") -> list[Path]:
    """Return all files of a folder, which may itself be a link, and of the folders in it, sorted.

    Raises InputError, naming the folder by `name`, if something in it is a link, a pipe, a socket
    or a device, if a folder cannot be listed, or if it holds more than `MOST_FILES` files.
    """
    name = name or str(folder)
    files: list[Path] = []
    waiting = [folder]
    while waiting:
        with guarded(name), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    files.append(Path(entry.path))
                else:
                    kind = "a link" if entry.is_symlink() else "a pipe, socket or device"
                    inside = Path(entry.path).relative_to(folder).as_posix()
                    raise InputError(
                        f"{inside!r} in {name} is {kind}, which is not read; put a copy there"
                    )
        if len(files) > MOST_FILES:
            raise InputError(
                f"{name} holds more than {MOST_FILES:,} files; write it again in larger chunks"
            )
    return sorted(files)


def require_room(needed: int, what: str) -> None:
    """Refuse a size in bytes that a file claims for `what` and this machine has no memory for."""
    if needed < 2**20:
        return
    free = free_memory() or _UNKNOWN_MEMORY
    if needed > free:
        raise InputError(
            f"{what} takes {needed / 2**30:,.1f} GiB by its own header, and {free / 2**30:,.1f} GiB"
            " of memory are available; the file is damaged, or this machine too small for it"
        )


def require_chunks(shape: Sequence[int], chunks: Sequence[int], itemsize: int, what: str) -> None:
    """Refuse an array that needs more memory than there is, or is cut into too many chunks.

    Its shape, that of its chunks, and the bytes of a value are those that the file claims; messages
    call it `what`.
    """
    for sides in (shape, chunks):
        # Rows without columns take no memory, but time.
        require_room(max(math.prod(sides) * itemsize, *sides, 0), what)
    pieces = math.prod(-(-side // part) for side, part in zip(shape, chunks, strict=True) if part)
    if pieces > MOST_CHUNKS:
        raise InputError(
            f"{what} is cut into {pieces:,} chunks, more than {MOST_CHUNKS:,}; write it again in "
            "larger ones"
        )


def repeated_name(names: Sequence[_Name]) -> _Name | None:
    """Return the first name that stands more than once, if there is one.

    Examples
    --------
    >>> repeated_name(["image", "text", "image"]), repeated_name(["image", "text"])
    ('image', None)
    """
    return next((name for name, times in Counter(names).items() if times > 1), None)


def parse_json(content: str | bytes, what: str | Path, advice: str = "") -> Any:
    """Parse JSON that somebody else wrote; messages name its place, `what`, and end with `advice`.

    Raises InputError if it is not JSON, nests deeper than `DEEPEST_JSON` levels, has a key twice in
    one object, or holds half a character (an unpaired surrogate), which cannot be written anywhere.
    """
    with guarded(what, advice):
        text = content if isinstance(content, str) else content.decode()
        value = json.loads(text, object_pairs_hook=_object)
        if "\\u" in text:
            # Half a character cannot be encoded; nothing is written here.
            json.dumps(value, ensure_ascii=False).encode()  # noqa: TID251
        if text.count("[") + text.count("{") > DEEPEST_JSON and _depth_exceeds(value, DEEPEST_JSON):
            raise ValueError(f"it nests deeper than {DEEPEST_JSON} levels")
        return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two equal keys the parser would keep the last.
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError(f"the key {repeated_name([key for key, _ in pairs])!r} stands twice")
    return made


def _depth_exceeds(value: Any, most: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return most <= 0 or any(_depth_exceeds(one, most - 1) for one in inner)


@contextmanager
def guarded(what: str | Path, advice: str = "") -> Iterator[None]:
    """Turn any failure of a foreign parser inside the block into one `InputError`.

    Messages name the file, `what`, and end with `advice`, such as ``"write the file again"``. Keep
    the block to calls of the parser: an error of our own code would be reported as damage.

    Failures include `MemoryError` (a header that claims a huge array), `RecursionError` (deep
    nesting), and the panic of a parser in Rust, which is no `Exception`. An `InputError` passes
    unchanged.
    """
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
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
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":
        return "this Python writes names in ASCII only; set PYTHONUTF8=1 in the environment"
    words = str(getattr(error, "strerror", None) or error)[: 10 * _LONGEST_REASON]
    words = redacted(words).strip()
    if not words or isinstance(error, KeyError | RecursionError | MemoryError | AssertionError):
        words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return one_line(words)


def one_line(words: str, most: int = _LONGEST_REASON) -> str:
    r"""Return words from inside a file as one printable line of at most `most` characters.

    Examples
    --------
    >>> one_line("a\nname \x1b[2J that goes on", 16)
    'a name \\x1b[2J …'
    """
    words = escaped(" ".join(words[: 10 * most].split()))
    return words if len(words) <= most else f"{words[: most - 1]}…"


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

    def hidden(address: re.Match[str]) -> str:
        anonymous = _USER.sub(f"{HIDDEN}@", address[0])
        return _QUERY.sub(lambda query: _VALUE.sub(rf"\1{HIDDEN}", query[0]), anonymous)

    return _ADDRESS.sub(hidden, words)
