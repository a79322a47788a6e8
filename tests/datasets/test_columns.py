import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism.datasets.columns import Columns, Modality
from modalprism.errors import InputError

words = st.text(string.ascii_letters + string.digits + "_ .=é", min_size=1).map(str.strip)
columns = words.filter(bool)
roles = st.sampled_from(["image", "text", "audio", "label", "id", "xray:image", "ecg:array"])


@given(st.dictionaries(roles, st.just("") | columns), st.lists(columns, max_size=3))
def test_flags_and_a_mapping_say_the_same(given_roles, groups):
    flags = [f"{role}={column}" for role, column in given_roles.items()]
    flags += [f"group={column}" for column in groups]
    from_flags = Columns.from_flags(flags)
    assert from_flags == Columns.from_mapping({**given_roles, "group": groups})
    assert set(from_flags.names) == {column for column in given_roles.values() if column} | {
        *groups
    }
    assert from_flags.without == {
        role.partition(":")[0] for role, column in given_roles.items() if not column
    }


@given(st.permutations(["id", "Photo", "QUESTION", "speech", "target", "patient"]))
def test_usual_names_are_guessed_in_any_order_and_case(available):
    found = Columns().among(available)
    assert found == Columns(
        {
            "image": Modality("Photo", "image"),
            "text": Modality("QUESTION", "text"),
            "audio": Modality("speech", "audio"),
        },
        label="target",
        id="id",
    )


def test_what_is_given_is_not_guessed_anew():
    available = ["image", "text", "caption", "label", "answer", "id", "patient", "site"]
    given = ["text=caption", "label=answer", "id=", "group=patient", "group=site", "group=patient"]
    found = Columns.from_flags(given).among(available)
    assert found.modalities == {
        "text": Modality("caption", "text"),
        "image": Modality("image", "image"),
    }
    assert (found.label, found.id, found.groups) == ("answer", None, ("patient", "site"))
    assert found.names == ("caption", "image", "answer", "patient", "site")


def test_a_column_has_one_guessed_role():
    found = Columns.from_flags(["image=image", "text=label"]).among(["image", "label", "photo"])
    assert found.modalities["image"].column == "image"
    assert found.label is None


def test_a_group_may_be_a_picture_but_no_id_or_label():
    available = ["image", "id", "label"]
    found = Columns.from_mapping({"group": available}).among(available)
    assert found.modalities == {"image": Modality("image", "image")}
    assert (found.id, found.label, found.groups) == (None, None, tuple(available))


def test_a_role_without_a_column_is_not_guessed():
    found = Columns.from_mapping({"image": None, "label": ""}).among(["image", "text", "label"])
    assert list(found.modalities) == ["text"]
    assert found.label is None


def test_one_group_needs_no_list():
    assert Columns.from_mapping({"group": "patient"}).groups == ("patient",)
    assert Columns.from_mapping({"group": None}).groups == ()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["image"], "'image' is not of the form role=column"),
        (["=scan"], "'=scan' is not of the form role=column"),
        (["image=a", "image=b"], "the role 'image' is given twice"),
        (["image=a", "image="], "the role 'image' is given twice"),
        (["scan=a"], "the role 'scan' is none of image, text, .*scan:image=column"),
        (["scan:video=a"], "which of image, text, audio, array it is"),
        (["label:image=a"], "'label:image' has a kind, but label is no modality"),
        (["group:image=a"], "'group:image' has a kind, but group is no modality"),
    ],
)
def test_flags_that_say_nothing_are_refused(flags, words):
    with pytest.raises(InputError, match=words):
        Columns.from_flags(flags)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (["image"], "give a mapping"),
        ({"image": 3}, "image is 3; give the name of a column"),
        ({"text": ["a", "b"]}, "give the name of a column"),
        ({"group": ["a", 1]}, "group is 1; give the name of a column"),
        ({"image": []}, "image is an empty list; give the names of columns"),
    ],
)
def test_mappings_that_say_nothing_are_refused(mapping, words):
    with pytest.raises(InputError, match=words):
        Columns.from_mapping(mapping)


def test_a_column_that_is_not_there_lists_those_that_are():
    with pytest.raises(InputError, match="no column 'scan'; the columns are picture, question"):
        Columns.from_flags(["image=scan"]).among(["picture", "question"])
    with pytest.raises(InputError, match=r"no column is known to be a modality; .* are a, b"):
        Columns().among(["a", "b"])
    with pytest.raises(InputError, match="the columns are none"):
        Columns().among([])


def test_a_picture_may_be_of_several_columns():
    columns = Columns.from_mapping({"image": ["left", "right"], "group": ["left", "right"]})
    assert columns.modalities["image"] == Modality("left", "image", ("right",))
    assert columns.names == ("left", "right")
    assert Columns.from_flags(["image=left + right", "group=left", "group=right"]) == columns
    scans = Columns.from_flags(["scan:image=a+b+c", "text=d+e"])
    assert scans.modalities["scan"].columns == ("a", "b", "c")
    assert scans.modalities["text"].columns == ("d+e",)
    with pytest.raises(InputError, match="there is no column 'right'; the columns are left"):
        columns.among(["left"])
    with pytest.raises(InputError, match="'image' has a column without a name"):
        Columns.from_flags(["image=left+"])
