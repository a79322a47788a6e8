"""The demo's own network passes, and fails by name what is done to it."""

from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from modalprism.capture.store import EmbeddingStore, write_store
from modalprism.demo import input as demo_input
from modalprism.demo.adapter import FusionAdapter
from modalprism.demo.input import EmojiInput
from modalprism.demo.questions import load_emojis, split
from modalprism.studies.study_store import Origin
from modalprism.studies.views import Settings
from modalprism.validation.model_checks import answer_moves, knock_out, names_fit, rows_belong

SETTINGS = Settings(("image", "text"), folds=4, replicates=100, permutations=99)
ROWS, NAMES = "rows belong together", "names of the modalities"
MOVES, CUT = "the answer moves with the image", "attention cut, image → text"

pytestmark = pytest.mark.slow


class Blind(FusionAdapter):
    """Never sees a picture."""

    def prepare(self, examples):
        given = super().prepare(examples)
        return given | {"image": torch.zeros_like(given["image"])}


class Renamed(FusionAdapter):
    """Takes each span for the other's."""

    def sites(self):
        other = {"image": ("text",), "text": ("image",)}
        return tuple(
            replace(site, modalities=other.get(site.modalities[0], site.modalities))
            for site in super().sites()
        )

    def spans(self, inputs):
        return {"image": inputs["text_mask"]}


class Uncut(FusionAdapter):
    """Says that it hides a span, and does not."""

    def hidden(self, inputs, modality):  # noqa: ARG002
        return nullcontext()


@dataclass
class As:
    """An origin whose model is read by another adapter."""

    origin: Origin
    adapter: type

    def subject(self, rows, *, attention=False):
        subject = self.origin.subject(rows, attention=attention)
        was = subject.adapter
        return replace(subject, adapter=self.adapter(was.network, was.inputs, was.question))


@pytest.fixture(scope="module")
def study_store(tmp_path_factory):
    """The concatenating network on what is pictured, on fewer emojis."""
    folder = tmp_path_factory.mktemp("demo")
    train, held_out = split(load_emojis())
    fewer = np.sort(np.random.default_rng(0).permutation(held_out)[:200])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODALPRISM_CACHE", str(folder / "cache"))
        patch.setattr(demo_input, "split", lambda _emojis: (train, fewer))
        source = EmojiInput(
            kind="emoji_questions", fusions=("concat",), questions=("pictured",),
            redrawn_examples=10, redrawn_partners=4,
        )  # fmt: skip
        (one,) = source.stores(folder / "store", 0)
        yield one


def numbered(array):
    """Return words as numbers: a file of tensors holds no words."""
    return np.unique(array, return_inverse=True)[1] if array.dtype.kind in "OU" else array


@pytest.fixture
def broken(study_store, tmp_path):
    """Change a store's arrays, or the adapter that reads its model."""

    def make(adapter=None, change=lambda arrays: arrays):
        arrays = {name: numbered(study_store.store.array(name)) for name in study_store.store.names}
        path = tmp_path / "broken.safetensors"
        write_store(path, change(arrays), study_store.store.metadata)
        origin = study_store.origin if adapter is None else As(study_store.origin, adapter)
        return replace(study_store, store=EmbeddingStore.open(path), origin=origin)

    return make


def fails_of(found):
    return {name for name, one in found.items() if one.verdict == "fail"}


def test_the_demo_passes_every_check(study_store, verdicts):
    found = verdicts(study_store, settings=SETTINGS, examples=240, workers=0)
    assert fails_of(found) == set()
    passed = {name for name, one in found.items() if one.verdict == "pass"}
    # The name plays no part in what is pictured, so that two checks of it say nothing.
    assert set(found) - passed <= {"text twice", "noise over the text"}
    assert (
        found[CUT].rest.estimate.low > 0.5
    )  # bits that were everybody's, and now are the picture's alone


def test_a_target_that_never_saw_the_image_fails(broken, verdicts):
    checks = [answer_moves("image")]
    found = verdicts(broken(Blind), settings=SETTINGS, examples=240, checks=checks)
    assert fails_of(found) == {MOVES}


def test_swapped_labels_fail(broken, verdicts):
    def exchanged(arrays):
        return arrays | {"image/0": arrays["text/0"], "text/0": arrays["image/0"]}

    checks = [rows_belong(), names_fit(("image", "text"))]
    found = verdicts(broken(Renamed, exchanged), settings=SETTINGS, checks=checks)
    assert fails_of(found) == {NAMES}


def test_rows_paired_at_random_fail(broken, verdicts):
    def shuffled(arrays):
        n = len(arrays["label"])
        order = np.random.default_rng(1).permutation(n)
        return {name: a[order] if len(a) == n else a for name, a in arrays.items()}

    checks = [rows_belong(), names_fit(("image", "text"))]
    found = verdicts(broken(change=shuffled), settings=SETTINGS, checks=checks)
    assert fails_of(found) == {ROWS}


def test_a_cut_that_cuts_nothing_fails(broken, verdicts):
    checks = [knock_out("image", "text")]
    found = verdicts(broken(Uncut), settings=SETTINGS, examples=240, checks=checks)
    assert fails_of(found) == {CUT}
    assert found[CUT].seen.startswith("text moves")
