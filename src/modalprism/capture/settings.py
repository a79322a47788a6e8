"""How a capture runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import torch

from modalprism.capture.pooling import POOLS
from modalprism.capture.store_writer import SHARD_ROWS
from modalprism.errors import InputError

FIRST_BATCH: Final = 32
DTYPES: Final = {
    "float16": torch.float16,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}


@dataclass(frozen=True)
class CaptureSettings:
    """How a capture runs.

    Attributes
    ----------
    layers : tuple of int, optional
        Which layers beside that before fusion; all by default.
    pool : {"mean", "last", "max", "attention"}
        From the states of a span to one state; "attention" is a mean weighed by the attention that
        a position receives in its layer.
    tokens : int
        How many single positions of every span are kept beside, ``tokens/image/3``, evenly spaced;
        0 for none.
    batch_size : int
        Halved whenever memory does not suffice.
    dtype : {"float16", "float32", "bfloat16"}
        Of the states in the store.
    device : str
        Such as ``cpu`` or ``cuda:0``; ``auto`` is a GPU where there is one.
    on_error : {"stop", "skip"}
        What an example that cannot be prepared does.
    shard_rows : int
        Rows a part of the store.
    answer_alone : bool
        Whether the answer is kept and no state.
    """

    layers: tuple[int, ...] | None = None
    pool: str = "mean"
    tokens: int = 0
    batch_size: int = FIRST_BATCH
    dtype: str = "float16"
    device: str = "auto"
    on_error: Literal["stop", "skip"] = "stop"
    shard_rows: int = SHARD_ROWS
    answer_alone: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("pool", self.pool, POOLS), ("dtype", self.dtype, DTYPES)):
            if value not in known:
                raise InputError(f"there is no {name} {value!r}; choose from {', '.join(known)}")
        if self.on_error not in {"stop", "skip"}:
            raise InputError(f"on_error is {self.on_error!r}; it is stop or skip")
        if self.tokens < 0:
            raise InputError(f"tokens is {self.tokens}; give 0 for none, or how many to keep")
        if self.batch_size < 1:
            raise InputError(f"the batch size is {self.batch_size}; give 1 or more")


def device_named(name: str) -> torch.device:
    """Return a device; ``auto`` is a GPU where there is one.

    Raises
    ------
    InputError
        If there is no such device here.
    """
    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            words = str(error).splitlines()[0]
            raise InputError(
                f"the device {name!r} cannot be used ({words}); auto takes a GPU where there is one"
            ) from error
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
