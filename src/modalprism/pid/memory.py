"""What a problem takes and what there is: refused before anything is allocated."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from modalprism.errors import InputError
from modalprism.memory import free_memory
from modalprism.pid.cost import factorisation_seconds

FLOAT32_TOL = 5e-5  # Nats. Down to 1e-5 either type took the same iterations, but on sharp tables.
# n₁×n₂ tables alive at once. Fitting: k, ln r and the one before it, in the type that it begins
# with. Newton: slacks, multipliers, their weights, steps and predictions.
_FITTING_TABLES, _NEWTON_TABLES = 3, 16
_SCALINGS = 16  # (n₁+n₂)×C float64 tables: marginals, potentials, scalings and their means
_COUPLING_TABLES = 3  # of every problem of a batch, while the answers are put in order
_BLOCKS, _DEVICE_BLOCKS = 1 << 25, 1 << 31  # what a certificate forms of q at a time
_WIDENING = 16  # Bytes a cell: from three float32 tables to float64 ones, one after the other.
_SMALL = 1 << 26


def needed_bytes(
    solver: str,
    n1: int,
    n2: int,
    n_classes: int,
    batch: int = 1,
    *,
    tol: float = 0.0,
    device: torch.device | None = None,
) -> int:
    """Bytes that a solver allocates.

    Parameters
    ----------
    solver : {"newton", "ipfp"}
        Which solver.
    n1, n2, n_classes, batch : int
        States of the sources, classes, and problems that are solved together.
    tol : float
        Gap to reach, in nats. From 5e-5 on "ipfp" keeps float32 tables, and turns to float64
        later only where there is room for it.
    device : torch.device, optional
        Where; the processor by default. A GPU works on larger blocks.

    Returns
    -------
    int
        Of all tables that are alive at once.

    Examples
    --------
    >>> gpu = torch.device("cuda")
    >>> needed = needed_bytes("ipfp", 50_000, 50_000, 16, tol=1e-4, device=gpu)
    >>> f"{needed / 1e9:.0f} GB"
    '32 GB'
    """
    cell, tables, blocks = 8, _FITTING_TABLES, 0
    on_device = device is not None and device.type != "cpu"
    if solver == "newton":
        tables = _NEWTON_TABLES
        blocks = 2 * (n1 + n2) * n_classes**2
        seconds = factorisation_seconds(max(n1, n2), min(n1, n2), n_classes)
        if on_device or math.isfinite(seconds):  # A GPU always factorises.
            blocks += 3 * n1 * n2 * n_classes**2 + 3 * (min(n1, n2) * n_classes) ** 2
    elif tol >= FLOAT32_TOL:
        cell = 4
    couplings = _COUPLING_TABLES * batch if batch > 1 else 0
    scalings = _SCALINGS * batch * (n1 + n2) * n_classes
    fixed = _DEVICE_BLOCKS if on_device else _BLOCKS
    return cell * (tables + couplings) * n1 * n2 + 8 * (blocks + scalings) + fixed


def can_widen(table: Tensor) -> bool:
    """Whether three float32 tables like this one can become float64 where they are."""
    more = _WIDENING * table.numel()
    if more <= _SMALL:
        return True
    available = available_bytes(table.device)
    return available is None or more <= available


def available_bytes(device: torch.device) -> int | None:
    """Bytes free on a device, or None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory() if device.type == "cpu" else None


def fits(
    solver: str,
    shape: tuple[int, int, int],
    batch: int,
    device: torch.device,
    tol: float = 0.0,
) -> bool:
    """Whether a problem of (n1, n2, C) fits in the memory available."""
    needed = needed_bytes(solver, *shape, batch, tol=tol, device=device)
    if needed <= _SMALL:  # Asking the system takes as long as solving a small problem.
        return True
    available = available_bytes(device)
    return available is None or needed <= available


def check_fits(
    solver: str,
    shape: tuple[int, int, int],
    batch: int,
    device: torch.device,
    tol: float = 0.0,
    *,
    shard: bool = False,
) -> None:
    """Refuse a problem, or a shard of one, that cannot fit in the memory available.

    Raises
    ------
    InputError
        Saying how much it would take and how much there is.
    """
    if fits(solver, shape, batch, device, tol):
        return
    needed = needed_bytes(solver, *shape, batch, tol=tol, device=device)
    available = available_bytes(device) or 0
    many = f"{batch:,} problems of " if batch > 1 else ""
    advice = "use fewer states, a machine with more memory, or several (decompose_sharded)"
    if batch > 1:
        advice = "solve fewer of them at a time"
    elif solver == "newton":
        advice = 'use solver="ipfp", or fewer states'
    elif shard:
        advice = "give fewer rows to a process with less memory, or start more processes"
    raise InputError(
        f"coupling {many}{shape[0]:,} × {shape[1]:,} states takes"
        f" {needed / 2**30:,.1f} GiB and {available / 2**30:,.1f} GiB"
        f" are available on {device}: {advice}"
    )
