"""Decomposition of one problem on several processes, each with some rows x₁ and all of x₂.

Each process stores p(x₁,y) and k of its own rows. An iteration exchanges the product to which v is
fitted, n₂ × C numbers, and the certificate as many maxima. The bounds are those of the whole
problem and equal on all processes. The solver is `ipfp`.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
import torch.distributed as distributed
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.pid import validation
from modalprism.pid.communicator import GroupCommunicator
from modalprism.pid.decompose import in_base
from modalprism.pid.information import mutual_information
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.memory import check_fits, ipfp_bytes
from modalprism.pid.result import Decomposition
from modalprism.pid.stopping import Interrupted, Reason, Watch
from modalprism.pid.threads import one_thread

Array = NDArray[np.float64]
_ADVICE = "give fewer rows to a process with less memory, or start more processes"


def decompose_sharded(
    p_x1y_rows: ArrayLike,
    p_x2y: ArrayLike,
    information: float | None = None,
    *,
    base: float = 2,
    tol: float = 1e-3,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    device: str | torch.device | None = None,
    group: distributed.ProcessGroup | None = None,
    marginal_tolerance: float | None = None,
) -> Decomposition:
    """Decompose a problem whose rows x₁ are spread over the processes of torch.distributed.

    The problem of `decompose_marginals` (Bertschinger et al. 2014, doi:10.3390/e16042161) with the
    solver "ipfp". Every process of the group calls this at the same time with its own rows and
    otherwise the same arguments, after ``torch.distributed.init_process_group``: with "gloo" on
    processors, with "nccl" on one GPU a process. The processes should be on machines of one kind.

    Parameters
    ----------
    p_x1y_rows : array_like
        (n1 of this process, C), at least one row: counts or probabilities of (x₁, y). The rows of
        all processes together are the marginal, in any order and any split.
    p_x2y : array_like
        (n2, C): counts or probabilities of (x₂, y), the same on every process, with the same total
        and the same p(y) as the rows of all processes together.
    information : float, optional
        I(X₁X₂;Y) in the unit of `base`.
    base, tol, max_iter, time_limit
        As in `decompose`; the same on every process. The time limit of any process ends all.
    device : str or torch.device, optional
        Device of this process; the processor by default.
    group : torch.distributed.ProcessGroup, optional
        The processes; all by default.
    marginal_tolerance : float, optional
        Largest difference in p(y) between the marginals, as in `decompose_marginals`.

    Returns
    -------
    Decomposition
        Of the whole problem, the same on every process, in the unit of `base`.

    Raises
    ------
    InputError
        On every process at once, if there is no process group, if an input of any process is
        invalid, or if arguments that must be equal differ; the message names the process.
    Interrupted
        On Ctrl-C on any process, with the current decomposition.

    Examples
    --------
    A group of one process; `torchrun` would start several:

    >>> import tempfile
    >>> import torch.distributed as distributed
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = f"file://{folder}/meeting"
    ...     distributed.init_process_group("gloo", init_method=place, rank=0, world_size=1)
    ...     d = decompose_sharded([[0.5, 0.0], [0.0, 0.5]], [[0.5, 0.0], [0.0, 0.5]])
    ...     distributed.destroy_process_group()
    >>> f"{d.redundancy:.3f} {d.unit}"
    '1.000 bit'
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        raise InputError(
            "decompose_sharded needs a torch.distributed process group: call"
            " torch.distributed.init_process_group first, or decompose_marginals on one process"
        )
    settings: dict[str, object] = {
        "information": information,
        "base": base,
        "tol": tol,
        "max_iter": max_iter,
        "time_limit": time_limit,
    }
    try:
        validation.check_base(base)
        validation.check_information(information)
        validation.check_stopping(tol, max_iter, time_limit)
        place = validation.check_device(device)
        tolerance = validation.check_tolerance(marginal_tolerance, p_x1y_rows, p_x2y)
        settings["marginal_tolerance"] = tolerance
        rows, second = validation.check_shard(p_x1y_rows, p_x2y)
        shape = (len(rows), *second.shape)
        needed = ipfp_bytes(shape, 1, place, tol * math.log(base))
        check_fits(needed, shape, 1, place, _ADVICE)
        settings["n2"], settings["classes"] = second.shape
        settings["p_x2y"] = hashlib.sha256(second.tobytes()).hexdigest()[:12]
        refusal = None
    except InputError as error:
        refusal = str(error)
    _agree_on(settings, refusal, group)

    communicator = GroupCommunicator(group)
    p_y = communicator.sum(torch.from_numpy(rows.sum(0)).to(place)).cpu().numpy()
    # All processes have the same sums, so from here on all refuse or none does.
    ((whole, second),) = validation.check_marginal_pairs(p_y[None, None], second[None], tolerance)
    scale = np.divide(whole[0], p_y, out=np.zeros_like(p_y), where=p_y > 0)
    rows = validation.without_subnormal(rows * scale)
    p_y = second.sum(0)
    first = torch.from_numpy(rows).to(place)[None]
    with one_thread(), Watch(tol * math.log(base), max_iter, time_limit) as watch:
        solution = solve_ipfp(
            first, torch.from_numpy(second).to(place)[None], watch, communicator=communicator
        )
    own = torch.tensor([mutual_information(rows, p_y)], dtype=torch.float64, device=place)
    marginal_information = [[float(communicator.sum(own)), mutual_information(second)]]
    (union,) = solution.unions(np.array(marginal_information))
    d = in_base(union, information, base)
    if d.stopped is Reason.INTERRUPT or watch.interrupted:
        raise Interrupted((d,))
    return d


def _agree_on(
    settings: dict[str, object], refusal: str | None, group: distributed.ProcessGroup | None
) -> None:
    """Raise the error of any process on all, and refuse settings that differ."""
    size = distributed.get_world_size(group)
    every: list[tuple[dict[str, object], str | None]] = [({}, None)] * size
    distributed.all_gather_object(every, (settings, refusal), group=group)
    for rank, (_, refused) in enumerate(every):
        if refused:
            raise InputError(f"process {rank}: {refused}")
    reference = every[0][0]
    for rank, (own, _) in enumerate(every):
        for name, value in own.items():
            if value != reference[name]:
                raise InputError(
                    f"{name} is {reference[name]!r} on process 0 and {value!r} on process {rank}:"
                    " give every process the same; only p_x1y_rows may differ"
                )
