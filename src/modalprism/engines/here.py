"""What this machine has for jobs."""

from __future__ import annotations

from modalprism.engines.interface import Needs
from modalprism.errors import InputError


def check_here(needs: Needs) -> None:
    """Refuse jobs that need more GPUs than this machine has.

    Raises
    ------
    InputError
        If it has fewer.

    Examples
    --------
    >>> check_here(Needs(gpus=1000))
    Traceback (most recent call last):
    modalprism.errors.InputError: a job needs 1000 GPUs, and this machine has ...
    """
    if needs.gpus == 0:
        return
    import torch

    found = torch.cuda.device_count()
    if needs.gpus > found:
        raise InputError(
            f"a job needs {needs.gpus} GPUs, and this machine has {found}; run it where there are "
            "as many, or ask for none"
        )
