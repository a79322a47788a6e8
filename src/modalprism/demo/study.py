"""The bundled demo as a study: three fusions, four questions, three views."""

from __future__ import annotations

from pathlib import Path

from modalprism.demo.input import EmojiInput
from modalprism.demo.questions import MODALITIES
from modalprism.studies.study import Study


def demo_study(out: Path, *, seed: int = 0) -> Study:
    """Return the study of the emoji questions."""
    return Study(
        title="Emoji questions: what do three fusions take from the picture and from the name?",
        sources=(EmojiInput(kind="emoji_questions"),),
        modalities=MODALITIES,
        # The encoding view takes three analyses a layer, and no question here needs it.
        views=("answer", "stream"),
        pairs=("observed", "redrawn"),
        folds=4,  # the examples come in twelve blocks
        seed=seed,
        out=out,
    )
