"""Selection of a backend: torch, or Numba or Triton if they are faster."""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec

import torch

from modalprism.pid.torch_backend import Backend, TorchBackend

logger = logging.getLogger("modalprism.pid")

_MOST_CLASSES = 64  # The maximum of Triton's tiles.
_LEAST_CELLS = 1 << 20  # Smaller tables take less time than loading Numba.


def backend_for(device: torch.device, dtype: torch.dtype, shape: tuple[int, ...]) -> Backend:
    """Choose a backend for tables on a device, of a type, with problems of shape (n1, C, n2).

    For float32 tables: Triton on a GPU, up to 64 classes; Numba on a processor, if the table is
    large. Otherwise torch.
    """
    n1, n_classes, n2 = shape
    if dtype == torch.float32 and device.type == "cuda" and n_classes <= _MOST_CLASSES:
        if find_spec("triton"):
            from modalprism.pid.triton_backend import TritonBackend

            return TritonBackend()
        _warn_that_triton_is_missing()
    if dtype == torch.float32 and device.type == "cpu" and n1 * n2 >= _LEAST_CELLS:
        try:
            from modalprism.pid.numba_backend import NumbaBackend
        except ImportError as why:  # Numba is missing, or does not support this NumPy.
            logger.debug("Numba is not available, so torch sweeps at a third of the speed: %s", why)
        else:
            return NumbaBackend()
    return TorchBackend()


@cache
def _warn_that_triton_is_missing() -> None:
    logger.warning("Triton is not installed: torch sweeps on the GPU, in more passes over memory")
