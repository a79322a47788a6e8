"""Files that appear whole or not at all, and file names that somebody else chose.

Content is written beside its place and then moved there. Names from an archive or a listing pass
`check_names` and `inside` before anything is written under them.
"""

from __future__ import annotations

import os
import re
import socket
import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import platformdirs
from filelock import FileLock, Timeout

from modalprism.errors import InputError
from modalprism.foreign import reason_of

_LONGEST_NAME: Final = 255  # bytes of one name that file systems take
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_NOT_ON_WINDOWS: Final = re.compile(r'[<>:"|?*\\/]')
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.I)
"""Names that Windows takes for a device, whatever their ending."""

_is_junction: Final[Callable[[str], bool]] = getattr(os.path, "isjunction", lambda _: False)


def cache_folder() -> Path:
    """Folder of the cache: ``$MODALPRISM_CACHE``, or the user's own."""
    chosen = os.environ.get("MODALPRISM_CACHE")
    return Path(chosen).absolute() if chosen else platformdirs.user_cache_path("modalprism")


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`, making its folder; text is UTF-8.

    Raises OSError if the disk is full, or the place cannot be written; it names the file that was
    wanted, and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content if isinstance(content, bytes) else content.encode())
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if partial.is_file():
            partial.unlink()


def make_folder(folder: Path, what: str = "the folder") -> None:
    """Make a folder that the user named, and those above it.

    Raises InputError if it cannot be made, such as below a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{what} {folder} cannot be made: {reason_of(error)}; give another folder",
            parameter="out",
        ) from error


def check_names(names: Collection[str], *, one_case: bool = False) -> None:
    """Refuse relative file names from outside that cannot be copied into one folder as they are.

    Names have ``/`` between folders; `one_case` says that the file system takes ``A`` and ``a`` for
    one name. Raises InputError if a name is absolute, leads out of its folder, is empty in a part,
    is too long, holds control characters, or if two names need the same place.
    """
    seen: dict[str, str] = {}
    for name in names:
        if fault := _fault(name):
            raise InputError(f"the file name {_short(name)} {fault}")
        key = unicodedata.normalize("NFC", name).casefold() if one_case else name
        if key in seen:
            raise InputError(
                f"the file names {_short(seen[key])} and {_short(name)} are one name to the file "
                "system here"
            )
        seen[key] = name
    for key, name in seen.items():
        while "/" in key:
            key = key.rpartition("/")[0]
            if key in seen:
                raise InputError(
                    f"{_short(seen[key])} is the name of a file and, in {_short(name)}, of a folder"
                )


def inside(folder: Path, name: str) -> Path:
    """Join a file name from outside to a folder that it must not leave.

    The name has ``/`` between folders. The folder may itself be, or stand behind, a symbolic link.
    Raises InputError if `check_names` refuses the name, or a symbolic link stands on the way below
    the folder.
    """
    check_names([name])
    path = str(folder)
    for part in name.split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path) or _is_junction(path):
            raise InputError(f"{path} is a symbolic link, which is not followed; remove it")
    return Path(path)


def file_name(label: str, longest: int = 100) -> str:
    """Turn a label, such as the name of a model, into a file name that every system takes.

    A label that is a file name already stays as it is, up to `longest` bytes.

    Examples
    --------
    >>> file_name("Qwen2-VL 2B"), file_name("../owner/model"), file_name("a:b?"), file_name("nul")
    ('Qwen2-VL 2B', '-owner-model', 'a-b-', '_nul')
    """
    plain = "".join("-" if unprintable(one) else one for one in _NOT_ON_WINDOWS.sub("-", label))
    plain = plain.strip(". ").encode()[:longest].decode(errors="ignore").rstrip(". ")
    return f"_{plain}" if not plain or _DEVICE.fullmatch(plain) else plain


def _fault(name: str, *, windows: bool = os.name == "nt") -> str:
    """Say why a relative name cannot be used; empty where it can."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or any(map(_DRIVE.match, parts)):
        return "leads out of its folder"
    if "" in parts or "." in parts:
        return "has an empty part, or a part '.'"
    if any(map(unprintable, name)):
        return "holds control characters, or is not Unicode"
    if any(len(part.encode()) > _LONGEST_NAME for part in parts):
        return f"is longer than {_LONGEST_NAME} bytes"
    reserved = (_NOT_ON_WINDOWS.search(one) or _DEVICE.fullmatch(one) for one in parts)
    if windows and (any(reserved) or any(part[-1] in ". " for part in parts)):
        return "is none that Windows can write"
    return ""


def unprintable(character: str) -> bool:
    """Tell control characters, and halves of characters, from letters."""
    return unicodedata.category(character) in ("Cc", "Cs")


def _short(name: str) -> str:
    return repr(name if len(name) <= 100 else f"{name[:99]}…")


LOCK_FILE: Final = ".lock"
"""The file that is locked, in the folder itself; it stays there, and says who had it last."""
_LONGEST_HOLDER: Final = 200


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder for this process while the block runs; the folder is made if it is missing.

    The operating system releases the lock when the process ends, however it ends. Raises InputError
    if another process, or another thread of this one, holds it; OSError if the folder cannot be
    written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        holder = ""
        with suppress(OSError):  # Windows does not let others read a locked file
            holder = path.read_bytes()[:_LONGEST_HOLDER].decode("utf-8", "replace")
        holder = "".join(filter(str.isprintable, holder)) or "of unknown number"
        raise InputError(
            f"another process ({holder}) writes into {folder}; wait until it ends, or choose "
            "another folder"
        ) from error
    try:
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", "utf-8")
        yield
    finally:
        lock.release()
