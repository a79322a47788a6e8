"""What a store of the demo was made of: a fusion network, and pairs of a picture and a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modalprism.baselines.interface import Subject
from modalprism.capture.emoji_inputs import encode_emojis
from modalprism.capture.fusion_adapter import FusionAdapter
from modalprism.capture.fusion_network import FusionNetwork
from modalprism.datasets.emoji import kin_numbers, load_emojis
from modalprism.datasets.emoji_questions import PairedExamples
from modalprism.datasets.example import Example
from modalprism.datasets.pictures import picture_of
from modalprism.progress import Track, silent
from modalprism.studies.study_store import Rows


@dataclass(frozen=True, eq=False)
class EmojiOrigin:
    """A fusion network on observed pairs; a row of the store is a pair.

    Attributes
    ----------
    network : FusionNetwork
    pairs : PairedExamples
    model : str
        The network's name in every output.
    """

    network: FusionNetwork
    pairs: PairedExamples
    model: str

    @property
    def candidates(self) -> Sequence[str]:
        """The answers among which the network chooses."""
        return self.pairs.answers

    def subject(
        self,
        rows: Rows,
        *,
        attention: bool = False,  # noqa: ARG002
        track: Track = silent,
    ) -> Subject:
        """Load the model, and the examples of these rows; see `Origin`."""
        emojis, pairs = load_emojis(), self.pairs
        # All that stand in the store, so that whatever sample is asked for, they are encoded once.
        members = np.unique(np.concatenate([pairs.picture, pairs.name]))
        inputs = encode_emojis(emojis, members, [pairs.question], track=track)
        kin = kin_numbers(emojis)
        examples = [
            Example(
                str(row),
                {"image": int(pairs.picture[row]), "text": int(pairs.name[row])},
                int(pairs.label[row]),
                {
                    "picture": str(kin[pairs.picture[row]]),
                    "name": str(kin[pairs.name[row]]),
                },
            )
            for row in rows
        ]
        adapter = FusionAdapter(self.network, inputs, pairs.question)
        return Subject(adapter, examples, self.model, pairs.question.name, batch_size=128)

    def shown(self, rows: Rows) -> list[Mapping[str, Any]]:
        """Return the picture and the name of these rows."""
        emojis = load_emojis()
        return [
            {
                "image": picture_of(emojis[self.pairs.picture[row]].picture.read_bytes()),
                "text": emojis[self.pairs.name[row]].name,
            }
            for row in rows
        ]
