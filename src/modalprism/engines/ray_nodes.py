"""Checks of the nodes of a Ray cluster: resources and versions.

Equal versions and equal code on every node give equal bytes, wherever a job ran.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from modalprism.engines.interface import Needs
from modalprism.errors import InputError, WorkerError

_ANSWER_SECONDS: Final = 60.0


def check_needs(ray: Any, needs: Needs) -> None:
    """Refuse jobs that no node has the CPUs and GPUs for: Ray would wait for ever."""
    resources = [node["Resources"] for node in _alive(ray)]
    for name, needed in (("CPU", needs.cpus), ("GPU", needs.gpus)):
        most = int(max((one.get(name, 0) for one in resources), default=0))
        if needed > most:
            raise InputError(
                f"a job needs {needed} {name}s, and no node of the Ray cluster has more than "
                f"{most}; add such a node, or ask for less"
            )
    if not any(
        one.get("CPU", 0) >= needs.cpus and one.get("GPU", 0) >= needs.gpus for one in resources
    ):
        raise InputError(
            f"a job needs {needs.cpus} CPUs and {needs.gpus} GPUs together, and no node of the Ray "
            "cluster has both; add such a node, or ask for less"
        )


def check_versions(ray: Any) -> None:
    """Refuse a node whose versions or code of Modalprism differ from this process's."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    read = _versions_reader()
    ours = read()
    answers = []
    for node in _alive(ray):
        if node["Resources"].get("CPU", 0) > 0:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            # It holds no CPU: a node that is busy answers too.
            task = ray.remote(read).options(num_cpus=0, scheduling_strategy=there)
            answers.append((node["NodeManagerHostname"], task.remote()))
    for name, answer in answers:
        try:
            theirs: dict[str, str] = ray.get(answer, timeout=_ANSWER_SECONDS)
        except ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            raise WorkerError(
                f"node {name} of the Ray cluster did not say its versions ({first}); see its logs, "
                "or remove it"
            ) from error
        if sentence := difference(name, ours, theirs):
            raise InputError(sentence)


def difference(node: str, ours: dict[str, str], theirs: dict[str, str]) -> str | None:
    """Describe how a node's versions differ from this process's; None where they are equal.

    Examples
    --------
    >>> difference("gpu-3", {"numpy": "2.4.1"}, {"numpy": "2.4.0"})
    'node gpu-3 of the Ray cluster has numpy 2.4.0, and this process has numpy 2.4.1; ...
    """
    for name, version in ours.items():
        if theirs.get(name) != version:
            return (
                f"node {node} of the Ray cluster has {name} {theirs.get(name)}, and this process "
                f"has {name} {version}; the same numbers need the same on both: install it there"
            )
    return None


def _alive(ray: Any) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _versions_reader() -> Callable[[], dict[str, str]]:
    """Make the function that reads versions. Made here it is pickled by value."""

    def read() -> dict[str, str]:
        import hashlib
        import platform
        from importlib import metadata, util
        from pathlib import Path

        def version(name: str) -> str:
            try:
                return metadata.version(name)
            except metadata.PackageNotFoundError:
                return "missing"

        packages = ("modalprism", "torch", "numpy", "scipy", "scikit-learn", "joblib")
        found = {"Python": platform.python_version()} | {name: version(name) for name in packages}
        package = util.find_spec("modalprism")
        if package is None or package.origin is None:
            return found | {"modalprism": "missing"}
        digest = hashlib.sha256()
        for module in sorted(Path(package.origin).parent.rglob("*.py")):
            digest.update(module.read_bytes())
        # Two checkouts may say the same version.
        return found | {"modalprism": f"{found['modalprism']} ({digest.hexdigest()[:8]})"}

    return read
