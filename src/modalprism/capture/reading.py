"""Read pooled states while a model runs, without changing the model and without keeping more.

States are pooled inside the hook: of a pass through L layers only L vectors an example are kept,
whatever the length of its sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, Site
from modalprism.capture.pooling import Pool, kept_positions
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
        ``image/3``, and ``fused/3`` where positions are given; ``tokens/image/3``, shape (b, most,
        d), where single positions are kept.
    received : dict of layer to Tensor, shape (b, t)
        Attention that every position receives, where that weighs.
    """

    spans: Mapping[str, Tensor] = field(default_factory=dict)
    positions: Tensor | None = None
    states: dict[str, Tensor] = field(default_factory=dict)
    received: dict[int, Tensor] = field(default_factory=dict)

    def take(self, site: Site, given: Any, how: Reader) -> None:
        """Pool the spans that stand at a site."""
        state = site.state_of(given)
        if state.ndim == 4:  # a grid of channels first: its places are its positions
            state = state.flatten(2).transpose(1, 2)
        for modality in site.modalities:
            name = f"{modality}/{site.layer}"
            if state.ndim == 2:  # one state an example already
                self.states[name] = state
                continue
            mask = _checked(state, self.spans.get(modality), f"{modality} at {site.module!r}")
            weight = mask * self.received[site.layer] if site.layer in self.received else mask
            self.states[name] = how.pool(state, weight)
            if how.tokens:
                self.states[f"tokens/{name}"] = kept_positions(state, mask, how.tokens)
        if self.positions is not None and site.layer and state.ndim == 3:
            rows = torch.arange(len(state), device=state.device)
            self.states[f"fused/{site.layer}"] = state[rows, self.positions.to(state.device)]

    def attend(self, site: Site, given: Any) -> None:
        """Note how much attention every position receives at a site, averaged over heads."""
        weights = given[1] if isinstance(given, tuple | list) and len(given) > 1 else None
        if not isinstance(weights, Tensor):
            raise InputError(
                f"{site.attention!r} hands out no attention weights; load the model with "
                "attn_implementation='eager', or choose another pooling"
            )
        self.received[site.layer] = weights.float().mean(1).sum(1)


@dataclass(frozen=True)
class Reader:
    """How states are read.

    Attributes
    ----------
    pool : callable
        From a span's states to one state.
    tokens : int
        How many single positions of every span are kept beside; 0 for none.
    attended : bool
        Whether positions weigh what attention they receive in their layer; before fusion, where
        there is no layer, all weigh the same.
    """

    pool: Pool
    tokens: int = 0
    attended: bool = False


def _checked(state: Tensor, mask: Tensor | None, where: str) -> Tensor:
    if mask is None:
        return torch.ones(state.shape[:2], dtype=torch.bool, device=state.device)
    if mask.shape != state.shape[:2]:
        raise InputError(
            f"the span of {where} has shape {tuple(mask.shape)}, but the state there "
            f"{tuple(state.shape)}; the adapter's spans() must say which positions are its own"
        )
    return mask.to(state.device)


@contextmanager
def read_states(model: nn.Module, sites: Sequence[Site], how: Pool | Reader) -> Iterator[Reading]:
    """Read pooled states at sites during the forward passes inside the block.

    Parameters
    ----------
    model : Module
    sites : sequence of Site
    how : Reader or callable
        A pooling alone will do.

    Yields
    ------
    Reading
        Set its ``spans`` before a pass; its ``states`` are those of the latest one.

    Raises
    ------
    InputError
        If the model has no module of a site's name, a span has another shape than the state, or
        attention is to weigh and the model gives none.

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
    how = how if isinstance(how, Reader) else Reader(how)
    modules: dict[str, nn.Module] = dict(model.named_modules())

    def named(name: str) -> nn.Module:
        if name not in modules:
            raise InputError(f"the model has no module {name!r}; print(model) shows their names")
        return modules[name]

    with ExitStack() as hooks:
        for site in sites:
            if how.attended and site.layer:
                hooks.callback(_hook_attention(named, site, reading).remove)
            hooks.callback(_hook(named(site.module), site, reading, how).remove)
        yield reading


def _hook_attention(named: Callable[[str], nn.Module], site: Site, reading: Reading) -> Any:
    if not site.attention:
        raise InputError(
            f"this family names no attention of layer {site.layer}, by which its positions could "
            "be weighed; choose another pooling"
        )
    return named(site.attention).register_forward_hook(
        lambda _module, _given, output: reading.attend(site, output)
    )


def _hook(module: nn.Module, site: Site, reading: Reading, how: Reader) -> Any:
    if site.reads == "output":
        return module.register_forward_hook(
            lambda _module, _given, output: reading.take(site, output, how)
        )

    def before(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        # Some layers are called by position, others by name.
        reading.take(site, given or tuple(named.values()), how)

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
    reading.states, reading.received = {}, {}
    reading.spans = adapter.spans(inputs)
    reading.positions = adapter.last_position(inputs) if adapter.fused == "last" else None
    output = adapter.forward(inputs)
    states = dict(reading.states)
    if adapter.fused == "spans":
        first, second = adapter.modalities
        for name in reading.states:
            modality, layer = name.rsplit("/", 1)
            other = f"{second}/{layer}"
            if modality == first and int(layer) and other in states:
                states[f"fused/{layer}"] = torch.cat([states[name], states[other]], 1)
    return states, adapter.answer(output, inputs)
