"""Time and memory of an analysis of up to a million mapped rows.

    python benchmarks/scale/million.py                         # n = 62,500 … 1,000,000, one layer
    python benchmarks/scale/million.py --rows 60000            # a first look
    python benchmarks/scale/million.py --intervals             # 1,000 replicates, 199 permutations

Two synthetic sources of float16 in files that are mapped, never loaded. Ten classes are a symbol of
five and a bit: the first source has the symbol, the second has it in half of the rows, and the bit
is the exclusive or of a bit in each. Each analysis runs in a process of its own. Prints seconds,
the largest resident memory, its parts at the end (the process itself, and pages of mapped files),
and the atoms beside the truth; and over several n the slopes in double logarithms.
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
from pathlib import Path

import numpy as np

SYMBOLS, SEED, BLOCK = 5, 0, 20_000
TRUTH = {
    "redundancy": math.log2(SYMBOLS) / 2,
    "unique image": math.log2(SYMBOLS) / 2,
    "unique text": 0.0,
    "synergy": 1.0,
    "information": math.log2(SYMBOLS) + 1,
}


def make(folder: Path, n: int, dimensions: int, seed: int) -> float:
    """Write two sources (n, d) of float16 and labels, a block at a time.

    Returns what the second source tells in these very rows, in bits: about half of them, as drawn.
    """
    rng = np.random.default_rng(seed)
    spread = np.exp(-np.arange(dimensions) / dimensions)  # of the noise, over directions
    places = {
        name: (
            rng.normal(size=(SYMBOLS + 1, dimensions)),
            rng.normal(size=(2, dimensions)),
        )
        for name in ("image", "text")
    }
    files = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float16, (n, dimensions))
        for name in places
    }
    labels, said_by_both = np.empty(n, dtype=np.int64), 0
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        symbol, bits = rng.integers(SYMBOLS, size=count), rng.integers(2, size=(2, count))
        erased = np.where(rng.random(count) < 0.5, SYMBOLS, symbol)
        said_by_both += int((erased != SYMBOLS).sum())
        labels[start : start + count] = 2 * symbol + (bits[0] ^ bits[1])
        for name, said, bit in (("image", symbol, bits[0]), ("text", erased, bits[1])):
            of_symbol, of_bit = places[name]
            noise = spread * rng.normal(size=(count, dimensions)).astype(np.float32)
            files[name][start : start + count] = of_symbol[said] + of_bit[bit] + noise
    for file in files.values():
        file.flush()
    np.save(folder / "label.npy", labels)
    return said_by_both / n * math.log2(SYMBOLS)


def smaps() -> dict[str, float]:
    """Return the resident memory of this process in GiB: its own, and pages of mapped files."""
    own = mapped = 0
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        word, _, rest = line.partition(":")
        if word == "Rss":
            mapped = int(rest.split()[0])
        if word == "Anonymous":
            own = int(rest.split()[0])
    return {"own": own / 2**20, "mapped": (mapped - own) / 2**20}


def one(folder: Path, replicates: int, permutations: int, estimator: str, options: dict) -> None:
    """Analyse what a folder holds, and print what it took as one line of JSON."""
    import modalprism as mp
    from modalprism.estimation.streaming import Streaming

    sources = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("image", "text")}
    label = np.load(folder / "label.npy")
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, used = time.perf_counter(), time.process_time()
    analysis = mp.analyze(
        sources,
        label,
        target="label",
        estimator=estimator,
        replicates=replicates,
        permutations=permutations,
        seed=SEED,
        streaming=Streaming(**options),
    )
    seconds, used = time.perf_counter() - start, time.process_time() - used
    atoms = [analysis.redundancy, *analysis.unique, analysis.synergy, analysis.information]
    print(
        json.dumps(
            {
                "seconds": seconds,
                "processor": used,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
                "begin": begin / 2**20,
                **smaps(),
                "gap": analysis.gap,
                "atoms": [(atom.value, atom.low, atom.high, atom.p_value) for atom in atoms],
                "diagnostics": {name: e.value for name, e in analysis.diagnostics.items()},
                "families": analysis.families,
            }
        )
    )


def slope(sizes: list[int], values: list[float]) -> float:
    """Return the slope of values over sizes in double logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[62_500, 125_000, 250_000, 500_000, 1_000_000]
    )
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--intervals", action="store_true", help="default replicates and nulls")
    parser.add_argument("--estimator", default="posterior")
    parser.add_argument("--streaming", type=json.loads, default={}, help="options, as JSON")
    parser.add_argument("--folder", type=Path, help="where the made files go, for a while")
    parser.add_argument("--analyse", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    asked = (1000, 199) if options.intervals else (1, 1)
    if options.analyse:
        one(options.analyse, *asked, options.estimator, options.streaming)
        return
    print(
        f"{options.dimensions} dimensions of float16 a source, 10 classes, {options.estimator}, "
        f"{asked[0]} replicates, {asked[1]} permutations, seed {SEED}, {os.cpu_count()} cores"
    )
    print("truth, bit: " + ", ".join(f"{name} {value:.3f}" for name, value in TRUTH.items()))
    print(
        "| n | seconds | of the processor | peak (GiB) | own at the end | mapped at the end | "
        + " | ".join(TRUTH)
        + " | gap |"
    )
    print("|" + "---|" * (7 + len(TRUTH)))
    seconds, used, peaks, own = [], [], [], []
    for n in options.rows:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            held = make(Path(folder), n, options.dimensions, SEED)
            command = [sys.executable, __file__, "--analyse", folder]
            command += ["--estimator", options.estimator]
            command += ["--streaming", json.dumps(options.streaming)]
            command += ["--intervals"] if options.intervals else []
            ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        found = json.loads(ran.stdout.splitlines()[-1])
        seconds.append(found["seconds"])
        used.append(found["processor"])
        peaks.append(found["peak"])
        own.append(found["own"])
        atoms = " | ".join(
            f"{value:z.3f} [{low:z.3f}, {high:z.3f}]" for value, low, high, _ in found["atoms"]
        )
        print(
            f"| {n:,} | {found['seconds']:.0f} | {found['processor']:.0f} | "
            f"{found['peak']:.2f} | {found['own']:.2f} | "
            f"{found['mapped']:.2f} | {atoms} | {found['gap']:.4f} |",
            flush=True,
        )
        print(f"In these rows the second source tells {held:.4f} bit.")
        print(f"<!-- {json.dumps(found['diagnostics'])} {json.dumps(found['families'])} -->")
    if len(options.rows) > 1:
        for what, values in (
            ("seconds", seconds),
            ("processor's seconds", used),
            ("peak", peaks),
            ("own at the end", own),
        ):
            print(f"slope of {what} over n: {slope(options.rows, values):.2f}")


if __name__ == "__main__":
    main()
