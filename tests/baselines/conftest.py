"""What is scored here: models whose scores are known by hand, the demo, tiny real families."""

import os
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modalprism.baselines.interface import Subject
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.loading import load_adapter
from modalprism.datasets.dataset import Example
from modalprism.demo.adapter import FusionAdapter
from modalprism.demo.encoders import encode_emojis
from modalprism.demo.fusion_network import load_network
from modalprism.demo.questions import QUESTIONS, load_emojis, split

FAMILIES = Path(__file__).parents[1] / "capture" / "families"
MODALITIES = ("image", "text")


def of_file(name, *wanted):
    """Return what another file of tests has: how tiny models of families are made."""
    spec = spec_from_file_location(f"tiny_{name}", FAMILIES / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return [getattr(module, one) for one in wanted]


(loaded,) = of_file("conftest", "loaded")
(llava,) = of_file("test_decoders", "llava")
bert, vilt_of = of_file("test_single_stream", "bert", "vilt_of")
whisper_of, tone = of_file("test_whisper", "whisper_of", "tone")


class Pair(nn.Module):
    """What is given, as it is, and a function of it."""

    def __init__(self, function):
        super().__init__()
        self.image, self.text, self.function = nn.Identity(), nn.Identity(), function

    def forward(self, image, text):
        return self.function(self.image(image), self.text(text))


def numbers(examples):
    return {
        modality: torch.stack([torch.tensor(e.inputs[modality]) for e in examples])
        for modality in MODALITIES
    }


@pytest.fixture
def pair_of():
    """Make a subject of a function of three numbers an image and three a text, (b, 3) each."""

    def make(function, examples, **options):
        layers = {modality: [modality] for modality in MODALITIES}
        adapter = ModuleAdapter(Pair(function), numbers, layers, answer=lambda given: given)
        return Subject(adapter, examples, "pair", "numbers", **options)

    return make


@pytest.fixture
def number_examples():
    """Twenty examples of tuples, which are no media; the label is the sign of the first number."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((20, 2, 3)).astype(np.float32)
    return [
        Example(
            str(row), dict(zip(MODALITIES, of.tolist(), strict=True)), label=int(of[0, 0] > 0),
            groups={"pair": str(row // 2)},
        )
        for row, of in enumerate(drawn)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """Make subjects of the demo's trained networks: sixteen pairs of eight held-out emojis."""
    before = os.environ.get("MODALPRISM_CACHE")
    os.environ["MODALPRISM_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    try:
        emojis = load_emojis()
        members = split(emojis)[1][::95][:8]
        inputs = encode_emojis(emojis, members, [QUESTIONS["match"]])
    finally:
        del os.environ["MODALPRISM_CACHE"]
        if before is not None:
            os.environ["MODALPRISM_CACHE"] = before
    pairs = [
        (p, n) for step in (0, 1) for p, n in zip(members, np.roll(members, step), strict=True)
    ]
    examples = [
        Example(
            str(row), {"image": int(p), "text": int(n)}, label=int(p == n),
            groups={"image": str(p), "text": str(n)},
        )
        for row, (p, n) in enumerate(pairs)
    ]  # fmt: skip

    def make(fusion):
        adapter = FusionAdapter(load_network(fusion), inputs, QUESTIONS["match"])
        return Subject(adapter, examples, fusion, "match", batch_size=7)

    return make


@pytest.fixture
def pictured(emoji_examples):
    """Eight real pictures with names, half of them labelled 1."""
    return [replace(example, label=row % 2) for row, example in enumerate(emoji_examples)]


@pytest.fixture(params=["clip", "vilt", "llava", "whisper", "demo"])
def family(request, pictured):
    """A subject of every kind of family, each loaded by the path that real ones take."""
    if request.param == "demo":
        return request.getfixturevalue("demo")("cross_attention")
    examples = pictured
    if request.param == "clip":
        folder = request.getfixturevalue("clip_folder")
        names = [example.inputs["text"] for example in pictured[:2]]
        adapter = load_adapter(folder, candidates=names)
    elif request.param == "vilt":
        adapter = request.getfixturevalue("vilt_of")()
    elif request.param == "llava":
        adapter = request.getfixturevalue("llava")
    else:
        adapter = request.getfixturevalue("whisper_of")()
        rng = np.random.default_rng(0)
        examples = [
            Example(str(row), {"audio": tone(rng, 1600 + 900 * row), "text": text}, label=row % 2)
            for row, text in enumerate(("a", "he said", "twelve", "no man", "is", "number"))
        ]
    return Subject(adapter, examples, request.param, "examples", batch_size=3)


@pytest.fixture
def value_of():
    """Return the one score of a result with such a name, or the values of both modalities."""

    def find(result, quantity, modality=None):
        (found,) = [s for s in result.scores if (s.quantity, s.modality) == (quantity, modality)]
        return found.estimate.value

    return find


def same(one, other, exactly=True):
    """Whether two results have the same numbers."""
    assert one.cost == other.cost
    assert one.per_example.keys() == other.per_example.keys()
    for name, values in one.per_example.items():
        tolerance = 0 if exactly else 1e-4
        np.testing.assert_allclose(other.per_example[name], values, rtol=tolerance, atol=tolerance)
    for mine, its in zip(one.scores, other.scores, strict=True):
        assert (mine.quantity, mine.modality) == (its.quantity, its.modality)
        assert mine.estimate.unit == its.estimate.unit
        if exactly:
            assert repr(mine) == repr(its)


@pytest.fixture(name="same")
def _same():
    return same


def swapped(examples):
    """Give every example its text for an image, and its image for a text."""
    return [
        replace(e, inputs={"image": e.inputs["text"], "text": e.inputs["image"]}) for e in examples
    ]


@pytest.fixture(name="swapped")
def _swapped():
    return swapped
