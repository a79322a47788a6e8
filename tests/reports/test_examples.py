"""Examples in the report: cards on the page, and figures in files."""

import base64
import re

import pytest

from modalprism.reports import write_figures, write_report
from modalprism.reports.page import render
from modalprism.results.quantities import ATOMS, keys
from modalprism.studies.example_store import write_examples

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def profile(make_profile):
    """Return one on `pictured`: the image's unique information is told from zero, synergy too."""
    return make_profile(models={"concat": ""}, datasets=("pictured",), views=("answer",))


def section(page):
    (found,) = re.findall(r'<section id="examples">.*?</section>', page, re.DOTALL)
    return found


def test_a_card_says_what_was_seen_answered_and_told(profile, made, webp):
    cards = section(render(profile.table, {}, [made()]))
    assert "<h3>Most unique to the image</h3>" in cards
    address = base64.b64encode(webp()).decode()
    assert f'<img src="data:image/webp;base64,{address}" alt="image of example row 7">' in cards
    text = re.sub(r"<[^>]+>", " ", cards)
    text = " ".join(text.split())  # no-break spaces too
    for words in (
        "concat on pictured",
        "the name of a cat",
        "dog, 93 %, wrong",
        "right cat",
        "redundant 0.10 bit unique image 2.00 bit unique text −0.50 bit synergy 0.25 bit",
        "together 1.85 bit",
        "row 7",
        "It may be negative",
        "without an interval",
    ):
        assert words in text, words
    right = section(render(profile.table, {}, [made(answer="cat", id="q-12")]))
    assert "wrong" not in right
    assert "q-12" in right


def test_bars_begin_at_zero_on_one_scale(profile, made):
    cards = section(render(profile.table, {}, [made(), made(rank=1, atoms=(4.5, 0.0, 0.0, 0.0))]))
    bars = re.findall(r'<rect x="([\d.]+)" y="1" width="([\d.]+)"', cards)
    spans = [(float(x), float(width)) for x, width in bars]
    assert len(spans) == 8
    assert spans[0] == (10.0, 2.0)  # from −0.5 to 4.5: zero stands at a tenth
    assert spans[2] == (0.0, 10.0)
    assert spans[4] == (10.0, 90.0)
    assert set(re.findall(r'<rect class="zero" x="([\d.]+)"', cards)) == {"10.0"}


def test_nothing_of_an_example_is_taken_for_html(profile, made):
    evil = made(
        id=EVIL, label=EVIL, answer=EVIL + "!", texts=(EVIL, EVIL), note=EVIL, pictures=(None, None)
    )
    page = render(profile.table, {}, [evil])
    assert page.count("<script") == 1
    assert "&lt;script&gt;" in section(page)


def test_the_page_may_load_its_pictures_and_nothing_else(profile, made):
    page = render(profile.table, {}, [made()])
    assert "img-src data:" in page
    assert set(re.findall(r'src="([^,"]+)', page)) == {"data:image/webp;base64"}


def test_what_is_not_told_from_zero_is_folded_and_says_so(profile, made):
    examples = [made(*owner) for owner in keys(ATOMS, ("image", "text"))]
    cards = section(render(profile.table, {}, examples))
    folded = re.findall(r'<details class="noise">(.*?)</details>', cards, re.DOTALL)
    assert any("Most unique to the text: over the dataset" in part for part in folded)
    assert all("not told from zero" in part for part in folded)
    assert "<h3>Most unique to the image</h3>" in cards


def test_what_cannot_be_shown_says_why(profile, made):
    gone = made(note="the file is not there", pictures=(None, None), texts=(None, None))
    cards = section(render(profile.table, {}, [gone]))
    assert "Cannot be shown: the file is not there" in cards
    assert "only embeddings are known" not in cards
    bare = made(pictures=(None, None), texts=(None, None))
    assert "only embeddings are known" in section(render(profile.table, {}, [bare]))


def test_the_first_case_is_open_and_others_are_not(make_profile, made):
    profile = make_profile(datasets=("pictured",), views=("answer",))
    examples = [made(model=name) for name in profile.manifest["models"]]
    cards = section(render(profile.table, {}, [*examples, made(model="of another run")]))
    assert re.findall(r'<details class="case"( open)?>', cards) == [" open", "", ""]
    assert "of another run" not in cards


def test_a_run_without_examples_has_no_such_section(profile, tmp_path, monkeypatch):
    monkeypatch.setattr("modalprism.plotting.figures.FIGURES", {})
    profile.write(tmp_path)
    page = write_report(tmp_path).read_text("utf-8")
    assert 'id="examples"' not in page
    assert 'href="#examples"' not in page
    assert not list((tmp_path / "figures").glob("examples*"))


def test_a_run_with_examples_has_them_on_its_page_and_in_files(profile, tmp_path, made):
    profile.write(tmp_path)
    write_examples(tmp_path, [made()])
    page = write_report(tmp_path).read_text("utf-8")
    assert 'href="#examples"' in page
    assert "figures/examples-concat-pictured.svg" in section(page)
    for ending in ("svg", "png", "pdf"):
        assert (tmp_path / "figures" / f"examples-concat-pictured.{ending}").stat().st_size > 1000


def test_a_figure_that_would_be_the_same_is_left_alone(profile, tmp_path, monkeypatch, made):
    monkeypatch.setattr("modalprism.plotting.figures.FIGURES", {})  # the page's own take longer
    path = tmp_path / "examples-concat-pictured.png"
    assert "examples-concat-pictured" not in write_figures(profile.table, tmp_path, [made()])
    before = path.stat().st_mtime_ns
    write_figures(profile.table, tmp_path, [made()])
    assert path.stat().st_mtime_ns == before
    path.with_suffix(".pdf").unlink()
    write_figures(profile.table, tmp_path, [made()])
    assert path.with_suffix(".pdf").is_file()
    drawn = path.read_bytes()
    write_figures(profile.table, tmp_path, [made(texts=(None, "another name"))])
    assert path.read_bytes() != drawn
    path.with_suffix(".json").write_text("[")
    write_figures(profile.table, tmp_path, [made()])
    assert path.read_bytes() == drawn
