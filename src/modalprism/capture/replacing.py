"""Replace states of a model while it runs; all later parts of the network get the replacement.

In BridgeTower and Qwen3-VL, more of a modality enters behind layer 0, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any

from torch import Tensor, nn

from modalprism.capture.adapter import Site, module_at
from modalprism.errors import InputError

Replace = Callable[[Site, str, Tensor], Tensor]


@contextmanager
def replaced_states(model: nn.Module, sites: Sequence[Site], replace: Replace) -> Iterator[None]:
    """Replace the states at sites during the forward passes inside the block.

    Raises InputError if the model has no module of a site's name, or, in a pass, another shape is
    returned.

    Parameters
    ----------
    sites : sequence of Site
        Such as those of layer 0, before fusion.
    replace : callable
        ``replace(site, modality, state)`` is called once for every modality of a site with the
        tensor that stands there, (b, t, d), one state an example, (b, d), or a grid of channels
        first, (b, d, h, w). It returns what takes its place, of the same shape, and leaves the
        tensor itself as it is. Where both modalities stand in one tensor, each call is given what
        the one before it returned, and changes the positions of its own span only.

    Notes
    -----
    Gradients flow through what `replace` returns. What `read_states` reads of the same sites is
    the replaced state if its block stands inside this one, and the model's own if it stands around.
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
