"""One number as every table, figure and sentence takes it: with its interval and its null."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

SIGNIFICANCE: Final = 0.05


@dataclass(frozen=True)
class Reading:
    """One value, its 95 % interval and its null.

    Attributes
    ----------
    value, low, high : float
        The value (nan = undetermined) and its interval (nan = not computed).
    p_value : float
        Corrected for multiple layers where the study did so; nan = not computed.
    unit : str
        ``bit``, ``nat`` or ``1``.
    n : int
        Number of examples behind it.
    gap : float
        Proven bound on the solver's error.

    Examples
    --------
    >>> r = Reading(0.2, 0.1, 0.3)
    >>> r.determined, r.bounded, r.above(0.05), r.above(0.15)
    (True, True, True, False)
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan
    unit: str = "1"
    n: int = 0
    gap: float = math.nan

    @property
    def determined(self) -> bool:
        """Whether the data determine the value."""
        return math.isfinite(self.value)

    @property
    def bounded(self) -> bool:
        """Whether the value has an interval."""
        return self.determined and math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def noise(self) -> bool:
        """Whether the null was tested and not rejected."""
        return math.isfinite(self.p_value) and self.p_value > SIGNIFICANCE

    @property
    def positive(self) -> bool:
        """Whether the value is above zero with its whole interval, and not noise by its null."""
        return self.above(0) and not self.noise

    @property
    def complement(self) -> Reading:
        """The other modality's part of a whole: one minus this reading."""
        return replace(self, value=1 - self.value, low=1 - self.high, high=1 - self.low)

    def above(self, other: float | Reading) -> bool:
        """Whether the whole interval lies above a number, or above another reading's interval."""
        bound = other.high if isinstance(other, Reading) else other
        return self.bounded and self.low > bound

    def overlaps(self, other: Reading) -> bool:
        """Whether the two intervals share a point."""
        return self.bounded and other.bounded and self.low <= other.high and other.low <= self.high
