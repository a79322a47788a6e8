"""Capture on a Ray cluster: the same store as in one process, whatever dies meanwhile."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

import modalprism
from modalprism.capture import store_writer
from modalprism.capture.api import capture
from modalprism.capture.families.towers import ClipAdapter
from modalprism.capture.loading import ModelSpec
from modalprism.capture.ray_worker import CaptureWorker, replay
from modalprism.capture.run import RunConfig
from modalprism.capture.shards import StoreReader, finished_shards
from modalprism.capture.store import EmbeddingStore
from modalprism.capture.store_writer import StoreWriter
from modalprism.datasets.columns import Columns
from modalprism.datasets.examples import open_examples
from modalprism.engines import RayEngine
from modalprism.errors import InputError, WorkerError

COLUMNS = {"image": "picture", "text": "name", "label": "answer", "group": "block"}
TWO = RayEngine(workers=2)
# Ray Data sets options of its own that it has deprecated.
pytestmark = [
    pytest.mark.usefixtures("cluster"),
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.data\..*"),
]


@pytest.fixture(autouse=True)
def _small_parts(tmp_path, monkeypatch):
    """Let a part be full after some batches, so that there are many."""
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store_writer, "SHARD_BYTES", 4000)


def captured(model, examples, out, **options):
    if hasattr(examples, "fingerprint"):
        options["fingerprint"] = examples.fingerprint()
    options = {"batch_size": 4, "candidates": ("A", "B")} | options
    return capture(model, None, examples, out=out, **options)


def opened(table, **options):
    return open_examples(table, Columns.from_mapping(COLUMNS), **options)


def clip_that(does, mark=""):
    """Make an adapter of CLIP that does something before the pass of a batch; it travels whole."""

    class Clip(ClipAdapter):
        def forward(self, inputs):
            does(mark=mark, size=len(inputs["pixel_values"]))
            return super().forward(inputs)

    return Clip


def nothing(**_):
    pass


def die_once(mark, **_):
    with open(mark, "a") as file:  # it runs where nothing is imported
        file.write(".")
    if os.path.getsize(mark) == 9:
        os.kill(os.getpid(), signal.SIGKILL)


def die(**_):
    os.kill(os.getpid(), signal.SIGKILL)


def be_small(size, **_):
    if size > 3:
        raise torch.OutOfMemoryError("a batch too large")


def test_the_store_is_that_of_one_process_and_a_killed_worker_costs_no_part(
    clip_folder, emoji_rows, tmp_path
):
    examples = opened(emoji_rows, limit=90)
    asked = {"redrawn": 9, "partners": 3, "tokens": 2}
    here = captured(clip_folder, examples, tmp_path / "here", adapter=clip_that(nothing), **asked)
    seen, mark = [], tmp_path / "passes"

    def note(event):
        if event.done:
            seen.append((event.total, event.description))

    deadly = clip_that(die_once, str(mark))
    there = captured(
        clip_folder,
        examples,
        tmp_path / "there",
        adapter=deadly,
        **asked,
        engine=TWO,
        progress=note,
    )
    assert len(finished_shards(there.path)) > 5
    assert there.digest() == here.digest()
    # Ray Data's own thread that tells its makers how it is used would outlive the cluster.
    assert "data-usage-metrics-poller" not in {thread.name for thread in threading.enumerate()}
    for path in here.path.rglob("*.*"):
        assert (there.path / path.relative_to(here.path)).read_bytes() == path.read_bytes()
    assert seen == [(90, "capturing into there")] * 90 + [(27, "capturing into redrawn")] * 27
    passes = math.ceil(90 / 4) + math.ceil(27 / 4)
    assert passes < mark.stat().st_size <= passes + 2  # a stretch was done again
    with pytest.raises(InputError, match="holds another capture: its candidates"):
        captured(
            clip_folder, examples, there.path, adapter=deadly, engine=TWO, candidates=("A", "C")
        )


def test_examples_of_ones_own_are_sent_and_what_is_broken_is_listed(
    clip_folder, emoji_rows, tmp_path
):
    examples = [replace(one, label=np.int64(1)) for one in opened(emoji_rows, limit=30)]
    (tmp_path / examples[13].inputs.cells["picture"]).write_bytes(b"no picture")
    given = {"on_error": "skip", "adapter": clip_that(nothing), "batch_size": 8}
    here = captured(clip_folder, examples, tmp_path / "here", **given)
    there = captured(
        clip_folder, (one for one in examples), "memory://bucket/there", **given, engine=TWO
    )
    assert there.digest() == here.digest()
    assert [name for name, _ in StoreReader.open(here.path).skipped()] == [examples[13].id]


def test_batches_that_memory_does_not_hold_are_halved_by_every_worker(
    clip_folder, emoji_rows, tmp_path
):
    examples = opened(emoji_rows, limit=30)
    given = {"adapter": clip_that(be_small), "batch_size": 8}
    here = captured(clip_folder, examples, tmp_path / "here", **given)
    there = captured(clip_folder, examples, tmp_path / "there", **given, engine=TWO)
    assert there.digest() == here.digest()


def test_what_kills_every_worker_does_not_do_so_for_ever(clip_folder, emoji_rows, tmp_path):
    examples, adapter = opened(emoji_rows, limit=4), clip_that(die)
    with pytest.raises(WorkerError, match="the worker died 4 times over the examples from 0 to 3"):
        captured(clip_folder, examples, tmp_path / "s", adapter=adapter, engine=TWO)


DRIVER = """
import sys
from modalprism.capture import store_writer
from modalprism.cli import main
store_writer.SHARD_BYTES = 4000
main()
"""


def test_the_command_line_goes_on_after_a_kill(run, cluster, clip_folder, emoji_rows, tmp_path):
    columns = [f"--column={name}={column}" for name, column in COLUMNS.items()]
    words = ["capture", str(clip_folder), emoji_rows.name, *columns, "--batch-size", "1"]
    words += ["--candidate", "A", "--candidate", "B", "--json", "--out"]
    there = ("there", "--engine", "ray", "--address", cluster, "--workers", "2")
    command = [sys.executable, "-c", DRIVER, *words, *there]
    place = {"PYTHONPATH": str(Path(modalprism.__file__).parents[1])}
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | place) as process:  # noqa: S603
        while not len(list((tmp_path / "there").glob("*.parquet"))) > 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    kept = finished_shards(tmp_path / "there")
    assert len(kept) > 2
    assert not (tmp_path / "there" / "finished.json").exists()
    code, out, err = run(*words, *there)
    assert (code, err) == (0, "")
    assert json.loads(out)["rows"] == 120
    assert run(*words, "here")[0] == 0
    digests = [EmbeddingStore.open(tmp_path / name).digest() for name in ("here", "there")]
    assert digests[0] == digests[1]


def test_a_gpu_that_no_machine_has_is_refused_at_once(clip_folder, emoji_rows, tmp_path):
    words = "the device is 'cuda', and no machine of the Ray cluster has a GPU"
    with pytest.raises(InputError, match=words):
        captured(clip_folder, opened(emoji_rows), tmp_path / "s", device="cuda", engine=TWO)


def told_of(model, examples, *, end, fingerprint="", **settings):
    """Let a worker of this process capture a stretch, and return what it tells."""
    how = RunConfig(batch_size=4, **settings)
    worker = CaptureWorker(
        ModelSpec(model), examples, fingerprint or examples.fingerprint(), how, {},
        str(Path.cwd()), lambda _: 1,
    )  # fmt: skip
    stretch = pa.table({"begin": [0], "end": [end], "examples": [b""]})
    return [(one["what"], one["words"]) for told in worker(stretch) for one in told.to_pylist()]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"layers": (9,)}, "the model has no layer 9"),
        ({"fingerprint": "another"}, "sees another dataset at the same path, or not all files"),
        ({"end": 9}, "has 8 examples from position 0 to 9: it has changed since"),
    ],
)
def test_a_worker_that_has_to_stop_says_why(clip_folder, emoji_rows, given, words):
    told = told_of(clip_folder, opened(emoji_rows, limit=8), **({"end": 8} | given))
    assert told[-1][0] == "stop"
    assert words in told[-1][1]


def test_a_worker_without_the_model_or_the_data_says_so(clip_folder, emoji_rows, tmp_path):
    examples = opened(emoji_rows, limit=8)
    (told,) = told_of(tmp_path, examples, end=8)
    assert "cannot be loaded" in told[1]
    fingerprint = examples.fingerprint()
    emoji_rows.unlink()
    (told,) = told_of(clip_folder, examples, end=8, fingerprint=fingerprint)
    assert "cannot read the dataset (No such file or directory" in told[1]


def test_what_was_captured_before_a_broken_example_is_told_first(clip_folder, emoji_rows, tmp_path):
    (tmp_path / "pictures" / "006.png").write_bytes(b"no picture")
    told = told_of(clip_folder, opened(emoji_rows), end=8)
    assert [what for what, _ in told] == ["is", "add", "add", "add", "flush", "stop"]
    writer = StoreWriter(tmp_path / "s", json.loads(told[0][1]))
    with pytest.raises(InputError, match="it is no picture"):
        replay(writer, *told[-1], b"")


def test_ids_that_stand_twice_are_refused(clip_folder, emoji_rows, tmp_path):
    examples = list(opened(emoji_rows, limit=4))
    with pytest.raises(InputError, match="two examples have the id"):
        captured(clip_folder, examples + examples[:1], tmp_path / "s", engine=TWO)
