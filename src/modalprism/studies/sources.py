"""Where a study's embeddings come from: a file of the user's, a capture of our own, the demo."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modalprism.studies.capture_source import CaptureSource
from modalprism.studies.embeddings_source import EmbeddingsSource
from modalprism.studies.emoji_source import EmojiSource

Source = Annotated[EmbeddingsSource | CaptureSource | EmojiSource, Field(discriminator="kind")]
