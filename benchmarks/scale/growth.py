"""Growth of time and memory with rows, dimensions, classes, replicates, layers and states.

    OMP_NUM_THREADS=1 python benchmarks/scale/growth.py                   # all of ours
    OMP_NUM_THREADS=1 python benchmarks/scale/growth.py rows layers       # some
    OMP_NUM_THREADS=1 .venv-benchmark/bin/python benchmarks/scale/growth.py peers
    … --figure FILE.svg

Each point is a process of its own with one thread, on random numbers with seed 0. Times are
processor seconds without imports, because other programs disturb them less than wall-clock time;
memory is the largest resident set. A slope is that of a line through the last three points in
double logarithms: 1 is linear. Peers solve the same dense tables as we do, as long as a point takes
them less than a minute; they need the environment that `make benchmark` makes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "solvers")]

SEED, LAST, MOST_SECONDS = 0, 3, 60.0
DENSE_TOL = 1e-4  # bit


def analysis(
    n: int = 2_000,
    dimensions: int = 64,
    classes: int = 4,
    replicates: int = 200,
    permutations: int = 19,
) -> Callable[[], object]:
    """Prepare one analysis by probes."""
    from layers import embeddings

    import modalprism as mp

    few = embeddings(1, 200, 8, 2)
    few_sources = {name: few[f"{name}/0"] for name in ("image", "text")}
    mp.analyze(few_sources, few["label"], replicates=1, permutations=1)  # imports
    arrays = embeddings(1, n, dimensions, classes)
    sources = {name: arrays[f"{name}/0"] for name in ("image", "text")}
    return lambda: mp.analyze(
        sources, arrays["label"], replicates=replicates, permutations=permutations
    )


def study(layers: int) -> Callable[[], object]:
    """Prepare a study of one view over so many layers, done in this process."""
    from layers import embeddings
    from safetensors.numpy import save_file

    import modalprism as mp
    from modalprism.engines import SerialEngine

    analysis(500)
    folder = Path(tempfile.mkdtemp())
    save_file(embeddings(layers, 1_000, 64, 4), folder / "made.safetensors")
    asked = mp.Study(
        sources=({"kind": "embeddings", "path": folder / "made.safetensors"},),
        views=("stream",),
        replicates=200,
        permutations=19,
        out=folder / "run",
    )
    return lambda: asked.run(engine=SerialEngine(), report=False)


def coupling(n: int = 1_000, classes: int = 10) -> Callable[[], object]:
    """Prepare a coupling of posteriors to 1e-3 bit."""
    from problems import posteriors

    import modalprism as mp

    few = posteriors("few", 1_100, 4, 1e-1)
    mp.decompose_marginals(few.p_x1y, few.p_x2y, tol=few.tol, solver="ipfp")
    problem = posteriors("states", n, classes, 1e-3)
    return lambda: mp.decompose_marginals(
        problem.p_x1y, problem.p_x2y, tol=problem.tol, solver="ipfp"
    )


def solver(peer: str, n: int) -> Callable[[], object]:
    """Prepare a dense table of n × n × 5 for a solver."""
    from peers import prepare
    from problems import dense

    prepare(peer, [dense("few", (4, 4, 3), DENSE_TOL)], {})()
    return prepare(peer, [dense("dense", (n, n, 5), DENSE_TOL)], {})


@dataclass(frozen=True)
class Axis:
    """A quantity that grows, its values, and the work at each value."""

    words: str
    values: tuple[int, ...]
    prepare: Callable[[int], Callable[[], object]]


ROWS = (500, 1_000, 2_000, 4_000, 8_000, 16_000)
SIDES = (5, 10, 20, 40, 80, 160, 320, 640)
OURS, PEERS = ("modalprism",), ("Clarabel", "ECOS")
AXES = {
    "rows": Axis("rows (64 dimensions, 4 classes)", ROWS, lambda n: analysis(n)),
    "dimensions": Axis(
        "dimensions (2,000 rows)",
        (32, 64, 128, 256, 512, 1_024),
        lambda d: analysis(dimensions=d),
    ),
    "classes": Axis(
        "classes (4,000 rows)", (2, 4, 8, 16, 32), lambda c: analysis(4_000, classes=c)
    ),
    "replicates": Axis(
        "replicates (2,000 rows)",
        (200, 800, 3_200, 12_800, 51_200),
        lambda r: analysis(replicates=r),
    ),
    "permutations": Axis(
        "permutations (2,000 rows)", (19, 99, 199, 399, 799), lambda p: analysis(permutations=p)
    ),
    "layers": Axis("layers (1,000 rows, one process)", (1, 2, 4, 8, 16), study),
    "states": Axis(
        "states coupled (10 classes, 1e-3 bit)",
        (500, 1_000, 2_000, 4_000, 8_000),
        lambda n: coupling(n),
    ),
    "classes-coupled": Axis(
        "classes coupled (1,000 states)", (4, 8, 16, 32, 64), lambda c: coupling(classes=c)
    ),
} | {
    f"dense: {peer}": Axis(
        f"states of a dense n × n × 5 table, 1e-4 bit: {peer}",
        SIDES,
        lambda n, peer=peer: solver(peer, n),
    )
    for peer in (*OURS, *PEERS)
}


def point(axis: str, value: int) -> None:
    """Measure one point and print it as a line of JSON."""
    work = AXES[axis].prepare(value)
    seconds = []
    while sum(seconds) < 1.0 and len(seconds) < 5:
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
        if axis == "layers":  # A study that is done is not done again.
            break
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": min(seconds), "memory": memory}))


def measure(axis: str) -> list[tuple[int, float, float]]:
    """Measure an axis, each point in a process of its own; until one takes too long."""
    found: list[tuple[int, float, float]] = []
    for value in AXES[axis].values:
        command = [sys.executable, str(HERE), "--point", axis, str(value)]
        try:
            ran = subprocess.run(  # noqa: S603
                command, check=True, capture_output=True, text=True, timeout=4 * MOST_SECONDS
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            print(f"<!-- {axis} at {value:,}: {type(error).__name__} -->")
            break
        taken = json.loads(ran.stdout.splitlines()[-1])
        found.append((value, taken["seconds"], taken["memory"]))
        if taken["seconds"] > MOST_SECONDS:
            break
    return found


def slope(points: list[tuple[int, float, float]], which: int) -> float:
    """Return the slope of the last points in double logarithms; nan of fewer than two."""
    last = points[-LAST:]
    if len(last) < 2:
        return math.nan
    return float(np.polyfit(np.log([p[0] for p in last]), np.log([p[which] for p in last]), 1)[0])


def draw(measured: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Draw seconds over each axis in double logarithms."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    from modalprism.plotting.style import drawing

    own = [axis for axis in measured if not axis.startswith("dense: ")]
    solvers = [axis for axis in measured if axis.startswith("dense: ")]
    panels = [[axis] for axis in own] + ([solvers] if solvers else [])
    with drawing():
        columns = min(3, len(panels))
        lines = math.ceil(len(panels) / columns)
        size = (9, 2.6 * lines)
        figure, axes = plt.subplots(
            lines, columns, figsize=size, squeeze=False, layout="constrained"
        )
        for panel, names in zip(axes.flat, panels, strict=False):
            for name, marker in zip(names, "osD^", strict=False):
                points = measured[name]
                own = "slope at the end" if len(names) == 1 else name.removeprefix("dense: ")
                label = f"{own} {slope(points, 1):.1f}"
                values, seconds = zip(*[p[:2] for p in points], strict=True)
                panel.loglog(values, seconds, marker=marker, markersize=4, label=label)
            alone = AXES[names[0]].words
            panel.set_xlabel(alone if len(names) == 1 else "states of a dense n × n × 5 table")
            panel.set_ylabel("seconds of processor")
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_formatter("{x:,g}")
                axis.set_minor_formatter(NullFormatter())
            low, high = panel.get_ylim()  # At least one power of ten is labelled.
            panel.set_ylim(min(low, high / 12), high)
            panel.legend(loc="upper left")
        for panel in list(axes.flat)[len(panels) :]:
            panel.remove()
        figure.savefig(path)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("axes", nargs="*", help=f"of {', '.join(AXES)}; or peers")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        point(options.point[0], int(options.point[1]))
        return
    dense = [axis for axis in AXES if axis.startswith("dense: ")]
    asked = options.axes or [axis for axis in AXES if axis not in dense]
    asked = [one for axis in asked for one in (dense if axis == "peers" else [axis])]
    print(f"{os.cpu_count()} cores, one thread, seed {SEED}\n")
    print("| what grows | from | to | seconds | slope at the end | memory, GiB | slope |")
    print("|---|---|---|---|---|---|---|")
    measured = {}
    for axis in asked:
        points = measured[axis] = measure(axis)
        if not points:
            continue
        first, last = points[0], points[-1]
        print(
            f"| {AXES[axis].words} | {first[0]:,} | {last[0]:,} | {first[1]:.2g} → {last[1]:.2g} "
            f"| {slope(points, 1):.2f} | {first[2]:.2f} → {last[2]:.2f} | {slope(points, 2):.2f} |",
            flush=True,
        )
        told = ", ".join(f"{p[0]:,}: {p[1]:.2f} s, {p[2]:.2f} GiB" for p in points)
        print(f"<!-- {told} -->", flush=True)
    if options.figure:
        draw({axis: points for axis, points in measured.items() if points}, options.figure)


if __name__ == "__main__":
    main()
