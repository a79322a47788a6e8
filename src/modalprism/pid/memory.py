"""What a problem takes and what there is: refused before anything is allocated."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from modalprism.errors import InputError
from modalprism.pid.cost import factorisation_seconds

# n₁×n₂ float64 tables alive at once. Fitting: k, ln r and the one before it; half a table more
# while float32 ones, which are tried first where the tolerance is coarse, are converted. Newton:
# slacks, multipliers, their weights, steps and predictions.
_FITTING_TABLES, _NEWTON_TABLES = 3.5, 16.0
_COUPLING_TABLES = 3  # of every problem of a batch, while the answers are put in order
_BLOCKS = 1 << 25
_SMALL = 1 << 26
_MEMINFO = Path("/proc/meminfo")


def needed_bytes(solver: str, n1: int, n2: int, n_classes: int, batch: int = 1) -> int:
    """Bytes that a solver allocates.

    Parameters
    ----------
    solver : {"newton", "ipfp"}
        Which solver.
    n1, n2, n_classes, batch : int
        States of the sources, classes, and problems that are solved together.
    """
    tables, blocks = _FITTING_TABLES, 0
    if solver == "newton":
        tables = _NEWTON_TABLES
        blocks = 2 * (n1 + n2) * n_classes**2
        if math.isfinite(factorisation_seconds(max(n1, n2), min(n1, n2), n_classes)):
            blocks += 3 * n1 * n2 * n_classes**2 + 3 * (min(n1, n2) * n_classes) ** 2
    couplings = _COUPLING_TABLES * batch if batch > 1 else 0
    return int(8 * ((tables + couplings) * n1 * n2 + blocks)) + _BLOCKS


def available_bytes(device: torch.device) -> int | None:
    """Bytes free on a device, or None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "cpu" and _MEMINFO.exists():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def fits(solver: str, shape: tuple[int, int, int], batch: int, device: torch.device) -> bool:
    """Whether a problem of (n1, n2, C) fits in the memory available."""
    needed = needed_bytes(solver, *shape, batch)
    if needed <= _SMALL:  # Asking the system takes as long as solving a small problem.
        return True
    available = available_bytes(device)
    return available is None or needed <= available


def check_fits(solver: str, shape: tuple[int, int, int], batch: int, device: torch.device) -> None:
    """Refuse a problem that cannot fit in the memory available.

    Raises
    ------
    InputError
        Saying how much it would take and how much there is.
    """
    if fits(solver, shape, batch, device):
        return
    available = available_bytes(device) or 0
    many = f"{batch:,} problems of " if batch > 1 else ""
    advice = "use fewer states, or a machine with more memory"
    if batch > 1:
        advice = "solve fewer of them at a time"
    elif solver == "newton":
        advice = 'use solver="ipfp", or fewer states'
    raise InputError(
        f"coupling {many}{shape[0]:,} × {shape[1]:,} states takes"
        f" {needed_bytes(solver, *shape, batch) / 2**30:,.1f} GiB and {available / 2**30:,.1f} GiB"
        f" are available on {device}: {advice}"
    )
