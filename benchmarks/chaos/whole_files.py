"""Whole files of every format that Modalprism reads, and a reader of any of them.

``WHOLE`` maps the name of a file or folder to the function that writes it from a seed. `read` opens
any of them with the public functions, as a user would.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
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
    from modalprism.datasets.media import picture_of, sound_of

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
