"""A small model on made-up pictures and words, honest or not, with the store of what it says."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from modalprism.baselines.interface import Subject
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.reading import mean, read_batch, read_states
from modalprism.capture.store import EmbeddingStore, write_store
from modalprism.datasets.dataset import Example
from modalprism.studies.study_store import StudyStore
from modalprism.studies.views import Settings
from modalprism.validation import validate_stores

N = 300
MODALITIES = ("image", "text")
SETTINGS = Settings(MODALITIES, estimator="codebook", replicates=60, permutations=99)


class Pair(nn.Module):
    """What it answers hangs on the picture, and a little less on the word."""

    def __init__(self):
        super().__init__()
        self.image, self.text = nn.Linear(3, 3), nn.Linear(3, 3)
        with torch.no_grad():
            for tower in (self.image, self.text):
                tower.weight.copy_(torch.eye(3))
                tower.bias.zero_()

    def forward(self, image, text):
        return 5 * self.image(image) + 3 * self.text(text)


@dataclass
class MadeOrigin:
    """Examples by their rows, and the model."""

    adapter: ModuleAdapter
    examples: list
    candidates: tuple = ()

    def subject(self, rows, *, attention=False):  # noqa: ARG002
        return Subject(
            self.adapter, [self.examples[row] for row in rows], "pair", "made", 64, "cpu"
        )

    def shown(self, rows):
        return [{} for _ in rows]


def prepare(examples):
    return {
        modality: torch.tensor(np.array([example.inputs[modality] for example in examples])).float()
        for modality in MODALITIES
    }


def prepare_blind(examples):
    """Let no example's own picture through."""
    given = prepare(examples)
    return given | {"image": torch.zeros_like(given["image"])}


def adapter_of(prepare=prepare, image="image", text="text"):
    return ModuleAdapter(
        Pair().eval(),
        prepare,
        {"image": [image], "text": [text]},
        answer=lambda logits: logits.softmax(1),
    )


@pytest.fixture(scope="session")
def made_examples():
    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=(N, 2))
    noise = 0.1 * rng.normal(size=(N, 2, 3))
    inputs = np.eye(3)[kinds] + noise
    return [
        Example(str(row), {"image": inputs[row, 0], "text": inputs[row, 1]}, int(kinds[row, 0]))
        for row in range(N)
    ]


@pytest.fixture(scope="session")
def captured(made_examples):
    """Capture the examples through an adapter; return the arrays of a store."""

    @torch.inference_mode()
    def capture(adapter):
        with read_states(adapter.model, adapter.sites(), mean) as reading:
            states, answer = read_batch(adapter, adapter.prepare(made_examples), reading)
        arrays = {name: states[name].numpy() for name in ("image/0", "text/0")}
        label = np.array([example.label for example in made_examples])
        return arrays | {"answer": answer.numpy(), "label": label}

    return capture


@pytest.fixture
def stored(made_examples, tmp_path):
    """Write arrays into a store, of a model that may be run again."""

    def store(arrays, adapter=None):
        path = tmp_path / "store.safetensors"
        write_store(path, arrays, {})
        origin = None if adapter is None else MadeOrigin(adapter, made_examples)
        return StudyStore("pair", "made", EmbeddingStore.open(path), origin)

    return store


@pytest.fixture
def verdicts():
    """Validate a store; return what was found by check."""

    def validate(study_store, **options):
        options = {"examples": 200, "runs": 64, "workers": 1} | options
        found = validate_stores([study_store], options.pop("settings", SETTINGS), **options)
        return {finding.check: finding for finding in found.findings}

    return validate


@pytest.fixture(scope="session")
def models():
    """Adapters: the honest one, one that never sees a picture, and one with names exchanged."""
    return {
        "honest": adapter_of(),
        "blind": adapter_of(prepare_blind),
        "renamed": adapter_of(image="text", text="image"),
    }
