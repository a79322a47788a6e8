import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism.datasets.labels import folded, normal

DECOMPOSED = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("Yes", "yes"), ("yes.", "yes"), (" The  dog!", "dog"), ("a dog", "dog"), ("A", "a"),
        ("the a", "the a"), ("two", "2"), ("none", "0"), ("3.5", "3.5"), ("1,000", "1,000"),
        ("it's", "it's"), ("T-shirt", "t shirt"), ("", ""), (True, "true"), (3, "3"),
    ],
)  # fmt: skip
def test_answers_are_compared_as_the_vqa_metric_does(label, said):
    assert normal(label) == said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-1", "1"), ("−1", "1"), ("－1", "1"), ("–1", "1"), ("- 1", "1"), ("(-1)", "1"),
        (".5", "5"), ("-.5", ".5"), ("1/2", "12"), ("1/2", "1 2"), ("1-2", "12"), ("1:2", "1.2"),
        ("C++", "C"), ("C#", "C"), (".NET", "NET"), ("50%", "50"), ("٥٠٪", "٥٠"), ("$5", "€5"),
        ("-$5", "$5"), ("A+", "A-"), ("A-", "A"), ("A*", "A"), ("+", "-"), (">", "<"), ("<=", "<"),
        (":)", ":("), ("happy :)", "happy :("), ("5'", '5"'), ("5'", "5"), ("f(x)", "f"),
        ("hepatitis A", "hepatitis"), ("A-1", "1"), ("x²", "x2"), ("½", "12"), ("?", "!"),
        ("👍", "👎"), ("👍🏻", "👍🏿"), ("👨‍👩‍👧", "👨‍👩‍👦"), ("1️⃣", "1"),
        ("cafe", "café"), ("कि", "का"),
    ],
)  # fmt: skip
def test_a_mark_that_means_something_is_kept(one, other):
    assert normal(one) != normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("−1", "-1"), ("－１", "-1"), ("Ｙｅｓ", "yes"), ("café", DECOMPOSED), ("가", "가"),
        ("STRASSE", "Straße"), ("❤️", "❤"), ("don’t", "don't"), ("\u202bنعم\u202c", "نعم"),
        (" two\xa0dogs", "Two dogs"), ("2019–2020", "2019-2020"), ("ｶﾞ", "ガ"),
    ],
)  # fmt: skip
def test_the_style_of_a_word_is_not_the_word(one, other):
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(3.14)", "3.14"), ("[-1]", "-1"), ("“Yes!”", "yes"), ("¿Sí?", "sí"),
        ("「はい。」", "はい"),
        ("नहीं।", "नहीं"), ("نعم؟", "نعم"), ("«oui» !", "Oui"), ("**yes**", "yes"), ("(B)", "b"),
        ("ice_cream", "ice cream"), ("red,blue", "red, blue"), ("red – blue", "red blue"),
    ],
)  # fmt: skip
def test_decoration_is_not_compared(one, other):
    assert normal(one) == normal(other)


@given(st.text())
def test_what_is_normal_stays_so(word):
    assert folded(folded(word)) == folded(word)
    assert normal(normal(word)) == normal(word)


@given(st.text())
def test_what_is_seen_is_never_lost(word):
    assert bool(normal(word)) == bool(folded(word))
