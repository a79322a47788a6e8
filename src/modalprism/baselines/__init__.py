"""What people use today to tell how much each modality contributes, behind one interface.

`BASELINES` names them; `baseline_named` imports one when it is wanted, since some need the extra
``modalprism[baselines]``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from modalprism.errors import InputError
from modalprism.suggest import suggestion

if TYPE_CHECKING:
    from modalprism.baselines.interface import Baseline

BASELINES: Final[dict[str, str]] = {
    "ablation": "ablation.ModalityAblation",
    "perceptual": "perceptual.PerceptualScore",
    "input_x_gradient": "gradients.InputTimesGradient",
    "integrated_gradients": "gradients.IntegratedGradients",
    "attention": "attention.AttentionMass",
    "mm_shap": "mm_shap.MmShap",
    "intershap": "intershap.InterShap",
    "paper": "paper_protocol.PaperProtocol",
}
"""Name → module in this folder and class."""


def baseline_named(name: str) -> type[Baseline]:
    """Import a baseline.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> baseline_named("perceptual").title
    'Perceptual Score'
    """
    if name not in BASELINES:
        known = ", ".join(BASELINES)
        hint = suggestion(name, BASELINES)
        raise InputError(f"there is no baseline {name!r}; choose from {known}{hint}")
    module, found = BASELINES[name].rsplit(".", 1)
    made: type[Baseline] = getattr(import_module(f"{__name__}.{module}"), found)
    return made
