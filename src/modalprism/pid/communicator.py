"""Sums and maxima over the rows of a problem, on one process or on many.

A solver passes the results from its own rows to a `Communicator`, which returns the sum or the
maximum over the rows of all processes. All processes receive the same bits and so take the same
decisions.
"""

from __future__ import annotations

import torch.distributed as distributed
from torch import Tensor


class Communicator:
    """Communicator of a single process, whose own rows are all rows.

    All processes of a subclass call the same methods in the same order.

    Examples
    --------
    >>> from torch import ones
    >>> Communicator().sum(ones(2))
    tensor([1., 1.])
    """

    def sum(self, part: Tensor) -> Tensor:
        """Sum a table over the processes, in place, and return it."""
        return part

    def max(self, part: Tensor) -> Tensor:
        """Compute the maximum of each cell over the processes, in place, and return it."""
        return part


class GroupCommunicator(Communicator):
    """Communicator of the processes of a torch.distributed group.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, optional
        All processes by default. With "gloo" tables are on the processor, with "nccl" on a GPU.
    """

    def __init__(self, group: distributed.ProcessGroup | None = None) -> None:
        self._group = group

    def sum(self, part: Tensor) -> Tensor:
        """Sum a table over the processes, in place, and return it."""
        return self._reduce(part, distributed.ReduceOp.SUM)

    def max(self, part: Tensor) -> Tensor:
        """Compute the maximum of each cell over the processes, in place, and return it."""
        return self._reduce(part, distributed.ReduceOp.MAX)

    def _reduce(self, part: Tensor, operation: distributed.ReduceOp.RedOpType) -> Tensor:
        whole = part.contiguous()
        distributed.all_reduce(whole, op=operation, group=self._group)
        return whole if whole is part else part.copy_(whole)


LOCAL = Communicator()
