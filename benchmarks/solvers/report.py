"""Markdown tables of the results, and the page of documentation that holds them."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import math
import os
import platform
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from answer import ATOMS, Answer, atoms_of, distance
from measure import Outcome
from peers import OURS, PEERS
from problems import Problem

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
_PACKAGES = ("modalprism", "numpy", "scipy", "torch", "clarabel", "ecos", "scs", "cvxpy", "dit")
_DASH = "–"

Bounds = tuple[float, float]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; a vertical bar inside a cell is replaced.

    Examples
    --------
    >>> print(table(("a", "b"), [("1", "2|3")]))
    | a | b |
    |---|---|
    | 1 | 2/3 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "|---" * len(header) + "|"
        if number == 1
        else "| " + " | ".join(cell.replace("|", "/") for cell in line) + " |"
        for number, line in enumerate(lines)
    )


def seconds_cell(seconds: float | None, note: str) -> str:
    """Return a time with two significant digits, or the reason for its absence.

    Examples
    --------
    >>> seconds_cell(0.00312, ""), seconds_cell(12.34, ""), seconds_cell(None, "> 120 s")
    ('0.0031', '12', '> 120 s')
    """
    if seconds is None:
        return note
    return f"{seconds:.0f}" if seconds >= 10 else f"{float(f'{seconds:.2g}'):g}"


def ratio_cell(outcome: Outcome, ours: float | None) -> str:
    """Return a peer's time as a multiple of ours; a lower bound if it was stopped.

    Examples
    --------
    >>> ratio_cell(Outcome("a peer", seconds=3.0), 2.0), ratio_cell(Outcome("slow", over=60), 0.5)
    ('1.5×', '> 120×')
    """
    seconds = outcome.over if outcome.seconds is None else outcome.seconds
    if ours is None or seconds is None:
        return _DASH
    ratio = seconds / ours
    least = "> " if outcome.seconds is None else ""
    return f"{least}{ratio:,.0f}×" if ratio >= 10 else f"{least}{ratio:.2g}×"


def error_cell(answers: Sequence[Answer], truths: Sequence[Bounds], tol: float) -> str:
    """Return the largest distance to a certified interval; bold above the tolerance."""
    if not answers or math.isnan(truths[0][0]):
        return _DASH
    worst = max(
        distance(answer.union, truth) for answer, truth in zip(answers, truths, strict=False)
    )
    if worst == 0:
        return "inside"
    return f"**{worst:.0e}**" if worst > tol else f"{worst:.0e}"


def memory_cell(peak: int | None) -> str:
    """Return the mebibytes above the baseline."""
    return _DASH if peak is None else f"{max(peak, 0) / 2**20:,.0f}"


def status_cell(outcome: Outcome) -> str:
    """Return the first and last status that a peer reports; long texts are cut."""
    said = sorted({answer.status for answer in outcome.answers})
    text = said[0] if len(said) == 1 else f"{said[0]} … {said[-1]}" if said else _DASH
    return text if len(text) <= 48 else text[:47] + "…"


def sizes_table(
    problem: Problem, outcomes: Sequence[Outcome], truth: Bounds
) -> list[tuple[str, ...]]:
    """Rows of one problem: problem, peer, seconds, ratio, error, status, memory."""
    ours = next((o.seconds for o in outcomes if o.peer == OURS), None)
    return [
        (
            problem.name,
            outcome.peer,
            seconds_cell(outcome.seconds, outcome.note),
            ratio_cell(outcome, ours),
            error_cell(outcome.answers, [truth], problem.tol),
            status_cell(outcome),
            memory_cell(outcome.peak),
        )
        for outcome in outcomes
        if not outcome.skipped
    ]


SIZES_HEADER = (
    "problem",
    "peer",
    "seconds",
    "ratio to ours",
    "error, bit",
    "reported by the peer",
    "memory, MiB",
)


def problem_row(problem: Problem, truth: Bounds) -> tuple[str, ...]:
    """Row of the table of problems: name, cells, accuracy asked for, seed, certified answer."""
    lower, upper = truth
    return (
        problem.name,
        f"{problem.support:,}",
        f"{problem.tol:.0e}",
        _DASH if problem.seed is None else str(problem.seed),
        f"{(lower + upper) / 2:.12f}",
        f"{upper - lower:.0e}",
    )


PROBLEMS_HEADER = (
    "problem",
    "cells in the support",
    "tolerance, bit",
    "seed",
    "union information, bit",
    "certified gap, bit",
)


def gate_rows(
    problem: Problem, outcomes: Sequence[Outcome], truth: Bounds
) -> list[tuple[str, ...]]:
    """Rows of one gate: gate, peer, the four atoms, the largest error among them, milliseconds."""
    exact = atoms_of(problem, sum(truth) / 2)
    rows = []
    for outcome in outcomes:
        if outcome.skipped:
            continue
        if outcome.seconds is None:
            rows.append((problem.name, outcome.peer, *[_DASH] * 5, outcome.note))
            continue
        answer = outcome.answers[0]
        atoms = answer.atoms or atoms_of(problem, answer.union)
        error = max(abs(atom - true) for atom, true in zip(atoms, exact, strict=True))
        shown = f"**{error:.0e}**" if error > 1e-3 else f"{error:.0e}"
        cells = [f"{atom:z.4f}" for atom in atoms]
        milliseconds = seconds_cell(1e3 * outcome.seconds, "")
        rows.append((problem.name, outcome.peer, *cells, shown, milliseconds))
    return rows


GATES_HEADER = ("gate", "peer", *ATOMS, "largest error, bit", "milliseconds")


def batch_rows(
    size: int,
    counts: dict[str, int],
    outcomes: Sequence[Outcome],
    truths: Sequence[Bounds],
    tol: float,
) -> list[tuple[str, ...]]:
    """Rows of the batch: peer, problems it solved, seconds for all of them, ratio, error."""
    whole = {o.peer: o.seconds * size / counts[o.peer] for o in outcomes if o.seconds is not None}
    ours = min((s for peer, s in whole.items() if peer.startswith(OURS)), default=None)
    rows = []
    for outcome in outcomes:
        if outcome.skipped:
            continue
        seconds = whole.get(outcome.peer)
        over = outcome.over and outcome.over * size / counts[outcome.peer]
        times = Outcome(outcome.peer, seconds, over=over)
        rows.append(
            (
                outcome.peer,
                str(counts[outcome.peer]),
                seconds_cell(seconds, outcome.note),
                ratio_cell(times, ours),
                error_cell(outcome.answers, truths, tol),
            )
        )
    return rows


BATCH_HEADER = ("peer", "problems solved", "seconds for all", "ratio to ours", "error, bit")


def skipped(outcomes: Iterable[Outcome]) -> str:
    """Return one line for every peer that did not run, with the reason."""
    notes = {outcome.peer: outcome.note for outcome in outcomes if outcome.skipped}
    return "\n".join(f"- {peer}: {note}" for peer, note in notes.items())


def provenance(arguments: Sequence[str], threads: int | None, checkouts: dict[str, str]) -> str:
    """Return the date, hardware, versions and command as a list, without paths."""
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    versions += [f"{name} (files {_fingerprint(name, path)})" for name, path in checkouts.items()]
    used = "as many as each library takes" if threads is None else str(threads)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return "\n".join(
        (
            f"- {today}, {_processor()}, {os.cpu_count()} cores, {_memory()}; threads: {used}",
            f"- Python {platform.python_version()}, {', '.join(versions)}",
            f"- `{shlex.join(['python', 'benchmarks/solvers', *_without_paths(arguments)])}`",
        )
    )


def _without_paths(arguments: Sequence[str]) -> list[str]:
    """Return the command line with every checkout's path replaced by PATH.

    Examples
    --------
    >>> _without_paths(["--quick", "--checkout", "liang=somewhere/else"])
    ['--quick', '--checkout', 'liang=PATH']
    """
    return [f"{word.partition('=')[0]}=PATH" if "=" in word else word for word in arguments]


def _fingerprint(name: str, path: str) -> str:
    """Return the first digits of the hash of a checkout's Python files."""
    folder = next(peer.folder for peer in PEERS.values() if peer.package == name)
    digest = hashlib.sha256()
    for file in sorted((Path(path) / (folder or "")).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def _processor() -> str:
    """Return the processor's model."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _memory() -> str:
    """Return the machine's memory."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.0f} GiB"


def write(page: Path, generated: str) -> None:
    """Replace the text between the markers of a page.

    Raises
    ------
    ValueError
        If the page does not have the two markers, in their order.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks {BEGIN} … {END}: add both markers")
    page.write_text(f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}", encoding="utf-8")
