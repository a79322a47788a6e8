import matplotlib as mpl
import pytest

from modalprism.reports.readings import Reading
from modalprism.reports.style import atom_styles, counts, drawing, label, number, percent


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_atoms_differ_without_colour():
    styles = atom_styles(("audio", "text"))
    assert len({style.hatch for style in styles}) == 4
    assert len({style.marker for style in styles}) == 4
    assert len({style.colour for style in styles}) == 4
    unique = [luminance(style.colour) for style in styles[1:3]]
    assert max(unique) > 2 * min(unique)  # the two modalities differ in grey too


def test_atoms_are_named_after_the_modalities_in_order():
    assert [s.symbol for s in atom_styles(("text", "image"))] == ["R", "U text", "U image", "S"]


def test_drawing_ignores_and_restores_the_caller_s_settings():
    with mpl.rc_context({"font.size": 31.0}):
        with drawing():
            assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["font.size"] == 31.0


@pytest.mark.parametrize("name", ["", "a" * 300, "x_y/z-w " * 40, "名前", "two words"])
def test_labels_fit_and_lose_nothing_but_what_the_ellipsis_says(name):
    rows = label(name, 20, 3).split("\n")
    assert len(rows) <= 3
    assert all(len(row) <= 20 for row in rows)
    kept = "".join(rows).replace(" ", "")
    assert name.replace(" ", "").startswith(kept.rstrip("…"))
    assert kept.endswith("…") or kept == name.replace(" ", "")


def test_numbers_never_read_nan_or_minus_zero():
    assert number(float("nan")) == "undetermined"
    assert percent(Reading(float("nan"))) == "undetermined"
    assert number(-0.0) == "0.00"
    assert percent(Reading(-0.001, -0.02, 0.01)) == "0 % [−2, 1]"
    assert counts(0, 0) == "n = 0"
