"""Attention mass: how much of the answer's attention falls on each modality's span, by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.running import AverageBaseline, Measured, Runner
from modalprism.capture.adapter import Adapter, Site
from modalprism.errors import InputError


@runtime_checkable
class ProvidesAttention(Protocol):
    """An adapter whose attention runs over other positions than its spans."""

    def attention_sites(self) -> tuple[Site, ...]:
        """Return the layers whose `attention` has weights, (b, heads, t, t)."""

    def attention_spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return which of the t positions belong to each modality, bool, (b, t)."""


@dataclass(frozen=True)
class AttentionMass(AverageBaseline):
    """The attention that falls on each span, averaged over heads, by layer and over layers.

    Of a decoder it is the attention of the last position, from which the answer is read; of other
    models that of all positions of both spans, averaged. It is normalised to the two spans: what
    falls on positions of neither modality (marks, the beginning of a text) is left out. The score
    ``attention mass`` is the mean over layers.
    """

    needs_attention: ClassVar[bool] = True
    name: ClassVar[str] = "attention"
    title: ClassVar[str] = "Attention mass"
    headlines: ClassVar[tuple[str, ...]] = ("attention mass",)
    shares: ClassVar[tuple[str, ...]] = ("attention mass",)
    source: ClassVar[str] = (
        "common practice; see Cao, Gan, Cheng, Yu, Chen, Liu, Behind the Scene, ECCV 2020, "
        "arXiv:2005.07310"
    )

    def cost(self, subject: Subject) -> Cost:
        """One pass."""
        return Cost(len(subject.examples))

    def measured(self, runner: Runner, seed: int) -> Iterator[Measured]:  # noqa: ARG002
        """Read the attention of every layer; nothing is drawn."""
        adapter = runner.subject.adapter
        sites = _sites(adapter)
        found: list[dict[int, Tensor]] = []
        with torch.inference_mode(), attention_weights(adapter.model, sites) as weights_of:
            for batch in runner.batches(f"attention of {runner.subject.model}"):
                runner.output(batch)
                spans, queries = _positions(adapter, batch.inputs)
                found.append({k: _masses(of, spans, queries) for k, of in weights_of.items()})
                weights_of.clear()
        # (n, layers), of the first modality; the second has the rest.
        first = torch.stack(
            [torch.cat([part[site.layer] for part in found]) for site in sites], 1
        ).numpy()
        for modality, of in zip(adapter.modalities, (first, 1 - first), strict=True):
            yield Measured("attention mass", modality, of.mean(1))
            for site, mass in zip(sites, of.T, strict=True):
                yield Measured(f"attention mass (layer {site.layer})", modality, mass)


def _sites(adapter: Adapter) -> tuple[Site, ...]:
    given = adapter.attention_sites() if isinstance(adapter, ProvidesAttention) else adapter.sites()
    if sites := tuple(site for site in given if site.attention):
        return sites
    raise InputError(
        f"{type(adapter).__name__} names no attention in which both modalities stand, so that no "
        "mass can be read of it; choose another baseline"
    )


@contextmanager
def attention_weights(model: nn.Module, sites: Sequence[Site]) -> Iterator[dict[int, Tensor]]:
    """Read attention weights, averaged over heads, in passes inside the block.

    Yields, by layer, the weights of the latest pass from every position (rows) to every other,
    float32, (b, t, t). An `InputError` names a module that is missing or returns no weights.
    """
    modules: dict[str, nn.Module] = dict(model.named_modules())
    found: dict[int, Tensor] = {}

    def hook(site: Site) -> Any:
        def read(_module: nn.Module, _given: Any, output: Any) -> None:
            weights = output[1] if isinstance(output, tuple | list) and len(output) > 1 else output
            if not isinstance(weights, Tensor) or weights.ndim != 4:
                raise InputError(
                    f"{site.attention!r} hands out no attention weights; load the model with "
                    "attn_implementation='eager'"
                )
            found[site.layer] = weights.float().mean(1)

        return read

    with ExitStack() as hooks:
        for site in sites:
            if site.attention not in modules:
                raise InputError(
                    f"the model has no module {site.attention!r}; print(model) shows their names"
                )
            handle = modules[site.attention].register_forward_hook(hook(site))
            hooks.callback(handle.remove)
        yield found


def _positions(adapter: Adapter, inputs: Mapping[str, Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return both spans, and the positions whose attention is read, all bool, (b, t)."""
    spans = (
        adapter.attention_spans(inputs)
        if isinstance(adapter, ProvidesAttention)
        else adapter.spans(inputs)
    )
    if missing := [modality for modality in adapter.modalities if modality not in spans]:
        raise InputError(
            f"{type(adapter).__name__} does not say at which positions {missing[0]} stands, so "
            "that no attention mass can be read of it"
        )
    first, second = (spans[modality] for modality in adapter.modalities)
    if adapter.fused != "last":
        return (first, second), first | second
    places = torch.arange(first.shape[1], device=first.device)
    return (first, second), places == adapter.last_position(inputs).to(first.device)[:, None]


def _masses(weights: Tensor, spans: tuple[Tensor, ...], queries: Tensor) -> Tensor:
    """Return the part of the attention to both spans that falls on the first, float64, (b,)."""
    if weights.shape[1:] != (queries.shape[1],) * 2:
        raise InputError(
            f"attention weights have shape {tuple(weights.shape)}, the spans "
            f"{tuple(queries.shape)}; they must be of the same positions"
        )
    looks = queries.to(weights.device, torch.float64)
    received = (looks[:, None] @ weights.double())[:, 0] / looks.sum(1, keepdim=True)
    first, second = (torch.where(span.to(weights.device), received, 0).sum(1) for span in spans)
    whole = first + second
    return torch.where(whole > 0, first / whole, math.nan).cpu()
