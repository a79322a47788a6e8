"""Redrawn pairs: who meets whom, and the store beside the store."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import modalprism as mp
from modalprism.capture.redrawn import redrawn_pairs
from modalprism.capture.shards import REDRAWN, StoreReader
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

MODALITIES = ("image", "text")


def some(n):
    return [Example(f"e{i}", {"image": f"picture {i}", "text": f"name {i}"}) for i in range(n)]


@given(st.integers(3, 20), st.data(), st.integers(0, 100))
def test_every_input_is_run_equally_often_and_never_with_its_own(n, data, seed):
    count = data.draw(st.integers(3, n))
    partners = data.draw(st.integers(2, count - 1))
    kept = {example.id for example in some(n)}
    pairs = list(
        redrawn_pairs(some(n), kept, MODALITIES, count=count, partners=partners, seed=seed)
    )
    assert len({pair.id for pair in pairs}) == len(pairs) == count * partners
    for modality, word in (("image", "picture"), ("text", "name")):
        owners = [pair.groups[modality] for pair in pairs]
        assert set(np.unique(owners, return_counts=True)[1]) == {partners}
        given_inputs = [pair.inputs[modality] for pair in pairs]
        assert given_inputs == [f"{word} {owner[1:]}" for owner in owners]
    assert all(pair.groups["image"] != pair.groups["text"] for pair in pairs)


def test_only_what_was_kept_is_drawn():
    pairs = redrawn_pairs(some(6), {"e1", "e2", "e5"}, MODALITIES, count=3, partners=2)
    assert {pair.groups["image"] for pair in pairs} == {"e1", "e2", "e5"}


def test_too_few_examples_are_refused():
    with pytest.raises(InputError, match=r"examples ≤ 3, the rows that there are; not 2 partners"):
        list(redrawn_pairs(some(3), {"e0", "e1", "e2"}, MODALITIES, count=4, partners=2))


@pytest.fixture
def captured(clip_folder, emoji_examples, tmp_path):
    def capture(**options):
        given = {"candidates": ("A", "B"), "redrawn": 8, "partners": 3} | options
        return mp.capture(clip_folder, None, emoji_examples, out=tmp_path / "store", **given)

    return capture


def test_a_model_answers_redrawn_pairs(captured, emoji_examples, tmp_path):
    store = captured(seed=3)
    runs = store.redrawn(MODALITIES)
    assert runs.probability.shape == (24, 2)
    np.testing.assert_allclose(runs.probability.sum(1), 1, atol=1e-6)
    # The answer of CLIP with candidates is the picture's alone: that of its own pair.
    own = dict(zip([e.id for e in emoji_examples], store.array("answer"), strict=True))
    expected = np.stack([own[owner] for owner in runs.inputs[0]])
    np.testing.assert_allclose(runs.probability, expected, atol=1e-6)
    reader = StoreReader.open(tmp_path / "store")
    before = reader.digest()
    assert reader.redrawn().metadata["partners"] == 3
    # The runs beside belong to what the store's digest vouches for.
    words = tmp_path / "store" / REDRAWN / "store.json"
    words.write_text(words.read_text().replace('"seed": 3', '"seed": 4'))
    assert reader.digest() != before


def test_runs_that_are_not_all_there_are_not_shown(captured, tmp_path):
    assert "redrawn/answer" in captured().names
    (tmp_path / "store" / REDRAWN / "finished.json").unlink()
    assert "redrawn/answer" not in EmbeddingStore.open(tmp_path / "store").names
    assert "redrawn/answer" in captured().names


def test_a_model_without_an_answer_has_no_redrawn_pairs(captured):
    with pytest.raises(InputError, match="this one gives none; its family may need candidates"):
        captured(candidates=())


def test_a_generator_cannot_be_read_twice(clip_folder, emoji_examples, tmp_path):
    with pytest.raises(InputError, match="give a list, no generator"):
        mp.capture(clip_folder, None, iter(emoji_examples), out=tmp_path / "store", redrawn=8)
