"""Memory checks: needed and available bytes, compared before allocation."""

from __future__ import annotations

import math

import torch

from modalprism.errors import InputError
from modalprism.memory import free_memory
from modalprism.pid.cost import factorisation_seconds

Shape = tuple[int, int, int]  # (n1, n2, C)

FLOAT32_TOL = 5e-5  # Nats. Down to 1e-5 both types took equal iterations, except on sharp tables.
# n₁×n₂ tables alive at once. Fitting: k, ln r and the ln r before it. Newton: slacks, multipliers,
# their weights, steps and predictions.
_FITTING_TABLES, _NEWTON_TABLES = 3, 16
_SCALINGS = 16  # (n₁+n₂)×C float64 tables: marginals, potentials, scalings and their means
_COUPLING_TABLES = 3  # for each problem of a batch, while the solutions are sorted
_BLOCKS, _DEVICE_BLOCKS = 1 << 25, 1 << 31  # of q, formed at a time by the certificate
WIDENING_BYTES = 16  # per cell, while three float32 tables become float64 in turn
_SMALL = 1 << 26


def newton_bytes(shape: Shape, batch: int, device: torch.device) -> int:
    """Return the bytes that Newton's method allocates for `batch` problems of shape (n1, n2, C)."""
    n1, n2, n_classes = shape
    blocks = 2 * (n1 + n2) * n_classes**2
    seconds = factorisation_seconds(max(n1, n2), min(n1, n2), n_classes)
    if device.type != "cpu" or math.isfinite(seconds):  # A GPU always factorises.
        blocks += 3 * n1 * n2 * n_classes**2 + 3 * (min(n1, n2) * n_classes) ** 2
    return 8 * blocks + _common_bytes(shape, batch, device, 8, _NEWTON_TABLES)


def ipfp_bytes(shape: Shape, batch: int, device: torch.device, tol: float = 0.0) -> int:
    """Return the bytes of proportional fitting for `batch` problems of shape (n1, n2, C).

    The tables are float32 from a tolerance of 5e-5 nats on. The conversion to float64 happens only
    if it fits, and is not counted here.

    Examples
    --------
    >>> needed = ipfp_bytes((50_000, 50_000, 16), 1, torch.device("cuda"), tol=1e-4)
    >>> f"{needed / 1e9:.0f} GB"
    '32 GB'
    """
    cell = 4 if tol >= FLOAT32_TOL else 8
    return _common_bytes(shape, batch, device, cell, _FITTING_TABLES)


def _common_bytes(shape: Shape, batch: int, device: torch.device, cell: int, tables: int) -> int:
    """Return the bytes of the n1 × n2 tables, the scalings, and the certificate's blocks."""
    n1, n2, n_classes = shape
    couplings = _COUPLING_TABLES * batch if batch > 1 else 0
    scalings = _SCALINGS * batch * (n1 + n2) * n_classes
    blocks = _BLOCKS if device.type == "cpu" else _DEVICE_BLOCKS
    return cell * (tables + couplings) * n1 * n2 + 8 * scalings + blocks


def available_bytes(device: torch.device) -> int | None:
    """Return the free bytes of a device, or None if the system does not report them."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory() if device.type == "cpu" else None


def fits(needed: int, device: torch.device) -> bool:
    """Return whether so many bytes are available on a device."""
    if needed <= _SMALL:  # The query takes as long as solving a small problem.
        return True
    available = available_bytes(device)
    return available is None or needed <= available


def check_fits(
    needed: int, shape: Shape, batch: int, device: torch.device, advice: str | None = None
) -> None:
    """Refuse a problem of shape (n1, n2, C) that needs more bytes than are available on a device.

    The message has the needed and the available memory, and the advice.
    """
    if fits(needed, device):
        return
    available = available_bytes(device) or 0
    many = f"{batch:,} problems of " if batch > 1 else ""
    if batch > 1:
        advice = "solve fewer of them at a time"
    elif advice is None:
        advice = "use fewer states, a machine with more memory, or several (decompose_sharded)"
    raise InputError(
        f"coupling {many}{shape[0]:,} × {shape[1]:,} states takes"
        f" {needed / 2**30:,.1f} GiB and {available / 2**30:,.1f} GiB"
        f" are available on {device}: {advice}"
    )
