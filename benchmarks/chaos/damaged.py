"""Damaged and hostile files: read, or refused in a sentence."""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import damage
import hostile_files
import numpy as np
import whole_files
from campaign import Campaign

from modalprism import isolation
from modalprism.errors import InputError
from modalprism.studies.study import Study

HANGING = 8.0
"""Seconds after which a child gives up a file on which its library hangs; users wait for longer."""
STUDY = """\
title: Does the model use the image?
sources:
  - {kind: embeddings, path: clip.npz, model: clip, dataset: "vqa"}
  - kind: capture
    model: some/model
    data: rows.jsonl
    columns: {image: picture, text: question, label: answer, group: [picture]}
    candidates: ["yes", "no"]
    limit: 20
modalities: [image, text]
views: [answer, stream]
pairs: [observed, redrawn]
layers: [0, 4]
base: 2
folds: 5
seed: 3
baselines: {names: [ablation], examples: 50}
out: runs/clip
"""


@functools.cache
def _whole(name: str) -> Path:
    """Write a whole file once in a process."""
    return whole_files.write_whole(name, Path(tempfile.mkdtemp(prefix="chaos-whole-")))


def trial(name: str, seed: int) -> None:
    """Damage a copy of a file, and read all of it."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        path, how = damage.damaged_copy(_whole(name), Path(folder), seed)
        _read(path, how)


def _read(path: Path, how: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole_files.read(path)
    except InputError:
        raise
    except BaseException as error:
        error.add_note(f"what was done: {how}")
        raise


def study_trial(seed: int) -> None:
    """Damage a study file, and read it."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        path = Path(folder, "study.yaml")
        path.write_text(STUDY)
        damage.damage(path, int(rng.integers(2**31)))
        Study.from_yaml(path)


def hostile_trial(seed: int) -> None:
    """Write the files that are made to harm a reader; each must be refused, and none may act."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        writers = hostile_files.HOSTILE
        for path in hostile_files.write_hostile(Path(folder), [writers[seed % len(writers)]]):
            try:
                _read(path, path.name)
            except InputError:
                continue
            raise AssertionError(f"{path.name} was read")
        assert not Path("pickle-was-run").exists(), "a pickle was run"


def prepare() -> None:
    """Make a file on which a library hangs cost seconds, not half a minute."""
    isolation.PATIENCE = HANGING


def campaigns(count: int, few: int) -> Iterator[Campaign]:
    """Yield a campaign for every kind of file."""
    for name in whole_files.WHOLE:
        yield Campaign(
            f"damaged {name}", functools.partial(trial, name), count, few, weight=0.25,
            patience=60, prepare=prepare,
        )  # fmt: skip
    yield Campaign("damaged study.yaml", study_trial, count, few, weight=0.25, patience=30)
    kinds = len(hostile_files.HOSTILE)
    yield Campaign("hostile files", hostile_trial, kinds, kinds, weight=0.25)
