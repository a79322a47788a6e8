"""Objects by name, those of this package and those that others register."""

import pytest

from modalprism.errors import InputError
from modalprism.registry import Registry

GROUP = "modalprism.test_shapes"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put a distribution on the path that registers two objects, one of which is missing."""
    info = tmp_path / "roundness-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: roundness\nVersion: 1.0\n")
    entries = f"[{GROUP}]\nround = roundness_shapes:ROUND\nbroken = roundness_shapes:nothing\n"
    (info / "entry_points.txt").write_text(entries)
    (tmp_path / "roundness_shapes.py").write_text("ROUND = 'a round thing'\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def shapes():
    return Registry("shape", GROUP, {"square": "a square", "counter": "collections:Counter"})


def test_a_built_in_object_may_be_imported_at_first_use(shapes):
    assert Registry("number", GROUP, {"one": 1})["one"] == 1
    assert shapes["counter"]("aa") == {"a": 2}


@pytest.mark.usefixtures("package")
def test_another_package_registers_objects(shapes):
    assert shapes["round"] == "a round thing"
    assert shapes.names() == ["square", "counter", "broken", "round"]


@pytest.mark.usefixtures("package")
def test_a_package_that_cannot_be_imported_is_named(shapes):
    with pytest.raises(InputError, match="'broken' of the package roundness cannot be imported"):
        shapes["broken"]


def test_a_misspelt_name_is_answered_with_the_nearest(shapes):
    with pytest.raises(InputError) as refusal:
        shapes["sqare"]
    assert "there is no shape 'sqare': choose one of 'square', 'counter'" in str(refusal.value)
    assert "did you mean 'square'?" in str(refusal.value)
