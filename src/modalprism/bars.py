"""Progress bars on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.spinner import Spinner

from modalprism.errors import escaped
from modalprism.progress import ProgressEvent


class Bars(Progress):
    """A bar for each stage of work, and a sign of life while nothing can be counted.

    `columns` stand behind description, bar, count, time and remaining time; `options` are those of
    `rich.progress.Progress`. By default `console` is standard error.
    """

    def __init__(
        self, *columns: ProgressColumn, console: Console | None = None, **options: Any
    ) -> None:
        self._idle: Spinner | None = Spinner("dots", "working")
        self._stages: dict[str, TaskID] = {}
        usual = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        super().__init__(*usual, *columns, console=console or Console(stderr=True), **options)

    def show(self, event: ProgressEvent) -> None:
        """Show an event of the library: pass it as ``progress``."""
        words = escaped(event.description)
        if event.done == 0:
            self._stages[words] = self.add_task(words, total=event.total or None)
        else:
            self.update(self._stages[words], completed=event.done)

    def get_renderables(self) -> Iterator[RenderableType]:
        """Return the bars, and the sign of life where none of them moves."""
        yield from super().get_renderables()
        if self._idle is not None and self.finished:
            yield self._idle

    def stop(self) -> None:
        """Leave the bars as they are, without the sign of life."""
        self._idle = None
        super().stop()
