import io
import json
import os
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism.datasets.columns import Columns
from modalprism.datasets.examples import open_examples
from modalprism.datasets.webdataset import expand
from modalprism.errors import InputError


@pytest.fixture
def shards(tmp_path, pictures, rows, write_tar):
    """Two shards with four examples each."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(2):
        files = []
        for n in range(4 * shard, 4 * shard + 4):
            files += [(f"a/{n:03}.png", pictures[n]), (f"a/{n:03}.json", json.dumps(rows[n]))]
        write_tar(folder / f"part-{shard:03}.tar", files)
    return folder


def test_the_files_of_an_example_stand_together(shards, on_white, rows):
    columns = Columns.from_flags(["text=question", "group=patient"])
    for data in (
        shards,
        f"{shards}/part-{{000..001}}.tar",
        f"{shards}/part-*.tar",
        f"{shards}/part-{{000,*}}.tar",
    ):
        examples = open_examples(data, columns)
        assert len(examples) == 8
        for n, example in enumerate(examples):
            assert example.id == f"part-{n // 4:03}.tar/a/{n:03}"
            np.testing.assert_array_equal(example.inputs["image"], on_white[n])
            assert example.inputs["text"] == rows[n]["question"]
            assert example.label == rows[n]["answer"]
            assert example.groups == {"patient": str(n // 2)}
    assert len(open_examples(shards / "part-001.tar", columns)) == 4


def test_extensions_are_columns(tmp_path, pictures, write_tar):
    files = [
        ("x.jpg", pictures[0]), ("x.txt", " a cat "), ("x.cls", "3\n"), ("x.seg.PNG", pictures[1]),
        ("README", "no example"), (".hidden", "neither"),
        ("y.webp", pictures[1]), ("y.txt", "a dog"), ("y.cls", "dog"), ("y.seg.png", pictures[0]),
    ]  # fmt: skip
    path = write_tar(tmp_path / "a.tar", files)
    examples = list(open_examples(path, Columns.from_flags(["mask:image=seg.png"])))
    assert [example.id for example in examples] == ["a.tar/x", "a.tar/y"]
    assert [example.label for example in examples] == [3, "dog"]
    assert [example.inputs["text"] for example in examples] == [" a cat ", "a dog"]
    assert examples[0].inputs["mask"] == examples[1].inputs["image"]
    with pytest.raises(InputError, match="the columns are image, text, label, jpg, txt, cls"):
        open_examples(path, Columns.from_flags(["image=bmp"]))


def test_of_examples_that_are_not_chosen_no_file_is_read(shards, monkeypatch):
    examples = open_examples(shards, Columns.from_flags(["text=question"]), limit=3, seed=1)
    read = []
    extract = tarfile.TarFile.extractfile
    monkeypatch.setattr(
        tarfile.TarFile, "extractfile", lambda self, m: read.append(m.name) or extract(self, m)
    )
    ids = {example.id.rpartition("/")[2] for example in examples}
    assert len(ids) == 3
    assert {os.path.basename(name).partition(".")[0] for name in read} == ids


def test_memory_does_not_grow_with_members(tmp_path, write_tar):
    path = write_tar(tmp_path / "a.tar", [(f"{n:05}.txt", "x") for n in range(300)])
    held = []
    opened = tarfile.TarFile.next

    class Counted:
        def __call__(self, archive):
            held.append(len(archive.members))
            return opened(archive)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tarfile.TarFile, "next", lambda archive: Counted()(archive))
        assert len(list(open_examples(path))) == 300
    assert len(held) > 600
    assert max(held) <= 1


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_a_shard_that_is_cut_off_loses_its_last_examples_alone(tmp_path, pictures, write_tar, cut):
    files = [(f"{n}.png", picture) for n, picture in enumerate(pictures)]
    path = write_tar(tmp_path / "a.tar", files)
    with tarfile.open(path) as archive:
        end = archive.getmembers()[-1].offset
    path.write_bytes(path.read_bytes()[: int(end * cut)])
    examples = list(open_examples(path))
    assert 2 <= len(examples) < 8
    for example in examples[:-1]:
        assert example.inputs["image"].mode == "RGB"
    with pytest.raises(InputError, match=r"row 'a.tar/\d': .*a.tar .*; it is cut off or damaged"):
        examples[-1].inputs["image"]


def test_a_shard_that_is_cut_between_two_files_is_noticed(tmp_path, write_tar):
    path = write_tar(tmp_path / "a.tar", [(f"{n}.txt", "a") for n in range(3)])
    path.write_bytes(path.read_bytes()[: 2 * 1024])
    whole, last = open_examples(path)
    assert whole.inputs["text"] == "a"
    with pytest.raises(InputError, match=r"'a.tar/1': .*the mark at its end is missing"):
        last.inputs["text"]


def test_a_damaged_shard_among_others_is_one_broken_example(shards):
    (shards / "part-000.tar").write_bytes(b"no tar at all")
    examples = list(open_examples(shards, Columns.from_flags(["text=question"])))
    assert len(examples) == 5
    with pytest.raises(InputError, match=r"row 'part-000.tar/beginning': .*damaged"):
        examples[0].inputs["image"]
    assert examples[1].inputs["image"].mode == "RGB"


@pytest.mark.parametrize("broken", [b"{", b"\xff", b"[" * 100_000])
def test_json_that_is_broken_breaks_its_example_alone(tmp_path, write_tar, broken):
    files = [("0.txt", "a"), ("0.json", broken), ("1.txt", "b"), ("1.json", '{"answer": "no"}')]
    examples = list(open_examples(write_tar(tmp_path / "a.tar", files)))
    assert [example.label for example in examples] == [None, "no"]
    with pytest.raises(InputError, match=r"row 'a.tar/0': its .json cannot be read: "):
        examples[0].inputs["text"]


def test_names_that_lead_out_or_stand_twice_are_broken(tmp_path, write_tar):
    files = [("../0.txt", "a"), ("/1.txt", "a"), ("2.txt", "a"), ("2.TXT", "b"), ("3.txt", "c")]
    examples = list(open_examples(write_tar(tmp_path / "a.tar", files)))
    for example in examples[:2]:
        with pytest.raises(InputError, match="its name leads out of the shard"):
            example.inputs["text"]
    with pytest.raises(InputError, match=r"it has two files \.txt"):
        examples[2].inputs["text"]
    assert examples[3].inputs["text"] == "c"


def test_an_example_that_lacks_a_file_says_so(tmp_path, write_tar):
    path = write_tar(tmp_path / "a.tar", [("0.txt", "a"), ("0.cls", "1"), ("1.cls", "1")])
    examples = list(open_examples(path))
    with pytest.raises(InputError, match=r"row 'a.tar/1', column 'text': it is missing"):
        examples[1].inputs["text"]


def test_a_key_that_comes_again_later_is_refused(tmp_path, write_tar):
    files = [("0.txt", "a"), ("1.txt", "b"), ("0.cls", "1")]
    examples = open_examples(write_tar(tmp_path / "a.tar", files), Columns.from_flags(["label="]))
    with pytest.raises(InputError, match=r"two examples have the id 'a.tar/0'; .*stand together"):
        list(examples)


def test_shards_of_the_same_name_have_their_folders_in_the_id(tmp_path, write_tar):
    for name in "ab":
        (tmp_path / name).mkdir()
        write_tar(tmp_path / name / "0.tar", [("k.txt", name)])
    examples = list(open_examples(f"{tmp_path}/{{a,b}}/0.tar"))
    assert [example.id for example in examples] == [
        f"{tmp_path.as_posix()}/{name}/0.tar/k" for name in "ab"
    ]


def test_names_that_are_not_in_utf8_can_be_written_down(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("é.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    (example,) = open_examples(path)
    assert example.id == r"a.tar/\xe9"
    assert example.inputs["text"] == "x"


def test_what_holds_no_examples_is_refused(tmp_path, write_tar, named):
    with pytest.raises(InputError, match=r"a.tar holds no examples"):
        open_examples(write_tar(tmp_path / "a.tar", [("README", "x")]))
    (tmp_path / "b.tar").write_bytes(b"")
    with pytest.raises(InputError, match=r"b.tar cannot be read: .*; it is cut off or damaged"):
        open_examples(tmp_path / "b.tar")
    with pytest.raises(InputError, match=r"no file .*c-001.tar; check the pattern"):
        open_examples(f"{tmp_path}/c-{{001..002}}.tar")
    with pytest.raises(InputError, match="check the pattern"):
        open_examples(f"{tmp_path}/d-*.tar")
    with pytest.raises(InputError, match=r"means .*0.png, but patterns are of .tar only"):
        open_examples(f"{named[0]}/scans/*.png")


names = st.text("abc./-", max_size=5)


@given(st.lists(st.lists(st.text("abc0-", max_size=3), min_size=2, max_size=4), max_size=3), names)
def test_lists_in_braces_are_written_out_as_a_shell_does(lists, between):
    expected = [between]
    for words in lists:
        expected = [f"{name}{word}{between}" for name in expected for word in words]
    pattern = between + "".join(f"{{{','.join(words)}}}{between}" for words in lists)
    assert list(expand(pattern)) == expected


@given(st.integers(0, 200), st.integers(0, 30), st.integers(0, 5))
def test_ranges_in_braces_keep_their_width(begin, more, width):
    names = list(expand(f"a-{{{begin:0{width}}..{begin + more}}}.tar"))
    assert names == [f"a-{n:0{width}}.tar" for n in range(begin, begin + more + 1)]


@pytest.mark.parametrize("pattern", ["{3..1}", "{}", "{a}", "{a..c}"])
def test_braces_without_a_meaning_are_refused(pattern):
    with pytest.raises(InputError, match=r"is no range such as \{000\.\.009\}, and no list"):
        list(expand(f"a-{pattern}.tar"))


def test_brackets_in_a_folder_stand_for_themselves(tmp_path, write_tar):
    folder = tmp_path / "run [1]?"
    folder.mkdir()
    write_tar(folder / "a-0.tar", [("k.txt", "x")])
    for pattern in ("a-{0..0}.tar", "a-*.tar"):
        assert len(open_examples(f"{folder}/{pattern}")) == 1


def test_a_sparse_file_breaks_its_example(tmp_path, write_tar):
    path = write_tar(tmp_path / "a.tar", [("0.txt", "a"), ("1.txt", "b")])
    content = bytearray(path.read_bytes())
    header = bytearray(tarfile.TarInfo("1.txt").tobuf(tarfile.GNU_FORMAT))
    header[124:136], header[156:157], header[483:495] = b"%011o\0" % 1, b"S", b"77777777777\0"
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    content[1024:1536] = header
    path.write_bytes(content)
    first, second = open_examples(path)
    assert first.inputs["text"] == "a"
    with pytest.raises(InputError, match="has a sparse file"):
        second.inputs["text"]
