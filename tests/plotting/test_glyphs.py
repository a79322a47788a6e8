"""Fonts for names in any script, with and without an installed font that has them."""

import warnings

import matplotlib as mpl
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from modalprism.plotting import glyphs
from modalprism.plotting.glyphs import cover, font_caution
from modalprism.plotting.style import drawing, user_fonts
from modalprism.results.notation import label, shortened

RARE = "\U0010ff0d"  # a private letter, in no font but that of these tests
FAMILY = "Rare Letters"


@pytest.fixture
def rare_font(tmp_path, monkeypatch):
    """Install a font that has one letter."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    pen.lineTo((100, 700))
    pen.lineTo((600, 0))
    pen.closePath()
    square = pen.glyph()
    build = FontBuilder(1000, isTTF=True)
    build.setupGlyphOrder([".notdef", "rare"])
    build.setupCharacterMap({ord(RARE): "rare"})
    build.setupGlyf({".notdef": square, "rare": square})
    build.setupHorizontalMetrics({".notdef": (700, 0), "rare": (700, 0)})
    build.setupHorizontalHeader(ascent=800, descent=-200)
    build.setupNameTable({"familyName": FAMILY, "styleName": "Regular"})
    build.setupOS2()
    build.setupPost()
    build.save(tmp_path / "rare.ttf")
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", list(manager.ttflist))
    manager.addfont(tmp_path / "rare.ttf")
    manager._findfont_cached.cache_clear()
    yield tmp_path / "rare.ttf"
    manager._findfont_cached.cache_clear()


@pytest.fixture(autouse=True)
def _fonts_found_anew():
    for found in (glyphs._covered, glyphs._fallbacks):
        found.cache_clear()
    yield
    for found in (glyphs._covered, glyphs._fallbacks):
        found.cache_clear()
    plt.close("all")


def drawn(words):
    """Draw text in every place that a figure has, and return the texts; warnings are errors."""
    with drawing():
        figure, axes = plt.subplots()
        axes.set_title(words)
        axes.set_yticks([0, 1], [words, "plain"])
        axes.plot([0, 1], [0, 1], label=words)
        axes.legend()
        cover(figure)
    figure.canvas.draw()  # as a notebook does, later and under its own settings
    return {text.get_text() for text in figure.findobj(Text)}


def test_a_font_that_has_the_letters_is_used(rare_font):  # noqa: ARG001
    assert RARE in drawn(RARE)


def test_without_a_font_there_are_escapes_and_one_warning():
    with pytest.warns(
        UserWarning, match=r"no installed font has the character . \(U\+10FF0D"
    ) as said:
        texts = drawn(f"a{RARE}")
    assert len(said) == 1
    assert r"a\U0010ff0d" in texts
    assert not any(RARE in text for text in texts)


def test_the_users_font_is_asked_first(rare_font):
    with mpl.rc_context({"font.family": [FAMILY, "serif"]}):
        (font,) = user_fonts()
        assert (font.family, font.file) == (FAMILY, str(rare_font))
        with drawing():
            assert mpl.rcParams["font.family"][-1] == FAMILY
    assert user_fonts() == ()


def test_the_report_says_which_letters_no_font_has():
    assert font_caution("図" if not glyphs.uncovered("図", ()) else "image") == ""
    assert "U+10FF0D" in font_caution(f"image {RARE}")


@pytest.mark.parametrize("words", ["$x_1^2$", "a$b", "\\alpha{}", "x_y^z", "100 % #&~"])
def test_what_looks_like_mathematics_is_text(words):
    assert words in drawn(words)


@pytest.mark.parametrize("words", ["a\tb", "a\rb", "a\x1b[2Jb", "a\u202eb", "\ufeffa\u200fb"])
def test_what_controls_a_terminal_or_a_direction_is_left_out(words):
    shown = {c for text in drawn(words) for c in text if c != "\n"}
    assert all(c.isprintable() for c in shown)


def test_long_names_keep_their_ends_and_stay_apart():
    names = ["x" * 150 + c + "x" * 149 for c in "abc"]
    assert len({shortened(name) for name in names}) == 3
    assert len({label(name) for name in names}) == 3
    assert shortened("image" + "x" * 300 + "text").startswith("image")
    assert shortened("image" + "x" * 300 + "text").endswith("text")
    assert len(shortened(names[0])) == 24


LONG = ("left " + "x" * 300, "left " + "x" * 150 + "y" + "x" * 149)


@pytest.mark.parametrize("name", ["prism", "contribution", "stream", "stream-contribution"])
def test_no_word_of_a_long_name_leaves_the_figure(make_profile, name):
    profile = make_profile(modalities=LONG, models={"m" * 300: ""}, datasets=("kind", "match"))
    figure = profile.plot(name)
    FigureCanvasAgg(figure).draw()
    edges = figure.bbox.padded(2)
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            assert edges.containsx(box.x0), text
            assert edges.containsx(box.x1), text


def test_an_analysis_in_any_script_draws_without_a_warning():
    import modalprism as mp

    rng = np.random.default_rng(0)
    y = rng.integers(2, size=60)
    embeddings = {
        "im\tage": rng.normal(size=(60, 2)) + y[:, None],
        "я" * 300: rng.normal(size=(60, 2)),
    }
    found = mp.analyze(embeddings, y, target="ответ", replicates=40, permutations=19)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = found.plot().figure
        figure.canvas.draw()
    box = figure.axes[0].get_legend().get_window_extent()
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1 + 2
