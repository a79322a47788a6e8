import io
import os

import numpy as np
import pytest
from scipy.io import wavfile

from modalprism.datasets.examples import open_examples
from modalprism.errors import InputError


@pytest.fixture
def classes(tmp_path, pictures):
    """Pictures in subfolders that are named as their class."""
    for n, content in enumerate(pictures):
        folder = tmp_path / "data" / ("cat" if n % 2 else "dog") / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n}.PNG").write_bytes(content)
    return tmp_path / "data"


def test_the_first_subfolder_is_the_label(classes, on_white):
    (classes / "notes.txt").write_text("no picture")
    (classes / "cat" / ".hidden.png").write_bytes(b"")
    (classes / ".cache").mkdir()
    (classes / ".cache" / "a.png").write_bytes(b"")
    examples = open_examples(classes)
    assert len(examples) == 8
    order = [1, 3, 5, 7, 0, 2, 4, 6]
    for n, example in zip(order, examples, strict=True):
        label = "cat" if n % 2 else "dog"
        assert (example.id, example.label) == (f"{label}/deep/{n}.PNG", label)
        np.testing.assert_array_equal(example.inputs["image"], on_white[n])


def test_a_flat_folder_has_no_label(named):
    examples = list(open_examples(named[0] / "scans"))
    assert [example.id for example in examples] == [f"{n}.png" for n in range(8)]
    assert {example.label for example in examples} == {None}


def test_recordings_stand_beside_pictures(classes):
    file = io.BytesIO()
    wavfile.write(file, 8_000, np.full(800, 2**14, np.int16))
    (classes / "cat" / "a.wav").write_bytes(file.getvalue())
    examples = list(open_examples(classes))
    assert examples[0].id == "cat/a.wav"
    assert examples[0].inputs["audio"].shape == (1_600,)
    with pytest.raises(InputError, match=r"row 'cat/a.wav', column 'image': it is missing"):
        examples[0].inputs["image"]


def test_a_file_beside_the_classes_has_no_label_and_says_so(classes, pictures):
    (classes / "stray.png").write_bytes(pictures[0])
    stray = next(example for example in open_examples(classes) if example.id == "stray.png")
    with pytest.raises(InputError, match=r"row 'stray.png': its label in column 'label' is empty"):
        stray.inputs["image"]


def test_splits_are_no_classes(classes, tmp_path):
    for split in ("Train", "test"):
        os.renames(classes / "cat" / "deep", tmp_path / "parts" / split / "cat")
        (classes / "cat" / "deep").mkdir(parents=True)
        for path in (tmp_path / "parts" / split / "cat").iterdir():
            (classes / "cat" / "deep" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"the split Train, which is no class; give .*Train"):
        open_examples(tmp_path / "parts")
    assert {example.label for example in open_examples(tmp_path / "parts" / "Train")} == {"cat"}


def test_names_that_are_not_in_utf8_can_be_written_down(tmp_path, pictures):
    folder = os.fsencode(tmp_path) + b"/data/\xe9"
    os.makedirs(folder)
    try:
        with open(folder + b"/\xff.png", "wb") as file:
            file.write(pictures[0])
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    examples = open_examples(tmp_path / "data")
    (example,) = examples
    assert (example.id, example.label) == (r"\xe9/\xff.png", r"\xe9")
    assert example.inputs["image"].mode == "RGB"
    assert len(examples.fingerprint()) == 16


def test_a_folder_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds nothing that is known as examples; give"):
        open_examples(tmp_path)


def test_a_pipe_among_the_pictures_breaks_its_example_alone(tmp_path, pictures):
    (tmp_path / "a.png").write_bytes(pictures[0])
    os.mkfifo(tmp_path / "b.png")
    first, second = open_examples(tmp_path)
    assert first.inputs["image"].mode == "RGB"
    with pytest.raises(InputError, match=r"b.png is not a regular file"):
        second.inputs["image"]
