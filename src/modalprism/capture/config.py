"""Options of a capture: flags of a command, keys of a study, arguments of a function."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from pydantic import Field, PositiveInt, field_validator

from modalprism.options import Options

FIRST_BATCH: Final = 32
PARTNERS: Final = 40
_ADAPTER: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


class CaptureConfig(Options):
    """Options for running a model on examples and for storing its states.

    The description of a field is the help of its flag and the documentation of its argument.
    """

    candidates: tuple[str, ...] = Field(
        default=(),
        description="Answers that the model may choose, in order, where its family needs them.",
    )
    layers: tuple[int, ...] | None = Field(
        default=None,
        description="Layers to keep; all by default. The one before fusion is always kept.",
    )
    pool: Literal["mean", "last", "max", "attention"] = Field(
        default="mean",
        description="Pooling of a span's states: mean, last or max; attention is a mean weighted "
        "by the attention that each position receives in its layer.",
    )
    tokens: int = Field(
        default=0,
        ge=0,
        description="Single positions of every span to keep as well, evenly spaced; 0 for none.",
    )
    batch_size: PositiveInt | Literal["auto"] = Field(
        default="auto",
        description=f"Examples per pass, halved where memory does not suffice; auto begins with "
        f"{FIRST_BATCH}.",
    )
    dtype: Literal["float16", "float32", "bfloat16"] = Field(
        default="float16",
        description="Type of the states in the store: float16, float32 or bfloat16.",
    )
    device: str = Field(
        default="auto",
        description="Device of the model: cpu, cuda:0, …; auto takes a GPU where there is one.",
    )
    on_error: Literal["stop", "skip"] = Field(
        default="stop",
        description="What to do at an example that cannot be read: stop, or skip it and list it.",
    )
    redrawn: int = Field(
        default=0,
        ge=0,
        description="Examples whose inputs are also run with each other's, for the redrawn pairs "
        "of a study; 160 is a good number. The examples are then read twice.",
    )
    partners: int = Field(
        default=PARTNERS, ge=2, description="Other examples that each redrawn example is run with."
    )
    adapter: str | type[Any] | None = Field(
        default=None,
        description="An adapter of your own, module:Class, for a family that is not registered; "
        "docs/adapters.md writes one.",
    )
    revision: str | None = Field(default=None, description="Revision of the model's repository.")
    trust_remote_code: bool = Field(
        default=False, description="Let code that comes with the model run."
    )

    @field_validator("dtype", "device", mode="before")
    @classmethod
    def _name_of_torch(cls, value: Any) -> Any:
        from_torch = type(value).__module__ == "torch"
        return str(value).removeprefix("torch.") if from_torch else value

    @field_validator("adapter")
    @classmethod
    def _module_and_class(cls, adapter: Any) -> Any:
        if isinstance(adapter, str) and not _ADAPTER.fullmatch(adapter):
            raise ValueError(f"{adapter!r} is no adapter; write it as module:Class")
        return adapter

    @property
    def first_batch(self) -> int:
        """Examples of the first pass."""
        return FIRST_BATCH if self.batch_size == "auto" else self.batch_size
