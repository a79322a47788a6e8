import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import pytest

from modalprism.errors import InputError
from modalprism.reports import headlines, write_report
from modalprism.reports.page import render
from modalprism.studies.profile import Profile

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """Collects the words and the tags of a page, and checks that tags close."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.open, self.unbalanced = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(demo_run):
    return (demo_run / "report.html").read_text("utf-8")


def test_the_page_says_everything_in_words_and_numbers(page, demo):
    text = Reader(page).text
    for words in (*demo.manifest["models"], *demo.manifest["datasets"], "Emoji questions"):
        assert words in text
    for words in ("U image", "U text", "synergy", "redundant", "in bit", "n = 2,000", "seed 0"):
        assert words in text
    for words in ("undetermined", "not learnt", "Before you trust these numbers", "redrawn"):
        assert words in text
    for words in (*demo.manifest["datasets"].values(), *demo.manifest["models"].values()):
        assert words in text
    assert "The pictures are drawn, not photographed." in text
    assert "80.25" in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


def test_the_page_begins_with_what_is_true_over_all_and_folds_many_cases(page, demo, small):
    text = Reader(page).text
    places = [text.index(" ".join(line.split())) for line in headlines(demo.table)]
    assert places == sorted(places)
    assert places[-1] < text.index("Case by case:") < text.index("late on match: accuracy")
    assert text.index("late on match: accuracy") < text.index("Before you trust these numbers")
    assert "<details><summary>Case by case" in page
    assert "<details open><summary>Case by case" in render(small.table, {})
    assert "With redrawn pairs every image also meets text inputs of other examples" in text
    for question in demo.manifest["datasets"].values():
        assert text.index(question) < text.index("Case by case:")


def test_the_page_asks_no_network_and_runs_no_script_but_its_own(page):
    outside = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?://", outside)
    assert not re.search(r"url\((?!#)", page)
    reader = Reader(page)
    assert not {"link", "img", "iframe"} & {tag for tag, _ in reader.tags}
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(page)
    for _, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")


def test_the_page_is_well_formed_and_every_figure_is_described(page):
    reader = Reader(page)
    assert reader.unbalanced == []
    assert reader.open == []
    names = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = [a["href"][1:] for tag, a in reader.tags if tag == "a"]
    assert set(links) <= set(names)
    described = [a for _, a in reader.tags if a.get("role") == "img"]
    assert len(described) == 7
    assert all(len(a["aria-label"]) > 40 for a in described)
    assert all("scope" in a for tag, a in reader.tags if tag == "th")


def test_the_page_is_small_and_leaves_no_partial_file(demo_run, page):
    assert len(page) < 5e6
    assert not list(demo_run.rglob("*.partial"))
    assert len(list((demo_run / "figures").iterdir())) == 3 * 7


def test_the_tables_are_written_and_the_page_names_them(demo_run, page):
    written = {path.name for path in (demo_run / "tables").iterdir()}
    views = ("answer", "stream", "encoding")
    assert written == {f"{view}.{ending}" for view in views for ending in ("tex", "md")}
    text = Reader(page).text
    for view in views:
        assert f"Files: tables/{view}.tex, .md" in text
        assert "concat" in (demo_run / "tables" / f"{view}.tex").read_text("utf-8")


def test_names_are_shown_letter_by_letter(make_profile, tmp_path):
    evil = "<script>alert(1)</script>"
    profile = make_profile(models={evil: evil}, datasets=("match",), views=("answer",))
    profile.manifest.update(title=evil, notes=[evil], versions={evil: [evil, {evil: None}]})
    profile.write(tmp_path)
    text = write_report(tmp_path).read_text("utf-8")
    assert text.count("<script") == 1
    assert evil in Reader(text).text


@pytest.mark.slow
def test_the_manifest_may_hold_only_what_it_must(make_profile, tmp_path):
    bare = {"format_version": 1, "modalities": ["audio", "text"]}
    profile = make_profile(
        ("audio", "text"), {"m": ""}, ("kind",), depths=30, unit="nat", manifest=bare
    )
    profile.write(tmp_path)
    text = Reader(write_report(tmp_path).read_text("utf-8")).text
    assert "Modalprism report" in text
    assert "information in nat" in text
    assert "seed" not in text
    assert "image" not in text


@pytest.mark.parametrize("views", [("answer",), ("stream",), ("encoding",), ()])
def test_a_missing_view_leaves_no_hole(make_profile, views):
    profile = make_profile(models={"m": ""}, datasets=("match",), views=views, depths=2)
    reader = Reader(render(profile.table, {}))
    headings = {a["id"] for tag, a in reader.tags if tag == "section" and "id" in a}
    assert headings & {"answer", "stream", "encoding"} == set(views)
    links = {a["href"][1:] for tag, a in reader.tags if tag == "a"}
    assert links <= {a.get("id") for _, a in reader.tags}


@pytest.mark.slow
def test_a_report_can_be_written_again(small, tmp_path):
    Profile(small.frame[small.frame["view"] == "answer"], small.manifest).write(tmp_path)
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first


def test_a_run_that_is_missing_or_half_written_is_refused(small, tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        write_report(str(tmp_path / "nowhere"))
    small.write(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"manifest\.json"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
