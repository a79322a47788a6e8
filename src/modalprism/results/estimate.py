"""A number with its 95 % interval, and intervals from replicates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 0.95
SIGNIFICANCE: Final = 0.05


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes
    ----------
    value : float
        NaN where the data do not determine it.
    low, high : float
        Bounds of the 95 % interval; NaN where none was computed.
    p_value : float
        Of the null that the quantity is zero; NaN where no null was run. In a profile it is
        corrected for the number of layers, if the study did so.
    unit : str
        ``bit``, ``nat``, …, or ``1`` for a number without a unit.
    n : int
        Number of examples behind it; 0 if unknown.
    gap : float
        Proven bound on the solver's error, in the unit of the information; NaN if unknown.

    Examples
    --------
    >>> e = Estimate(0.2, 0.1, 0.3, unit="bit")
    >>> print(e, e.unit, e.determined, e.above(0.05), e.above(0.15))
    0.200 [0.100, 0.300] bit True True False
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan
    unit: str = "1"
    n: int = 0
    gap: float = math.nan

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "p_value", "gap"):
            value = float(getattr(self, name))
            # One NaN object, so that equal estimates compare equal.
            object.__setattr__(self, name, math.nan if math.isnan(value) else value)

    @property
    def determined(self) -> bool:
        """Whether the data determine the value."""
        return math.isfinite(self.value)

    @property
    def bounded(self) -> bool:
        """Whether the value is determined and has an interval."""
        return self.determined and math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def noise(self) -> bool:
        """Whether the null was tested and not rejected."""
        return math.isfinite(self.p_value) and self.p_value > SIGNIFICANCE

    @property
    def positive(self) -> bool:
        """Whether the whole interval lies above zero, and the null was not retained."""
        return self.above(0) and not self.noise

    @property
    def nonzero(self) -> bool:
        """Whether the value is distinguishable from zero: by its null, or else its interval."""
        if math.isfinite(self.p_value):
            return not self.noise
        return not self.holds(0)

    @property
    def complement(self) -> Estimate:
        """The rest of a whole: one minus this estimate."""
        return replace(self, value=1 - self.value, low=1 - self.high, high=1 - self.low)

    def scaled(self, factor: float, unit: str) -> Estimate:
        """Return the estimate times a factor, in another unit."""
        value, low, high = (factor * each for each in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high, unit=unit)

    def holds(self, number: float) -> bool:
        """Whether there is an interval, and it holds a number."""
        return self.bounded and self.low <= number <= self.high

    def above(self, other: float | Estimate) -> bool:
        """Whether the whole interval lies above a number, or above another estimate's interval."""
        bound = other.high if isinstance(other, Estimate) else other
        return self.bounded and self.low > bound

    def overlaps(self, other: Estimate) -> bool:
        """Whether two intervals share a point."""
        return self.bounded and other.bounded and self.low <= other.high and other.low <= self.high

    def __str__(self) -> str:
        """Write the value and its interval with three digits, in ASCII."""
        from modalprism.results.notation import written

        return written(self, 3, unit=False).replace("−", "-")


def percentile_interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Return the central 95 % of the replicates."""
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def interval_around(
    value: float, replicates: NDArray[np.float64], *, resolution: float = 0.0
) -> tuple[float, float]:
    """Return the central 95 % of the replicates, widened to hold the value and its resolution.

    Parameters
    ----------
    value : float
    replicates : ndarray, shape (R,)
    resolution : float
        The interval reaches at least this far to both sides of the value, but for this reason
        never below 0.

    Examples
    --------
    >>> interval_around(0.0, np.array([1.0, 1.0, 1.0]))
    (0.0, 1.0)
    >>> interval_around(0.25, np.array([0.25, 0.25]), resolution=0.5)
    (0.0, 0.75)
    """
    low, high = percentile_interval(replicates)
    nearest = max(value - resolution, min(value, 0.0))
    return min(low, float(nearest)), max(high, float(value + resolution))
