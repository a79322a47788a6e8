"""Where two streams fuse: over which depths redundancy rises, as far as intervals can tell."""

from __future__ import annotations

from typing import NamedTuple

from modalprism.results.table import Case, Table


class FusionSpan(NamedTuple):
    """The depths over which two streams fuse.

    Attributes
    ----------
    first : int
        The first layer whose redundancy is above that of the first depth.
    last : int
        The first layer from there on whose redundancy is not told apart from its highest.
    """

    first: int
    last: int

    def __str__(self) -> str:
        """Write the span in words: ``layer 3`` or ``layers 3–5``."""
        one = self.first == self.last
        return f"layer {self.first}" if one else f"layers {self.first}–{self.last}"


def fusion_span(results: Table, case: Case) -> FusionSpan | None:
    """Return where the streams of a case fuse; None where no rise is beyond its intervals.

    Streams fuse where what one of them held alone, or neither, becomes known to both: redundancy
    rises. Both ends are told by whole intervals, so that noise moves neither. Copies do not fuse.
    """
    if results.copied(case, "stream"):
        return None
    layers = results.layers(case, "stream")
    course = [(k, results.atoms(case, "stream", k)[0]) for k in layers]
    known = [(k, estimate) for k, estimate in course if estimate is not None and estimate.bounded]
    if len(known) < 2:
        return None
    highest = max((estimate for _, estimate in known), key=lambda estimate: estimate.value)
    risen = [k for k, estimate in known if estimate.above(known[0][1])]
    if not risen:
        return None
    level = [k for k, estimate in known if k >= risen[0] and estimate.overlaps(highest)]
    return FusionSpan(risen[0], level[0])
