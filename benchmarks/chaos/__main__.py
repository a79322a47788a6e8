"""Inputs, kills and clients that nobody wishes for, and what became of them.

    python benchmarks/chaos                           every campaign, in 15 minutes
    python benchmarks/chaos --share one-minute        a few trials of each
    python benchmarks/chaos --only tables --seed 123  one campaign, from another seed
    python benchmarks/chaos --minutes 120             all trials, where the machine is slow
    python benchmarks/chaos --soak 60                 requests to ``serve`` for an hour

Campaigns draw trials from seeds. A trial ends fine, with a refusal in one sentence, or FAILED: with
the seed that makes it again. The exit code is 1 if any trial failed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import damaged
import kills
import samples
import serving
import surroundings
import tables
from campaign import Campaign, Result, run, table

MINUTES = {"whole": 15.0, "one-minute": 1.0}


def campaigns() -> Iterator[Campaign]:
    """Yield every campaign."""
    yield Campaign("tables", tables.joint_trial, 10_000, 200, weight=2)
    yield Campaign("marginals", tables.marginals_trial, 10_000, 200, weight=2)
    yield Campaign("two solvers", tables.agreement_trial, 1_000, 20)
    yield Campaign("samples", samples.trial, 1_000, 10, weight=6, patience=180)
    yield from damaged.campaigns(1_000, 3)
    yield from kills.campaigns(40, 1)
    yield from surroundings.campaigns()
    yield from serving.campaigns()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for, and print what was seen."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--share", choices=MINUTES, default="whole", help="how many trials")
    parser.add_argument("--only", metavar="WORD", help="campaigns whose name has this word")
    parser.add_argument("--seed", type=int, default=0, help="of the first trial (0)")
    parser.add_argument("--count", type=int, help="trials of each campaign")
    parser.add_argument("--minutes", type=float, help="for all campaigns together")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="load serve for so long")
    options = parser.parse_args(arguments)
    if options.soak is not None:
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            tempfile.tempdir = folder
            return serving.soak(options.soak, options.seed)
    chosen = [one for one in campaigns() if not options.only or options.only in one.name]
    if not chosen:
        names = ", ".join(one.name for one in campaigns())
        parser.error(f"no campaign has {options.only!r} in its name; there are {names}")
    minutes = options.minutes or MINUTES[options.share]
    print(
        f"seed {options.seed}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end=""
    )
    print(f"{minutes:g} minutes at most", flush=True)
    # Processes that are killed leave their folders; all lie in one, which goes at the end.
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        tempfile.tempdir = folder
        results = list(_results(chosen, options, minutes * 60))
    print("\n" + "\n".join(table(results)))
    failed = sum(len(one.failures) for one in results)
    for one in results:
        for seed, words in one.failures:
            last = words.strip().splitlines()[-1]
            again = f"--only '{one.name}' --seed {seed} --count 1"
            print(f"FAILED: python benchmarks/chaos {again}\n    {last}")
    print(f"{sum(one.tried for one in results):,} trials, {failed} failed")
    return 1 if failed else 0


def _results(
    chosen: Sequence[Campaign], options: argparse.Namespace, seconds: float
) -> Iterator[Result]:
    """Run campaigns; each may take its part of the time that is left."""
    end = time.monotonic() + seconds
    counted = {one.name: options.count or _count(one, options.share) for one in chosen}
    chosen = [one for one in chosen if counted[one.name]]
    weight = sum(one.weight for one in chosen)
    for one in chosen:
        left = max(end - time.monotonic(), 0) * one.weight / weight
        weight -= one.weight
        result = run(one, range(options.seed, options.seed + counted[one.name]), left)
        print(f"{one.name}: {result.tried:,} of {result.wanted:,}, ", end="")
        print(f"{len(result.failures)} failed, {result.seconds:.0f} s", flush=True)
        yield result


def _count(one: Campaign, share: str) -> int:
    return one.count if share == "whole" else one.few


if __name__ == "__main__":
    sys.exit(main())
