import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from modalprism.plotting.grid import MOST_ROWS, Cell, Grid, grid_html


class Reader(HTMLParser):
    """Collects the words, and checks that every tag closes."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.open = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


NAMES = st.text(st.sampled_from("<>&\"'/ab=;!-"), min_size=1, max_size=12)


@given(NAMES, NAMES, NAMES)
def test_every_text_is_shown_letter_by_letter(title, head, text):
    grid = Grid(title, [head, "x"], [[Cell(text), Cell(text, text)]], 1, [text])
    reader = Reader(grid_html(grid))
    assert {tag for tag, _ in reader.tags} <= {
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span",
    }  # fmt: skip
    shown = "".join(reader.words)
    assert shown.count(text) >= 4
    assert title in shown
    assert head in shown


def test_it_sets_no_colour_of_text_or_ground_and_asks_for_nothing(demo):
    text = demo._repr_html_()
    assert set(re.findall(r"[;\"]color:([^;\"]+)", text)) == {
        "inherit", "#009E73", "#E69F00", "#0072B2", "#CC79A7",
    }  # fmt: skip
    assert set(re.findall(r"background:([^;\"]+)", text)) == {"none"}
    assert not re.search(r"<(script|style|link|img)|https?:|url\(", text)


def test_a_profile_tells_its_views_with_intervals_p_values_and_what_is_undetermined(demo):
    text = demo._repr_html_()
    said = Reader(text).text
    for words in (
        "image and text, n = 2,000; brackets are 95 % intervals",
        "Emoji questions",
        "target: the model's answer",
        "target: fused state, 14 codes",
        "in bit",
        "U image",
        "p = 0.001",
        "before fusion",
        "▁▃▄▆█",
    ):
        assert words in said
    assert "<em>undetermined</em>" in text
    assert not re.search(r"\bnan\b", said)


def test_long_tables_are_cut_and_say_so():
    grid = Grid("t", ["a"], [[Cell(str(k))] for k in range(MOST_ROWS + 5)], 1, [])
    reader = Reader(grid_html(grid))
    assert sum(tag == "tr" for tag, _ in reader.tags) == MOST_ROWS + 1
    assert "and 5 more rows" in reader.text


def test_a_profile_without_atoms_says_that(make_profile):
    assert "Nothing is decomposed" in make_profile(views=())._repr_html_()
