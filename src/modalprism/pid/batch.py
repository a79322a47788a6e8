"""Result of a batch: a sequence of decompositions, and arrays of their quantities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from modalprism.pid.result import COLUMNS, SOURCES, Decomposition, check_names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class BatchDecomposition(Sequence[Decomposition]):
    """Decompositions of a batch of B problems: a sequence, and arrays of each quantity.

    Parameters
    ----------
    items : tuple of Decomposition
        One for each problem, in order.

    Examples
    --------
    >>> import modalprism.pid as pid
    >>> batch = pid.decompose_batch([pid.gate("and").joint, pid.gate("xor").joint])
    >>> batch.synergy.round(3), batch.unique.shape
    (array([0.5, 1. ]), (2, 2))
    >>> len(batch), f"{batch[1].synergy:.3f} {batch.unit}"
    (2, '1.000 bit')
    """

    items: tuple[Decomposition, ...]

    def __len__(self) -> int:
        """Return B."""
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Decomposition: ...
    @overload
    def __getitem__(self, index: slice) -> BatchDecomposition: ...
    def __getitem__(self, index: int | slice) -> Decomposition | BatchDecomposition:
        """Return one decomposition, or the batch of a slice."""
        if isinstance(index, slice):
            return BatchDecomposition(self.items[index])
        return self.items[index]

    @property
    def unit(self) -> str:
        """Unit of the information."""
        return self.items[0].unit

    @property
    def redundancy(self) -> NDArray[np.float64]:
        """R of each problem, (B,), float64."""
        return self._array("redundancy")

    @property
    def unique(self) -> NDArray[np.float64]:
        """U₁ and U₂ of each problem, (B, 2), float64."""
        return self._array("unique")

    @property
    def synergy(self) -> NDArray[np.float64]:
        """S of each problem, (B,), float64; nan if the information is unknown."""
        return self._array("synergy")

    @property
    def information(self) -> NDArray[np.float64]:
        """I(X₁X₂;Y) of each problem, (B,), float64; nan if unknown."""
        return self._array("information")

    @property
    def union_information(self) -> NDArray[np.float64]:
        """I_Q of each problem, (B,), float64, at its upper bound."""
        return self._array("union_information")

    @property
    def contribution(self) -> NDArray[np.float64]:
        """C₁ and C₂ of each problem, (B, 2), float64; nan if undetermined."""
        return self._array("contribution")

    @property
    def gap(self) -> NDArray[np.float64]:
        """Bound on the numerical error of each problem, (B,), float64."""
        return self._array("gap")

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each problem reached the gap that was requested, (B,), bool."""
        return np.array([d.converged for d in self.items])

    def _array(self, name: str) -> NDArray[np.float64]:
        """Return a quantity of all problems; None becomes nan."""
        return np.array([getattr(d, name) for d in self.items], dtype=np.float64)

    def frame(self, sources: tuple[str, str] = SOURCES) -> pd.DataFrame:
        """Return the rows of every `Decomposition.frame`, after a column ``problem``, 0 to B−1."""
        import pandas as pd

        check_names(sources)
        rows = [(k, *row) for k, d in enumerate(self.items) for row in d.frame_rows(sources)]
        return pd.DataFrame(rows, columns=["problem", *COLUMNS])

    def __repr__(self) -> str:
        """Return the numbers of problems and of converged problems."""
        n, open_ends = len(self), len(self) - int(self.converged.sum())
        return f"<{n} decompositions in {self.unit}, {open_ends} not converged>"
