import base64
import csv
import hashlib
import io
import json
import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest

from modalprism.reports import cautions, summary_sentences
from modalprism.serve import application
from modalprism.serve.folder import find_runs
from modalprism.studies.profile import Profile

VOID = {"meta", "link", "br", "img", "hr", "input"}
SCRIPT = "<script>alert(1)</script>"


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

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())

    def all(self, tag, name):
        return [attributes[name] for t, attributes in self.tags if t == tag and name in attributes]


@pytest.fixture
def read(client):
    """Get a page, check its form and return it."""

    def get(address, status=200):
        answer = client.get(address)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        reader = Reader(answer.text)
        assert (reader.unbalanced, reader.open) == ([], [])
        names = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
        assert len(names) == len(set(names))
        assert not any(key.startswith("on") for _, attributes in reader.tags for key in attributes)
        assert not any("style" in attributes for _, attributes in reader.tags)
        return reader

    return get


def id_of(runs, name):
    return next(run.id for run in find_runs(runs).runs if run.name == name)


def test_the_list_says_what_each_run_is(read, add, runs, real_run):
    add("a")
    add("deep/er/b", '"Does it look?"', '"Another"')
    page = read("/")
    profile = Profile.read(real_run)
    first = summary_sentences(profile.table)[0]
    for words in ("Does it look?", "Another", "tiny on shapes", "· answer view ·", "n = 120",
                  "seed 0", "2023-11-1", "deep/er/b", first):  # fmt: skip
        assert words in page.text
    assert f"{len(cautions(profile.table))} warning" in page.text
    boxes = [a["value"] for _, a in page.tags if a.get("type") == "checkbox"]
    assert set(boxes) == {id_of(runs, "a"), id_of(runs, "deep/er/b")}


def test_every_link_of_the_pages_leads_somewhere(read, client, add):
    add("a")
    (add("b") / "manifest.json").write_text("{")
    waiting, seen = ["/"], set()
    while waiting:
        address = waiting.pop()
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        of_the_report = address.endswith(("/report", "/files/report.html"))
        if of_the_report or not answer.headers["content-type"].startswith("text/html"):
            continue
        page = read(address)
        links = [*page.all("a", "href"), *page.all("link", "href"), *page.all("img", "src")]
        assert all(link.startswith("/") for link in links)
        waiting += {link.partition("#")[0] for link in links} - seen
    assert len(seen) > 12


@pytest.mark.parametrize(
    ("words", "titles"),
    [("", ["One", "Two"]), ("one", ["One"]), ("TINY two", ["Two"]), ("shapes", ["One", "Two"]),
     ("deep/b", ["Two"]), ("none", []), ("%", []), ("one two", [])],
)  # fmt: skip
def test_the_search_looks_at_title_model_dataset_and_path(client, add, words, titles):
    add("a", '"Does it look?"', '"One"')
    add("deep/b", '"Does it look?"', '"Two"')
    page = Reader(client.get("/", params={"q": words}).text)
    shown = [a["aria-label"].split()[1] for _, a in page.tags if a.get("type") == "checkbox"]
    assert sorted(shown) == titles
    assert ("No run matches" in page.text) == (not titles)
    assert words in page.all("input", "value")


def test_an_empty_folder_says_what_to_do(read):
    page = read("/")
    assert "There is no run here yet" in page.text
    assert "modalprism demo" in page.text
    assert "Compare" not in page.text


def test_a_run_has_its_words_warnings_and_files(read, add, runs, real_run):
    add("a")
    page = read(f"/runs/{id_of(runs, 'a')}")
    profile = Profile.read(real_run)
    for sentence in (*summary_sentences(profile.table), *cautions(profile.table)):
        assert sentence in page.text
    names = [link.partition("/files/")[2] for link in page.all("a", "href") if "/files/" in link]
    drawn = [
        path for ending in ("svg", "png", "pdf") for path in real_run.glob(f"figures/*.{ending}")
    ]
    on_disk = {path.relative_to(real_run).as_posix() for path in drawn}
    named = {"report.html", "profile.parquet", "manifest.json", "study.yaml", "examples.parquet"}
    assert {name for name in names if not name.startswith("tables/")} == on_disk | named
    assert on_disk


def test_files_come_as_they_are_and_are_kept_not_opened(client, add, runs):
    folder = add("a")
    address = f"/runs/{id_of(runs, 'a')}"
    kept_back = (".lock", "run-status", "analyses", "evidence", "examples/")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.startswith(kept_back) or (path.parent.name, path.suffix) == ("figures", ".json"):
            continue
        answer = client.get(f"{address}/files/{name}")
        assert answer.content == path.read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="{path.name}"'
        assert "sandbox" in answer.headers["content-security-policy"]


def test_the_csv_is_the_profile(client, add, runs, real_run):
    add("a")
    answer = client.get(f"/runs/{id_of(runs, 'a')}/profile.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="profile.csv"' in answer.headers["content-disposition"]
    frame = Profile.read(real_run).frame
    read = pd.read_csv(io.StringIO(answer.text))
    assert list(read.columns) == list(frame.columns)
    pd.testing.assert_series_equal(read["value"], frame["value"])
    assert next(csv.reader(io.StringIO(answer.text)))[0] == "model"


def test_the_report_may_run_our_script_and_no_other(client, add, runs):
    folder = add("a")
    answer = client.get(f"/runs/{id_of(runs, 'a')}/report")
    assert answer.content == (folder / "report.html").read_bytes()
    for own in re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}';" in answer.headers["content-security-policy"]
    (folder / "report.html").write_text(f"<p>Report</p>{SCRIPT}")
    answer = client.get(f"/runs/{id_of(runs, 'a')}/report")
    assert answer.text == f"<p>Report</p>{SCRIPT}"
    assert "content-disposition" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert re.search(r"script-src '(none|sha256-[^']+)';", policy)


def test_a_run_without_report_says_how_to_write_it(read, add, runs):
    folder = add("a")
    (folder / "report.html").unlink()
    shutil.rmtree(folder / "figures")
    address = f"/runs/{id_of(runs, 'a')}"
    assert f"modalprism report {folder}" in read(address).text
    assert f"{address}/report" not in read(address).all("a", "href")
    assert "modalprism report writes it" in read(f"{address}/report", 404).text


def test_runs_are_compared(client, add, runs):
    for name in ("a", "b/c", "d/c"):
        add(name)
    ids = [id_of(runs, name) for name in ("a", "b/c", "d/c")]
    answer = client.get("/compare", params={"run": [*ids[:2], ids[0]]})
    assert answer.status_code == 200
    assert "Comparison of a, c" in Reader(answer.text).text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    answer = client.get("/compare", params={"run": ids})
    assert "Comparison of a, b/c, d/c" in Reader(answer.text).text


def test_what_cannot_be_compared_is_said(read, add, runs):
    add("a")
    (add("damaged") / "manifest.json").write_text("{")
    (add("old") / "evidence.safetensors").unlink()
    (runs / "half" / "store").mkdir(parents=True)
    a, damaged, old, half = (id_of(runs, name) for name in ("a", "damaged", "old", "half"))
    assert "Tick the runs" in read("/compare", 422).text
    assert "is damaged" in read(f"/compare?run={a}&run={damaged}", 422).text
    assert "has no evidence" in read(f"/compare?run={a}&run={old}", 422).text
    assert "it is not a finished run" in read(f"/compare?run={a}&run={half}", 422).text
    assert "no such run" in read(f"/compare?run={a}&run=../a", 404).text


def test_a_script_in_a_name_is_only_shown(client, read, add, runs):
    frame = Profile.read(add("a")).frame.replace({"tiny": SCRIPT, "shapes": f'"{SCRIPT}'})
    manifest = {"format_version": 1, "title": SCRIPT, "modalities": ["image", "text"]}
    Profile(frame, manifest | {"notes": [SCRIPT], "seed": SCRIPT}).write(runs / "a")
    (runs / "a").rename(runs / "<script>alert(1)<")
    for address in ("/", f"/runs/{find_runs(runs).runs[0].id}", f"/?q={SCRIPT}"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "<script>" not in answer.text
        assert SCRIPT in Reader(answer.text).text
    assert len(read(f"/?q={SCRIPT}").all("a", "href")) > 2


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("{", "is damaged"),
        ("[]", "was written in another format"),
        ('{"format_version": 99, "modalities": ["a", "b"]}', "was written in another format"),
        ('{"format_version": 1}', "names no two modalities"),
        ('{"format_version": 1, "modalities": [{}, []]}', "is damaged"),
        ("[" * 100_000, "is damaged"),
    ],
)
def test_a_run_that_cannot_be_read_is_a_sentence(client, read, add, runs, manifest, words):
    add("good")
    (add("bad") / "manifest.json").write_text(manifest)
    page = read("/")
    assert words in page.text
    assert "Does it look?" in page.text
    address = f"/runs/{id_of(runs, 'bad')}"
    assert words in read(address).text
    assert words in read(f"{address}/profile.csv", 422).text
    assert "Traceback" not in page.text
    assert client.get(f"{address}/files/manifest.json").text == manifest


def test_a_damaged_table_is_a_sentence(read, add):
    (add("bad") / "profile.parquet").write_bytes(b"PAR1 is what it begins with")
    assert "is damaged" in read("/").text


def test_a_run_is_read_again_only_where_it_has_changed(read, add, monkeypatch):
    folder = add("a")
    reads = []
    real = Profile.read
    monkeypatch.setattr(Profile, "read", lambda path: reads.append(path) or real(path))
    for _ in range(3):
        assert "Does it look?" in read("/").text
    assert reads == [folder]
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"title": "Now otherwise"}))
    assert "Now otherwise" in read("/").text
    assert reads == [folder, folder]


def test_a_page_that_would_take_long_fills_itself_in(client, add, monkeypatch):
    for number in range(3):
        add(str(number))
    impatient = application.Summaries.get_many
    monkeypatch.setattr(
        application.Summaries, "get_many", lambda self, found: impatient(self, found, 0)
    )
    answer = client.get("/?q=0")
    assert answer.text.count("being read…") == 3
    assert 'data-refresh="300"' in answer.text
    assert "3 of these runs are still being read" in answer.text
    monkeypatch.undo()
    answer = client.get("/?q=0")
    assert "being read" not in answer.text
    assert 'data-refresh="0"' in answer.text


def test_what_is_not_foreseen_is_a_sentence_too(read, monkeypatch):
    monkeypatch.setattr(application, "find_runs", lambda _root: 1 / 0)
    page = read("/", 500)
    assert "the terminal of modalprism serve says why" in page.text
    assert "ZeroDivisionError" not in page.text


def test_the_pages_look_like_the_report(client):
    style = client.get("/style.css").text
    for name in ("paper", "ink", "faint", "line", "soft", "alarm", "alarm-soft", "link"):
        assert style.count(f"--{name}:") >= 2
    used = set(re.findall(r"var\(--([\w-]+)\)", style))
    assert used <= set(re.findall(r"--([\w-]+):", style))
    assert not re.search(r"https?:|url\(|@import", style)


def test_the_script_and_the_icon_ask_no_network(client):
    assert not re.search(r"https?:|innerHTML|eval", client.get("/watch.js").text)
    icon = client.get("/favicon.ico")
    assert icon.headers["content-type"] == "image/svg+xml"
    assert icon.text.startswith("<svg")


def test_a_head_is_answered_like_a_get(client, add, runs):
    add("a")
    for address in ("/", f"/runs/{id_of(runs, 'a')}/report"):
        assert client.head(address).status_code == 200
