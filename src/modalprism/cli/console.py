"""Consoles, bars, JSON output, and options of several commands."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import ProgressColumn

from modalprism.bars import Bars
from modalprism.engines import Engine, RayEngine
from modalprism.errors import InputError, escaped
from modalprism.progress import Announce, unheard
from modalprism.strict_json import dumps

OUT = Console()
ERR = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, and nothing else.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Analyse again what was analysed before; keep the store.")
]
AllowCode = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-code",
        help="Let code of the study run: its adapter, module:Class, or the code that comes with a "
        "model, by the model's name. Repeat it. Without, a study that needs code is refused.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster: auto for the one that runs on this machine, or host:port. Without, "
        "--engine ray starts one here, and ends it afterwards.",
    ),
]
Base = Annotated[
    str, typer.Option("--base", help="Base of the logarithm: 2 for bits, e for nats, or a number.")
]


def base_of(words: str) -> float:
    """Read the base of the logarithm."""
    if words == "e":
        return math.e
    try:
        return float(words)
    except ValueError as error:
        raise InputError(f"--base {words!r} is neither a number nor 'e'") from error


def print_text(words: str, console: Console = OUT, *, wrap: bool = False) -> None:
    """Print text as it is; only with `wrap` are long lines broken at the terminal's width."""
    console.print(words, markup=False, highlight=False, soft_wrap=not wrap)


def print_json(content: Any) -> None:
    """Print strict JSON."""
    # Where the output cannot hold every character, JSON has its own escapes.
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    typer.echo(dumps(content, indent=2, ensure_ascii=ascii_only))


def printable(name: str, longest: int = 60) -> str:
    r"""Return a name as one short line: control characters escaped, long names cut.

    Examples
    --------
    >>> printable("an\x1b[2Jswer"), printable("x" * 80, 10)
    ('an\\x1b[2Jswer', 'xxxxxxxxx…')
    """
    words = escaped(name)
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def announce_to(quiet: bool) -> Announce:
    """Return what prints the cost of work on standard error."""
    return unheard if quiet else lambda words: print_text(words, ERR)


def output_of(engine: Engine) -> AbstractContextManager[Any]:
    """Redirect what Ray writes of its workers to standard output, where only results belong."""
    return redirect_stdout(sys.stderr) if isinstance(engine, RayEngine) else nullcontext()


@contextmanager
def show_progress(quiet: bool, *columns: ProgressColumn) -> Iterator[Bars]:
    """Show bars on standard error, for eyes only, with more columns if wanted.

    Open it before a command imports what it needs: libraries load for seconds.
    """
    # Bars are for eyes: in a file or a pipe they would only bury the one sentence of an error.
    with Bars(*columns, console=ERR, disable=quiet or not ERR.is_terminal) as bars:
        yield bars
