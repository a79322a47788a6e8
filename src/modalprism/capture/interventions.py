"""Interventions on inputs, on attention and on states of a model while it runs.

Random draws of inputs depend on the seed and the example's place only. Attention is knocked out
after Geva et al. 2023 (arXiv:2304.14767).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from dataclasses import replace
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, Site, module_at
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

LOREM: Final = (
    *("lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do"),
    *("eiusmod", "tempor", "incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua"),
)


def _with(example: Example, modality: str, value: Any) -> Example:
    return replace(example, inputs={**example.inputs, modality: value})


def _value(example: Example, modality: str) -> Any:
    if modality not in example.inputs:
        raise InputError(
            f"the example {example.id!r} has no modality {modality!r}; it has "
            f"{', '.join(example.inputs)}"
        )
    return example.inputs[modality]


def exchanged(examples: Sequence[Example], modality: str, *, seed: int = 0) -> list[Example]:
    """Give every example the modality of another one, each used once.

    Raises InputError if there are fewer than two examples, or one lacks the modality.

    Examples
    --------
    >>> pair = [Example("1", {"text": "a"}), Example("2", {"text": "b"})]
    >>> [example.inputs["text"] for example in exchanged(pair, "text")]
    ['b', 'a']
    """
    return [
        _with(example, modality, _value(examples[other], modality))
        for example, other in zip(examples, others(len(examples), seed).tolist(), strict=True)
    ]


def others(n: int, seed: int) -> NDArray[np.int64]:
    """Assign each of n examples another one, every one once, shape (n,).

    Raises InputError if there are fewer than two.

    Examples
    --------
    >>> others(2, seed=0).tolist()
    [1, 0]
    """
    if n < 2:
        raise InputError("one example has no other to take a modality from; give two or more")
    # One cycle through all of them: none keeps its own.
    order = np.random.default_rng(seed).permutation(n)
    given = np.empty(n, dtype=np.int64)
    given[order] = np.roll(order, 1)
    return given


def blanked(examples: Sequence[Example], modality: str) -> list[Example]:
    """Replace a modality by nothing: a grey picture, silence, an empty text."""

    def blank(value: Any) -> Any:
        if isinstance(value, str):
            return ""
        if isinstance(value, np.ndarray):
            return np.zeros_like(value)
        return _picture_of(np.full(np.asarray(value).shape, 128.0))

    return [_with(example, modality, blank(_value(example, modality))) for example in examples]


def noisy(
    examples: Sequence[Example], modality: str, *, sigma: float | None = None, seed: int = 0
) -> list[Example]:
    """Add noise to pictures or audio, or replace them by noise.

    `sigma` is the standard deviation of the noise that is added: 1 is the whole range of a pixel,
    or the example's own standard deviation of audio. By default, nothing is added: the input is
    replaced by noise with its own mean and variance (of every channel).

    Raises InputError if the modality is text (`lorem_ipsum` is for that), or `sigma` is negative.
    """
    if sigma is not None and sigma < 0:
        raise InputError(f"sigma is {sigma}; noise has a standard deviation of 0 or more")
    replaced = []
    for place, example in enumerate(examples):
        value = _value(example, modality)
        if isinstance(value, str):
            raise InputError("a text has no noise; replace it with lorem_ipsum instead")
        pixels = np.asarray(value, dtype=np.float64)
        sound = isinstance(value, np.ndarray)
        noise = np.random.default_rng([seed, place]).standard_normal(pixels.shape)
        over = None if sound else (0, 1)
        if sigma is None:
            made = pixels.mean(over, keepdims=True) + noise * pixels.std(over, keepdims=True)
        else:
            made = pixels + noise * sigma * (pixels.std() if sound else 255.0)
        made = made.astype(value.dtype) if sound else _picture_of(made)
        replaced.append(_with(example, modality, made))
    return replaced


def _picture_of(pixels: Any) -> Any:
    from PIL import Image

    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


def lorem_ipsum(examples: Sequence[Example], modality: str) -> list[Example]:
    """Replace texts by as many words without meaning.

    Raises InputError if the modality is no text.
    """

    def meaningless(value: Any) -> str:
        if not isinstance(value, str):
            raise InputError("lorem ipsum stands for a text; blank or noise stand for others")
        return " ".join(LOREM[place % len(LOREM)] for place in range(len(value.split())))

    return [_with(one, modality, meaningless(_value(one, modality))) for one in examples]


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


Replace = Callable[[Site, str, Tensor], Tensor]


@contextmanager
def replaced_states(model: nn.Module, sites: Sequence[Site], replace: Replace) -> Iterator[None]:
    """Replace the states at sites, such as those before fusion, during the passes inside the block.

    ``replace(site, modality, state)`` is called once for every modality of a site with the tensor
    that stands there: (b, t, d), one state an example, (b, d), or a grid of channels first, (b, d,
    h, w). It returns another tensor of the same shape, and leaves the given one as it is. Where
    both modalities stand in one tensor, each call gets the result of the one before it, and changes
    the positions of its own span only.

    All later parts of the network get the replacement, and gradients flow through it. `read_states`
    reads the replaced state if its block stands inside this one, and the model's own if it stands
    around. In BridgeTower (its bridges, and the other stream in its first cross-modal layers) and
    Qwen3-VL (deeper features of the picture), more of a modality enters behind layer 0 unchanged.

    Raises InputError if the model has no module of a site's name, or, in a pass, another shape is
    returned.
    """
    with ExitStack() as hooks:
        for site in sites:
            hooks.callback(_hook(module_at(model, site.module), site, replace).remove)
        yield


def _hook(module: nn.Module, site: Site, replace: Replace) -> Any:
    def after(_module: nn.Module, _given: Any, output: Any) -> Any:
        return _with_part(site, output, _replaced(site, output, replace))

    if site.reads == "output":
        return module.register_forward_hook(after)

    def before(
        _module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # Some layers are called by position, others by name; what is read is found in this order.
        values = given or tuple(named.values())
        values = _with_part(site, values, _replaced(site, values, replace))
        return (values, named) if given else ((), dict(zip(named, values, strict=True)))

    return module.register_forward_pre_hook(before, with_kwargs=True)


def _replaced(site: Site, given: Any, replace: Replace) -> Tensor:
    state = site.state_of(given)
    for modality in site.modalities:
        made = replace(site, modality, state)
        if made.shape != state.shape:
            raise InputError(
                f"the state of {modality} at {site.module!r} has shape {tuple(state.shape)}, what "
                f"is to take its place {tuple(made.shape)}; return a tensor of the same shape"
            )
        state = made
    return state


def _with_part(site: Site, given: Any, state: Tensor) -> Any:
    if isinstance(given, Tensor):
        return state
    if isinstance(given, MutableMapping):  # the library's outputs too, whose fields follow
        made: Any = copy(given)
        made[site.part] = state
        return made
    if isinstance(given, tuple | list):
        named = getattr(given, "_fields", None)  # a tuple whose members have names
        values = list(given)
        values[named.index(site.part) if named and site.part in named else int(site.part)] = state
        return type(given)(*values) if named else type(given)(values)
    made = copy(given)
    setattr(made, str(site.part), state)
    return made
