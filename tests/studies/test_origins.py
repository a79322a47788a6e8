"""What a store was made of: its model, run again on its rows, gives what the store holds."""

import numpy as np
import pytest
import torch

from modalprism.baselines.running import Runner
from modalprism.demo import input as demo_input
from modalprism.demo.input import EmojiInput
from modalprism.demo.questions import load_emojis, split
from modalprism.errors import InputError
from modalprism.studies.capture_input import CaptureInput


def answers(subject):
    return Runner(subject).answers("again")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return a store of the demo, of the pairs of sixty emojis."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODALPRISM_CACHE", str(folder / "cache"))
        train, held_out = split(load_emojis())
        patch.setattr(demo_input, "split", lambda _emojis: (train, held_out[::13]))
        source = EmojiInput(
            kind="emoji_questions",
            fusions=("concat",),
            questions=("match",),
            redrawn_examples=8,
            redrawn_partners=4,
        )
        (study_store,) = source.stores(folder, 0)
        yield study_store


@pytest.fixture
def captured(clip_folder, emoji_rows, tmp_path):
    """Capture a tiny CLIP on a table of pictures and names."""

    def make(**options):
        source = CaptureInput(
            kind="capture",
            model=str(clip_folder),
            data=str(emoji_rows),
            columns={"image": "picture", "text": "name", "label": "answer"},
            candidates=("A", "B"),
            dtype="float32",
            **options,
        )
        (study_store,) = source.stores(tmp_path / "stores", 0)
        return study_store

    return make


ROWS = np.array([7, 3, 20])


def test_the_demos_rows_run_again(demo):
    subject = demo.origin.subject(ROWS)
    assert (subject.model, subject.dataset) == ("concat", "match")
    assert [example.label for example in subject.examples] == demo.store.array("label")[
        ROWS
    ].tolist()
    np.testing.assert_allclose(answers(subject), demo.store.array("answer")[ROWS], atol=1e-5)


def test_the_demos_rows_are_a_picture_and_a_name(demo):
    matching = np.flatnonzero(demo.store.array("label") == 1)[:2]
    names = {emoji.name for emoji in load_emojis()}
    for shown in demo.origin.shown(matching):
        assert shown["image"].size == (72, 72)
        assert shown["text"] in names


def test_rows_of_a_capture_run_again_in_the_order_asked_for(captured):
    study_store = captured(limit=30)
    subject = study_store.origin.subject(ROWS)
    identities = study_store.store.array("id")[ROWS].tolist()
    assert [example.id for example in subject.examples] == identities
    np.testing.assert_allclose(answers(subject), study_store.store.array("answer")[ROWS], atol=1e-5)


def test_a_captures_rows_are_what_the_model_was_given(captured):
    study_store = captured(limit=30)
    shown = study_store.origin.shown(ROWS)
    examples = study_store.origin.subject(ROWS).examples
    for one, example in zip(shown, examples, strict=True):
        assert one["text"] == example.inputs["text"]
        assert one["image"].mode == "RGB"


def test_a_model_that_is_to_hand_out_attention_does(captured):
    study_store = captured(limit=30)
    plain, eager = (
        study_store.origin.subject(ROWS, attention=wanted).adapter.model for wanted in (False, True)
    )
    assert eager.config._attn_implementation == "eager" != plain.config._attn_implementation
    assert all(torch.equal(one, other) for one, other in zip(
        plain.state_dict().values(), eager.state_dict().values(), strict=True
    ))  # fmt: skip


def test_an_example_that_has_left_its_dataset_is_said(captured, emoji_rows):
    study_store = captured()
    lines = emoji_rows.read_text("utf-8").splitlines(keepends=True)
    emoji_rows.write_text("".join(lines[:5]), "utf-8")
    later = captured(limit=4)
    later.origin.subject([0])
    with pytest.raises(InputError, match=r"no longer in the dataset .*run the study again"):
        type(later.origin)(**{**vars(later.origin), "store": study_store.store}).subject(ROWS)
