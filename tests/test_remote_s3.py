"""Stores in an S3 that is a process of this machine, and behind a plain web server.

These run where s3fs, aiohttp and moto are: ``pip install s3fs "moto[server]"``.
"""

import http.server
import threading
from functools import partial

import fsspec
import numpy as np
import pytest

from modalprism.capture.store import EmbeddingStore, write_store
from modalprism.errors import InputError

COLUMNS = ("--column", "image=picture", "--column", "text=name", "--column", "group=block")
PAIRS = ("--candidate", "A", "--candidate", "B", "--redrawn", 6, "--partners", 2)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def bucket(monkeypatch):
    """The address of a bucket, in a server that speaks S3."""
    s3fs = pytest.importorskip("s3fs")
    server_of = pytest.importorskip("moto.server").ThreadedMotoServer
    server = server_of(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    there = {"key": "k", "secret": "s", "endpoint_url": f"http://{host}:{port}"}
    monkeypatch.setitem(fsspec.config.conf, "s3", there)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().makedirs("bucket", exist_ok=True)
    yield "s3://bucket"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_a_capture_in_s3_is_that_here_and_goes_on(
    run, bucket, clip_folder, emoji_rows, tmp_path, monkeypatch
):
    command = ("capture", clip_folder, emoji_rows.name, *COLUMNS, *PAIRS, "--json", "--out")
    run(*command, "here")
    digest = EmbeddingStore.open(tmp_path / "here").digest()
    code, _, err = run(*command, f"{bucket}/run/s")
    assert (code, err) == (0, "")
    store = EmbeddingStore.open(f"{bucket}/run/s")
    assert store.digest() == digest
    np.testing.assert_array_equal(
        store.array("image/1"), EmbeddingStore.open("here").array("image/1")
    )
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "another machine"))
    fsspec.filesystem("s3").rm("bucket/run/s/finished.json")
    assert run(*command, f"{bucket}/run/s")[0] == 0
    assert EmbeddingStore.open(f"{bucket}/run/s").digest() == digest
    assert run("inspect", f"{bucket}/run/s")[0] == 0


def test_what_s3_refuses_is_one_sentence(run, bucket, clip_folder, emoji_rows, monkeypatch):
    command = ("capture", clip_folder, emoji_rows.name, *COLUMNS, "--limit", 8, "--out")
    code, _, err = run(*command, "s3://none/s")
    assert (code, err.count("\n")) == (1, 1)
    assert "bucket does not exist: s3://none/s/store.json" in err
    code, _, err = run("inspect", f"{bucket}/none")
    assert (code, err.count("\n")) == (2, 1)
    assert "s3://bucket/none does not exist" in err
    gone = {**fsspec.config.conf["s3"], "endpoint_url": "http://127.0.0.1:9"}
    monkeypatch.setitem(fsspec.config.conf, "s3", gone | {"config_kwargs": {"retries": {}}})
    type(fsspec.filesystem("s3")).clear_instance_cache()
    code, _, err = run("inspect", f"{bucket}/s")
    assert (code, err.count("\n")) == (2, 1)
    assert "s3://bucket/s cannot be read: Could not connect to the endpoint" in err


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def list_directory(self, path):  # noqa: ARG002
        self.send_error(403)


@pytest.fixture
def web(tmp_path):
    """The address of a web server over the test's folder, which lists nothing."""
    pytest.importorskip("aiohttp")
    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_web_is_read_and_not_written(run, web, clip_folder, emoji_rows, tmp_path):
    command = ("capture", clip_folder, emoji_rows.name, *COLUMNS, *PAIRS, "--json", "--out")
    run(*command, "here")
    here, there = EmbeddingStore.open("here"), EmbeddingStore.open(f"{web}/here")
    assert there.digest() == here.digest()
    np.testing.assert_array_equal(there.array("redrawn/answer"), here.array("redrawn/answer"))
    write_store(tmp_path / "x.safetensors", {"image": np.eye(3)}, {})
    one = EmbeddingStore.open(f"{web}/x.safetensors")
    np.testing.assert_array_equal(one.array("image"), np.eye(3))
    with pytest.raises(InputError, match="x does not exist"):
        EmbeddingStore.open(f"{web}/x")
    code, _, err = run(*command, f"{web}/mine")
    assert (code, err.count("\n")) == (1, 1)


def test_a_signed_address_of_the_web_is_read_by_the_ending_of_its_path(web, tmp_path):
    write_store(tmp_path / "x.safetensors", {"image": np.eye(3)}, {})
    store = EmbeddingStore.open(f"{web}/x.safetensors?X-Signature=a%2Fb/c.d&v=1")
    np.testing.assert_array_equal(store.array("image"), np.eye(3))
    with pytest.raises(InputError, match=r"x\.npz\?X-Signature=\*\*\* does not exist"):
        EmbeddingStore.open(f"{web}/x.npz?X-Signature=abc")


def test_a_web_server_with_an_answer_for_every_name_has_no_store(tmp_path):
    pytest.importorskip("aiohttp")

    class Echo(Quiet):
        def translate_path(self, path):  # noqa: ARG002
            return str(tmp_path / "page")

    (tmp_path / "page").write_text("<html>")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(InputError, match="is neither a store nor one of"):
            EmbeddingStore.open(f"http://127.0.0.1:{server.server_port}/store")
        server.shutdown()
