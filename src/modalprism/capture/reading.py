"""Read pooled states with hooks while a model runs; states are pooled inside the hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site, module_at
from modalprism.errors import InputError

Pool = Callable[[Tensor, Tensor], Tensor]


def mean(state: Tensor, mask: Tensor) -> Tensor:
    """Average the positions of a span, or weight them: state (b, t, d), mask or weights (b, t).

    The result is float32, shape (b, d), and NaN where a span is empty, as for every pooling.

    Examples
    --------
    >>> state = torch.tensor([[[1.0], [3.0], [8.0]]])
    >>> mean(state, torch.tensor([[True, True, False]]))
    tensor([[2.]])
    >>> mean(state, torch.tensor([[3.0, 1.0, 0.0]]))
    tensor([[1.5000]])
    """
    weight = mask.to(torch.float32)
    # Positions outside may hold anything, infinities too, and 0·∞ would spoil the sum.
    kept = torch.where(mask[..., None] > 0, state.to(torch.float32), 0.0) * weight[..., None]
    return kept.sum(1) / weight.sum(1, keepdim=True)


def last(state: Tensor, mask: Tensor) -> Tensor:
    """Take the last position of a span; in a causal decoder it has seen all others."""
    places = torch.arange(mask.shape[1], device=mask.device)
    position = torch.where(mask, places, -1).amax(1)
    taken = state[torch.arange(len(state), device=state.device), position].to(torch.float32)
    return torch.where((position >= 0)[:, None], taken, torch.nan)


def maximum(state: Tensor, mask: Tensor) -> Tensor:
    """Take the largest value of every channel over a span."""
    kept = torch.where(mask[..., None], state.to(torch.float32), -torch.inf).amax(1)
    return torch.where(mask.any(1)[:, None], kept, torch.nan)


def kept_positions(state: Tensor, mask: Tensor, most: int) -> Tensor:
    """Keep at most `most` positions of a span, evenly spaced: float32, shape (b, most, d).

    Beyond a span's end the result is NaN.

    Examples
    --------
    >>> state = torch.arange(5.0).view(1, 5, 1)
    >>> kept_positions(state, torch.tensor([[False, True, True, True, True]]), 2)[0, :, 0]
    tensor([1., 4.])
    """
    kept = torch.full((len(state), most, state.shape[2]), torch.nan, device=state.device)
    for row, (values, chosen) in enumerate(zip(state, mask, strict=True)):
        places = chosen.nonzero()[:, 0]
        if len(places) > most:
            spaced = torch.linspace(0, len(places) - 1, most, device=state.device)
            places = places[spaced.round().long()]
        kept[row, : len(places)] = values[places].to(torch.float32)
    return kept


ATTENTION: Final = "attention"
POOLS: Final[dict[str, Pool]] = {"mean": mean, "last": last, "max": maximum, ATTENTION: mean}
"""With attention, the weights are what a position receives from all others in that layer."""


@dataclass
class HookedStates:
    """States of a batch that hooks read, and the spans that they pool.

    `spans` are masks (b, t) of the batch that runs, by modality, and `positions` (b,) is where the
    answer is read, if the fused state is that of one position. `states` have shape (b, d):
    ``image/3``, and ``fused/3`` where positions are given; ``tokens/image/3``, where single
    positions are kept, has shape (b, tokens, d). `received` is the attention (b, t) that positions
    receive in a layer, where that weighs; `calls` counts how often each site's module ran in the
    pass; `pooled` lists layers and modalities whose state came without positions.
    """

    sites: tuple[Site, ...]
    pool: Pool
    tokens: int = 0
    attended: bool = False
    spans: Mapping[str, Tensor] = field(default_factory=dict)
    positions: Tensor | None = None
    states: dict[str, Tensor] = field(default_factory=dict)
    received: dict[int, Tensor] = field(default_factory=dict)
    calls: Counter[Site] = field(default_factory=Counter)
    pooled: set[tuple[int, str]] = field(default_factory=set)

    def begin(self) -> None:
        """Discard the states of the previous pass."""
        self.states, self.received = {}, {}
        self.calls.clear()
        self.pooled.clear()

    def take(self, site: Site, given: Any) -> None:
        """Pool the spans at a site.

        Raises InputError if the module ran before in this pass and the site does not say which call
        it means, or a span has another shape than the state.
        """
        self.calls[site] += 1
        if site.call is None and self.calls[site] > 1:
            raise InputError(
                f"the module {site.module!r} runs more than once in a forward pass, so that "
                f"{_read_there(site)} has several states; say which call is meant, "
                f"Site({site.layer}, {site.module!r}, …, call=0), or name another module"
            )
        if site.call is not None and self.calls[site] != site.call + 1:
            return
        state = site.state_of(given)
        if state.ndim == 4:  # a grid of channels first: its places are its positions
            state = state.flatten(2).transpose(1, 2)
        for modality in site.modalities:
            name = f"{modality}/{site.layer}"
            if state.ndim == 2:  # one state an example already
                self.states[name] = state
                self.pooled.add((site.layer, modality))
                continue
            places = state.shape[:2]
            mask = self.spans.get(modality, torch.ones(places, dtype=torch.bool)).to(state.device)
            if mask.shape != places:
                raise InputError(
                    f"the span of {modality} at {site.module!r} has shape {tuple(mask.shape)}, but "
                    f"the state there {tuple(state.shape)}; the adapter's spans() must say which "
                    "positions are its own"
                )
            if self.attended and site.layer and site.layer not in self.received:
                raise InputError(
                    f"the attention {site.attention!r} did not run before {site.module!r}, so that "
                    "it cannot weigh positions; choose another pooling"
                )
            weight = mask * self.received[site.layer] if site.layer in self.received else mask
            self.states[name] = self.pool(state, weight)
            if self.tokens:
                self.states[f"tokens/{name}"] = kept_positions(state, mask, self.tokens)
        if self.positions is not None and site.layer and state.ndim == 3:
            rows = torch.arange(len(state), device=state.device)
            self.states[f"fused/{site.layer}"] = state[rows, self.positions.to(state.device)]

    def check(self) -> None:
        """Check, after a pass, that every site was read and no two modalities read the same."""
        for site in self.sites:
            if self.calls[site] <= (site.call or 0):
                times = f"ran {self.calls[site]} times" if self.calls[site] else "did not run"
                raise InputError(
                    f"the module {site.module!r} {times} in a forward pass, so that "
                    f"{_read_there(site)} has no state; name a module, and a call of it, that runs "
                    "for every batch"
                )
        # At a fused layer, two modalities may have one state; before fusion that is a mistake.
        first: dict[tuple[Any, ...], str] = {}
        before = [site for site in self.sites if site.layer == BEFORE_FUSION]
        for early, modality in ((one, name) for one in before for name in one.modalities):
            other = first.setdefault(early.place, modality)
            mask, others = self.spans.get(modality), self.spans.get(other)
            alike = mask is others or (early.layer, modality) in self.pooled
            if mask is not None and others is not None:
                alike = alike or torch.equal(mask, others)
            if other != modality and alike:
                raise InputError(
                    f"{other} and {modality} are both read from the module {early.module!r} before "
                    "fusion, at the same positions, so that their states are one; name two "
                    "modules, or say by spans which positions belong to each"
                )

    def attend(self, site: Site, given: Any) -> None:
        """Store the attention that every position receives at a site, averaged over heads."""
        weights = given[1] if isinstance(given, tuple | list) and len(given) > 1 else None
        if not isinstance(weights, Tensor):
            raise InputError(
                f"{site.attention!r} hands out no attention weights; load the model with "
                "attn_implementation='eager', or choose another pooling"
            )
        self.received[site.layer] = weights.float().mean(1).sum(1)


def _read_there(site: Site) -> str:
    return f"{' and '.join(site.modalities)} at layer {site.layer}"


@contextmanager
def read_states(
    model: nn.Module,
    sites: Sequence[Site],
    pool: Pool,
    *,
    tokens: int = 0,
    attended: bool = False,
) -> Iterator[HookedStates]:
    """Read pooled states at sites during the forward passes inside the block.

    Set the ``spans`` of what is yielded before a pass; its ``states`` are those of the latest one.
    With `tokens`, so many single positions of every span are kept as well. With `attended`,
    positions are weighted by the attention that they receive in their layer; before fusion, where
    there is no layer, all have the same weight.

    Raises InputError if the model has no module of a site's name, a span has another shape than the
    state, or attention is to weigh and the model gives none.
    """
    unique = tuple(dict.fromkeys(sites))
    reading = HookedStates(unique, pool, tokens, attended)
    with ExitStack() as hooks:
        hooks.callback(model.register_forward_pre_hook(lambda *_: reading.calls.clear()).remove)
        for site in reading.sites:
            if attended and site.layer:
                hooks.callback(_hook_attention(model, site, reading).remove)
            hooks.callback(_hook(module_at(model, site.module), site, reading).remove)
        yield reading


def _hook_attention(model: nn.Module, site: Site, reading: HookedStates) -> Any:
    if not site.attention:
        raise InputError(
            f"this family names no attention of layer {site.layer}, by which its positions could "
            "be weighed; choose another pooling"
        )
    return module_at(model, site.attention).register_forward_hook(
        lambda _module, _given, output: reading.attend(site, output)
    )


def _hook(module: nn.Module, site: Site, reading: HookedStates) -> Any:
    if site.reads == "output":
        return module.register_forward_hook(
            lambda _module, _given, output: reading.take(site, output)
        )

    def before(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        # Some layers are called by position, others by name.
        reading.take(site, given or tuple(named.values()))

    return module.register_forward_pre_hook(before, with_kwargs=True)


def read_batch(
    adapter: Adapter, inputs: Mapping[str, Tensor], reading: HookedStates
) -> tuple[dict[str, Tensor], Tensor | None]:
    """Run a model on prepared inputs, on its device, and return states and answers.

    States have shape (b, d) and names such as ``image/0`` and ``fused/1``; answers (b, C). Raises
    InputError if a named module did not run, or two modalities are read from one tensor before
    fusion.
    """
    reading.begin()
    reading.spans = adapter.spans(inputs)
    reading.positions = adapter.last_position(inputs) if adapter.fused == "last" else None
    output = adapter.forward(inputs)
    reading.check()
    states = dict(reading.states)
    if adapter.fused == "spans":
        first, second = adapter.modalities
        for name in reading.states:
            modality, layer = name.rsplit("/", 1)
            other = f"{second}/{layer}"
            if modality == first and int(layer) and other in states:
                states[f"fused/{layer}"] = torch.cat([states[name], states[other]], 1)
    return states, adapter.answer(output, inputs)
