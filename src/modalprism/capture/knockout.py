"""Attention knock-out by modality (Geva et al. 2023, arXiv:2304.14767)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, module_at
from modalprism.errors import InputError


@runtime_checkable
class Cuts(Protocol):
    """An adapter that cuts the attention of its network itself."""

    def hidden(self, inputs: Mapping[str, Tensor], modality: str) -> AbstractContextManager[None]:
        """Hide a modality's span from all other positions; see `span_hidden`."""


def span_hidden(
    adapter: Adapter, inputs: Mapping[str, Tensor], modality: str
) -> AbstractContextManager[None]:
    """Hide a modality's span from all other positions, in passes on `inputs` inside the block.

    Marks between spans are kept from it, too: they would hand on what they saw. Raises InputError
    if the family names no attention that could be cut.
    """
    if isinstance(adapter, Cuts):
        return adapter.hidden(inputs, modality)
    modules = [site.attention for site in adapter.sites() if site.layer and site.attention]
    spans = adapter.spans(inputs)
    if not modules or modality not in spans:
        raise InputError(
            f"{type(adapter).__name__} names no attention in which both modalities stand, so that "
            "none can be cut"
        )
    seen = spans[modality]
    causal = adapter.fused == "last"  # a decoder; others see what stands behind them
    return attention_cut(adapter.model, modules, ~seen, seen, causal=causal)


@contextmanager
def attention_cut(
    model: nn.Module,
    modules: Sequence[str],
    seeing: Tensor,
    seen: Tensor,
    *,
    causal: bool,
) -> Iterator[None]:
    """Prevent one span from attending to another in some layers (attention knock-out).

    Positions in `seeing` do not attend to those in `seen`, bool, shape (b, t) each, but a position
    always attends to itself. `modules` are the dotted paths of self-attention modules that take
    ``attention_mask``, (b, 1, t, t). Padding stays as in the model's own mask; where there is none,
    `causal` says whether positions attend only to earlier ones. Raises InputError if the model has
    no module of such a name.
    """
    positions = seeing.shape[1]
    own = torch.eye(positions, dtype=torch.bool, device=seeing.device)
    cut = (seeing[:, :, None] & seen[:, None, :] & ~own)[:, None]
    visible = torch.ones(positions, positions, dtype=torch.bool, device=seeing.device)
    visible = (visible.tril() if causal else visible)[None, None]

    def before(
        _module: nn.Module, given: tuple[Any, ...], options: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        mask = options.get("attention_mask")
        if mask is None:
            mask = visible
        if mask.dtype == torch.bool:
            mask = mask & ~cut
        else:
            mask = mask.masked_fill(cut, torch.finfo(mask.dtype).min)
        return given, {**options, "attention_mask": mask}

    with ExitStack() as hooks:
        for name in modules:
            handle = module_at(model, name).register_forward_pre_hook(before, with_kwargs=True)
            hooks.callback(handle.remove)
        yield
