"""Options for streaming samples of many rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modalprism.errors import InputError

ROWS_IN_MEMORY: Final = 50_000
"""Number of rows above which embeddings are read in blocks."""
LEARNING_ROWS: Final = 200_000
LEARNING_NUMBERS: Final = 1 << 27
FEWEST_LEARNING_ROWS: Final = 300
STATES: Final = 1_000
LOOKED_AT: Final = 30_000
BLOCK_NUMBERS: Final = 1 << 22


@dataclass(frozen=True)
class Streaming:
    """Options for streaming an analysis of many rows.

    Attributes
    ----------
    above : int
        Samples with more rows are streamed; others are analysed in memory.
    learning_rows : int
        Largest number of training rows; at most half of all rows. Embeddings with more than
        671 dimensions use fewer rows, 2^27 numbers of each source.
    states : int
        Largest number of coupled states per source.
    looked_at : int
        Largest number of rows behind p-values and the learning curve; no model is fitted to them.
    block_numbers : int
        Largest number of values of an embedding in memory. It changes the result by rounding
        only.
    folder : path, optional
        Folder for the held-out log-odds, 16 C bytes per row, until the analysis ends; by default
        the system's folder for temporary files.

    Raises
    ------
    InputError
        If a number is too small.

    Examples
    --------
    >>> Streaming(above=1_000).learning_from(rows=3_000, dimensions=(256, 256))
    1500
    """

    above: int = ROWS_IN_MEMORY
    learning_rows: int = LEARNING_ROWS
    states: int = STATES
    looked_at: int = LOOKED_AT
    block_numbers: int = BLOCK_NUMBERS
    folder: Path | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        fewest = {
            "learning_rows": FEWEST_LEARNING_ROWS,
            "states": 2,
            "looked_at": 100,
            "block_numbers": 1,
            "above": 0,
        }
        for name, least in fewest.items():
            value = getattr(self, name)
            if value < least:
                raise InputError(f"Streaming({name}={value!r}) is too small: give at least {least}")

    def learning_from(self, rows: int, dimensions: tuple[int, int]) -> int:
        """Return the largest number of training rows."""
        return min(self.learning_rows, rows // 2, LEARNING_NUMBERS // max(dimensions))
