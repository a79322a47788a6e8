"""Validation tables for the terminal, one per store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        form = _side_by_side if options.max_width >= _ROOMY else _stacked
        for (model, dataset), found in _by_store(self.validation):
            yield form(f"{model} on {dataset}", found)


def _by_store(validation: Validation) -> Iterator[tuple[tuple[str, str], list[Finding]]]:
    def store(finding: Finding) -> tuple[str, str]:
        return finding.model, finding.dataset

    for key, found in groupby(validation.findings, store):
        yield key, list(found)


def _frame(title: str) -> Table:
    return Table(
        title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, expand=False
    )


def _verdict(finding: Finding) -> Text:
    return Text(finding.verdict, style=_STYLES[finding.verdict])


def _rests(finding: Finding) -> str:
    return "" if finding.rest is None else str(finding.rest)


def _side_by_side(title: str, found: Sequence[Finding]) -> Table:
    table = _frame(title)
    for head in ("verdict", "check", "expected", "seen", "it rests on"):
        table.add_column(head, no_wrap=head == "verdict", overflow="fold")
    for finding in found:
        told = (finding.check, finding.expected, finding.seen, _rests(finding))
        table.add_row(_verdict(finding), *map(Text, told))
    return table


def _stacked(title: str, found: Sequence[Finding]) -> Table:
    table = _frame(title)
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", overflow="fold", ratio=1)
    table.add_column("expected, seen, and what the verdict rests on", overflow="fold", ratio=3)
    for finding in found:
        lines = [f"expected: {finding.expected}", f"seen: {finding.seen}"]
        if finding.rest is not None:
            lines.append(f"rests on: {_rests(finding)}")
        table.add_row(_verdict(finding), Text(finding.check), Text("\n".join(lines)))
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
