from functools import partial

import matplotlib.text
import pytest
from matplotlib.patches import Rectangle

from modalprism.plotting.figures.examples import examples_figure, figure_names
from modalprism.plotting.style import drawing
from modalprism.results.examples import by_case
from modalprism.results.quantities import ATOMS, keys


@pytest.fixture
def made(made, webp):
    text = "$x$ & a name that is much too long for the width of a column " * 3
    return partial(made, pictures=(webp(48, 24), None), texts=(None, text))


@pytest.fixture
def results(make_profile):
    return make_profile(models={"concat": ""}, datasets=("pictured",), views=("answer",)).table


def drawn(results, examples):
    ((case, found),) = by_case(examples).items()
    with drawing():
        figure = examples_figure(results, case, found)
        figure.draw_without_rendering()
    return figure


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_it_says_what_was_seen_answered_and_told(results, made):
    said = "\n".join(texts(drawn(results, [made()])))
    for words in (
        "Examples that tell most of each atom: concat on pictured",
        "Most unique to the image",
        "model: dog, 93 %",
        "right: cat",
        "$x$ & a name",
        "…",
        "1.85",
        "n = 2,000 · seed 0",
        "no interval",
    ):
        assert words in said, words


def test_a_picture_keeps_its_shape_and_bars_share_a_scale(results, made, webp):
    examples = [made(), made(rank=1, atoms=(1.0, 0.0, 0.0, 0.0), pictures=(webp(8, 90), None))]
    figure = drawn(results, examples)
    (axes,) = figure.axes
    shapes = []
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        shapes.append((right - left) / (bottom - top))
    assert shapes == pytest.approx([2.0, 8 / 90])
    bars = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_alpha() != 0]
    lengths = [abs(bar.get_width()) for bar in bars]
    assert lengths[1] == pytest.approx(2 * lengths[4])
    assert axes.get_ylim()[1] == 0


def test_all_stands_inside_the_figure(results, made):
    examples = [
        made(atom=atom, modality=modality, rank=rank, label="a very long answer " * 5)
        for atom, modality in keys(ATOMS, ("image", "text"))
        for rank in range(4)
    ]
    figure = drawn(results, examples)
    frame = figure.bbox
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text() and text.get_visible() and text.axes is not None:
            box = text.get_window_extent()
            if text in text.axes.texts:
                assert box.x0 >= frame.x0
                assert box.x1 <= frame.x1
                assert box.y0 >= frame.y0
                assert box.y1 <= frame.y1


def test_an_atom_that_is_not_told_from_zero_has_no_examples(results, made):
    figure = drawn(results, [made(), made(atom="unique", modality="text")])
    assert len(figure.axes[0].images) == 1
    assert any("Most unique to the text: over the dataset" in text for text in texts(figure))


def test_embeddings_alone_have_their_row(results, made):
    figure = drawn(results, [made(pictures=(None, None), texts=(None, None))])
    assert "row 7" in texts(figure)
    assert not figure.axes[0].images


def test_every_case_with_something_to_draw_has_a_name_of_its_own(make_profile, made):
    models = {"a/b": "", "a_b": "", "c": "", "llava-1.5": ""}
    results = make_profile(models=models, datasets=("pictured",), views=("answer",)).table
    examples = [
        made(model="llava-1.5"),
        made(model="a/b"),
        made(model="a_b"),
        made(model="c", modality="text"),  # not told from zero
        made(model="of another run"),
    ]
    names = figure_names(results, examples)
    assert {case.model: name for case, name in names.items()} == {
        "a/b": "examples-a_b-pictured",
        "a_b": "examples-a_b-pictured-2",
        "llava-1.5": "examples-llava-1_5-pictured",  # serve offers no name with a dot in it
    }
