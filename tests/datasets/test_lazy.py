import numpy as np
import pytest

from modalprism.datasets.columns import Columns
from modalprism.datasets.dataset import Row
from modalprism.datasets.lazy import example_of
from modalprism.errors import InputError


@pytest.fixture
def made(tmp_path):
    """Make an example of cells, with the columns that flags say."""

    def make(cells, *flags, root=tmp_path, broken="", rate=16_000):
        columns = Columns.from_flags(flags or ["image=image", "text=text"])
        return example_of(Row(3, "3", cells, broken), columns, root, rate)

    return make


def test_inputs_are_a_mapping_that_decodes_when_asked(made, tmp_path, pictures):
    example = made({"image": "a.png", "text": "a cat"})
    assert (list(example.inputs), len(example.inputs)) == (["image", "text"], 2)
    assert "image" in example.inputs
    assert "audio" not in example.inputs
    assert example.inputs.get("audio", 7) == 7
    with pytest.raises(InputError, match=r"row '3', column 'image': the file a.png does not exist"):
        example.inputs["image"]
    (tmp_path / "a.png").write_bytes(pictures[0])
    assert example.inputs["image"].size == (72, 72)
    with pytest.raises(
        InputError, match=r"no 'audio' in this dataset, only image, text; .*audio=…"
    ):
        example.inputs["audio"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, "it is empty"),
        ("", "it is empty"),
        (float("nan"), "it is empty"),
        ({"bytes": None, "path": None}, "it is empty"),
        ("../a.png", r"the file ../a.png is outside of .*; name files relative to it"),
        ("/etc/passwd", "the file /etc/passwd is outside of"),
        ("a\0.png", "'a.*png' is no name of a file"),
        ("folder", "folder is a folder; name a file"),
        ("x" * 300, "x{99}… cannot be read: File name too long"),
        (["a.png", "b.png"], "it is a list of 2; a modality takes one"),
        (3, "it is int, neither bytes nor the name of a file"),
    ],
)
def test_a_cell_that_is_no_picture_says_why(made, tmp_path, cell, words):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=f"row '3', column 'image': {words}"):
        made({"image": cell}).inputs["image"]


def test_names_need_files_beside(made):
    with pytest.raises(InputError, match=r"names a file, 'a.png', but no files stand beside"):
        made({"image": "a.png"}, root=None).inputs["image"]


def test_a_name_may_be_absolute_within_the_folder(made, tmp_path, pictures):
    (tmp_path / "a.png").write_bytes(pictures[0])
    assert made({"image": str(tmp_path / "a.png")}).inputs["image"].mode == "RGB"


@pytest.mark.parametrize(
    ("cell", "text"),
    [("a cat", "a cat"), (b" a cat ", "a cat"), (3, "3"), (3.0, "3"), (0.5, "0.5")],
)
def test_words_and_numbers_are_text(made, cell, text):
    assert made({"text": cell}).inputs["text"] == text


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        (None, "it is empty"),
        ([1], "it is list, no text"),
        (b"\xff", "it is bytes, no text"),
    ],
)
def test_what_is_no_text_says_why(made, cell, words):
    with pytest.raises(InputError, match=f"row '3', column 'text': {words}"):
        made({"text": cell}).inputs["text"]


@pytest.mark.parametrize(
    ("cell", "label"),
    [("yes", "yes"), (b" yes\n", "yes"), (3, 3), (3.0, 3), (True, "true")],
)
def test_words_and_whole_numbers_are_labels(made, cell, label):
    assert made({"text": "a", "answer": cell}, "text=text", "label=answer").label == label


@pytest.mark.parametrize("cell", [None, "", float("nan"), float("inf"), 0.5, [1], {"a": 1}])
def test_another_label_is_said_with_its_column(made, cell):
    example = made({"text": "a", "answer": cell}, "text=text", "label=answer")
    assert example.label is None
    with pytest.raises(InputError, match="row '3': its label in column 'answer' is "):
        example.inputs["text"]


def test_groups_are_words_and_the_same_picture_is_the_same_group(made, pictures):
    flags = ("text=text", "group=site", "group=image")
    first, again, other = (
        made({"text": "a", "site": 3.0, "image": cell}, *flags).groups
        for cell in (pictures[0], {"bytes": pictures[0], "path": "x"}, lambda: pictures[1])
    )
    assert first["site"] == "3"
    assert first == again
    assert first["image"] != other["image"]
    for missing in (None, "", float("nan"), [1, 2]):
        example = made({"text": "a", "site": missing, "image": "a"}, *flags)
        with pytest.raises(InputError, match=r"row '3': its group in column 'site' is .*; give"):
            example.inputs["text"]


@pytest.mark.parametrize(("cell", "id"), [("a", "a"), (7, "7"), (7.0, "7"), (b"a", "a")])
def test_a_column_names_the_example(made, cell, id):
    assert made({"text": "a", "key": cell}, "text=text", "id=key").id == id


@pytest.mark.parametrize("cell", [None, "", 0.5, [1]])
def test_another_id_is_said_with_its_column(made, cell):
    example = made({"text": "a", "key": cell}, "text=text", "id=key")
    assert example.id == "row 3"
    with pytest.raises(InputError, match=r"'row 3': its id in column 'key' is .*; give a word"):
        example.inputs["text"]


def test_a_decoded_waveform_is_resampled(made):
    cell = {"array": np.sin(np.arange(800) / 5).tolist(), "sampling_rate": 8_000}
    assert made({"sound": cell}, "audio=sound").inputs["audio"].shape == (1_600,)
    whole = made({"sound": cell}, "audio=sound", rate=8_000).inputs["audio"]
    np.testing.assert_allclose(whole, cell["array"], atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ({"array": [0.5]}, "its sampling_rate is None; give it in Hz"),
        ({"array": [0.5], "sampling_rate": "8k"}, "its sampling_rate is '8k'"),
        ({"array": [0.5], "sampling_rate": 0}, "its rate is 0 Hz"),
        ({"array": [100, -3], "sampling_rate": 8_000}, "whole numbers of a range nobody knows"),
        ({"array": [[0.5], [0.5, 1]], "sampling_rate": 8_000}, "it is no array of numbers"),
        ({"array": [], "sampling_rate": 8_000}, "it is empty"),
        ({"array": None, "sampling_rate": 8_000}, "a number is not finite"),
        (b"ID3", "it is no WAV file"),
    ],
)
def test_what_is_no_recording_says_why(made, cell, words):
    with pytest.raises(InputError, match=f"row '3', column 'sound': {words}|{words}"):
        made({"sound": cell}, "audio=sound").inputs["audio"]


def test_a_broken_row_says_why_for_every_modality(made):
    example = made({}, broken="its line is no JSON")
    for name in ("image", "text"):
        with pytest.raises(InputError, match="row '3': its line is no JSON"):
            example.inputs[name]


def test_a_picture_of_two_columns_is_one(made, pictures):
    flags = ("image=left+right",)
    picture = made({"left": pictures[0], "right": pictures[1]}, *flags).inputs["image"]
    assert picture.size == (72 + 2 + 72, 72)
    with pytest.raises(InputError, match="row '3', column 'right': it is empty"):
        made({"left": pictures[0], "right": None}, *flags).inputs["image"]
