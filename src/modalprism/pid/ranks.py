"""Rows on one process or spread over many: the few sums and maxima that then take part in both.

A solver never asks how many processes there are. What it computes from its own rows it hands to
its `Ranks`, and gets back what all rows together make; on one process that is what it gave. Every
process gets the same bits, so that all of them take the same decisions.
"""

from __future__ import annotations

from typing import Protocol

import torch.distributed as distributed
from torch import Tensor


class Ranks(Protocol):
    """What joins the rows of a problem; all processes call the same methods in the same order."""

    def sum(self, part: Tensor) -> Tensor:
        """Sum a table over the processes, in place, and return it."""
        ...

    def max(self, part: Tensor) -> Tensor:
        """Take the largest of each cell over the processes, in place, and return it."""
        ...


class OneRank:
    """All rows are here.

    Examples
    --------
    >>> from torch import ones
    >>> OneRank().sum(ones(2))
    tensor([1., 1.])
    """

    def sum(self, part: Tensor) -> Tensor:
        """Return the table."""
        return part

    def max(self, part: Tensor) -> Tensor:
        """Return the table."""
        return part


class ProcessRanks:
    """Each process of a torch.distributed group holds some of the rows.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, optional
        Whose processes; all of them by default. With "gloo" tables are on the processor, with
        "nccl" on a GPU.
    """

    def __init__(self, group: distributed.ProcessGroup | None = None) -> None:
        self._group = group

    def sum(self, part: Tensor) -> Tensor:
        """Sum a table over the processes, in place, and return it."""
        return self._reduce(part, distributed.ReduceOp.SUM)

    def max(self, part: Tensor) -> Tensor:
        """Take the largest of each cell over the processes, in place, and return it."""
        return self._reduce(part, distributed.ReduceOp.MAX)

    def _reduce(self, part: Tensor, operation: distributed.ReduceOp.RedOpType) -> Tensor:
        whole = part.contiguous()
        distributed.all_reduce(whole, op=operation, group=self._group)
        return whole if whole is part else part.copy_(whole)


ONE_RANK = OneRank()
