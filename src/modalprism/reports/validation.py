"""Validation tables for the terminal, one per store."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from modalprism.validation import Finding, Validation

_ROOMY: Final = 120  # columns from which on all five stand side by side
_STYLES: Final = {"pass": "green", "fail": "bold red", "not run": "dim"}


class ValidationTable:
    """The findings of a validation, which rich prints like any of its own tables."""

    def __init__(self, validation: Validation) -> None:
        self.validation = validation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        def store(finding: Finding) -> tuple[str, str]:
            return finding.model, finding.dataset

        for (model, dataset), found in groupby(self.validation.findings, store):
            yield _table(f"{model} on {dataset}", found, roomy=options.max_width >= _ROOMY)


def _table(title: str, found: Iterable[Finding], *, roomy: bool) -> Table:
    """Return the findings of a store, with all five columns, or with the last three stacked."""
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    if roomy:
        for head in ("check", "expected", "seen", "it rests on"):
            table.add_column(head, overflow="fold")
    else:
        table.add_column("check", overflow="fold", ratio=1)
        table.add_column("expected, seen, and what the verdict rests on", overflow="fold", ratio=3)
    for finding in found:
        rests = "" if finding.rest is None else str(finding.rest)
        cells = [finding.expected, finding.seen, rests]
        if not roomy:
            heads = ("expected", "seen", "rests on")
            lines = [f"{head}: {cell}" for head, cell in zip(heads, cells, strict=True) if cell]
            cells = ["\n".join(lines)]
        verdict = Text(finding.verdict, style=_STYLES[finding.verdict])
        table.add_row(verdict, *map(Text, (finding.check, *cells)))
    return table


def validation_sentences(validation: Validation) -> list[str]:
    """Say how many checks hold, and name those that do not."""
    count = {
        verdict: sum(finding.verdict == verdict for finding in validation.findings)
        for verdict in _STYLES
    }
    first = (
        f"{len(validation.findings)} checks: {count['pass']} pass, {count['fail']} fail, "
        f"{count['not run']} not run; {validation.passes:,} forward passes in "
        f"{validation.seconds:.0f} s"
    )
    failed = [
        f"FAIL {finding.check} ({finding.model} on {finding.dataset}): expected "
        f"{finding.expected}; seen {finding.seen}"
        for finding in validation.failed
    ]
    return [first, *failed]
