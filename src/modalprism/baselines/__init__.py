"""Baselines: how modality contributions are scored today, behind one interface.

Packages register baselines of their own under a name in the entry point group
``modalprism.baselines``. An object is imported when its name is first looked up, since some need
the extra ``modalprism[baselines]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modalprism.registry import Registry

if TYPE_CHECKING:
    from modalprism.baselines.interface import Baseline

BASELINES: Final[Registry[type[Baseline]]] = Registry(
    "baseline",
    "modalprism.baselines",
    {
        "ablation": f"{__name__}.ablation:ModalityAblation",
        "perceptual": f"{__name__}.perceptual:PerceptualScore",
        "input_x_gradient": f"{__name__}.gradients:InputTimesGradient",
        "integrated_gradients": f"{__name__}.gradients:IntegratedGradients",
        "attention": f"{__name__}.attention:AttentionMass",
        "mm_shap": f"{__name__}.mm_shap:MmShap",
        "intershap": f"{__name__}.intershap:InterShap",
        "paper": f"{__name__}.paper_protocol:PaperProtocol",
    },
)
"""Baselines by name: classes, each called without arguments by a study."""
