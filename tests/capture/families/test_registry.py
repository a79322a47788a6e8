"""Families that another package registers."""

import pytest

from modalprism.capture.families.registry import FAMILIES, adapter_class
from modalprism.capture.loading import load_adapter
from modalprism.errors import InputError

ADAPTER = """
from modalprism.capture.families.towers import ClipAdapter

class MyAdapter(ClipAdapter):
    fusion = "as this package says"
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a distribution that registers an architecture, and a class that is missing."""
    info = tmp_path / "towers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: towers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[modalprism.families]\nCLIPModel = my_towers:MyAdapter\nbroken = my_towers:Nothing\n"
    )
    (tmp_path / "my_towers.py").write_text(ADAPTER)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("package")
def test_a_family_of_another_package_is_loaded(clip_folder):
    adapter = load_adapter(clip_folder)
    assert type(adapter).__name__ == "MyAdapter"
    assert adapter.fusion == "as this package says"
    assert {"clip", "CLIPModel"} <= set(FAMILIES.names())


@pytest.mark.usefixtures("package")
def test_a_family_that_cannot_be_imported_names_its_package():
    with pytest.raises(InputError, match="'broken' of the package towers cannot be imported"):
        adapter_class("broken")


def test_a_type_without_an_adapter_says_which_there_are():
    with pytest.raises(InputError, match=r"type 'gpt' \(GptModel\); there are .*clip.*adapters.md"):
        adapter_class("gpt", ["GptModel"])
