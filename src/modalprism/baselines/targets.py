"""The answer that counts as right, for every example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.errors import InputError

_SMALLEST: Final = float(np.finfo(np.float32).tiny)  # no probability of a softmax is known finer


@dataclass(frozen=True)
class Target:
    """Columns of the right answers among the model's, shape (n,).

    `accuracy` is "accuracy" where labels say so, "agreement" with the model's answer otherwise.
    """

    column: NDArray[np.int64]
    accuracy: str

    def correct(self, answer: NDArray[Any]) -> NDArray[np.float64]:
        """Return 1 where the most probable answer is right, else 0, (n,); nan without answer."""
        right = (answer.argmax(1) == self.column).astype(np.float64)
        return np.where(np.isfinite(answer).all(1), right, np.nan)

    def log_likelihood(self, answer: NDArray[Any]) -> NDArray[np.float64]:
        """Return log₂ of the right answer's probability, shape (n,), in bits."""
        chosen = answer[np.arange(len(answer)), self.column]
        logs: NDArray[np.float64] = np.log2(np.maximum(chosen, _SMALLEST))
        return logs


def target_of(
    labels: Mapping[int, int | str | None], candidates: Sequence[str], answer: NDArray[Any]
) -> Target:
    """Take the labels as right answers if there are any, else the model's own answers.

    `labels` are candidates, or numbers of columns of `answer`, (n, C), the model's answers on whole
    inputs. An `InputError` refuses a label that is no answer, and labels of some examples alone.

    Examples
    --------
    >>> answer = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> target_of({0: "yes", 1: "yes"}, ("no", "yes"), answer)
    Target(column=array([1, 1]), accuracy='accuracy')
    >>> target_of({0: None, 1: None}, ("no", "yes"), answer)
    Target(column=array([0, 1]), accuracy='agreement')
    """
    known = [labels[place] for place in range(len(answer))]
    missing = sum(label is None for label in known)
    if missing == len(known):
        return Target(answer.argmax(1).astype(np.int64), "agreement")
    if missing:
        raise InputError(
            f"{missing} of {len(known)} examples have no label; give every example one, or none, "
            "so that the model's own answers are taken for right"
        )
    columns = [_column(label, candidates, answer.shape[1]) for label in known]
    return Target(np.array(columns, dtype=np.int64), "accuracy")


def _column(label: int | str | None, candidates: Sequence[str], count: int) -> int:
    if isinstance(label, str):
        if label in candidates:
            return list(candidates).index(label)
    elif label is not None and 0 <= label < count:
        return int(label)
    known = ", ".join(map(repr, candidates)) or f"the numbers 0 to {count - 1}"
    raise InputError(f"the label {label!r} is no answer of the model, which has {known}")
