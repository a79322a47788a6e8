"""Time of a capture in one process and on a Ray cluster of this machine, with equal results.

    PYTHONPATH=benchmarks python benchmarks/scale/captures.py --rows 512 --workers 1 2

The LLaVA of `capture.py` and its pictures, in a folder and a table, as users have them. Times are
wall-clock seconds from the call to the finished store. They include the start of the workers, but
not the start of the cluster, which has its own column. One thread a process.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import ray
import torch

from capture import adapter_of, examples
from modalprism.capture.api import capture
from modalprism.datasets.examples import open_examples
from modalprism.engines import RayEngine
from modalprism.engines.ray_cluster import connected


def write(folder: Path, rows: int) -> None:
    """Write the model, its processor, pictures and a table."""
    adapter = adapter_of(512, 8)
    adapter.model.save_pretrained(folder / "llava")
    adapter.processor.save_pretrained(folder / "llava")
    lines = []
    for example in examples(rows):
        example.inputs["image"].save(folder / f"{example.id}.png")
        lines.append({"image": f"{example.id}.png", "text": example.inputs["text"]})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")


def main() -> None:
    """Measure, and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, options.rows)
        found = open_examples(folder / "rows.jsonl")

        def seconds(out: str, engine: RayEngine | None) -> tuple[float, str]:
            start = time.perf_counter()
            store = capture(
                folder / "llava", None, found, out=folder / out, candidates=("yes", "no"),
                batch_size=16, fingerprint=found.fingerprint(), engine=engine,
            )  # fmt: skip
            return time.perf_counter() - start, store.digest()

        took, wanted = seconds("serial", None)
        print(f"{options.rows} examples, one process: {took:.1f} s")
        for workers in options.workers:
            start = time.perf_counter()
            with connected(None, workers):
                began = time.perf_counter() - start
                took, digest = seconds(f"ray-{workers}", RayEngine(workers=workers))
            same = "the same store" if digest == wanted else "ANOTHER store"
            print(f"Ray, {workers} workers: {took:.1f} s, {same}; its start {began:.1f} s beside")
        load = os.getloadavg()[0]
        print(f"Ray {ray.__version__}, torch {torch.__version__}, {os.cpu_count()} cores")
        print(f"processes that wanted a core at the end: {load:.1f}")


if __name__ == "__main__":
    main()
