"""Time of a study with many layers, with intervals and p-values.

    python benchmarks/layers.py                        # 12 layers × 5,000 rows × 768 dimensions
    python benchmarks/layers.py --layers 2 --rows 500  # a first look

A stream view of synthetic embeddings: at every layer each modality carries the label with its own
error, and the streams exchange more of it in deeper layers. Prints the seconds of one layer in
this process, the seconds of the whole study on all cores, and the largest memory of any process.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from joblib.externals.loky import get_reusable_executor
from safetensors.numpy import save_file

import modalprism as mp

SEED = 0
KNOWN = 0.7  # part of the rows in which a modality has the right label


def embeddings(layers: int, n: int, dimensions: int, classes: int) -> dict[str, np.ndarray]:
    """Make the arrays of an embeddings file."""
    rng = np.random.default_rng(SEED)
    label = rng.integers(classes, size=n)
    seen = [np.where(rng.random(n) < KNOWN, label, rng.integers(classes, size=n)) for _ in "ab"]
    arrays = {"label": label}
    for layer in range(layers):
        exchanged = rng.random((2, n)) < layer / max(layers, 2)
        for name, own, swap in ("image", 0, exchanged[0]), ("text", 1, exchanged[1]):
            said = np.where(swap, seen[1 - own], seen[own])
            directions = rng.normal(size=(classes, dimensions)) / 2
            rows = directions[said] + rng.normal(size=(n, dimensions))
            arrays[f"{name}/{layer}"] = rows.astype(np.float32)
    return arrays


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--permutations", type=int, default=199)
    options = parser.parse_args()
    arrays = embeddings(options.layers, options.rows, options.dimensions, options.classes)
    print(
        f"{options.layers} layers × {options.rows:,} rows × {options.dimensions} dimensions, "
        f"{options.classes} classes, {os.cpu_count()} cores, seed {SEED}"
    )
    sources = {name: arrays[f"{name}/0"] for name in ("image", "text")}
    few = {name: rows[:200] for name, rows in sources.items()}
    mp.analyze(few, arrays["label"][:200], replicates=1, permutations=1)  # imports, not measured
    for replicates, permutations in ((1, 1), (options.replicates, options.permutations)):
        start = time.perf_counter()
        mp.analyze(sources, arrays["label"], replicates=replicates, permutations=permutations)
        print(
            f"one layer, one process, {replicates} replicates and {permutations} permutations: "
            f"{time.perf_counter() - start:.1f} s"
        )
    with tempfile.TemporaryDirectory() as folder:
        save_file(arrays, Path(folder) / "made.safetensors")
        study = mp.Study(
            sources=({"kind": "embeddings", "path": Path(folder) / "made.safetensors"},),
            modalities=("image", "text"),
            views=("stream",),
            replicates=options.replicates,
            permutations=options.permutations,
            out=Path(folder) / "run",
        )
        start = time.perf_counter()
        study.run(report=False)
        seconds = time.perf_counter() - start
    print(f"the study: {seconds:.0f} s, {seconds / options.layers:.1f} s a layer")
    get_reusable_executor().shutdown(wait=True)  # only the memory of ended processes is known
    for whose, who in (
        ("this process", resource.RUSAGE_SELF),
        ("a worker", resource.RUSAGE_CHILDREN),
    ):
        print(f"memory of {whose}: {resource.getrusage(who).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
