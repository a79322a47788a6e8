"""Read pooled states while a model runs, without changing the model and without keeping more.

States are pooled inside the hook: of a pass through L layers only L vectors an example are kept,
whatever the length of its sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, Site
from modalprism.capture.pooling import Pool
from modalprism.errors import InputError


@dataclass
class Reading:
    """What the hooks are told of a batch, and what they have read of it.

    Attributes
    ----------
    spans : mapping of modality to Tensor of bool, shape (b, t)
        Of the batch that runs.
    positions : Tensor of int64, shape (b,), optional
        Where the answer is read, if the fused state is that of one position.
    states : dict of name to Tensor, shape (b, d)
        ``image/3``, and ``fused/3`` where positions are given.
    """

    spans: Mapping[str, Tensor] = field(default_factory=dict)
    positions: Tensor | None = None
    states: dict[str, Tensor] = field(default_factory=dict)

    def take(self, site: Site, given: Any, pool: Pool) -> None:
        """Pool the spans that stand at a site."""
        state = site.state_of(given)
        for modality in site.modalities:
            self.states[f"{modality}/{site.layer}"] = _pooled(
                state, self.spans.get(modality), pool, f"{modality} at {site.module!r}"
            )
        if self.positions is not None and site.layer and state.ndim == 3:
            rows = torch.arange(len(state), device=state.device)
            self.states[f"fused/{site.layer}"] = state[rows, self.positions.to(state.device)]


def _pooled(state: Tensor, mask: Tensor | None, pool: Pool, where: str) -> Tensor:
    if state.ndim == 2:  # one state an example already
        return state
    if state.ndim == 4:  # a grid of channels first: its places are its positions
        state = state.flatten(2).transpose(1, 2)
    if mask is None:
        mask = torch.ones(state.shape[:2], dtype=torch.bool, device=state.device)
    if mask.shape != state.shape[:2]:
        raise InputError(
            f"the span of {where} has shape {tuple(mask.shape)}, but the state there "
            f"{tuple(state.shape)}; the adapter's spans() must say which positions are its own"
        )
    return pool(state, mask.to(state.device))


@contextmanager
def read_states(model: nn.Module, sites: Sequence[Site], pool: Pool) -> Iterator[Reading]:
    """Read pooled states at sites during the forward passes inside the block.

    Parameters
    ----------
    model : Module
    sites : sequence of Site
    pool : callable

    Yields
    ------
    Reading
        Set its ``spans`` before a pass; its ``states`` are those of the latest one.

    Raises
    ------
    InputError
        If the model has no module of a site's name, or a span has another shape than the state.

    Examples
    --------
    >>> from modalprism.capture.pooling import mean
    >>> network = nn.Sequential(nn.Identity())
    >>> with read_states(network, [Site(1, "0", ("text",))], mean) as reading:
    ...     reading.spans = {"text": torch.tensor([[True, False]])}
    ...     _ = network(torch.tensor([[[5.0], [7.0]]]))
    >>> reading.states
    {'text/1': tensor([[5.]])}
    """
    reading = Reading()
    modules = dict(model.named_modules())
    with ExitStack() as hooks:
        for site in sites:
            if site.module not in modules:
                raise InputError(
                    f"the model has no module {site.module!r}; print(model) shows their names"
                )
            handle = _hook(modules[site.module], site, reading, pool)
            hooks.callback(handle.remove)
        yield reading


def _hook(module: nn.Module, site: Site, reading: Reading, pool: Pool) -> Any:
    if site.reads == "output":
        return module.register_forward_hook(
            lambda _module, _given, output: reading.take(site, output, pool)
        )

    def before(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        # Some layers are called by position, others by name.
        reading.take(site, given or tuple(named.values()), pool)

    return module.register_forward_pre_hook(before, with_kwargs=True)


def read_batch(
    adapter: Adapter, inputs: Mapping[str, Tensor], reading: Reading
) -> tuple[dict[str, Tensor], Tensor | None]:
    """Run a model on prepared inputs, and return all that a store keeps of them.

    Parameters
    ----------
    adapter : Adapter
    inputs : mapping of name to Tensor
        On the model's device.
    reading : Reading
        Of an open `read_states`.

    Returns
    -------
    states : dict of name to Tensor, shape (b, d)
        ``image/0``, …, ``fused/1``, …
    answer : Tensor, shape (b, C), optional
    """
    reading.states = {}
    reading.spans = adapter.spans(inputs)
    reading.positions = adapter.last_position(inputs) if adapter.fused == "last" else None
    output = adapter.forward(inputs)
    states = dict(reading.states)
    if adapter.fused == "spans":
        first, second = adapter.modalities
        for name in reading.states:
            modality, layer = name.split("/")
            other = f"{second}/{layer}"
            if modality == first and int(layer) and other in states:
                states[f"fused/{layer}"] = torch.cat([states[name], states[other]], 1)
    return states, adapter.answer(output, inputs)
