"""How much does each modality of a multimodal model contribute to its answer.

Modalprism takes a model's internal embeddings, in inference only, and splits the information that
they carry about the answer into unique, redundant and synergistic parts, for every layer and for
the whole dataset.
"""

from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis, Estimate
from modalprism.estimation.posterior import analyze
from modalprism.pid import Decomposition, decompose, decompose_marginals
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
    "decompose",
    "decompose_marginals",
]
