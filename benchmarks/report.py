"""Time and size of a report with many layers of several studies.

    python benchmarks/report.py [--layers 32] [--studies 6]

The numbers of the profile and the pictures of its examples are random, since the page must hold
any. The benchmark times all of ``modalprism report``: reading the run, figures in three formats,
tables, and the page. The second report reuses the figures of the examples.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from modalprism.reports import write_report
from modalprism.results.examples import ShownExample
from modalprism.results.quantities import ATOMS, keys
from modalprism.results.table import COLUMNS
from modalprism.studies.example_store import write_examples
from modalprism.studies.profile import FORMAT_VERSION, Profile
from modalprism.studies.shown_examples import EACH

MODALITIES = ("image", "text")
ATOM_KEYS = keys(ATOMS, MODALITIES)


def main() -> None:
    """Write a report and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--studies", type=int, default=6)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        drawn_profile(arguments.layers, arguments.studies).write(run)
        write_examples(run, drawn_examples(arguments.studies))
        for which in ("first report", "again"):
            start = time.perf_counter()
            page = write_report(run)
            seconds = time.perf_counter() - start
            print(
                f"{arguments.layers} layers × {arguments.studies} studies, {which}: "
                f"{seconds:.1f} s, {page.stat().st_size / 1e6:.2f} MB"
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
    return Profile(pd.DataFrame(rows, columns=list(COLUMNS)), manifest)


def drawn_examples(studies: int, seed: int = 0) -> list[ShownExample]:
    """Draw the examples of every study: four an atom, each with a picture and a text."""
    rng = np.random.default_rng(seed)
    examples = []
    for study in range(studies):
        for atom, modality in ATOM_KEYS:
            for rank in range(EACH):
                pixels = rng.integers(256, size=(12, 12, 3), dtype=np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(pixels).resize((96, 96)).save(buffer, "WEBP")
                one, two, three, four = rng.gamma(1.0, 0.5, 4).tolist()
                examples.append(
                    ShownExample(
                        f"model {study}", f"dataset {study}", atom, modality, rank, rank, "",
                        MODALITIES, (one, two, three, four), "bit", "yes", "no", 0.8,
                        (buffer.getvalue(), None), (None, "what is the question of this picture?"),
                    )
                )  # fmt: skip
    return examples


def quantities(atoms: np.ndarray) -> list[dict[str, object]]:
    """Return the rows of one decomposition."""
    total, unique = float(atoms.sum()), float(atoms[1] + atoms[2])
    found = [(name, modality, float(value), "bit")
             for (name, modality), value in zip(ATOM_KEYS, atoms, strict=True)]  # fmt: skip
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
