"""How much does each modality of a multimodal model contribute to its answer.

Modalprism takes a model's internal embeddings, in inference only, and splits the information that
they carry about the answer into unique, redundant and synergistic parts, for every layer and for
the whole dataset.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modalprism import capture
    from modalprism.errors import InputError
    from modalprism.estimation.analysis import Analysis, Estimate
    from modalprism.estimation.analyze import analyze
    from modalprism.pid import (
        Decomposition,
        decompose,
        decompose_batch,
        decompose_marginals,
    )
    from modalprism.studies.profile import Profile
    from modalprism.studies.study import Study

__all__ = [
    "Analysis",
    "Decomposition",
    "Estimate",
    "InputError",
    "Profile",
    "Study",
    "analyze",
    "capture",
    "decompose",
    "decompose_batch",
    "decompose_marginals",
]

# Imported at first use, so that a command that only prints its help does not wait for torch.
_HOMES = {
    "Analysis": "modalprism.estimation.analysis",
    "Decomposition": "modalprism.pid",
    "Estimate": "modalprism.estimation.analysis",
    "InputError": "modalprism.errors",
    "Profile": "modalprism.studies.profile",
    "Study": "modalprism.studies.study",
    "analyze": "modalprism.estimation.analyze",
    "decompose": "modalprism.pid",
    "decompose_batch": "modalprism.pid",
    "decompose_marginals": "modalprism.pid",
}


def __getattr__(name: str) -> Any:
    if name == "capture":
        return import_module("modalprism.capture")
    if name not in _HOMES:
        raise AttributeError(f"module 'modalprism' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
