"""What a problem takes and what there is: refused before anything is allocated."""

from __future__ import annotations

from pathlib import Path

import torch

from modalprism.errors import InputError

# n₁×n₂ float64 tables alive at once: k, ln r and the one before it; half a table more while float32
# ones, which are tried first where the tolerance is coarse, are converted. Blocks take the rest.
_TABLES = 3.5
_BLOCKS = 1 << 25
_MEMINFO = Path("/proc/meminfo")


def needed_bytes(n1: int, n2: int) -> int:
    """Bytes that the factored solver allocates for n₁ × n₂ states."""
    return int(_TABLES * 8 * n1 * n2) + _BLOCKS


def available_bytes(device: torch.device) -> int | None:
    """Bytes free on a device, or None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "cpu" and _MEMINFO.exists():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def check_fits(n1: int, n2: int, device: torch.device) -> None:
    """Refuse a problem that cannot fit in the memory available.

    Raises
    ------
    InputError
        Saying how much it would take and how much there is.
    """
    needed, available = needed_bytes(n1, n2), available_bytes(device)
    if available is not None and needed > available:
        raise InputError(
            f"coupling {n1:,} × {n2:,} states takes {needed / 2**30:,.1f} GiB and"
            f" {available / 2**30:,.1f} GiB are available on {device}: use fewer states,"
            " or a machine with more memory"
        )
