"""One example: the inputs of a model, with label and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Example:
    """Inputs of a model by modality, with id, label and groups.

    Attributes
    ----------
    id : str
        Names the example in indices and messages; no two are the same.
    inputs : mapping of modality to value
        A picture is a PIL image in RGB, a text a string, audio an array of float32, shape
        (samples,), at the rate that the model wants.
    label : int or str, optional
        The right answer.
    groups : mapping of column to value
        Examples that share a value never straddle folds: the same patient, picture or question.

    Examples
    --------
    >>> Example("7", {"text": "a cat"}, label="cat").label
    'cat'
    """

    id: str
    inputs: Mapping[str, Any]
    label: int | str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
