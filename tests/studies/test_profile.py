"""Profiles: written whole, read back, and refused."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modalprism.errors import InputError
from modalprism.results.table import schema
from modalprism.studies.profile import Profile


@pytest.fixture
def folder(finished, tmp_path):
    finished[1].write(tmp_path / "run")
    return tmp_path / "run"


def test_a_profile_comes_back_as_it_was_written(finished, folder):
    profile = Profile.read(str(folder))
    pd.testing.assert_frame_equal(profile.frame, finished[1].frame, check_exact=True)
    assert profile.manifest == finished[1].manifest
    assert pq.read_schema(folder / "profile.parquet").equals(schema())
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize("place", ["~/run", "s3:/bucket/run", "memory:/run"])
def test_a_run_whose_folder_means_another_place_is_read_itself(
    finished, tmp_path, monkeypatch, place
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    finished[1].write(Path(place))
    assert len(Profile.read(place).frame) == len(finished[1].frame)


def rewrite(**changes):
    def do(folder):
        path = folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return do


def drop_columns(folder):
    table = pq.read_table(folder / "profile.parquet").drop_columns(["gap"])
    pq.write_table(table, folder / "profile.parquet")


def change_types(folder):
    table = pq.read_table(folder / "profile.parquet")
    index = table.schema.get_field_index("value")
    words = pa.array(["much"] * len(table))
    pq.write_table(table.set_column(index, "value", words), folder / "profile.parquet")


def garble_parquet(folder):
    path = folder / "profile.parquet"
    content = bytearray(path.read_bytes())
    content[-1500:-8] = bytes(1492)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "no manifest.json: it is not a finished run"),
        (lambda f: (f / "profile.parquet").unlink(), "no profile.parquet.*resumes where it stood"),
        (lambda f: (f / "manifest.json").write_text("{"), "is damaged"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "is damaged"),
        (lambda f: (f / "manifest.json").write_text("[]"), "written in another format"),
        (lambda f: (f / "profile.parquet").write_bytes(b""), "is damaged"),
        (lambda f: (f / "profile.parquet").write_bytes(b"PAR1" * 9), "is damaged"),
        (garble_parquet, "is damaged"),
        (rewrite(format_version=2), "another format; this Modalprism reads version 1"),
        (rewrite(modalities=None), "manifest.json names no two modalities"),
        (rewrite(modalities=["image"]), "manifest.json names no two modalities"),
        (drop_columns, "lacks columns of a profile"),
        (change_types, "lacks columns of a profile"),
    ],
)
def test_a_damaged_run_is_refused(folder, damage, message):
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        Profile.read(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a folder; name a run folder"):
        Profile.read(tmp_path / "none")
    with pytest.raises(InputError, match=r"has no profile\.parquet: it is not a finished run"):
        Profile.read(tmp_path)


def test_a_profile_shows_its_views_in_a_notebook(finished):
    text = finished[1]._repr_html_()
    for view in ("Answer view", "Stream view", "Encoding view"):
        assert view in text
    assert "U image" in text
    assert "in bit" in text


def test_a_profile_plots_the_answer_or_else_the_stream(finished):
    profile = finished[1]
    layers = Profile(profile.frame[profile.frame["view"] != "answer"], profile.manifest)

    def title(figure):
        return figure.legends[0].get_title().get_text()

    assert title(profile.plot()) == "What the answer takes from each modality"
    assert title(profile.plot(figure="prism")) == title(profile.plot())
    assert title(layers.plot()) == "What the two streams hold at each depth"
    assert "fused state" in title(layers.plot("encoding"))
    with pytest.raises(InputError, match=r"no figure .*; it has stream, stream-contribution, enc"):
        layers.plot("prism")
