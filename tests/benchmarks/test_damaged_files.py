"""Damaged and hostile files of every format: each is read, or refused in one sentence."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from modalprism.errors import InputError

for package in ("h5py", "zarr", "datasets", "PIL"):
    pytest.importorskip(package)

FOLDER = Path(__file__).parents[2] / "benchmarks" / "chaos"
WHOLE, DAMAGE, HOSTILE = (
    SimpleNamespace(**runpy.run_path(str(FOLDER / f"{name}.py")))
    for name in ("whole_files", "damage", "hostile_files")
)

SEEDS = range(20)
SLOW = {".h5": 4, ".hdf5": 4}
"""Files of these kinds are read in a process of their own: fewer of them."""


def refusal(path):
    """Read a file, and return the sentence that refuses it; empty where it is read."""
    try:
        WHOLE.read(path)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", WHOLE.WHOLE)
def test_whole_files_are_read(tmp_path, name):
    WHOLE.read(WHOLE.write_whole(name, tmp_path))


@pytest.mark.parametrize("name", WHOLE.WHOLE)
def test_damaged_files_are_read_or_refused(tmp_path, name):
    whole = WHOLE.write_whole(name, tmp_path / "whole")
    for seed in SEEDS[: SLOW.get(whole.suffix)]:
        path, how = DAMAGE.damaged_copy(whole, tmp_path, seed)
        assert refusal(path).isprintable(), how


@pytest.mark.parametrize("write", HOSTILE.HOSTILE)
def test_hostile_files_are_refused(tmp_path, write, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in HOSTILE.write_hostile(tmp_path, [write]):
        words = refusal(path)
        assert words, path.name
        assert words.isprintable(), path.name
    assert not list(tmp_path.rglob("pickle-was-run"))
