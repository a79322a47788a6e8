"""Comparison of Modalprism's solvers with every public peer, on the same problems in one run.

    python benchmarks/solvers --quick
    python benchmarks/solvers --sizes 10x10x5 20x20x10 --peers Clarabel ECOS
    python benchmarks/solvers --budget 120 --write

``make benchmark`` first installs the peers into an environment of their own. Peers that are not
packages run from a checkout: ``--checkout broja2pid=PATH``; also liang, computeui and idtxl.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import problems
import report
from answer import tightest
from measure import Limits, Outcome, measure
from peers import BATCH, OURS, PEERS

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
TABLES = ("gates", "sizes", "batch")
CHECKOUTS = sorted({peer.package for peer in PEERS.values() if peer.folder is not None})
OUR_NAMES = tuple(name for name, peer in PEERS.items() if peer.package == OURS)
_SAMPLE = 10  # problems of the batch that a peer solves
_BEYOND = 1_000  # times the size of a problem that exceeded a limit
_TIGHTEST = 1e-10  # bits; asked for the reference, as near as the solvers get


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks chosen on the command line and print their tables."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parse(arguments)
    checkouts = dict(item.split("=", 1) for item in options.checkout)
    benchmark = Benchmark(options, checkouts)
    started = time.monotonic()
    parts = [report.provenance(arguments, options.threads, checkouts)]
    print(parts[0])
    for part in (*(name for name in TABLES if name in options.tables), "notes"):
        parts.append(getattr(benchmark, part)())
        print("\n" + parts[-1], flush=True)
    text = "\n\n".join(parts).rstrip()
    _say(f"{time.monotonic() - started:.0f} s in all")
    if options.write:
        report.write(PAGE, text)
        _say("written to docs/benchmarks.md")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/solvers", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small problems, 5 s a cell")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=TABLES, help="which tables (all)"
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        metavar="NAME",
        help=f"problems whose name contains NAME: {', '.join(problems.SIZES)}",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        help=f"peers whose name contains NAME, beside ours: {', '.join(PEERS)}",
    )
    parser.add_argument(
        "--budget", type=float, metavar="SECONDS", help="for one peer on one problem (120)"
    )
    parser.add_argument(
        "--memory", type=float, metavar="GIB", default=Limits.memory, help="for one peer (12)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="for every library (its own)")
    parser.add_argument(
        "--checkout",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help=f"a peer that is no package: {', '.join(CHECKOUTS)}",
    )
    parser.add_argument("--write", action="store_true", help="put the tables in docs/benchmarks.md")
    options = parser.parse_args(arguments)
    for item in options.checkout:
        name, _, path = item.partition("=")
        if name not in CHECKOUTS or not Path(path).is_dir():
            parser.error(f"--checkout {item}: NAME=PATH, NAME one of {', '.join(CHECKOUTS)}")
    if options.budget is None:
        options.budget = 5.0 if options.quick else Limits.budget
    return options


class Benchmark:
    """Tables of the page, one method each, with notes on skipped peers.

    Parameters
    ----------
    options : argparse.Namespace
        The command line.
    checkouts : dict
        Paths of the peers that are not packages.
    """

    def __init__(self, options: argparse.Namespace, checkouts: dict[str, str]) -> None:
        self.quick = options.quick
        self.checkouts = checkouts
        self.limits = Limits(options.budget, options.memory, threads=options.threads)
        wanted = options.peers
        self.peers = [
            name
            for name in PEERS
            if name in OUR_NAMES
            or wanted is None
            or any(part.lower() in name.lower() for part in wanted)
        ]
        self.names = [
            name
            for name in (problems.QUICK if options.quick and not options.sizes else problems.SIZES)
            if not options.sizes or any(part in name for part in options.sizes)
        ]
        self.seen: list[Outcome] = []

    def gates(self) -> str:
        """Table of gates with known atoms, and each peer's result."""
        rows = []
        for gate in problems.GATES:
            name = f"gate-{gate}"
            _say(name)
            outcomes = self._run(self.peers, name)
            problem = problems.find(name)
            (truth,) = self._truths([name], problem.tol, outcomes)
            rows += report.gate_rows(replace(problem, name=gate), outcomes, truth)
        return "## Gates\n\n" + report.table(report.GATES_HEADER, rows)

    def sizes(self) -> str:
        """Table of one problem of each size."""
        rows, described = [], []
        slow: dict[str, str] = {}
        for name in self.names:
            problem = problems.find(name)
            _say(name)
            peers = [peer for peer in self.peers if not _hopeless(slow.get(peer), name)]
            outcomes = self._run(peers, name)
            for outcome in outcomes:
                if outcome.note.startswith(">"):
                    slow[outcome.peer] = name
            outcomes += [
                Outcome(peer, note=f"not run: stopped on {slow[peer]}")
                for peer in self.peers
                if peer not in peers
            ]
            (truth,) = self._truths([name], problem.tol, outcomes)
            described.append(report.problem_row(problem, truth))
            rows += report.sizes_table(problem, outcomes, truth)
        return "\n\n".join(
            (
                "## Problems",
                report.table(report.PROBLEMS_HEADER, described),
                "## Peers",
                report.table(report.SIZES_HEADER, rows),
            )
        )

    def batch(self) -> str:
        """Table of many small problems: ours in one call, the peers on a sample of them."""
        size = problems.QUICK_BATCH_SIZE if self.quick else problems.BATCH_SIZE
        sample = [f"batch-{seed}" for seed in range(_SAMPLE)]
        counts = dict.fromkeys(self.peers, _SAMPLE) | {BATCH: size}
        _say(f"batch of {size}")
        outcomes = measure(
            [BATCH, *self.peers],
            lambda peer: [f"batch-{seed}" for seed in range(counts[peer])],
            self.limits,
            checkouts=self.checkouts,
            progress=_say,
        )
        self.seen += outcomes
        truths = self._truths(sample, problems.BATCH_TOLERANCE, outcomes)
        rows = report.batch_rows(size, counts, outcomes, truths, problems.BATCH_TOLERANCE)
        title = f"## {size:,} problems of 20×20×10, to {problems.BATCH_TOLERANCE:g} bit"
        words = (
            f"Seeds 0 to {size - 1}. For a peer that solved {_SAMPLE} problems one after the other,"
            f" the table lists {size / _SAMPLE:g} times its time for them."
        )
        return "\n\n".join((title, words, report.table(report.BATCH_HEADER, rows)))

    def notes(self) -> str:
        """List of peers that did not run, with reasons."""
        lines = report.skipped(self.seen)
        return f"## Not run\n\n{lines}" if lines else ""

    def _run(self, peers: Sequence[str], name: str) -> list[Outcome]:
        """Measure peers on one problem."""
        outcomes = measure(
            peers, lambda _peer: [name], self.limits, checkouts=self.checkouts, progress=_say
        )
        self.seen += outcomes
        return outcomes

    def _truths(
        self, names: Sequence[str], tol: float, outcomes: Sequence[Outcome]
    ) -> list[tuple[float, float]]:
        """Return the tightest certified intervals of the timed runs and of more accurate runs.

        Parameters
        ----------
        names : sequence of str
            Of problems.
        tol : float
            Accuracy asked for in the timed runs, in bits.
        outcomes : sequence of Outcome
            Of the timed runs; each answers these problems first.
        """
        found = [_bounds(outcome, len(names)) for outcome in outcomes]
        for solver in OUR_NAMES[1:]:
            asked, left = tol, self.limits.budget
            while asked > 1.5 * _TIGHTEST and left > 0:
                asked = max(asked / 100, _TIGHTEST)
                (outcome,) = measure(
                    [solver],
                    lambda _peer: list(names),
                    replace(self.limits, rounds=1, budget=left),
                    checkouts={},
                    tol=asked,
                )
                if outcome.seconds is None:
                    break
                left -= 10 * outcome.seconds  # what the next may take, asked for 100 times more
                found.append(_bounds(outcome, len(names)))
        found = [bounds for bounds in found if bounds]
        if not found:
            _say(f"  {names[0]}: no solver of ours finished, so that no error is known")
            return [(math.nan, math.nan)] * len(names)
        return [tightest(list(intervals)) for intervals in zip(*found, strict=True)]


def _bounds(outcome: Outcome, count: int) -> list[tuple[float, float]]:
    """Return the bounds of the first answers; empty if the peer has none."""
    bounds = [answer.bounds for answer in outcome.answers[:count]]
    return [] if None in bounds else bounds


def _hopeless(smaller: str | None, name: str) -> bool:
    """Whether a peer over its budget on one problem need not be run on another.

    Not if the other is larger, of the same family, and asks for no less accuracy; nor if it is
    larger by so much that less accuracy cannot help.
    """
    if smaller is None or smaller.partition("-")[0] != name.partition("-")[0]:
        return False
    first, second = problems.find(smaller), problems.find(name)
    growth = second.support / first.support
    return growth > _BEYOND or (growth > 1 and second.tol <= first.tol)


def _say(text: str) -> None:
    """Tell how it goes, beside the tables."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
