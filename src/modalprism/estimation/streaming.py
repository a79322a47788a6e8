"""Options for samples of many rows: when they are streamed, and how much is in memory at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modalprism.errors import InputError

ROWS_IN_MEMORY: Final = 50_000
"""Rows above which embeddings are read in blocks, and never held."""
LEARNING_ROWS: Final = 200_000
LEARNING_NUMBERS: Final = 1 << 27
FEWEST_LEARNING_ROWS: Final = 300
STATES: Final = 1_000
LOOKED_AT: Final = 30_000
BLOCK_NUMBERS: Final = 1 << 22


@dataclass(frozen=True)
class Streaming:
    """How an analysis of many rows is streamed.

    Attributes
    ----------
    above : int
        More rows than these are streamed; fewer are analysed in memory.
    learning_rows : int
        Most rows that models are fitted to; never more than half of all. Embeddings with more than
        671 dimensions use fewer rows, 2^27 numbers of each source.
    states : int
        Most states of a source that are coupled.
    looked_at : int
        Most rows behind p-values and the learning curve; no model is fitted to them.
    block_numbers : int
        Numbers of an embedding in memory at a time. The result depends on it by rounding only.
    folder : path, optional
        Folder for the held-out log-odds, 16 C bytes a row, until the analysis ends; by default the
        system's folder for temporary files.

    Raises
    ------
    InputError
        If a number is too small to work with.

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
        """Return how many rows are learnt from, at most."""
        return min(self.learning_rows, rows // 2, LEARNING_NUMBERS // max(dimensions))
