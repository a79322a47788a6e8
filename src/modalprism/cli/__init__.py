"""The command line: from a file, an embeddings file or a study to numbers and a page.

Exit codes: 0 done, 1 failed or stopped, 2 wrong use, 141 the reader of the output left, as of a
process that SIGPIPE ends. Every error is one sentence on standard error.

This module imports almost nothing. `main` imports the commands inside its ``try``, so that Ctrl-C
in the first second, while libraries load, ends in a sentence as well.
"""

from __future__ import annotations

import sys

from modalprism.errors import InputError, WorkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_INTERRUPTED = 130  # typer's exit code after Ctrl-C
_READER_LEFT = 128 + 13  # SIGPIPE
_RESUMES = "finished work is kept, and the same command resumes"
_KEPT = {
    "capture": _RESUMES,
    "demo": _RESUMES,
    "run": _RESUMES,
    "validate": "captured stores are kept, and the same command starts the checks again",
}
"""State after an interrupt, by command; other commands start again."""


def main() -> None:
    """Run the command line. Every failure is one sentence on standard error and an exit code."""
    try:
        from modalprism.search_path import leave_out_working_folder

        leave_out_working_folder()
        from modalprism.cli.process import prepare_streams, prepare_warnings

        prepare_streams()
        prepare_warnings()
        from modalprism.cli.app import app

        app()
    except KeyboardInterrupt:
        _leave(1, _stopped())
    except InputError as error:
        from modalprism.cli.app import with_flag

        _leave(2, f"error: {with_flag(error)}")
    except WorkerError as error:
        _leave(1, f"error: {error}{_kept()}")
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _leave(1, f"error: {error.strerror or error}{where}{_kept()}")
    except SystemExit as leaving:
        if leaving.code == _INTERRUPTED:
            _leave(1, _stopped())
        if isinstance(leaving.__context__, BrokenPipeError):  # typer and rich exit with 1
            _leave(_READER_LEFT)
        _leave(leaving.code)
    except Exception as error:
        from modalprism.studies.status import is_interrupt

        if is_interrupt(error):
            _leave(1, _stopped())
        raise


def _kept() -> str:
    """Return the end of an error: what is kept of the command's work, if anything is."""
    kept = _KEPT.get(sys.argv[1] if len(sys.argv) > 1 else "")
    return f"; {kept}" if kept else ""


def _stopped() -> str:
    return f"stopped{_kept() or '; the same command starts again from the beginning'}"


def _leave(code: str | int | None, sentence: str = "") -> NoReturn:
    from modalprism.cli.process import end
    from modalprism.foreign import redacted

    end(redacted(sentence))
    sys.exit(code)
