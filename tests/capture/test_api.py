import numpy as np
import pytest
import torch
from torch import nn

import modalprism as mp
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.loading import weights_digest
from modalprism.capture.run import RunConfig, run_capture
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(4, 6), nn.Linear(3, 6)
        self.head = nn.Linear(12, 2)

    def forward(self, image, text):
        return self.head(torch.cat([self.image(image), self.text(text)], 1))


def prepare(examples):
    wanted = ("image", "text")
    return {m: torch.stack([torch.as_tensor(e.inputs[m]) for e in examples]) for m in wanted}


def adapter():
    layers = {"image": ["image"], "text": ["text"]}
    return ModuleAdapter(Pair(), prepare, layers, answer=lambda logits: logits.softmax(1))


def examples(n=120):
    rng = np.random.default_rng(0)
    return [
        {
            "image": rng.normal(size=4).astype(np.float32),
            "text": rng.normal(size=3).astype(np.float32),
            "label": i % 2,
            "id": f"row {i}",
            "groups": {"patient": str(i // 2)},
        }
        for i in range(n)
    ]


def test_a_module_of_ones_own_is_captured_and_analysed(tmp_path):
    store = mp.capture(adapter(), None, examples(), out=tmp_path / "s", dataset="made")
    assert store.layers(("image", "text")) == [0]
    study = mp.Study(sources=[{"path": store.path}], out=tmp_path / "run", replicates=20,
                     permutations=19, workers=1)  # fmt: skip
    profile = study.run()
    information = profile.frame.query("quantity == 'information'")["value"].item()
    assert 0 < information <= 1


@pytest.mark.parametrize(
    ("layers", "some", "words"),
    [
        ({"image": "image", "text": ["text"]}, 3, r"layers of 'image' are a list of names: \['ima"),
        ({"image": ["image"], "text": ["text"]}, 0, "has no rows: give the capture an example"),
    ],
)
def test_a_name_for_a_list_and_no_examples_are_refused(tmp_path, layers, some, words):
    with pytest.raises(InputError, match=words):
        mp.capture(ModuleAdapter(Pair(), prepare, layers), None, examples(some), out=tmp_path / "s")


def test_the_store_says_what_it_is(tmp_path):
    store = mp.capture(adapter(), None, examples(), out=tmp_path / "s", dataset="made", seed=7)
    words = EmbeddingStore.open(tmp_path / "s").metadata
    assert words["dataset"] == "made"
    assert words["seed"] == "7"
    assert words["model"] == "Pair"
    assert "transformers" in words["versions"]
    assert words["weights"] == weights_digest(Pair())
    assert store.groups()["patient"][3] == "1"


def test_other_weights_are_another_capture(tmp_path):
    mp.capture(adapter(), None, examples(), out=tmp_path / "s")
    other = adapter()
    with torch.no_grad():
        other.model.head.weight.add_(0.1)
    with pytest.raises(InputError, match="holds another capture: its weights"):
        mp.capture(other, None, examples(), out=tmp_path / "s")


def test_a_module_without_an_adapter_is_told_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no model of transformers; describe it"):
        mp.capture(Pair(), None, examples(), out=tmp_path / "s")


def test_all_examples_have_a_label_or_none(tmp_path):
    given = examples(6)
    given[4]["label"] = None
    with pytest.raises(InputError, match="'row 4' lacks a label, which others have"):
        mp.capture(adapter(), None, given, out=tmp_path / "s")
    given = [one | {"label": None} for one in examples(6)]
    given[5]["label"] = 1
    with pytest.raises(InputError, match="'row 5' has a label, which others lack"):
        mp.capture(adapter(), None, given, out=tmp_path / "t")


def test_labels_of_words_and_numbers_are_words_in_every_part(tmp_path):
    given = [one | {"label": "both"} if i == 5 else one for i, one in enumerate(examples(8))]
    settings = RunConfig(shard_rows=2, batch_size=2)
    run_capture(
        adapter(), [Example(e["id"], e, e["label"]) for e in given], tmp_path / "s",
        metadata={}, config=settings,
    )  # fmt: skip
    labels = EmbeddingStore.open(tmp_path / "s").array("label")
    assert labels.tolist() == ["0", "1", "0", "1", "0", "both", "0", "1"]
