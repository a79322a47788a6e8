"""The demo's input: fusion networks that answer questions about emoji pictures and names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from modalprism.capture.emoji_capture import capture_states, redrawn_arrays, store_metadata
from modalprism.capture.emoji_family import BUNDLED, checkpoint_folder, load_network
from modalprism.capture.emoji_inputs import EmojiInputs, encode_emojis
from modalprism.capture.fusion_network import FUSIONS, Fusion, FusionNetwork
from modalprism.capture.store import EmbeddingStore, write_store
from modalprism.datasets.emoji import ATTRIBUTION, Emoji, kin_numbers, load_emojis, split
from modalprism.datasets.emoji_questions import (
    BLOCKS,
    QUESTIONS,
    PairedExamples,
    Question,
    observed_pairs,
    question_named,
    redrawn_pairs,
)
from modalprism.engines import Engine
from modalprism.errors import InputError
from modalprism.progress import Track, silent
from modalprism.studies.code import Code
from modalprism.studies.emoji_origin import EmojiOrigin
from modalprism.studies.part import StudyPart, each_once
from modalprism.studies.study_store import StudyStore


class EmojiInput(StudyPart):
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

    def code(self) -> tuple[Code, ...]:
        """Return the code that would run: none."""
        return ()

    def stores(
        self,
        folder: Path,
        seed: int,
        track: Track = silent,
        engine: Engine | None = None,  # noqa: ARG002  # the networks are small
    ) -> Iterator[StudyStore]:
        """Capture every network on every question, or open what was captured before."""
        questions = [question_named(name) for name in self.questions]
        # All at once: what is missing is said before anything is encoded.
        networks = [load_network(fusion, self.checkpoints) for fusion in self.fusions]
        emojis = load_emojis()
        held_out = split(emojis)[1]
        pairs = {
            question.name: self._pairs(question, emojis, held_out, seed) for question in questions
        }
        inputs: EmojiInputs | None = None
        for fusion, network in zip(self.fusions, networks, strict=True):
            for question in questions:
                path = folder / fusion / f"{question.name}.safetensors"
                fingerprint = self._fingerprint(fusion, question, seed)
                store = _open_if_same(path, fingerprint)
                if store is None:
                    if inputs is None:
                        inputs = encode_emojis(emojis, held_out, questions, track=track)
                    arrays = self._capture(network, inputs, *pairs[question.name], emojis, track)
                    words = {"fingerprint": fingerprint, "model": fusion, "dataset": question.name}
                    write_store(path, arrays, store_metadata(network, **words))
                    store = EmbeddingStore.open(path)
                origin = EmojiOrigin(network, pairs[question.name][0], fusion)
                yield StudyStore(fusion, question.name, store, origin)

    def _fingerprint(self, fusion: str, question: Question, seed: int) -> str:
        checkpoint = (self.checkpoints or checkpoint_folder()) / f"{fusion}.safetensors"
        digest = hashlib.sha256(checkpoint.read_bytes() if checkpoint.is_file() else b"")
        settings = (
            BLOCKS,
            self.rounds,
            self.redrawn_examples,
            self.redrawn_partners,
            seed,
            question,
        )
        digest.update(repr(settings).encode())
        return digest.hexdigest()

    def _pairs(
        self,
        question: Question,
        emojis: tuple[Emoji, ...],
        held_out: NDArray[np.int64],
        seed: int,
    ) -> tuple[PairedExamples, PairedExamples]:
        """Draw the observed and the redrawn pairs."""
        observed = observed_pairs(question, emojis, held_out, rounds=self.rounds, seed=seed)
        redrawn = redrawn_pairs(
            question,
            emojis,
            held_out,
            examples=self.redrawn_examples,
            partners=self.redrawn_partners,
            seed=seed,
        )
        return observed, redrawn

    def _capture(
        self,
        network: FusionNetwork,
        inputs: EmojiInputs,
        observed: PairedExamples,
        redrawn: PairedExamples,
        emojis: tuple[Emoji, ...],
        track: Track,
    ) -> dict[str, NDArray[Any]]:
        """Run a network on observed and redrawn pairs."""
        words = f"{network.config.fusion}, {observed.question.name}"
        states = capture_states(
            network,
            inputs,
            observed,
            kin_numbers(emojis),
            track=track,
            description=f"capturing {words}",
        )
        return states | redrawn_arrays(
            network, inputs, redrawn, track=track, description=f"redrawing {words}"
        )

    def relative_to(self, folder: Path) -> EmojiInput:
        """Return the input with its checkpoints named from this folder."""
        if self.checkpoints is None:
            return self
        return self.model_copy(update={"checkpoints": folder / self.checkpoints})

    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Say a line about every model and every dataset."""
        words = {
            "concat": "one stream: both spans attend to both in every layer",
            "cross_attention": "two streams that attend to each other in every layer",
            "late": "two separate streams, joined only before the head",
            "gated": "two streams that take of each other's mean what a gate lets in",
        }
        return (
            {fusion: words[fusion] for fusion in FUSIONS if fusion in self.fusions},
            {name: question_named(name).text for name in self.questions},
        )

    def notes(self) -> tuple[str, ...]:
        """Say what every report on these networks has to."""
        return (
            "The fusion networks are this project's own, trained for this demonstration on frozen "
            "pretrained encoders (EfficientNet-Lite0, all-MiniLM-L6-v2).",
            f"{ATTRIBUTION}.",
        )


def _open_if_same(path: Path, fingerprint: str) -> EmbeddingStore | None:
    """Open a store if it holds what would be captured now; a damaged one is captured anew."""
    if not path.is_file():
        return None
    try:
        store = EmbeddingStore.open(path)
    except InputError:
        return None
    return store if store.metadata.get("fingerprint") == fingerprint else None
