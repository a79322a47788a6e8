"""Capture into a store: what is there, and what happens when things go wrong."""

import json
import multiprocessing
import signal
import time

import numpy as np
import pytest
import torch
from torch import nn

from modalprism.capture import store_writer
from modalprism.capture.adapter import Site
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.named_arrays import MappedArray
from modalprism.capture.run import RunConfig, run_capture
from modalprism.capture.shards import StoreReader
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

WORDS = {"model": "pair", "dataset": "made"}


class Pair(nn.Module):
    """Two streams of unequal length that a layer joins."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, 4), nn.Linear(3, 4)
        self.joined = nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)
        self.largest = 10**9
        self.passes = []

    def forward(self, image, text):
        if len(image) > self.largest:
            raise torch.OutOfMemoryError("a batch too large")
        self.passes.append(len(image))
        both = self.joined(torch.cat([self.image(image), self.text(text)], 1))
        return self.head(both.mean(1))


def prepare(examples):
    wanted = [example.inputs["image"] for example in examples]
    return {
        "image": torch.stack([torch.as_tensor(value) for value in wanted]),
        "text": torch.stack([torch.as_tensor(example.inputs["text"]) for example in examples]),
    }


def spans(inputs):
    image, text = inputs["image"].shape[1], inputs["text"].shape[1]
    place = torch.arange(image + text).expand(len(inputs["image"]), -1)
    return {"image": place < image, "text": place >= image}


def pair_adapter(model=None):
    return ModuleAdapter(
        model or Pair(),
        prepare,
        {
            "image": [Site(1, "joined", ("image", "text"))],
            "text": [Site(2, "head", ("image", "text"))],
        },
        spans=spans,
        answer=lambda logits: logits.softmax(1),
    )


def examples_of(n, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Example(
            f"e{i}",
            {
                "image": rng.normal(size=(6, 5)).astype(np.float32),
                "text": rng.normal(size=(2, 3)).astype(np.float32),
            },
            label=int(i % 3),
            groups={"patient": str(i // 2)},
        )
        for i in range(n)
    ]


def captured(out, n=23, *, adapter=None, **settings):
    settings = RunConfig(**{"shard_rows": 8, "batch_size": 4, "dtype": "float32"} | settings)
    return run_capture(
        adapter or pair_adapter(), examples_of(n), out, metadata=WORDS, config=settings, total=n
    )


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_store_holds_states_answers_labels_and_groups(tmp_path):
    store = captured(tmp_path / "s")
    assert store.array("image/1").shape == (23, 4)
    parts = store.mapped_span("image", 1)
    assert isinstance(parts, MappedArray)
    np.testing.assert_array_equal(parts[6:17], store.array("image/1")[6:17])
    assert store.array("fused/1").shape == (23, 8)
    assert store.array("label").tolist() == [i % 3 for i in range(23)]
    assert store.groups()["patient"].tolist() == [str(i // 2) for i in range(23)]
    with torch.inference_mode():
        inputs = prepare(examples_of(23))
        model = Pair()
        expected = model(**inputs).softmax(1)
        joined = model.joined(
            torch.cat([model.image(inputs["image"]), model.text(inputs["text"])], 1)
        )
    np.testing.assert_allclose(store.array("answer"), expected, atol=1e-6)
    np.testing.assert_allclose(store.array("image/1"), joined[:, :6].mean(1), atol=1e-6)
    np.testing.assert_allclose(store.array("text/1"), joined[:, 6:].mean(1), atol=1e-6)


def test_the_model_is_left_as_it_was(tmp_path):
    model = Pair()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    captured(tmp_path / "s", adapter=pair_adapter(model))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_batches_do_not_change_what_is_captured(tmp_path):
    one, other = captured(tmp_path / "a", batch_size=1), captured(tmp_path / "b", batch_size=7)
    for name in one.names:
        if one.array(name).dtype.kind == "f":
            np.testing.assert_allclose(one.array(name), other.array(name), atol=1e-6)


@pytest.mark.slow
def test_the_batch_gets_smaller_where_memory_does_not_suffice(tmp_path):
    model = Pair()
    model.largest = 3
    store = captured(tmp_path / "s", adapter=pair_adapter(model), batch_size=16)
    assert len(store.array("label")) == 23
    assert max(model.passes) <= 3
    assert store.array("label").tolist() == [i % 3 for i in range(23)]


def test_an_example_that_no_memory_holds_is_named(tmp_path):
    model = Pair()
    model.largest = 0
    with pytest.raises(InputError, match="example 'e0' alone"):
        captured(tmp_path / "s", adapter=pair_adapter(model))


class Broken(dict):
    """An example whose picture cannot be read."""

    def __getitem__(self, key):
        raise InputError("the picture is truncated")


def with_broken(n, *places):
    examples = examples_of(n)
    for place in places:
        examples[place] = Example(f"e{place}", Broken(), label=0, groups={"patient": "x"})
    return examples


def test_a_corrupt_example_stops_the_run_and_what_was_done_is_kept(tmp_path):
    settings = RunConfig(shard_rows=8, batch_size=4)
    with pytest.raises(
        InputError, match=r"'e13' cannot be prepared: the picture is truncated.*skip"
    ):
        run_capture(
            pair_adapter(), with_broken(23, 13), tmp_path / "s", metadata=WORDS, config=settings
        )
    assert len(EmbeddingStore.open(tmp_path / "s").array("label")) == 13


def test_corrupt_examples_are_skipped_and_listed_where_that_is_asked(tmp_path):
    settings = RunConfig(shard_rows=8, batch_size=4, on_error="skip")
    out = tmp_path / "s"
    examples = with_broken(23, 0, 13, 22)
    store = run_capture(pair_adapter(), examples, out, metadata=WORDS, config=settings)
    assert len(store.array("label")) == 20
    skipped = [name for part in StoreReader.open(out).shards for name, _ in part.skipped]
    assert skipped == ["e0", "e13", "e22"]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_run_goes_on_after_the_last_whole_part(tmp_path, kept):
    captured(tmp_path / "whole")
    captured(tmp_path / "s")
    for number in range(kept, 3):
        (tmp_path / "s" / f"part-{number:05d}.parquet").unlink()
    model = Pair()
    captured(tmp_path / "s", adapter=pair_adapter(model))
    assert sum(model.passes) == 23 - 8 * kept
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")


def test_a_finished_store_is_not_captured_again(tmp_path):
    captured(tmp_path / "s")
    model = Pair()
    captured(tmp_path / "s", adapter=pair_adapter(model))
    assert model.passes == []


def test_another_capture_is_not_gone_on_with(tmp_path):
    captured(tmp_path / "s")
    with pytest.raises(InputError, match="holds another capture: its dtype is 'float32'"):
        captured(tmp_path / "s", dtype="float16")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="is no store and not empty"):
        captured(tmp_path / "t")


def test_ids_that_stand_twice_are_refused(tmp_path):
    with pytest.raises(InputError, match="two examples have the id 'e0'"):
        run_capture(pair_adapter(), examples_of(2) * 2, tmp_path / "s", metadata=WORDS)


def test_states_beyond_the_dtype_are_refused_by_name(tmp_path):
    model = Pair()
    with torch.no_grad():
        model.joined.weight.mul_(1e6)
    with pytest.raises(
        InputError, match=r"state image/1 of the example 'e0' is not finite.*float16"
    ):
        captured(tmp_path / "s", adapter=pair_adapter(model), dtype="float16")


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"pool": "attention"}, "names no attention of layer 1"), ({"layers": (9,)}, "no layer 9")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(tmp_path, settings, words):
    with pytest.raises(InputError, match=words):
        captured(tmp_path / "s", **settings)


def test_layers_may_be_chosen(tmp_path):
    store = captured(tmp_path / "s", layers=(2,))
    assert "image/1" not in store.names
    assert "image/2" in store.names


def test_single_positions_are_kept_beside(tmp_path):
    store = captured(tmp_path / "s", tokens=3)
    assert store.array("tokens/image/1").shape == (23, 3, 4)
    assert store.modalities == ("image", "text")  # no analysis takes them for a modality
    assert np.isnan(store.array("tokens/text/1")[:, 2]).all()  # a text has two


def test_a_part_is_no_larger_than_memory_should_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(store_writer, "SHARD_BYTES", 400)
    captured(tmp_path / "s", shard_rows=1000)
    sizes = [part.rows for part in StoreReader.open(tmp_path / "s").shards]
    assert sum(sizes) == 23
    assert max(sizes) == 4  # the smallest that a batch makes


def damage(folder, kind):
    arrays = folder / "part-00001.safetensors"
    if kind == "truncated":
        arrays.write_bytes(arrays.read_bytes()[:-40])
    elif kind == "changed":
        content = bytearray(arrays.read_bytes())
        content[-1] ^= 1
        arrays.write_bytes(bytes(content))
    elif kind == "version":
        words = json.loads((folder / "store.json").read_text())
        (folder / "store.json").write_text(json.dumps(words | {"format": 99}))
    elif kind == "index":
        (folder / "part-00001.parquet").write_bytes(b"PAR1")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("truncated", r"part-00001\.safetensors cannot be read"),
     ("changed", "is not what was written: its checksum"),
     ("version", "has format 99"),
     ("index", r"index .*part-00001\.parquet cannot be read")],
)  # fmt: skip
def test_a_damaged_store_is_refused_in_words(tmp_path, kind, words):
    captured(tmp_path / "s")
    damage(tmp_path / "s", kind)

    def read():
        reader = StoreReader.open(tmp_path / "s")
        reader.array("image/1")
        reader.check()

    with pytest.raises(InputError, match=words):
        read()


def test_parts_are_mapped_and_not_copied(tmp_path):
    captured(tmp_path / "s", dtype="bfloat16")
    reader = StoreReader.open(tmp_path / "s")
    pieces = list(reader.pieces("image/1"))
    assert [len(piece) for piece in pieces] == [8, 8, 7]
    assert all(piece.dtype == torch.bfloat16 for piece in pieces)
    assert reader.array("image/1").dtype == np.float32


class Slow(Pair):
    def forward(self, image, text):
        time.sleep(0.003)
        return super().forward(image, text)


def capture_slowly(out):
    torch.set_num_threads(1)
    captured(out, 400, adapter=pair_adapter(Slow()), shard_rows=16)


def test_kill_at_ten_random_moments_loses_nothing_and_doubles_nothing(tmp_path):
    moments = np.random.default_rng(0)
    out, whole = tmp_path / "s", tmp_path / "whole"
    # Forked: what is killed is the capture, and not a Python that still starts.
    fork = multiprocessing.get_context("fork")

    def start():
        process = fork.Process(target=capture_slowly, args=(out,))
        process.start()
        return process

    killed = 0
    for _ in range(10):
        process = start()
        while killed and process.is_alive() and not (out / "store.json").is_file():
            time.sleep(0.005)  # a busy machine begins late; the first may be killed before
        time.sleep(moments.uniform(0.01, 0.08))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 5
    assert len(list(out.glob("*.parquet"))) < 25  # it was not done, and had begun
    assert (out / "store.json").is_file()
    last = start()
    last.join()
    assert last.exitcode == 0
    captured(whole, 400, shard_rows=16)
    assert bytes_of(out) == bytes_of(whole)
