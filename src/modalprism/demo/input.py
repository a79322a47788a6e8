"""Input of a study, and the study, of fusion networks on questions about emojis."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, field_validator

from modalprism.capture.api import capture
from modalprism.capture.shards import is_whole
from modalprism.capture.store import EmbeddingStore
from modalprism.demo.adapter import FusionAdapter
from modalprism.demo.encoders import EncodedEmojis, encode_emojis
from modalprism.demo.fusion_network import (
    BUNDLED,
    Fusion,
    FusionNetwork,
    checkpoint_path,
    load_network,
)
from modalprism.demo.questions import (
    ATTRIBUTION,
    MODALITIES,
    QUESTIONS,
    PairedExamples,
    load_emojis,
    observed_pairs,
    question_named,
    split,
)
from modalprism.engines import Engine
from modalprism.options import each_once
from modalprism.progress import Track, forwarding, silent
from modalprism.studies.inputs import Input
from modalprism.studies.study import Study
from modalprism.studies.study_store import CaptureOrigin, StudyStore

_BATCH: Final = 128
_DEVICE: Final = "cpu"  # the networks are small
_DESCRIPTIONS: Final[dict[str, str]] = {
    "concat": "one stream: both spans attend to both in every layer",
    "cross_attention": "two streams that attend to each other in every layer",
    "late": "two separate streams, joined only before the head",
    "gated": "two streams that take of each other's mean what a gate lets in",
}


class EmojiInput(Input):
    """The bundled demo: fusion networks answer questions about emoji pictures and names.

    Attributes
    ----------
    fusions : tuple of {"concat", "cross_attention", "late", "gated"}
        Networks; the last one's weights do not travel with the demo.
    questions : tuple of {"kind", "pictured", "named", "match"}
    checkpoints : Path, optional
        The folder of the networks' weights, ``FUSION.safetensors`` each; by default the demo's.
    rounds : int
        How many names every picture is paired with.
    redrawn_examples, redrawn_partners : int
        Pictures that are run with other names, and names a picture.
    """

    kind: Literal["emoji_questions"]
    fusions: tuple[Fusion, ...] = BUNDLED
    questions: tuple[str, ...] = tuple(QUESTIONS)
    checkpoints: Path | None = None
    rounds: int = Field(default=2, ge=1)
    redrawn_examples: int = Field(default=160, ge=8)
    redrawn_partners: int = Field(default=40, ge=4)

    @field_validator("fusions", "questions")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("name at least one")
        return each_once(names)

    @field_validator("questions")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(question_named(name).name for name in names)

    def stores(
        self,
        folder: Path,
        seed: int,
        track: Track = silent,
        engine: Engine | None = None,  # noqa: ARG002  # the networks are small
    ) -> Iterator[StudyStore]:
        """Capture every network on every question, or open what was captured before."""
        # All networks first: a missing one is reported before anything is encoded.
        networks = {fusion: load_network(fusion, self.checkpoints) for fusion in self.fusions}
        emojis = load_emojis()
        held_out = split(emojis)[1]
        questions = [question_named(name) for name in self.questions]
        datasets = [
            observed_pairs(question, emojis, held_out, rounds=self.rounds, seed=seed)
            for question in questions
        ]

        @cache
        def encoded() -> EncodedEmojis:
            return encode_emojis(emojis, held_out, questions, track=track)

        def adapter_of(
            network: FusionNetwork,
            pairs: PairedExamples,
            attention: bool = False,  # noqa: ARG001
        ) -> FusionAdapter:
            return FusionAdapter(network, encoded(), pairs.question, pairs.answers)

        for fusion, network in networks.items():
            for pairs in datasets:
                name = pairs.question.name
                out = folder / f"{fusion}-{name}-{self._key(fusion, pairs, seed)}"
                load = partial(adapter_of, network, pairs)
                if not is_whole(out, redrawn=True):
                    capture(
                        load(),
                        None,
                        pairs,
                        out=out,
                        batch_size=_BATCH,
                        dtype="float32",
                        device=_DEVICE,
                        redrawn=self.redrawn_examples,
                        partners=self.redrawn_partners,
                        model_name=fusion,
                        dataset=name,
                        fingerprint=pairs.fingerprint(),
                        seed=seed,
                        progress=forwarding(track),
                    )
                store = EmbeddingStore.open(out)
                origin = CaptureOrigin(
                    fusion, name, pairs, store, pairs.answers, load, pairs.shown, _BATCH, _DEVICE
                )
                yield StudyStore(fusion, name, store, origin)

    def _key(self, fusion: str, pairs: PairedExamples, seed: int) -> str:
        """Return a hash of everything that changes a store."""
        settings = (pairs.fingerprint(), self.redrawn_examples, self.redrawn_partners, seed)
        digest = hashlib.sha256(checkpoint_path(fusion, self.checkpoints).read_bytes())
        digest.update(repr(settings).encode())
        return digest.hexdigest()[:8]

    def relative_to(self, folder: Path) -> Self:
        """Return the input with its checkpoints named from this folder."""
        if self.checkpoints is None:
            return self
        return self.model_copy(update={"checkpoints": folder / self.checkpoints})

    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Describe every model and every dataset in one line."""
        fusions: tuple[str, ...] = self.fusions
        models = {name: text for name, text in _DESCRIPTIONS.items() if name in fusions}
        return models, {name: question_named(name).text for name in self.questions}

    def notes(self) -> tuple[str, ...]:
        """Return the notes of every report on these networks."""
        return (
            "The fusion networks are this project's own, trained for this demonstration on frozen "
            "pretrained encoders (EfficientNet-Lite0, all-MiniLM-L6-v2).",
            f"{ATTRIBUTION}.",
        )


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
        effort="fast",  # no question here needs trees
        seed=seed,
        out=out,
    )
