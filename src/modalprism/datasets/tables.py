"""Joint distributions in: arrays of probabilities or counts, or a table of observations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from modalprism.datasets.arrays import DAMAGE, load_array, open_archive
from modalprism.errors import InputError

COUNT_COLUMN: Final = "count"
MOST_CELLS: Final = 10**8
_TABLES: Final = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class JointTable:
    """What `decompose` takes, with names.

    Attributes
    ----------
    sources : (str, str)
    target : str
    tables : tuple of ndarray
        The joint, (n1, n2, C), by itself; or the marginals, (n1, C) and (n2, C), where the file
        has no joint. Probabilities or counts.
    """

    sources: tuple[str, str]
    target: str
    tables: tuple[NDArray[Any]] | tuple[NDArray[Any], NDArray[Any]]


def read_joint(
    path: str | Path, *, sources: Sequence[str] | None = None, target: str | None = None
) -> JointTable:
    """Read a joint distribution.

    Parameters
    ----------
    path : path
        ``.npy``: the joint, (n1, n2, C). ``.npz``: an array ``joint``, or ``p_x1y`` and ``p_x2y``.
        ``.csv``, ``.tsv``, ``.parquet``: an observation a row, in two source columns and a target
        column, with how often it was seen in a column ``count`` if there is one.
    sources : two of str, optional
        Names of the sources; columns of a table. By default its first two columns.
    target : str, optional
        Name of the target; a column of a table. By default its third column.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, or lacks what was named.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"the file {path} does not exist; check the path")
    if sources is not None and len(sources) != 2:
        raise InputError(f"a decomposition has two sources; {len(sources)} were named")
    try:
        if path.suffix in {".npy", ".npz"}:
            return _read_arrays(path, sources, target)
        if path.suffix in _TABLES:
            frame = pd.read_csv(path, sep=_TABLES[path.suffix])
        elif path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            raise InputError(f"{path} is none of .npy, .npz, .csv, .tsv and .parquet")
    except InputError:
        raise
    except (*DAMAGE, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    return _count_rows(path, frame, sources, target)


def _read_arrays(path: Path, sources: Sequence[str] | None, target: str | None) -> JointTable:
    first, second = sources or ("source 1", "source 2")
    names = ((first, second), target or "target")
    if path.suffix == ".npy":
        return JointTable(*names, (load_array(path),))
    with open_archive(path) as archive:
        if "joint" in archive.files:
            return JointTable(*names, (archive["joint"],))
        if {"p_x1y", "p_x2y"} <= set(archive.files):
            return JointTable(*names, (archive["p_x1y"], archive["p_x2y"]))
        found = ", ".join(archive.files) or "nothing"
    raise InputError(f"{path} needs an array 'joint', or 'p_x1y' and 'p_x2y'; it has {found}")


def _count_rows(
    path: Path, frame: pd.DataFrame, sources: Sequence[str] | None, target: str | None
) -> JointTable:
    columns = [str(column) for column in frame.columns if column != COUNT_COLUMN]
    wanted = [*(sources or columns[:2]), target or (columns[2] if len(columns) > 2 else "target")]
    missing = [name for name in wanted if name not in columns]
    if missing or len(set(wanted)) < 3:
        raise InputError(
            f"{path} needs two source columns and a target column, all different; wanted "
            f"{', '.join(wanted)}, found {', '.join(columns) or 'none'}"
        )
    if frame.empty:
        raise InputError(f"{path} has no rows")
    if frame[wanted].isna().any(axis=None):
        row = int(frame[wanted].isna().any(axis=1).to_numpy().argmax())
        raise InputError(f"{path} has an empty or NaN cell in data row {row + 1}; fill or drop it")
    weight = np.ones(len(frame))
    if COUNT_COLUMN in frame.columns:
        weight = pd.to_numeric(frame[COUNT_COLUMN], errors="coerce").to_numpy(dtype=np.float64)
        if (bad := ~(np.isfinite(weight) & (weight >= 0))).any():
            row = int(bad.argmax())
            raise InputError(f"{path}: the count in data row {row + 1} is {weight[row]:g}")
    codes = []
    for name in wanted:
        try:
            codes.append(pd.factorize(frame[name], sort=True)[0])
        except TypeError as error:
            raise InputError(
                f"{path}: column {name!r} holds values that cannot be counted ({error})"
            ) from error
    shape = [int(code.max()) + 1 for code in codes]
    if math.prod(shape) > MOST_CELLS:
        values = " × ".join(f"{side:,}" for side in shape)
        raise InputError(
            f"{path} takes {values} values in {', '.join(wanted)}; "
            "code continuous columns into few classes first"
        )
    joint = np.zeros(shape)
    np.add.at(joint, tuple(codes), weight)
    return JointTable((wanted[0], wanted[1]), wanted[2], (joint,))
