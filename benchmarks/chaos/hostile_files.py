"""Files that are made to harm a reader: each must be refused, and none may act."""

from __future__ import annotations

import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors.torch import save_file


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
