"""How long a report takes and how large it is: many layers of several studies.

    python benchmarks/report.py [--layers 32] [--studies 6]

The profile's numbers are drawn, for the page must hold any; what is timed is all of
``modalprism report``: reading the run, figures in three formats, tables, and the page.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from modalprism.reports import write_report
from modalprism.studies.profile import FORMAT_VERSION, SCHEMA, Profile

MODALITIES = ("image", "text")
ATOMS = (("redundancy", None), ("unique", "image"), ("unique", "text"), ("synergy", None))


def main() -> None:
    """Write a report and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--studies", type=int, default=6)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        drawn_profile(arguments.layers, arguments.studies).write(run)
        start = time.perf_counter()
        page = write_report(run)
        seconds = time.perf_counter() - start
        print(
            f"{arguments.layers} layers × {arguments.studies} studies: {seconds:.1f} s, "
            f"{page.stat().st_size / 1e6:.2f} MB"
        )


def drawn_profile(layers: int, studies: int, seed: int = 0) -> Profile:
    """Draw a profile of all three views, with an interval and a null for every number."""
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(studies):
        case = {"model": f"model {study}", "dataset": f"dataset {study}", "estimator": "posterior"}
        for view in ("answer", "stream", "encoding"):
            for layer in [-1] if view == "answer" else range(layers):
                where = case | {"view": view, "pairs": "observed", "layer": layer, "n": 5000}
                where |= {"layer_name": f"layer {layer}", "target": "the answer", "gap": 1e-4}
                rows += [where | row for row in quantities(rng.gamma(1.0, 0.3, 4))]
    manifest = {"format_version": FORMAT_VERSION, "title": "drawn", "modalities": list(MODALITIES),
                "seed": seed}  # fmt: skip
    return Profile(pd.DataFrame(rows, columns=SCHEMA.names), manifest)


def quantities(atoms: np.ndarray) -> list[dict[str, object]]:
    """Return the rows of one decomposition."""
    total, unique = float(atoms.sum()), float(atoms[1] + atoms[2])
    found = [(name, modality, float(value), "bit")
             for (name, modality), value in zip(ATOMS, atoms, strict=True)]  # fmt: skip
    found += [(f"{name}_fraction", modality, value / total, "1")
              for name, modality, value, _ in found]  # fmt: skip
    found.append(("information", None, total, "bit"))
    found += [("contribution", modality, float(value) / unique, "1")
              for modality, value in zip(MODALITIES, atoms[1:3], strict=True)]  # fmt: skip
    return [
        {"quantity": name, "modality": modality, "value": value, "low": value - 0.05,
         "high": value + 0.05, "p_value": 0.005, "q_value": 0.01, "unit": unit}
        for name, modality, value, unit in found
    ]  # fmt: skip


if __name__ == "__main__":
    main()
