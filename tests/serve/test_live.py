import json
import os
import socket
import time

import pytest
import torch

from modalprism.capture.store_writer import IndexEntry, StoreWriter
from modalprism.serve.folder import find_runs
from modalprism.serve.live import state_of
from modalprism.studies.status import STATUS_FILE


def write_rows(folder, first, rows, *, finish=False):
    """Write a part of a store, as a capture does, and its end where it is to finish."""
    writer = StoreWriter(folder, {"model": "tiny"})
    writer.resume()
    writer.add(
        [IndexEntry(first + k, str(k), 0, {}) for k in range(rows)], {"image": torch.ones(rows, 2)}
    )
    writer.finish() if finish else writer.flush()


@pytest.fixture
def half(runs):
    """The folder of a run that is being made."""
    folder = runs / "half"
    write_rows(folder / "store" / "tiny-shapes", 0, 5)
    return folder


@pytest.fixture
def address(half, runs):
    return next(f"/runs/{run.id}" for run in find_runs(runs).runs if run.path == half)


def test_the_state_grows_with_the_run(client, half, address):
    state = client.get(f"{address}/state").json()
    store = {"name": "tiny-shapes", "parts": 1, "rows": 5, "finished": False}
    assert state["stores"] == [store]
    assert (state["finished"], state["analyses"], state["problem"]) == (False, 0, "")
    assert abs(state["changed"] - time.time()) < 60
    write_rows(half / "store" / "tiny-shapes", 5, 3, finish=True)
    (half / "store" / "late").mkdir()
    (half / "store" / "late" / "match.safetensors").touch()
    (half / "analyses").mkdir()
    for name in ("a.json", "b.json", "b.safetensors", "c.json.12.partial"):
        (half / "analyses" / name).touch()
    state = client.get(f"{address}/state").json()
    assert state["stores"] == [store | {"parts": 2, "rows": 8, "finished": True}]
    assert (state["files"], state["analyses"]) == (["late/match.safetensors"], 2)


def test_the_page_shows_the_state_and_renews_itself(client, half, address):
    (half / "analyses").mkdir()
    (half / "analyses" / "a.json").touch()
    (half / "study.yaml").write_text("title: Half of it")
    text = client.get(address).text
    for words in ("Running or stopped", "Half of it", "tiny-shapes", "<td>5</td>", "not yet",
                  "1 finished analysis.", "s ago", 'data-refresh="2000"', "/watch.js"):  # fmt: skip
        assert words in text
    assert '<meta http-equiv="refresh" content="2">' in text


def test_what_is_written_inside_counts_as_a_change(half, runs):
    (half / "analyses").mkdir()
    for folder in (half, half / "store", half / "analyses", half / "store" / "tiny-shapes"):
        os.utime(folder, (1000, 1000))
    run = find_runs(runs).runs[0]
    assert run.changed() == 1000
    os.utime(half / "analyses", (2000, 2000))
    assert run.changed() == 2000
    os.utime(half / "store" / "tiny-shapes", (3000, 3000))
    assert run.changed() == 3000


@pytest.mark.usefixtures("half")
def test_the_list_shows_it_without_a_box_to_tick(client):
    text = client.get("/").text
    assert "Running or stopped" in text
    assert "disabled" in text


def test_a_run_that_finishes_leads_to_its_report(client, half, address, real_run):
    for name in ("profile.parquet", "manifest.json", "report.html"):
        (half / name).write_bytes((real_run / name).read_bytes())
    text = client.get(address).text
    assert "Finished" in text
    assert f'href="{address}/report"' in text
    assert 'data-refresh="0"' in text
    state = client.get(f"{address}/state").json()
    assert (state["finished"], state["report"]) == (True, f"{address}/report")


@pytest.mark.parametrize("study", ["title: [", "- a", "title: {a: b}", "\xff", "[" * 400])
def test_a_study_that_cannot_be_read_has_its_folders_name(client, half, address, study):
    (half / "study.yaml").write_text(study, "latin-1")
    answer = client.get(address)
    assert answer.status_code == 200
    assert "<h1>half</h1>" in answer.text


def test_a_damaged_store_is_a_sentence(client, half, address):
    (half / "store" / "tiny-shapes" / "part-00000.parquet").write_bytes(b"nothing")
    answer = client.get(address)
    assert answer.status_code == 200
    assert "part-00000.parquet cannot be read" in answer.text
    assert "is damaged" in client.get(f"{address}/state").json()["problem"]


def test_links_in_a_store_are_not_followed(half, runs, tmp_path):
    write_rows(tmp_path / "outside", 0, 7)
    linked = half / "store" / "linked"
    linked.mkdir()
    for path in (tmp_path / "outside").iterdir():
        (linked / path.name).symlink_to(path)
    (linked / "store.json").unlink()
    (linked / "store.json").write_text(json.dumps({"format": 1}))
    (half / "store" / "folder").symlink_to(tmp_path / "outside")
    state = state_of(find_runs(runs).runs[0])
    assert [store.name for store in state.stores] == ["tiny-shapes"]
    assert "symbolic links" in state.problem


def test_a_study_alone_is_shown_as_a_run_that_has_not_begun(client, runs):
    (runs / "planned").mkdir()
    (runs / "planned" / "study.yaml").write_text("title: Planned")
    os.utime(runs / "planned", (0, 0))
    run = find_runs(runs).runs[0]
    text = client.get(f"/runs/{run.id}").text
    assert "Planned" in text
    assert "0 finished analyses." in text
    assert "Nothing in this folder yet" in text


def say(folder, **words):
    """Write what a run says of itself, as a run of this process."""
    known = {"pid": os.getpid(), "host": socket.gethostname(), "started": time.time()}
    (folder / STATUS_FILE).write_text(json.dumps({"state": "running"} | known | words))


def test_a_run_that_goes_on_shows_its_progress(client, half, address):
    say(half, doing="analysing", done=3, total=10)
    text = client.get(address).text
    for words in ("Running: analysing, 3 of 10", f"process {os.getpid()}", 'data-refresh="2000"'):
        assert words in text
    assert "Running: analysing, 3 of 10" in client.get("/").text
    assert client.get(f"{address}/state").json()["status"]["done"] == 3


def test_a_run_that_was_killed_has_crashed(client, half, address):
    say(half, doing="analysing", done=3, total=10, pid=2**22 + 1)
    for page in (client.get(address).text, client.get("/").text):
        assert "Crashed while analysing, 3 of 10: its process was killed" in page
    assert client.get(f"{address}/state").json()["status"]["state"] == "crashed"


def test_a_run_that_failed_says_why(client, half, address):
    say(half, state="failed", error="No space left on device: <b>runs</b>")
    for page in (client.get(address).text, client.get("/").text):
        assert "Failed: No space left on device: &lt;b&gt;runs&lt;/b&gt;" in page


def test_a_run_that_failed_before_it_captured_anything_is_listed(client, runs):
    (runs / "early").mkdir()
    say(runs / "early", state="failed", error="the file a.npz does not exist")
    assert "Failed: the file a.npz does not exist" in client.get("/").text


def test_a_finished_run_that_runs_again_says_so(client, add, runs):
    folder = add("again")
    say(folder, doing="analysing")
    assert "Finished before; now running: analysing" in client.get("/").text
    run = find_runs(runs).runs[0]
    assert 'data-refresh="2000"' in client.get(f"/runs/{run.id}").text
    say(folder, state="finished")
    assert "Finished before" not in client.get("/").text


@pytest.mark.parametrize("content", [b"", b"[" * 10_000, b"\xff", b'{"state": 5}', b"x" * 100_000])
def test_a_damaged_status_says_nothing(client, half, address, content):
    (half / STATUS_FILE).write_bytes(content)
    assert "Running or stopped" in client.get(address).text
    assert client.get(f"{address}/state").json()["status"] is None


def test_a_status_that_is_a_link_or_a_pipe_is_not_read(client, half, address, tmp_path):
    (tmp_path / "outside").write_text('{"state": "failed", "error": "secret"}')
    (half / STATUS_FILE).symlink_to(tmp_path / "outside")
    assert "secret" not in client.get(address).text
    (half / STATUS_FILE).unlink()
    os.mkfifo(half / STATUS_FILE)
    assert "Running or stopped" in client.get(address).text
