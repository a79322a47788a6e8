import matplotlib as mpl
import matplotlib.text
import pytest

from modalprism.errors import InputError
from modalprism.plotting.figures import FIGURES
from modalprism.plotting.figures.canvas import save
from modalprism.plotting.style import drawing
from modalprism.reports import write_figures


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_the_first_view_that_there_is_is_drawn(make_profile):
    titles = {
        ("answer", "stream"): "What the answer takes from each modality",
        ("stream", "encoding"): "What the two streams hold at each depth",
        ("encoding",): "What the fused state keeps of each modality, at each depth",
    }
    for views, title in titles.items():
        figure = make_profile(models={"m": ""}, datasets=("kind",), views=views).plot()
        assert title in texts(figure)


def test_the_figures_by_name_are_those_of_the_report(make_profile, tmp_path):
    profile = make_profile(models={"m": ""}, datasets=("kind",), views=("stream",), depths=2)
    drawn = write_figures(profile.table, tmp_path)
    assert list(drawn) == [name for name, figure in FIGURES.items() if figure.view == "stream"]
    with mpl.rc_context({"figure.dpi": 200}):
        figure = profile.plot("stream")
    with drawing():
        assert save(figure, tmp_path / "again") == drawn["stream"].svg


def test_a_figure_that_cannot_be_drawn_is_refused(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",), views=("answer",))
    for name in ("stream", "prismm", ""):
        with pytest.raises(InputError, match=r"no figure .*; it has prism, prism-per"):
            profile.plot(name)
    with pytest.raises(InputError, match="no view that a figure shows"):
        make_profile(views=()).plot()


def test_a_notebook_shows_it_at_its_own_resolution(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",), views=("stream",))
    with mpl.rc_context({"figure.dpi": 50, "savefig.dpi": "figure"}):
        figure = profile.plot()
        png = figure._repr_png_()
    width = int.from_bytes(png[16:20])
    assert width == pytest.approx(50 * figure.get_figwidth(), abs=1)


@pytest.mark.parametrize("name", ["stream", "stream-contribution"])
@pytest.mark.parametrize("datasets", [("match",), ("kind", "match")])
def test_title_key_and_footer_of_few_panels_are_inside_the_figure(make_profile, name, datasets):
    profile = make_profile(models={"late": "", "cross_attention": ""}, datasets=datasets)
    with drawing():
        figure = FIGURES[name].draw(profile.table)
        figure.draw_without_rendering()
    words = [*figure.legends, *(text for text in figure.texts if text.get_text())]
    for artist in words:
        box = artist.get_window_extent()
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
