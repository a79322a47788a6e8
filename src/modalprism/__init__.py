"""Partial information decomposition of what a multimodal model's embeddings say about its answer.

Modalprism takes a model's internal embeddings, in inference only, and splits the information that
they carry about the answer into unique, redundant and synergistic parts, for every layer and for
the whole dataset.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

# As type checkers know it: importing typing would take longer than all else here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    __version__: str
    from modalprism.capture.api import capture
    from modalprism.errors import InputError
    from modalprism.estimation.analysis import Analysis
    from modalprism.estimation.analyze import analyze
    from modalprism.pid import (
        Decomposition,
        decompose,
        decompose_batch,
        decompose_marginals,
    )
    from modalprism.reports.page import write_report
    from modalprism.results.estimate import Estimate
    from modalprism.studies.profile import Profile
    from modalprism.studies.study import Study

__all__ = [
    "Analysis",
    "Decomposition",
    "Estimate",
    "InputError",
    "Profile",
    "Study",
    "__version__",
    "analyze",
    "capture",
    "decompose",
    "decompose_batch",
    "decompose_marginals",
    "write_report",
]

# Imported at first use, so that a command that only prints its help does not wait for torch.
_HOMES = {
    "Analysis": "modalprism.estimation.analysis",
    "Decomposition": "modalprism.pid",
    "Estimate": "modalprism.results.estimate",
    "InputError": "modalprism.errors",
    "Profile": "modalprism.studies.profile",
    "Study": "modalprism.studies.study",
    "analyze": "modalprism.estimation.analyze",
    "capture": "modalprism.capture.api",
    "decompose": "modalprism.pid",
    "decompose_batch": "modalprism.pid",
    "decompose_marginals": "modalprism.pid",
    "write_report": "modalprism.reports.page",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        version: str = import_module("importlib.metadata").version("modalprism")
        return version
    if name not in _HOMES:
        raise AttributeError(f"module 'modalprism' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Package(ModuleType):
    """A package whose attribute `capture` stays the function.

    ``import modalprism.capture.store`` makes the import system set the subpackage as an attribute
    here. That assignment is dropped. Imports find the subpackage in `sys.modules`, and the function
    shares the subpackage's namespace, so that ``modalprism.capture.store`` is the module.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "capture" and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # cloudpickle, by which Ray sends functions to workers, knows plain modules only.
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package
