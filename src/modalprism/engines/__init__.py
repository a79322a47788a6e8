"""Where work runs: in this process, in local processes, on a Ray cluster.

What runs gives the same bytes wherever it ran.
"""

from __future__ import annotations

from typing import Final, Literal

from modalprism.engines.interface import Engine, Job, Needs
from modalprism.engines.local import LocalEngine
from modalprism.engines.ray import RayEngine
from modalprism.engines.serial import SerialEngine
from modalprism.errors import InputError
from modalprism.suggest import suggestion

EngineName = Literal["serial", "local", "ray"]
ENGINES: Final = ("serial", "local", "ray")

__all__ = [
    "ENGINES",
    "Engine",
    "EngineName",
    "Job",
    "LocalEngine",
    "Needs",
    "RayEngine",
    "SerialEngine",
    "engine_named",
]


def engine_named(name: str, *, workers: int = 0, address: str | None = None) -> Engine:
    """Make an engine from words.

    Parameters
    ----------
    name : {"serial", "local", "ray"}
    workers : int
        Jobs that run at once; 0 means as many as there are CPUs for.
    address : str, optional
        Of a Ray cluster: ``auto``, or ``host:port``.

    Raises
    ------
    InputError
        If there is no such engine, or it takes no such option.

    Examples
    --------
    >>> engine_named("ray", address="auto")
    RayEngine(address='auto', workers=0)
    >>> engine_named("local", address="auto")
    Traceback (most recent call last):
    modalprism.errors.InputError: address is that of a Ray cluster; it goes with the engine ray
    """
    if name not in ENGINES:
        hint = suggestion(name, ENGINES)
        raise InputError(f"there is no engine {name!r}; choose from {', '.join(ENGINES)}{hint}")
    if address is not None and name != "ray":
        raise InputError(
            "address is that of a Ray cluster; it goes with the engine ray", parameter="address"
        )
    if name == "ray":
        return RayEngine(address, workers)
    if name == "local":
        return LocalEngine(workers)
    if workers > 1:
        raise InputError(
            "the engine serial has one worker; leave workers out, or choose another engine",
            parameter="workers",
        )
    return SerialEngine()
