"""Nothing outside the folder, and nothing that is not on the list, can be had."""

import asyncio
import os
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modalprism.serve import make_app
from modalprism.serve.folder import find_runs

PORT = 8765
SECRET = b"nobody may read this"
UP = ["../", "..\\", "%2e%2e/", "%2e%2e%2f", "%252e%252e%252f", "..%2f", "..%5c", "....//", ".%2e/",
      "%c0%ae%c0%ae/", "..;/", "%00../", "/", "//", "file:///"]  # fmt: skip
TARGETS = ["secret.txt", "runs/a/secret.txt", "etc/passwd", "a/profile.parquet"]


async def ask(app, raw_path, query=b""):
    """Ask as a client would that does not tidy its addresses: the path byte for byte."""
    answer = {"status": 0, "body": b""}
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():  # a client that stays until it has its answer
        return next(asked, None) or await asyncio.Event().wait()

    async def send(message):
        answer["status"] = message.get("status", answer["status"])
        answer["body"] += message.get("body", b"")

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": "",
        "path": unquote(raw_path), "raw_path": raw_path.encode(), "query_string": query,
        "headers": [(b"host", f"127.0.0.1:{PORT}".encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", PORT),
    }  # fmt: skip
    await app(scope, receive, send)
    return answer["status"], answer["body"]


@pytest.fixture
def folder(runs, add, tmp_path):
    """A run with secrets in it and around it, and links that lead to them."""
    run = add("a")
    for path in (tmp_path / "secret.txt", runs / "secret.txt", run / "secret.txt"):
        path.write_bytes(SECRET)
    (run / "figures" / "secret.svg").symlink_to(tmp_path / "secret.txt")
    (run / "study.yaml").unlink()
    (run / "study.yaml").symlink_to(tmp_path / "secret.txt")
    os.symlink(tmp_path, run / "figures" / "up")
    (run / "comparison.html").write_text("</html>")  # a comparison lies there, too
    (run / "differences.csv").symlink_to(tmp_path / "secret.txt")
    return runs


def addresses(name):
    tails = [f"{up * depth}{target}" for up in UP for depth in (1, 2, 4) for target in TARGETS]
    tails += ["figures/secret.svg", "study.yaml", "figures/up/secret.txt", "secret.txt", "", "."]
    tails += ["figures", "figures/", "figures/../secret.txt", "analyses/", "/etc/passwd"]
    tails += ["differences.csv", "figures/up", "./comparison.html"]
    for tail in tails:
        for kind, page in (("runs", "report"), ("comparisons", "page")):
            yield f"/{kind}/{name}/files/{tail}"
            yield f"/{kind}/{tail}"
            yield f"/{kind}/{tail}/{page}"
        yield f"/{tail}" if tail.strip("/.") else "/runs/"


def test_no_address_leads_out(folder):
    app = make_app(folder, PORT)
    name = find_runs(folder).runs[0].id

    async def ask_all():
        return [(path, await ask(app, path)) for path in addresses(name)]

    asked = asyncio.run(ask_all())
    assert len(asked) > 500
    assert {status for _, (status, _) in asked} == {404}
    assert not any(SECRET in body or b"root:" in body for _, (_, body) in asked)


def test_what_is_on_the_list_is_there_all_the_same(folder):
    name = find_runs(folder).runs[0].id
    for kind, file in (("runs", "manifest.json"), ("comparisons", "comparison.html")):
        path = f"/{kind}/{name}/files/{file}"
        status, body = asyncio.run(ask(make_app(folder, PORT), path))
        assert status == 200
        assert body == (folder / "a" / file).read_bytes()


@given(
    pieces=st.lists(
        st.sampled_from([*UP, "a", "runs", "figures", "secret.txt", "profile.parquet", "."])
        | st.text(max_size=6),
        min_size=1,
        max_size=6,
    )
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_mixture_leads_out(folder, pieces):
    app = make_app(folder, PORT)
    name = find_runs(folder).runs[0].id
    tail = "".join(piece if piece in UP else quote(piece) for piece in pieces)
    listed = {"profile.parquet", "manifest.json", "report.html", "comparison.html"}
    paths = [f"/{kind}/{rest}" for kind in ("runs", "comparisons")
             for rest in (f"{name}/files/{tail}", tail)]  # fmt: skip
    for path in paths:
        status, body = asyncio.run(ask(app, path))
        assert SECRET not in body
        assert status == 404 or (status == 200 and tail in listed)


@pytest.mark.parametrize("name", ["../a", "%2e%2e/a", "/etc", "a", ".", ""])
def test_comparisons_take_no_paths(folder, name):
    query = f"run={quote(name)}&run={find_runs(folder).runs[0].id}".encode()
    status, body = asyncio.run(ask(make_app(folder, PORT), "/compare", query))
    assert status == 404
    assert SECRET not in body
