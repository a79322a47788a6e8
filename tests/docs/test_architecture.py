"""The page on architecture names modules and functions that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ROOM = ROOT / "src" / "modalprism"
SOURCE = "\n".join(path.read_text("utf-8") for path in ROOM.rglob("*.py"))


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`([a-z_/]+(?:/|\.py))`", PAGE))))
def test_places_exist(place):
    assert (ROOM / place).exists()


@pytest.mark.parametrize(
    ("name", "place"), sorted(set(re.findall(r"`(\w+)` in\s+`([a-z_/]+\.py)`", PAGE)))
)
def test_names_are_where_the_page_says(name, place):
    assert re.search(rf"^(class|def) {name}\b", (ROOM / place).read_text("utf-8"), re.M)


@pytest.mark.parametrize("group", sorted(set(re.findall(r"`(modalprism\.\w+)`", PAGE))))
def test_groups_of_entry_points_are_looked_up(group):
    assert f'"{group}"' in SOURCE


def test_every_room_is_in_the_table():
    rooms = {path.name for path in ROOM.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(re.findall(r"^\| `(\w+)/`", PAGE, re.M))
