from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism.suggest import suggestion


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("layrs", ["folds", "layers"], "; did you mean 'layers'?"),
        ("TEXT", ["image", "text"], "; did you mean 'text'?"),
        ("imgae", ["Image"], "; did you mean 'Image'?"),
        (" picture", ["picture"], "; did you mean 'picture'?"),
        ("zzz", ["image", "text"], ""),
        ("image", [], ""),
    ],
)
def test_the_most_similar_name_is_suggested(name: str, known: list[str], expected: str) -> None:
    assert suggestion(name, known) == expected


def test_very_long_names_get_no_suggestion_by_similarity() -> None:
    assert suggestion("x" * 10_000, ["x" * 9_999]) == ""


@given(st.text(min_size=1), st.lists(st.text(), max_size=5))
def test_a_suggestion_is_one_of_the_known_names(name: str, known: list[str]) -> None:
    assert suggestion(name, known) in {"", *(f"; did you mean {one!r}?" for one in known)}
