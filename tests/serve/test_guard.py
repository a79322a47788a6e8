import pytest
from starlette.testclient import TestClient

from modalprism.serve import make_app

PORT = 8765
ADDRESSES = [
    "/comparisons/0/page",
    "/",
    "/none",
    "/style.css",
    "/watch.js",
    "/favicon.ico",
    "/compare",
    "/runs/0/report",
]


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
def test_this_machines_own_names_are_served(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "localhost:80", f"127.0.0.1.evil:{PORT}",
     f"127.0.0.1:{PORT}.evil", f"[::1]:{PORT}", f"0.0.0.0:{PORT}", f"user@127.0.0.1:{PORT}", ""],
)  # fmt: skip
def test_other_names_are_refused(client, add, host):
    add("a")
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "Does it look?" not in answer.text


def test_two_names_at_once_are_refused(client):
    hosts = [("host", f"127.0.0.1:{PORT}"), ("host", "evil.example")]
    assert client.get("/", headers=hosts).status_code == 421


def test_browsers_leave_out_port_80(runs):
    client = TestClient(make_app(runs, 80), base_url="http://localhost")
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "ODD"])
@pytest.mark.parametrize("address", ["/", "/compare", "/none"])
def test_nothing_can_be_changed(client, method, address):
    answer = client.request(method, address)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_has_its_headers(client, address):
    for answer in (client.get(address), client.head(address)):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_refusals_have_them_too(client):
    for answer in (client.post("/"), client.get("/", headers={"host": "evil.example"})):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
