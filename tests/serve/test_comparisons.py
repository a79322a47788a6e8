"""Comparisons that were written before: listed, opened, their files kept, damage in a sentence."""

import os
import shutil

import pandas as pd
import pytest
from starlette.testclient import TestClient

from modalprism.reports.compare import read_runs, write_comparison
from modalprism.serve import application, summaries
from modalprism.serve.folder import find_runs
from modalprism.studies.comparison import compare

SCRIPT = "<script>alert(1)</script>"
TITLE = "Comparison of before, after"


@pytest.fixture(scope="session")
def real_comparison(real_run, tmp_path_factory):
    """The folder of a real comparison; leave it alone."""
    folder = tmp_path_factory.mktemp("compared")
    for name in ("before", "after"):
        shutil.copytree(real_run, folder / name)
    found = read_runs([folder / "before", folder / "after"])
    return write_comparison(found, compare(found), folder / "written").parent


@pytest.fixture
def compared(real_comparison, runs):
    """A copy in the folder that is served."""
    folder = runs / "deep" / "compared"
    shutil.copytree(real_comparison, folder)
    os.utime(folder / "comparison.html", (1_700_000_000, 1_700_000_000))
    return folder


def address_of(runs, name="deep/compared"):
    found = find_runs(runs).comparisons
    return next(f"/comparisons/{one.id}" for one in found if one.name == name)


@pytest.mark.usefixtures("compared")
def test_the_list_says_what_was_compared_and_when(client, runs):
    answer = client.get("/")
    link = f'href="{address_of(runs)}/page"'
    for words in (TITLE, "tiny on shapes", "answer view", "2023-11-1", "deep/compared",
                  "1 comparison<", link, "There is no run here yet"):  # fmt: skip
        assert words in answer.text


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize(
    ("words", "found"),
    [("before AFTER", True), ("tiny", True), ("shapes deep", True), ("", True), ("none", False)],
)
def test_the_search_finds_comparisons_too(client, add, words, found):
    add("a")
    assert (TITLE in client.get("/", params={"q": words}).text) == found


def test_a_comparison_has_its_page_and_its_files(client, compared, runs):
    address = address_of(runs)
    text = client.get(address).text
    for words in (f"<h1>{TITLE}</h1>", "tiny on shapes", "written <time", f'"{address}/page"',
                  f'<img src="{address}/files/figures/before-after-observed.svg"'):  # fmt: skip
        assert words in text
    paths = [path for path in compared.rglob("*") if path.is_file()]
    assert len(paths) > 8
    for path in paths:
        place = f"{address}/files/{path.relative_to(compared).as_posix()}"
        assert f'href="{place}"' in text
        answer = client.get(place)
        assert answer.content == path.read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="{path.name}"'
        assert "sandbox" in answer.headers["content-security-policy"]
    csv = client.get(f"{address}/files/differences.csv")
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"


def test_its_page_is_opened_as_reports_are(client, compared, runs):
    address = address_of(runs)
    answer = client.get(f"{address}/page")
    assert answer.content == (compared / "comparison.html").read_bytes()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "script-src 'sha256-" in policy
    assert "content-disposition" not in answer.headers
    assert client.head(f"{address}/page").status_code == 200


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("comparison.html", None, "has no page: it is being written now, or was stopped"),
        ("comparison.html", b"", "is cut off; run modalprism compare again"),
        ("comparison.html", b"<!doctype html><html><body><h1>Compa", "is cut off"),
        ("differences.csv", None, "has no differences.csv; run modalprism compare again"),
        ("differences.csv", b"", "is damaged"),
        ("differences.csv", b"a,b\n1,2\n", "is damaged"),
        ("differences.csv", b"\xff\xfe\x00" * 40, "is damaged"),
        ("differences.csv", b'"' + b"a,\n" * 40, "is damaged"),
        (
            "differences.csv",
            f"{','.join(summaries._COLUMNS)},view\n".encode(),
            "has no rows",
        ),
    ],
)
def test_half_a_comparison_is_a_sentence(client, compared, runs, file, content, words):
    (compared / file).unlink()
    if content is not None:
        (compared / file).write_bytes(content)
    address = address_of(runs)
    for answer in (client.get("/"), client.get(address)):
        assert answer.status_code == 200
        assert words in answer.text
        assert "Traceback" not in answer.text
    page = client.get(f"{address}/page")
    if content is None and file == "comparison.html":
        assert page.status_code == 404
        assert "modalprism compare writes it" in page.text
        assert f"{address}/page" not in client.get(address).text
        assert 'data-refresh="2000"' in client.get(address).text
    else:
        assert page.status_code == 200


@pytest.mark.usefixtures("compared")
def test_what_is_not_there_is_a_sentence(client, runs):
    for address in ("/comparisons/0", "/comparisons/0/page", "/comparisons/0/files/a.svg"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "There is no such comparison" in answer.text
    answer = client.get(f"{address_of(runs)}/files/profile.parquet")
    assert answer.status_code == 404
    assert "This comparison has no such file" in answer.text


def test_a_script_in_a_name_is_only_shown(client, compared, runs):
    table = pd.read_csv(compared / "differences.csv", keep_default_na=False)
    table = table.replace({"before": SCRIPT, "tiny": f'">{SCRIPT}', "shapes": "NA"})
    table.to_csv(compared / "differences.csv", index=False)
    compared.rename(runs / "<script>alert(1)<")
    for address in ("/", address_of(runs, "<script>alert(1)<")):
        text = client.get(address).text
        assert "<script>" not in text
        assert "Comparison of &lt;script&gt;" in text
        assert " on NA " in text


def test_a_comparison_in_a_runs_own_folder_is_both(client, add, real_comparison, runs):
    folder = add("a")
    for name in ("comparison.html", "differences.csv"):
        shutil.copy(real_comparison / name, folder)
    text = client.get("/").text
    assert "Does it look?" in text
    assert TITLE in text
    run = find_runs(runs).runs[0]
    assert "comparison.html" not in client.get(f"/runs/{run.id}").text
    assert "profile.parquet" not in client.get(address_of(runs, "a")).text
    assert client.get(f"{address_of(runs, 'a')}/files/manifest.json").status_code == 404


def test_a_comparison_is_read_again_only_where_it_has_changed(runs, compared, monkeypatch):
    reads = []
    monkeypatch.setattr(
        application,
        "summarise_comparison",
        lambda one: reads.append(one.name) or summaries.summarise_comparison(one),
    )
    client = TestClient(application.make_app(runs, 80), base_url="http://localhost")
    for _ in range(3):
        assert TITLE in client.get("/").text
    assert reads == ["deep/compared"]
    (compared / "comparison.html").write_bytes(b"")
    assert "is cut off" in client.get("/").text
    assert len(reads) == 2


@pytest.mark.usefixtures("compared")
def test_a_list_that_would_take_long_fills_itself_in(client, monkeypatch):
    monkeypatch.setattr(application, "PATIENCE", 0)
    answer = client.get("/")
    assert "being read…" in answer.text
    assert 'data-refresh="300"' in answer.text
    monkeypatch.undo()
    assert TITLE in client.get("/").text


def test_of_ticked_runs_the_one_written_first_is_before(client, add, runs):
    add("a")
    os.utime(add("b") / "manifest.json", (1_600_000_000, 1_600_000_000))
    ids = {run.name: run.id for run in find_runs(runs).runs}
    page = client.get("/compare", params={"run": [ids["a"], ids["b"]]}).text
    assert "Comparison of b, a" in page
    assert "before (b): " in page
