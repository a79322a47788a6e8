"""Where a study's embeddings come from: a file of the user's, a capture of our own, the demo."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modalprism.demo.input import EmojiInput
from modalprism.studies.capture_input import CaptureInput
from modalprism.studies.embeddings_input import EmbeddingsInput

Input = Annotated[EmbeddingsInput | CaptureInput | EmojiInput, Field(discriminator="kind")]
