"""The process that runs one peer on one problem: started by `measure`, one line in, one line out.

    python worker.py '{"peer": …, "problems": […], "tol": …, "checkouts": {…}}'

It prepares the problem, warms up on a small one, says so, and then solves once for every line it
reads. Memory is the largest resident set during a solve, above that just before the first.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from answer import SkipError
from peers import prepare
from problems import find

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def resident(field: str) -> int | None:
    """Bytes of a field of the process's status: VmRSS now, VmHWM at most; None where unknown."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return None


def _start_peak() -> int | None:
    """Forget the largest resident set so far, and return the present one."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return None
    return resident("VmRSS")


def serve(job: dict[str, Any], replies: TextIO) -> None:
    """Prepare, warm up, and solve for every line on standard input.

    Parameters
    ----------
    job : dict
        ``peer``, ``problems`` (names), ``checkouts`` (paths by name) and ``tol`` (bits; None for
        the problems' own).
    replies : text stream
        Takes one JSON object a line.
    """

    def reply(**fields: Any) -> None:
        replies.write(json.dumps(fields) + "\n")
        replies.flush()

    try:
        problems = [find(name) for name in job["problems"]]
        if job["tol"] is not None:
            problems = [dataclasses.replace(problem, tol=job["tol"]) for problem in problems]
        warm = [dataclasses.replace(find("warm"), tol=max(problems[0].tol, 1e-6))]
        prepare(job["peer"], warm, job["checkouts"])()
        solve = prepare(job["peer"], problems, job["checkouts"])
    except SkipError as skip:
        reply(skip=str(skip))
        return
    reply(ready=True)

    baseline = _start_peak()
    for _line in sys.stdin:
        start = time.perf_counter()
        answers = solve()
        seconds = time.perf_counter() - start
        peak = None if baseline is None else (resident("VmHWM") or baseline) - baseline
        fields = [dataclasses.asdict(answer) for answer in answers]
        reply(seconds=seconds, peak=peak, answers=fields)


def main() -> None:
    """Keep standard output for the replies: what peers print goes to standard error."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(json.loads(sys.argv[1]), replies)
    except Exception as error:  # noqa: BLE001 - a peer may fail in any way, which is a result
        text = " ".join(str(error).split())
        replies.write(json.dumps({"failed": f"{type(error).__name__}: {text}"}) + "\n")


if __name__ == "__main__":
    main()
