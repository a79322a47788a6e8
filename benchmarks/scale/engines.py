"""Overhead of an engine: one study, and jobs that do nothing.

    OMP_NUM_THREADS=1 PYTHONPATH=benchmarks python benchmarks/scale/engines.py
    … --layers 8 --rows 2000 --workers 2

Each engine runs a stream view of synthetic embeddings, as in `benchmarks/layers.py`, from nothing,
twice; the shorter time counts. Ray's cluster is started before, as `ray start` does, and its start
is timed apart. Then many jobs that return at once: seconds a job is the time to hand it out and to
receive its result.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from pathlib import Path

import ray
from layers import embeddings
from safetensors.numpy import save_file

import modalprism as mp
from modalprism.engines import Engine, Job, LocalEngine, RayEngine, SerialEngine
from modalprism.progress import silent
from modalprism.studies.evidence_store import EVIDENCE_FILE

EMPTY, ROUNDS = 500, 2


def study(folder: Path, out: str, path: Path) -> mp.Study:
    """Write down the study."""
    return mp.Study(
        sources=({"kind": "embeddings", "path": path},),
        views=("stream",),
        replicates=200,
        permutations=199,
        out=folder / out,
    )


def seconds_and_digest(engine: Engine, folder: Path, name: str, path: Path) -> tuple[float, str]:
    """Run the study from nothing; return what it took and a digest of what it found."""
    asked = study(folder, name, path)
    begin = time.perf_counter()
    profile = asked.run(engine=engine, report=False)
    took = time.perf_counter() - begin
    found = profile.frame.to_csv().encode() + (asked.out / EVIDENCE_FILE).read_bytes()
    return took, hashlib.sha256(found).hexdigest()[:12]


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    begin = time.perf_counter()
    ray.init(
        num_cpus=options.workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
    print(
        f"{options.layers} layers × {options.rows:,} rows × 64 dimensions, 4 classes, "
        f"{os.cpu_count()} cores, Ray {ray.__version__}, whose cluster took "
        f"{time.perf_counter() - begin:.1f} s to start\n"
    )
    engines: dict[str, Engine] = {
        "this process": SerialEngine(),
        f"{options.workers} local processes": LocalEngine(options.workers),
        "Ray, one worker": RayEngine(workers=1),
        f"Ray, {options.workers} workers": RayEngine(workers=options.workers),
    }
    taken: dict[str, list[float]] = {name: [] for name in engines}
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.safetensors"
        save_file(embeddings(options.layers, options.rows, 64, 4), path)
        for turn in range(ROUNDS + 1):
            for number, (name, engine) in enumerate(engines.items()):
                took, digest = seconds_and_digest(engine, Path(folder), f"{turn}-{number}", path)
                digests.add(digest)
                if turn:  # The first is not counted: imports, and workers that start.
                    taken[name].append(took)
    print(f"the same bytes by all: {len(digests) == 1}\n")
    alone = min(taken["this process"])
    print("| engine | seconds | of this process | milliseconds a job that does nothing |")
    print("|---|---|---|---|")
    jobs = [Job(str(number), int, (number,)) for number in range(EMPTY)]
    for name, engine in engines.items():
        empty = []
        for _ in range(3):
            begin = time.perf_counter()
            count = sum(1 for _ in engine.run(jobs, track=silent, description="nothing"))
            empty.append((time.perf_counter() - begin) / count)
        best = min(taken[name])
        print(f"| {name} | {best:.1f} | {best / alone:.0%} | {1e3 * min(empty):.2f} |", flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
