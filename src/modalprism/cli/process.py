"""The process around a command: its output streams, and Ctrl-C while it ends.

Output may go to a terminal that has no Unicode, to a pipe whose reader has left, or nowhere.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Final, TextIO

from modalprism.errors import escaped

# What tables and sentences use beyond ASCII, for terminals that have nothing else.
_PLAIN: Final = {
    "−": "-", "–": "-", "—": "-", "‑": "-", "•": "*", "·": "*", "×": "x", "°": "o",
    "…": "...", "→": "->", "≤": "<=", "≥": ">=", "±": "+-", "∪": "u", "Δ": "d", "∞": "inf",
    "’": "'", "“": '"', "”": '"', "\N{NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
}  # fmt: skip
_ERRORS: Final = "modalprism-plain"


def prepare_streams() -> None:
    """Let standard output and error take any text, in whatever encoding they have.

    Characters that the encoding lacks are written as ASCII look-alikes or as escapes. A stream
    that was closed before the program began is replaced by the null device.
    """
    codecs.register_error(_ERRORS, _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def prepare_warnings() -> None:
    """Show a warning of this package as one sentence, without the line of code that raised it."""
    package = str(Path(__file__).parents[1])
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if filename.startswith(package):
            sys.stderr.write(f"warning: {escaped(str(message))}\n")
        else:
            usual(message, category, filename, lineno, file, line)

    warnings.showwarning = show


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace what cannot be encoded, as `codecs.register_error` wants it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    words = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in unknown)
    return "".join(words), error.end


def end(sentence: str) -> None:
    """Write the last sentence, if any, and flush the streams.

    What a reader that has left does not take is dropped without a word. An impatient second Ctrl-C
    does not cut the sentence; a later one ends the process at once.
    """
    _interrupts(signal.SIG_IGN)
    if sentence:
        sys.stderr.write(f"{sentence}\n")
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # The interpreter flushes again at its end, and would complain.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
    # Not a handler of ours, which would print a traceback while the interpreter is taken down.
    _interrupts(signal.SIG_DFL)


def _interrupts(do: signal.Handlers) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, do)
