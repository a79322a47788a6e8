"""The emoji of the installed packages: nothing twice, nothing on both sides of a split."""

from collections import Counter

import numpy as np
import pytest

from modalprism.demo import questions as emoji
from modalprism.demo.questions import categories, kin_numbers, load_emojis, split
from modalprism.errors import InputError

EMOJIS = load_emojis()


def test_there_are_enough_in_nine_categories():
    assert len(EMOJIS) > 1850
    assert len(categories(EMOJIS)) == 9
    assert min(Counter(e.category for e in EMOJIS).values()) > 80
    assert "Component" not in categories(EMOJIS)


def test_no_name_key_or_picture_stands_twice():
    assert len({e.name for e in EMOJIS}) == len(EMOJIS)
    assert len({e.key for e in EMOJIS}) == len(EMOJIS)
    assert len({e.picture.read_bytes() for e in EMOJIS}) == len(EMOJIS)


def test_every_picture_is_a_small_png():
    for e in EMOJIS:
        header = e.picture.read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        assert {int.from_bytes(header[16:20]), int.from_bytes(header[20:24])} == {72}


def test_names_of_flags_do_not_say_flag():
    flags = [e for e in EMOJIS if e.category == "Flags"]
    assert len(flags) > 200
    assert not any(e.name.startswith("flag") or e.name.endswith("flag") for e in flags)
    assert all(e.name == e.name.lower().strip() != "" for e in EMOJIS)


def test_kin_never_straddle_the_split():
    train, held_out = split(EMOJIS)
    assert sorted([*train, *held_out]) == list(range(len(EMOJIS)))
    assert not {EMOJIS[i].kin for i in train} & {EMOJIS[i].kin for i in held_out}
    assert len(held_out) / len(EMOJIS) == pytest.approx(0.4, abs=0.02)
    assert {EMOJIS[i].category for i in held_out} == set(categories(EMOJIS))
    again = split(EMOJIS)
    np.testing.assert_array_equal(held_out, again[1])
    assert (np.diff(train) > 0).all()


def test_women_and_men_who_do_the_same_are_kin():
    by_name = {e.name: e for e in EMOJIS}
    same = [e for e in EMOJIS if e.name.endswith("firefighter")]
    assert len(same) >= 2
    assert len({e.kin for e in same}) == 1
    assert by_name["dog face"].kin != by_name["cat face"].kin
    numbers = kin_numbers(EMOJIS)
    assert len(set(numbers)) == len({e.kin for e in EMOJIS}) < len(EMOJIS)


def test_a_missing_package_is_said_with_the_remedy():
    with pytest.raises(InputError, match=r"'no_such_package' is not installed; .*make setup"):
        emoji._package_folder("no_such_package")
