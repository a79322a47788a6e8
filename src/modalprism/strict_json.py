"""Strict JSON: the one writer of every file, message and output in JSON.

JSON has no NaN and no infinity, and readers in other languages refuse the words that Python writes
for them. They become null here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def dumps(
    content: Any, *, indent: int | None = None, sort_keys: bool = False, ensure_ascii: bool = True
) -> str:
    """Return content as strict JSON; NaN and infinities become null.

    `content` is what `json.dumps` takes, and numpy's scalars and arrays; the options are those of
    `json.dumps`.

    Examples
    --------
    >>> dumps({"value": float("nan"), "n": np.int64(3), "interval": (0.5, float("inf"))})
    '{"value": null, "n": 3, "interval": [0.5, null]}'
    """
    return json.dumps(
        _strict(content),
        indent=indent,
        sort_keys=sort_keys,
        ensure_ascii=ensure_ascii,
        allow_nan=False,
    )


def _strict(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        # A key that is NaN becomes null, too.
        keys = (_strict(key) if isinstance(key, float) else key for key in value)
        return dict(zip(keys, map(_strict, value.values()), strict=True))
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
