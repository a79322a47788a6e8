"""Profiles with realistic numbers: those of the demo's emoji questions, and variations of them."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from modalprism.results.examples import ShownExample
from modalprism.results.table import COLUMNS
from modalprism.studies.profile import Profile

NAN = math.nan
# R, U first, U second, S in bits.
REDRAWN = {
    "kind": (0.40, 0.21, 0.13, 0.63),
    "pictured": (0.01, 2.14, 0.00, 0.05),
    "named": (0.00, 0.00, 2.39, 0.01),
    "match": (0.08, 0.00, 0.00, 0.37),
}
OBSERVED = {
    "kind": (1.71, 0.10, 0.25, 0.52),
    "pictured": (0.16, 2.27, -0.04, 0.21),
    "named": (0.11, -0.01, 2.44, 0.10),
    "match": (0.10, 0.01, 0.00, 0.30),
}
ACCURACY = {
    "kind": (0.83, 0.30),
    "pictured": (0.68, 0.10),
    "named": (0.81, 0.10),
    "match": (0.75, 0.50),
}
QUESTIONS = {
    "kind": "which kind of thing do the picture and the words show?",
    "pictured": "what does the picture show, whatever the words say?",
    "named": "what do the words name, whatever the picture shows?",
    "match": "do the picture and the words show the same thing?",
}
MODELS = {
    "concat": "joins both embeddings and lets a small network answer",
    "cross_attention": "the streams attend to each other in four layers",
    "late": "each modality answers by itself; the answers are averaged",
}


class Rows:
    """Collects tidy rows."""

    def __init__(self, modalities: tuple[str, str], unit: str, n: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self.modalities, self.unit, self.n = modalities, unit, n

    def add(self, where: dict[str, Any], quantity: str, value: float, **more: Any) -> None:
        half = more.pop("half", NAN)
        row = {
            "modality": None,
            "value": value,
            "low": value - half,
            "high": value + half,
            "p_value": NAN,
            "q_value": NAN,
            "unit": "1",
            "n": self.n,
            "gap": 4e-4,
        }
        self.rows.append({**where, "quantity": quantity, **row, **more})

    def decomposition(
        self, where: dict[str, Any], atoms: tuple[float, ...], half: float, **more: Any
    ) -> None:
        r, u1, u2, s = atoms
        total = r + u1 + u2 + s
        bits = {"unit": self.unit, "half": half, **more}
        first, second = self.modalities
        self.add(where, "redundancy", r, **bits)
        self.add(where, "unique", u1, modality=first, **bits)
        self.add(where, "unique", u2, modality=second, **bits)
        self.add(where, "synergy", s, p_value=0.001 if s > half else 0.4, **bits)
        self.add(where, "information", total, **bits)
        self.add(where, "marginal_information", r + u1, modality=first, **bits)
        self.add(where, "marginal_information", r + u2, modality=second, **bits)
        self.add(where, "union_information", r + u1 + u2, **bits)
        unique = u1 + u2
        for name, u in ((first, u1), (second, u2)):
            if unique > 2 * half:
                ratio = {"half": half / unique}
                self.add(where, "contribution", u / unique, modality=name, **ratio, **more)
            else:
                self.add(where, "contribution", NAN, modality=name, **more)
            self.add(where, "share", (u + (r + s) / 2) / total if total else NAN, modality=name)
        part = {"half": half / total} if total else {}
        parts = (("redundancy", None, r), ("unique", first, u1), ("unique", second, u2))
        for quantity, name, amount in (*parts, ("synergy", None, s)):
            value = amount / total if total else NAN
            self.add(where, f"{quantity}_fraction", value, modality=name, **part)


def build(
    modalities: tuple[str, str] = ("image", "text"),
    models: dict[str, str] | None = None,
    datasets: tuple[str, ...] = tuple(QUESTIONS),
    depths: int = 5,
    views: tuple[str, ...] = ("answer", "stream", "encoding"),
    unit: str = "bit",
    n: int = 2000,
    half: float = 0.03,
    manifest: dict[str, Any] | None = None,
    **more: Any,
) -> Profile:
    """Build a profile like the demo's; `late` cannot learn `match`."""
    models = MODELS if models is None else models
    rows = Rows(modalities, unit, n)
    for model in models:
        for dataset in datasets:
            noise = np.random.default_rng(zlib.crc32(f"{model}/{dataset}".encode()))
            case = {"model": model, "dataset": dataset, "estimator": "posterior"}
            lost = model == "late" and dataset == "match"
            if "answer" in views:
                place = {"view": "answer", "layer": -1, "layer_name": "answer"}
                place |= {"target": "the model's answer"}
                for pairs, table in (("observed", OBSERVED), ("redrawn", REDRAWN)):
                    where = {**case, **place, "pairs": pairs}
                    atoms = (0.01, 0.0, 0.01, 0.0) if lost else table[dataset]
                    jitter = noise.normal(0, 0.004, 4)
                    shaken = tuple(a + e for a, e in zip(atoms, jitter, strict=True))
                    rows.decomposition(where, shaken, half, **more)
                    if pairs == "observed":
                        accuracy, chance = (0.51, 0.50) if lost else ACCURACY[dataset]
                        rows.add(where, "accuracy", accuracy, half=0.02)
                        rows.add(where, "chance", chance)
                        rows.add(where, "information_ceiling", sum(shaken) * 1.1, unit=unit)
                        rows.add(where, "recovered", 0.3 if lost else 0.91)
            r, u1, u2, s = OBSERVED[dataset]
            for view in ("stream", "encoding"):
                if view not in views:
                    continue
                first = 0 if view == "stream" else 1
                for layer in range(first, first + depths):
                    fused = (layer - first) / max(depths - 1, 1)
                    fused = fused if model == "cross_attention" else 0.0
                    name = f"layer {layer}"
                    if view == "stream" and layer == 0:
                        name = "before fusion"
                    if view == "encoding" and layer == depths:
                        name = "head"
                    target = "label" if view == "stream" else "fused state, 14 codes"
                    where = {**case, "view": view, "layer": layer, "layer_name": name}
                    where |= {"pairs": "observed", "target": target}
                    moved = fused * (u1 + u2)
                    atoms = (r + moved, u1 * (1 - fused), u2 * (1 - fused), s)
                    jitter = noise.normal(0, 0.006, 4)
                    shaken = tuple(a + e for a, e in zip(atoms, jitter, strict=True))
                    rows.decomposition(where, shaken, half, **more)
                    rows.add(where, "matching_distance", 0.02)
                    if view == "encoding":
                        rows.add(where, "code_sensitivity", 0.04)
    frame = pd.DataFrame(rows.rows, columns=list(COLUMNS))
    described = {
        "format_version": 1,
        "title": "Emoji questions",
        "modalities": list(modalities),
        "seed": 0,
        "versions": {"modalprism": "0.1.0", "torch": "2.13.0"},
        "hardware": {"cpu": "2 cores"},
        "timings": {"capture": 12.5, "answer": 80.25},
        "estimator": {"name": "posterior", "folds": 5},
        "notes": ["The pictures are drawn, not photographed."],
        "datasets": {name: QUESTIONS[name] for name in datasets},
        "models": dict(models),
    }
    return Profile(frame, described if manifest is None else manifest)


@pytest.fixture(scope="session")
def make_profile() -> Callable[..., Profile]:
    return build


@pytest.fixture(scope="session")
def demo() -> Profile:
    return build()


def picture(width: int = 24, height: int = 12) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "WEBP")
    return buffer.getvalue()


def example(atom: str = "unique", modality: str | None = "image", **changes: Any) -> ShownExample:
    one = ShownExample(
        "concat", "pictured", atom, modality, 0, 7, "", ("image", "text"), (0.1, 2.0, -0.5, 0.25),
        "bit", "cat", "dog", 0.934, (picture(), None), (None, "the name of a cat"),
    )  # fmt: skip
    return replace(one, **changes)


@pytest.fixture(scope="session")
def webp() -> Callable[..., bytes]:
    return picture


@pytest.fixture(scope="session")
def made() -> Callable[..., ShownExample]:
    return example


@pytest.fixture
def small() -> Profile:
    return build(models={"concat": ""}, datasets=("match",), depths=3)


@pytest.fixture(scope="session")
def demo_run(demo: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run with its report."""
    from modalprism.reports import write_report

    folder = tmp_path_factory.mktemp("run")
    demo.write(folder)
    write_report(folder)
    return folder
