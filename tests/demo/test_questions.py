"""Questions about a picture and a name: who is right, and who meets whom."""

import numpy as np
import pytest

from modalprism.capture.redrawn import redrawn_pairs
from modalprism.demo.questions import (
    QUESTIONS,
    categories,
    draw_partners,
    kin_numbers,
    load_emojis,
    observed_pairs,
    question_named,
    split,
)
from modalprism.errors import InputError

EMOJIS = load_emojis()
HELD_OUT = split(EMOJIS)[1]
KIN = kin_numbers(EMOJIS)
CATEGORY = np.array([categories(EMOJIS).index(e.category) for e in EMOJIS])


@pytest.fixture(scope="module", params=list(QUESTIONS))
def pairs(request):
    return observed_pairs(QUESTIONS[request.param], EMOJIS, HELD_OUT)


def components(*columns):
    """Count the connected components of rows that share a value, by spreading the least number."""
    number = np.arange(len(columns[0]))
    while True:
        before = number.copy()
        for column in columns:
            least = np.full(column.max() + 1, len(number))
            np.minimum.at(least, column, number)
            number = np.minimum(number, least[column])
        if (number == before).all():
            return len(set(number.tolist()))


def test_the_right_answer_is_right(pairs):
    answer = pairs.question.answer
    if answer == "match":
        right = pairs.picture == pairs.name
        assert pairs.answers == ("no", "yes")
    else:
        right = CATEGORY[pairs.name if answer == "name" else pairs.picture]
        assert pairs.answers == categories(EMOJIS)
    np.testing.assert_array_equal(pairs.label, right)


def test_pairs_are_of_held_out_emojis_each_as_often(pairs):
    rounds = 1 if pairs.question.answer == "own" else 2
    for column in (pairs.picture, pairs.name):
        members, counts = np.unique(column, return_counts=True)
        np.testing.assert_array_equal(members, HELD_OUT)
        assert (counts == rounds).all()


def test_partners_are_never_kin(pairs):
    own = pairs.picture == pairs.name
    assert (KIN[pairs.picture] == KIN[pairs.name]).tolist() == own.tolist()
    expected = {"own": 1, "match": 0.5}.get(pairs.question.answer, 0)
    assert own.mean() == expected


def test_folds_can_be_made_of_what_kin_tie_together(pairs):
    assert components(KIN[pairs.picture], KIN[pairs.name]) >= 10


def test_the_seed_decides_the_partners(pairs):
    same = observed_pairs(pairs.question, EMOJIS, HELD_OUT)
    np.testing.assert_array_equal(same.picture, pairs.picture)
    np.testing.assert_array_equal(same.name, pairs.name)
    other = observed_pairs(pairs.question, EMOJIS, HELD_OUT, seed=1)
    assert other.picture.tolist() != pairs.picture.tolist()


def test_more_rounds_give_more_pairs():
    pairs = observed_pairs(QUESTIONS["pictured"], EMOJIS, HELD_OUT, rounds=3)
    assert len(pairs.picture) == 3 * len(HELD_OUT)
    assert components(KIN[pairs.picture], KIN[pairs.name]) >= 10


def test_pairs_are_examples_with_their_label_and_kin(pairs):
    examples = list(pairs)
    assert len(examples) == len(pairs) == len({example.id for example in examples})
    for row in (0, 7, len(pairs) - 1):
        assert examples[row].inputs == {"image": pairs.picture[row], "text": pairs.name[row]}
        assert examples[row].label == pairs.label[row]
        of = {name: int(kin) for name, kin in examples[row].groups.items()}
        assert of == {"picture": KIN[pairs.picture[row]], "name": KIN[pairs.name[row]]}
        assert pairs.shown(examples[row])["text"] == EMOJIS[pairs.name[row]].name


def test_redrawn_pairs_are_of_every_emoji_once(pairs):
    pool = pairs.unpaired()
    assert [example.inputs["image"] for example in pool] == HELD_OUT.tolist()
    ids = {example.id for example in pool}
    redrawn = list(redrawn_pairs(pool, ids, ("image", "text"), count=50, partners=12))
    picture, name = (np.array([one.inputs[m] for one in redrawn]) for m in ("image", "text"))
    for column in (picture, name):
        members, counts = np.unique(column, return_counts=True)
        assert len(members) == 50
        assert (counts == 12).all()
    assert (picture != name).all()
    assert picture[0] == np.random.default_rng(0).permutation(HELD_OUT)[0]


def test_other_pairs_have_another_fingerprint(pairs):
    same = observed_pairs(pairs.question, EMOJIS, HELD_OUT)
    other = observed_pairs(pairs.question, EMOJIS, HELD_OUT, seed=1)
    assert pairs.fingerprint() == same.fingerprint() != other.fingerprint()


def test_partners_need_somebody_to_choose_from():
    few = HELD_OUT[np.unique(KIN[HELD_OUT], return_index=True)[1][:2]]
    with pytest.raises(InputError, match="cannot be drawn from 2 different emojis"):
        draw_partners(EMOJIS, few, 1, np.random.default_rng(0))


def test_an_unknown_question_is_refused():
    assert question_named("match") is QUESTIONS["match"]
    with pytest.raises(InputError, match="no question 'why'; choose from kind, pictured"):
        question_named("why")
