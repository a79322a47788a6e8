"""Eight real pictures with what a table says of them."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from modalprism.demo.questions import load_emojis


@pytest.fixture(scope="session")
def pictures():
    """The bytes of eight real pictures."""
    return [emoji.picture.read_bytes() for emoji in load_emojis()[::230][:8]]


@pytest.fixture(scope="session")
def on_white(pictures):
    """What a person sees of them, on white paper: the arrays."""
    seen = []
    for content in pictures:
        picture = Image.open(io.BytesIO(content)).convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        seen.append(np.asarray(Image.alpha_composite(paper, picture).convert("RGB")))
    return seen


@pytest.fixture(scope="session")
def rows():
    """What a table says of them: two pictures a patient."""
    return [
        {"question": emoji.name, "answer": "yes" if number % 2 else "no", "patient": number // 2}
        for number, emoji in enumerate(load_emojis()[::230][:8])
    ]


@pytest.fixture
def named(tmp_path, pictures, rows):
    """The pictures in files, and rows that name them relative to the folder."""
    folder = tmp_path / "data"
    (folder / "scans").mkdir(parents=True)
    for number, content in enumerate(pictures):
        (folder / f"scans/{number}.png").write_bytes(content)
    return folder, [{"image": f"scans/{number}.png", **row} for number, row in enumerate(rows)]


@pytest.fixture(scope="session")
def write_tar():
    """Write a shard from names and contents."""

    def write(path, files):
        with tarfile.open(path, "w") as archive:
            for name, content in files:
                member = tarfile.TarInfo(name)
                content = content if isinstance(content, bytes) else str(content).encode()
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    return write
