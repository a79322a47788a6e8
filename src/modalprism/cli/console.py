"""What all commands share: the consoles, bars, JSON for machines, and options that recur."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.spinner import Spinner

from modalprism.errors import InputError, escaped
from modalprism.progress import Announce
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


class Bars(Progress):
    """Progress that also shows a sign of life while nothing can be counted.

    So it is while libraries load, while files are read, and between one stage and the next.
    """

    def __init__(self, *columns: ProgressColumn, **options: Any) -> None:
        self._idle: Spinner | None = Spinner("dots", "working")
        super().__init__(*columns, **options)

    def get_renderables(self) -> Iterator[RenderableType]:
        """Return the bars, and the sign of life where none of them moves."""
        yield from super().get_renderables()
        if self._idle is not None and self.finished:
            yield self._idle

    def stop(self) -> None:
        """Leave the bars as they are, without the sign of life."""
        self._idle = None
        super().stop()


def bars() -> tuple[ProgressColumn, ...]:
    """Make the columns of a bar: what, how far, how long, how much longer."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def announce_to(quiet: bool) -> Announce:
    """Say beforehand what work will cost, on standard error."""

    def announce(words: str) -> None:
        if not quiet:
            ERR.print(words, markup=False, highlight=False, soft_wrap=True)

    return announce


@contextmanager
def show_progress(quiet: bool) -> Iterator[Progress]:
    """Show bars on standard error, for eyes only.

    Open it before a command imports what it needs: libraries load for seconds.
    """
    # Bars are for eyes: in a file or a pipe they would only bury the one sentence of an error.
    with Bars(*bars(), console=ERR, disable=quiet or not ERR.is_terminal) as progress:
        yield progress
