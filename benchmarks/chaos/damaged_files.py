"""Whole, damaged and hostile files of every format that Modalprism reads, from a seed.

``WHOLE`` maps the name of a file or folder to the function that writes it. `damage` changes one
of them at random, and `HOSTILE` holds files that are made to harm a reader: each must be refused.
`read` opens any of them with the public functions, as a user would.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import zarr
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from scipy.io import wavfile

ROWS = 60
Writer = Callable[[Path, Generator], Any]


def arrays(rng: Generator) -> dict[str, NDArray[Any]]:
    """Draw the embeddings of two modalities, and labels."""
    return {
        "image": rng.normal(size=(ROWS, 4)),
        "text/1": rng.normal(size=(ROWS, 3)).astype(np.float32),
        "label": np.array(["no", "yes"])[rng.integers(2, size=ROWS)],
    }


def _npy(path: Path, rng: Generator) -> None:
    np.save(path, rng.dirichlet(np.ones(24)).reshape(2, 3, 4))


def _npz(path: Path, rng: Generator) -> None:
    np.savez(path, **arrays(rng))


def _npz_compressed(path: Path, rng: Generator) -> None:
    np.savez_compressed(path, **arrays(rng))


def _safetensors(path: Path, rng: Generator) -> None:
    image = torch.from_numpy(rng.normal(size=(ROWS, 4)))
    tensors = {
        "image": image.to(torch.bfloat16),
        "text/1": image[:, :3].to(torch.float8_e4m3fn),
        "label": torch.from_numpy(rng.integers(2, size=ROWS)),
    }
    save_file(tensors, path, {"modalprism": json.dumps({"layer_names": '{"1": "middle"}'})})


def _parquet(path: Path, rng: Generator) -> None:
    drawn = arrays(rng)
    columns = {
        "image": pa.FixedShapeTensorArray.from_numpy_ndarray(drawn["image"]),
        "text/1": pa.array(drawn["text/1"].tolist()),
        "label": pa.array(drawn["label"]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=ROWS // 2)


def _hdf5(path: Path, rng: Generator, **options: Any) -> None:
    with h5py.File(path, "w", libver=options.pop("libver", None)) as file:
        drawn = arrays(rng)
        for name in ("image", "text/1"):
            file.create_dataset(name, data=drawn[name], **options)
        words = drawn["label"]
        file.create_dataset("label", data=words.astype(h5py.string_dtype()))
        file.create_dataset("group/fixed", data=words.astype("S3"))
        kind = h5py.enum_dtype({"no": 0, "yes": 1}, "i1")
        file.create_dataset("group/enum", data=words == "yes", dtype=kind)


def _hdf5_compressed(path: Path, rng: Generator) -> None:
    _hdf5(path, rng, chunks=(20, 2), compression="gzip", shuffle=True, fletcher32=True)


def _hdf5_latest(path: Path, rng: Generator) -> None:
    _hdf5(path, rng, libver="latest", chunks=(20, 2))


def _zarr(path: Path, rng: Generator, version: Any, **options: Any) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=version)
    drawn = arrays(rng)
    for name in ("image", "text/1"):
        group.create_array(name, data=drawn[name], chunks=(20, 3), **options)
    words = drawn["label"].astype(np.dtypes.StringDType())
    group.create_array("label", data=words)


def _zarr_2(path: Path, rng: Generator) -> None:
    _zarr(path, rng, 2)


def _zarr_3(path: Path, rng: Generator) -> None:
    _zarr(path, rng, 3)


def _zarr_shards(path: Path, rng: Generator) -> None:
    _zarr(path, rng, 3, shards=(40, 3))


def _frame(rng: Generator) -> pd.DataFrame:
    frame = {
        "image": rng.choice(["red", "green", "blue"], ROWS),
        "text": rng.choice(["a", "b"], ROWS),
        "label": rng.choice(["no", "yes"], ROWS),
        "count": rng.integers(1, 9, ROWS),
    }
    return pd.DataFrame(frame)


def _csv(path: Path, rng: Generator) -> None:
    _frame(rng).to_csv(path, index=False)


def _tsv(path: Path, rng: Generator) -> None:
    _frame(rng).to_csv(path, index=False, sep="\t")


def _json_lines(path: Path, rng: Generator) -> None:
    _frame(rng).to_json(path, orient="records", lines=True)


def _table_parquet(path: Path, rng: Generator) -> None:
    _frame(rng).to_parquet(path)


def picture(rng: Generator, kind: str) -> bytes:
    """Return the file of a random picture, such as of kind ``png``."""
    sink = io.BytesIO()
    Image.fromarray(rng.integers(256, size=(12, 16, 3), dtype=np.uint8)).save(sink, kind)
    return sink.getvalue()


def sound(rng: Generator) -> bytes:
    """Return the file of a tenth of a second of noise."""
    sink = io.BytesIO()
    wavfile.write(sink, 16_000, rng.normal(scale=0.1, size=1_600).astype(np.float32))
    return sink.getvalue()


def _picture(path: Path, rng: Generator) -> None:
    kind = path.suffix.removeprefix(".")
    path.write_bytes(picture(rng, {"jpg": "jpeg", "tif": "tiff"}.get(kind, kind)))


def _sound(path: Path, rng: Generator) -> None:
    path.write_bytes(sound(rng))


def _tar(path: Path, rng: Generator) -> None:
    with tarfile.open(path, "w") as archive:
        for row in range(5):
            members = {
                "png": picture(rng, "png"),
                "wav": sound(rng),
                "json": json.dumps({"text": f"question {row}", "label": row % 2}).encode(),
            }
            for extension, content in members.items():
                member = tarfile.TarInfo(f"{row:03d}.{extension}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def _pictures_parquet(path: Path, rng: Generator) -> None:
    pictures = [{"bytes": picture(rng, "png"), "path": f"{row}.png"} for row in range(5)]
    columns = {"image": pictures, "text": ["a"] * 5, "label": [0, 1, 0, 1, 0]}
    pq.write_table(pa.table(columns), path)


def _media_folder(path: Path, rng: Generator) -> None:
    for label in ("no", "yes"):
        (path / label).mkdir(parents=True)
        for row in range(3):
            (path / label / f"{row}.png").write_bytes(picture(rng, "png"))


def _saved(path: Path, rng: Generator) -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_pandas(_frame(rng)).save_to_disk(path)


def _store(path: Path, rng: Generator) -> None:
    import hashlib

    path.mkdir()
    drawn = arrays(rng)
    (path / "store.json").write_text(json.dumps({"format": 1, "model": "m", "seed": 0}))
    for number, rows in enumerate((slice(0, 40), slice(40, ROWS))):
        name = f"part-{number:05d}"
        tensors = {key: torch.from_numpy(drawn[key][rows].copy()) for key in ("image", "text/1")}
        save_file(tensors, path / f"{name}.safetensors")
        checksum = hashlib.sha256((path / f"{name}.safetensors").read_bytes()).hexdigest()
        words = {"checksum": checksum, "end": rows.stop, "skipped": []}
        table = pa.table(
            {
                "position": np.arange(rows.start, rows.stop),
                "id": np.arange(rows.start, rows.stop).astype(str),
                "label": drawn["label"][rows],
            }
        )
        table = table.replace_schema_metadata({"modalprism": json.dumps(words)})
        pq.write_table(table, path / f"{name}.parquet")
    (path / "finished.json").write_text(json.dumps({"rows": ROWS, "skipped": 0}))


EMBEDDINGS: dict[str, Writer] = {
    "plain.npz": _npz,
    "compressed.npz": _npz_compressed,
    "narrow.safetensors": _safetensors,
    "lists.parquet": _parquet,
    "plain.h5": _hdf5,
    "compressed.h5": _hdf5_compressed,
    "latest.hdf5": _hdf5_latest,
    "v2.zarr": _zarr_2,
    "v3.zarr": _zarr_3,
    "shards.zarr": _zarr_shards,
    "store": _store,
}
EXAMPLES: dict[str, Writer] = {
    "table.csv": _csv,
    "table.tsv": _tsv,
    "table.jsonl": _json_lines,
    "table.parquet": _table_parquet,
    "pictures.parquet": _pictures_parquet,
    "shard.tar": _tar,
    "pictures": _media_folder,
    "saved": _saved,
}
JOINT: dict[str, Writer] = {
    "joint.npy": _npy,
    "joint.npz": lambda path, rng: np.savez(path, joint=rng.dirichlet(np.ones(8)).reshape(2, 2, 2)),
    "joint.csv": _csv,
    "joint.tsv": _tsv,
    "joint.parquet": _table_parquet,
}
MEDIA: dict[str, Writer] = {
    **{f"a.{kind}": _picture for kind in ("png", "jpg", "gif", "webp", "tif", "bmp")},
    "a.wav": _sound,
}
WHOLE: dict[str, Writer] = {**EMBEDDINGS, **EXAMPLES, **JOINT, **MEDIA}
"""The name of a file or folder to the function that writes it."""


def write_whole(name: str, folder: Path, seed: int = 0) -> Path:
    """Write a file or folder of `WHOLE` into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    WHOLE[name](path, np.random.default_rng(seed))
    return path


def read(path: Path) -> None:
    """Read all that a file or folder holds with the public functions.

    Its name says how: a name of `WHOLE`, or one that starts like one of `HOSTILE`.
    """
    from modalprism.capture.store import EmbeddingStore
    from modalprism.datasets.examples import open_examples
    from modalprism.datasets.joint_tables import read_joint
    from modalprism.datasets.pictures import picture_of
    from modalprism.datasets.sounds import sound_of

    if path.name in MEDIA:
        (sound_of if path.suffix == ".wav" else picture_of)(path.read_bytes(), *_rate(path))
    elif path.name in JOINT or path.name.startswith("joint"):
        read_joint(path, sources=None, target=None)
    elif path.name in EXAMPLES or path.name.startswith("examples"):
        _read_examples(open_examples(path))
    else:
        store = EmbeddingStore.open(path)
        dict(store.arrays(store.names))
        if path.name == "store":
            for modality in store.modalities:
                for layer in store.layers((modality, modality)):
                    store.mapped_span(modality, layer)[:2]
        store.layer_name(1)
        store.digest()


def _rate(path: Path) -> tuple[int, ...]:
    return (16_000,) if path.suffix == ".wav" else ()


def _read_examples(examples: Any) -> None:
    from modalprism.errors import InputError

    examples.fingerprint()
    for example in examples:
        for modality in example.inputs:
            try:
                example.inputs[modality]
            except InputError:
                continue  # capture skips the example, and says why


# Damage ------------------------------------------------------------------------------------------

_NUMBERS = (b"0", b"-1", b"7", b"999999999999999", b"18446744073709551616", b"1e400")
_WORDS = (
    (b'"BF16"', b'"F4"'),
    (b'"F8_E4M3"', b'"F6_E2M3"'),
    (b"<f8", b"|O8"),
    (b"<f4", b"|V4"),
    (b"<U3", b"|O3"),
    (b"float64", b"float16"),
    (b"zstd", b"gzip"),
    (b"vlen-utf8", b"pickle"),
    (b"blosc", b"pickle"),
    (b"bytes", b"nobytes"),
    (b"{", b"["),
    (b"}", b""),
    (b'"', b""),
    (b",", b",,"),
    (b"\n", b"\0"),
)


def _flip(data: bytearray, rng: Generator) -> None:
    count = int(rng.choice([1, 2, 5, 1 + len(data) // 200, 1 + len(data) // 40]))
    near = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    places = rng.integers(0, near, count)
    if rng.random() < 0.25:
        places = len(data) - 1 - places
    for place in places:
        data[place] = rng.integers(256)


def _cut(data: bytearray, rng: Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def _blank(data: bytearray, rng: Generator) -> None:
    begin = int(rng.integers(len(data)))
    end = min(len(data), begin + int(rng.integers(1, 600)))
    data[begin:end] = bytes([int(rng.choice([0, 255]))]) * (end - begin)


def _repeat(data: bytearray, rng: Generator) -> None:
    begin, length, place = rng.integers(0, len(data), 3)
    data[place:place] = data[begin : begin + length % 600 + 1]


def _append(data: bytearray, rng: Generator) -> None:
    data += rng.bytes(int(rng.integers(1, 600)))


def _lie(data: bytearray, rng: Generator) -> None:
    """Replace a number that is written in digits."""
    places = [k for k, byte in enumerate(data[:65536]) if chr(byte).isdigit()]
    if places:
        begin = end = int(rng.choice(places))
        while end < len(data) and chr(data[end]).isdigit():
            end += 1
        data[begin:end] = _NUMBERS[rng.integers(len(_NUMBERS))]


def _claim(data: bytearray, rng: Generator) -> None:
    """Replace a binary number by a large, or a negative one."""
    width = int(rng.choice([2, 4, 8]))
    begin = int(rng.integers(max(1, len(data) - width)))
    order = "little" if rng.random() < 0.8 else "big"
    value = int(rng.choice([2 ** (8 * width - 1) - 1, 2 ** (4 * width), 2 ** (8 * width - 2), 0]))
    data[begin : begin + width] = value.to_bytes(width, order)  # type: ignore[arg-type]


def _reword(data: bytearray, rng: Generator) -> None:
    found = [pair for pair in _WORDS if pair[0] in data]
    if found:
        old, new = found[rng.integers(len(found))]
        at = data.find(old, int(rng.integers(len(data))))
        at = data.find(old) if at < 0 else at
        data[at : at + len(old)] = new


def _nest(data: bytearray, rng: Generator) -> None:
    """Insert deep brackets where one opens."""
    places = [k for k, byte in enumerate(data[:65536]) if byte in b"[{:"]
    if places:
        place = int(rng.choice(places)) + 1
        data[place:place] = b"[" * int(rng.choice([60, 500, 100_000]))


def _replace(data: bytearray, rng: Generator) -> None:
    contents = (b"", b"\x89HDF\r\n\x1a\n", b"PAR1PAR1", b"PK\x05\x06" + bytes(18), b"{}", b"null")
    data[:] = contents[rng.integers(len(contents))]


_DAMAGES = (_flip, _flip, _flip, _cut, _blank, _repeat, _append, _lie, _claim, _reword, _nest)


def damage(path: Path, seed: int) -> str:
    """Damage a file, or one file of a folder, in place, and return what was done."""
    rng = np.random.default_rng(seed)
    file = path
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        file = files[rng.integers(len(files))]
        if rng.random() < 0.1:
            return _swap(file, rng)
    data = bytearray(file.read_bytes())
    how = _replace if rng.random() < 0.03 or not data else _DAMAGES[rng.integers(len(_DAMAGES))]
    how(data, rng)
    file.write_bytes(data)
    return f"{file.relative_to(path.parent)}: {how.__name__.removeprefix('_')}"


def _swap(file: Path, rng: Generator) -> str:
    """Put something else in the place of a file of a folder: nothing, a pipe, a folder, a link."""
    file.unlink()
    what = str(rng.choice(["nothing", "pipe", "folder", "link"]))
    if what == "pipe" and hasattr(os, "mkfifo"):
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "link":
        file.symlink_to("/dev/zero")
    return f"{file.name}: {what}"


def damaged_copy(whole: Path, folder: Path, seed: int) -> tuple[Path, str]:
    """Copy a file or folder of `WHOLE` into a folder of its own, and damage the copy.

    Returns
    -------
    path : Path
        ``folder/<seed>/<name>``.
    how : str
        What was done to it.
    """
    path = folder / str(seed) / whole.name
    path.parent.mkdir(parents=True)
    if whole.is_dir():
        shutil.copytree(whole, path)
    else:
        shutil.copy(whole, path)
    return path, damage(path, seed)


# Hostile files -----------------------------------------------------------------------------------


class _Bomb:
    """An object whose pickle writes a file when it is loaded."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("pickle-was-run"),)


def _npy_header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def _members(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _hostile_npz(folder: Path) -> None:
    np.savez(folder / "pickled.npz", image=np.array([_Bomb()], dtype=object))
    _members(folder / "foreign.npz", {"image.txt": b"no array"})
    for name, shape in (("claims", (10**15,)), ("empty", (10**15, 0)), ("negative", (-8, 2))):
        _members(folder / f"{name}.npz", {"image.npy": _npy_header(shape) + bytes(64)})
    _members(folder / "nowords.npz", {"image.npy": _npy_header((10**15,), "<U0")})
    _members(folder / "structured.npz", {"image.npy": _npy_header((8,), "|V8") + bytes(64)})
    (folder / "joint-claims.npy").write_bytes(_npy_header((2, 10**9, 10**6)) + bytes(64))
    np.save(folder / "joint-pickled.npy", np.array([_Bomb()], dtype=object))


def _safetensors_of(path: Path, header: bytes, content: bytes = b"") -> None:
    path.write_bytes(len(header).to_bytes(8, "little") + header + content)


def _hostile_safetensors(folder: Path) -> None:
    _safetensors_of(folder / "lying.safetensors", b'{"image":{"dtype":"F32","shape":[9,9]}}')
    _safetensors_of(
        folder / "claims.safetensors",
        b'{"image":{"dtype":"F32","shape":[1000000000000000,0],"data_offsets":[0,0]}}',
    )
    _safetensors_of(
        folder / "four.safetensors",
        b'{"image":{"dtype":"F4","shape":[2,4],"data_offsets":[0,4]}}',
        bytes(4),
    )
    words = "[" * 100_000
    save_file({"image": torch.ones(2, 2)}, folder / "deep.safetensors", {"modalprism": words})
    save_file({"image": torch.ones(2, 2)}, folder / "list.safetensors", {"modalprism": "[1]"})


def _hostile_hdf5(folder: Path) -> None:
    (folder / "secret.bin").write_bytes(b"secret" * 32)
    with h5py.File(folder / "other.h5", "w") as file:
        file["secret"] = np.ones((4, 2))
    with h5py.File(folder / "external.h5", "w") as file:
        outside = [(str(folder / "secret.bin"), 0, 64)]
        file.create_dataset("image", (1, 64), "u1", external=outside)
    layout = h5py.VirtualLayout((4, 2), "f8")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "secret", (4, 2))
    with h5py.File(folder / "virtual.h5", "w") as file:
        file.create_virtual_dataset("image", layout)
    with h5py.File(folder / "linked.h5", "w") as file:
        file["image"] = h5py.ExternalLink("other.h5", "/secret")
    with h5py.File(folder / "softly.h5", "w") as file:
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/")
        file["image"] = h5py.SoftLink("/elsewhere/secret")
    with h5py.File(folder / "references.h5", "w") as file:
        file["other"] = np.ones((4, 2))
        file.create_dataset("image", data=[file["other"].ref] * 4, dtype=h5py.ref_dtype)
    with h5py.File(folder / "regions.h5", "w") as file:
        file["other"] = np.ones((4, 2))
        region = file["other"].regionref[:2]
        file.create_dataset("image", data=[region] * 4, dtype=h5py.regionref_dtype)
    with h5py.File(folder / "claims.h5", "w") as file:
        file.create_dataset("image", (10**12, 1000), "f8", chunks=(10**6, 1))
    with h5py.File(folder / "chunks.h5", "w") as file:
        file.create_dataset("image", (10**7, 1), "f8", chunks=(1, 1))
    with h5py.File(folder / "compound.h5", "w") as file:
        file.create_dataset("image", (4,), [("a", "f8"), ("b", "i4")])
    with h5py.File(folder / "ragged.h5", "w") as file:
        file.create_dataset("image", (4,), h5py.vlen_dtype(np.float64))
    with h5py.File(folder / "deep.h5", "w") as file:
        group: Any = file
        for _ in range(500):
            group = group.create_group("a")
        group["image"] = np.ones((4, 2))


def _array_2(folder: Path, **changes: Any) -> None:
    """Write a zarr array of version 2 by hand: the library refuses to write some of these."""
    folder.mkdir(parents=True)
    (folder.parent / ".zgroup").write_text('{"zarr_format": 2}')
    words = {
        "zarr_format": 2,
        "shape": [4],
        "chunks": [4],
        "dtype": "<f8",
        "compressor": None,
        "fill_value": 0,
        "order": "C",
        "filters": None,
        **changes,
    }
    (folder / ".zarray").write_text(json.dumps(words))


def _hostile_zarr(folder: Path) -> None:
    bomb = pickle.dumps([np.array([_Bomb()] * 4, dtype=object), [4], "O"])
    _array_2(folder / "pickled.zarr" / "image", dtype="|O", filters=[{"id": "pickle"}])
    (folder / "pickled.zarr/image/0").write_bytes(bomb)
    _array_2(folder / "compressor.zarr" / "image", compressor={"id": "pickle", "protocol": 5})
    (folder / "compressor.zarr/image/0").write_bytes(bomb)
    _array_2(folder / "objects.zarr" / "image", dtype="|O")
    _array_2(folder / "claims.zarr" / "image", shape=[10**15], chunks=[10**14])
    _array_2(folder / "chunk.zarr" / "image", shape=[4], chunks=[10**15])
    _array_2(folder / "tiny.zarr" / "image", shape=[10**8], chunks=[1])
    _array_2(folder / "structured.zarr" / "image", dtype=[["a", "<f8"], ["b", "<i4"]])
    # The array says one thing, and its group's copy of all metadata another.
    _array_2(folder / "consolidated.zarr" / "image")
    array = json.loads((folder / "consolidated.zarr/image/.zarray").read_text())
    array |= {"dtype": "|O", "filters": [{"id": "pickle"}]}
    metadata = {".zgroup": {"zarr_format": 2}, "image/.zarray": array}
    text = json.dumps({"zarr_consolidated_format": 1, "metadata": metadata})
    (folder / "consolidated.zarr/.zmetadata").write_text(text)
    (folder / "consolidated.zarr/image/0").write_bytes(bomb)
    for name in ("linked.zarr", "below.zarr"):
        _array_2(folder / name / "image")
    (folder / "outside").write_bytes(bytes(32))
    (folder / "linked.zarr/image/0").symlink_to(folder / "outside")
    (folder / "below.zarr/text").symlink_to(folder / "linked.zarr/image")
    if hasattr(os, "mkfifo"):
        _array_2(folder / "pipe.zarr" / "image")
        os.mkfifo(folder / "pipe.zarr/image/0")


def _hostile_examples(folder: Path) -> None:
    member = tarfile.TarInfo("000.txt")
    member.size = 512
    block = bytearray(member.tobuf())
    block[124:136] = b"\xff" * 8 + (-(1 << 20) & 0xFFFFFFFF).to_bytes(4, "big")  # a negative size
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    (folder / "examples-negative.tar").write_bytes(bytes(block) + bytes(4096))
    deep = b'{"text": ' + b"[" * 100_000
    (folder / "examples-deep.jsonl").write_bytes(deep + b"\n")
    (folder / "examples-odd.jsonl").write_bytes(b'{"text": "\\ud800"}\n')


def _pipes(folder: Path) -> None:
    if hasattr(os, "mkfifo"):
        names = ("pipe.npz", "pipe.safetensors", "pipe.parquet", "pipe.h5", "joint-pipe.npy")
        tables = ("csv", "tsv", "jsonl", "parquet", "tar")
        for name in (*names, "joint-pipe.csv", *(f"examples-pipe.{kind}" for kind in tables)):
            os.mkfifo(folder / name)
        (folder / "examples-pipe-in-folder").mkdir()
        os.mkfifo(folder / "examples-pipe-in-folder" / "table.csv")


_BESIDE = {"secret.bin", "other.h5", "outside", "consolidated.zarr"}
HOSTILE: tuple[Callable[[Path], None], ...] = (
    _hostile_npz,
    _hostile_safetensors,
    _hostile_hdf5,
    _hostile_zarr,
    _hostile_examples,
    _pipes,
)
"""Functions that write files made to harm a reader into a folder."""


def write_hostile(folder: Path, writers: Sequence[Callable[[Path], None]] = HOSTILE) -> list[Path]:
    """Write files that are made to harm a reader, and return those that must be refused."""
    folder.mkdir(parents=True, exist_ok=True)
    for write in writers:
        write(folder)
    return sorted(path for path in folder.iterdir() if path.name not in _BESIDE)
