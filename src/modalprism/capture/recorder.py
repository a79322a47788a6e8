"""Record what modules give, while a model runs, without changing the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def record(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, tuple[Tensor, ...]]]:
    """Record the outputs of modules during the forward passes inside the block.

    Parameters
    ----------
    modules : mapping of name to Module

    Yields
    ------
    dict of name to tuple of Tensor
        The outputs of the latest pass; a module that gives one tensor gives a tuple of one.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> layer = nn.Identity()
    >>> with record({"layer": layer}) as outputs:
    ...     _ = nn.Sequential(layer)(torch.ones(2))
    >>> outputs["layer"]
    (tensor([1., 1.]),)
    """
    outputs: dict[str, tuple[Tensor, ...]] = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, output: Any) -> None:
            outputs[name] = tuple(output) if isinstance(output, tuple | list) else (output,)

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
