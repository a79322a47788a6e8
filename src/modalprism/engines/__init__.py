"""Engines: where jobs run. In this process, in local processes, on a Ray cluster, or elsewhere.

What runs gives the same bytes wherever it ran. Packages register engines of their own under a name
in the entry point group ``modalprism.engines``.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Final

from modalprism.engines.interface import Engine, Job, Needs
from modalprism.engines.local import LocalEngine, SerialEngine
from modalprism.engines.ray import RayEngine
from modalprism.errors import InputError
from modalprism.registry import Registry

ENGINES: Final[Registry[Callable[..., Engine]]] = Registry(
    "engine",
    "modalprism.engines",
    {"serial": SerialEngine, "local": LocalEngine, "ray": RayEngine},
)
"""Engines by name. Each is called with `workers` and `address` where it has such parameters."""

__all__ = [
    "ENGINES",
    "Engine",
    "Job",
    "LocalEngine",
    "Needs",
    "RayEngine",
    "SerialEngine",
    "engine_for",
]


def engine_for(engine: str | Engine, *, workers: int = 0, address: str | None = None) -> Engine:
    """Return the engine of a name, or the engine itself.

    Parameters
    ----------
    engine : {"serial", "local", "ray"}, another name, or Engine
    workers : int
        Jobs that run at once; 0 means as many as there are CPUs for.
    address : str, optional
        Of a Ray cluster: ``auto``, or ``host:port``.

    Raises
    ------
    InputError
        If there is no engine of that name, it takes no such option, or the object is no engine.

    Examples
    --------
    >>> engine_for("ray", address="auto")
    RayEngine(address='auto', workers=0)
    >>> engine_for("local", address="auto")
    Traceback (most recent call last):
    modalprism.errors.InputError: address is that of a Ray cluster; it goes with the engine ray
    """
    if not isinstance(engine, str):
        if isinstance(engine, type) or not hasattr(engine, "run") or not hasattr(engine, "ready"):
            raise InputError(
                f"engine is {engine!r}: pass one of {', '.join(map(repr, ENGINES.names()))}, or an "
                "object with the methods of modalprism.engines.Engine",
                parameter="engine",
            )
        return engine
    make = ENGINES[engine]
    taken = signature(make).parameters
    if address is not None and "address" not in taken:
        raise InputError(
            "address is that of a Ray cluster; it goes with the engine ray", parameter="address"
        )
    if workers > 1 and "workers" not in taken:
        raise InputError(
            f"the engine {engine} has one worker; leave workers out, or choose another engine",
            parameter="workers",
        )
    options = {"workers": workers, "address": address}
    return make(**{name: option for name, option in options.items() if name in taken})
