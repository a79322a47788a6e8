"""Damaged and hostile files of every format: each is read, or refused in one sentence."""

import importlib.util
from pathlib import Path

import pytest

from modalprism.errors import InputError

for package in ("h5py", "zarr", "datasets", "PIL"):
    pytest.importorskip(package)

FILE = Path(__file__).parents[2] / "benchmarks" / "chaos" / "damaged_files.py"
SPEC = importlib.util.spec_from_file_location("damaged_files", FILE)
damaged_files = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(damaged_files)

SEEDS = range(20)
SLOW = {".h5": 4, ".hdf5": 4}
"""Files of these kinds are read in a process of their own: fewer of them."""


def refusal(path):
    """Read a file, and return the sentence that refuses it; empty where it is read."""
    try:
        damaged_files.read(path)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", damaged_files.WHOLE)
def test_whole_files_are_read(tmp_path, name):
    damaged_files.read(damaged_files.write_whole(name, tmp_path))


@pytest.mark.parametrize("name", damaged_files.WHOLE)
def test_damaged_files_are_read_or_refused(tmp_path, name):
    whole = damaged_files.write_whole(name, tmp_path / "whole")
    for seed in SEEDS[: SLOW.get(whole.suffix)]:
        path, how = damaged_files.damaged_copy(whole, tmp_path, seed)
        assert refusal(path).isprintable(), how


@pytest.mark.parametrize("write", damaged_files.HOSTILE)
def test_hostile_files_are_refused(tmp_path, write, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in damaged_files.write_hostile(tmp_path, [write]):
        words = refusal(path)
        assert words, path.name
        assert words.isprintable(), path.name
    assert not list(tmp_path.rglob("pickle-was-run"))
