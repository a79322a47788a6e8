"""Emoji questions: four datasets of pictures and names whose decompositions are known.

=========  =============================  ==================  =========================
question   pairing                        answer              what a decomposition finds
=========  =============================  ==================  =========================
kind       picture and its own name       its category        much redundancy
pictured   picture with a random name     picture's category  unique to the image
named      picture with a random name     name's category     unique to the text
match      half true, half another's      yes or no           synergy
=========  =============================  ==================  =========================
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.example import Example
from modalprism.datasets.media import picture_of
from modalprism.demo.emoji import Emoji, categories, kin_numbers
from modalprism.errors import InputError
from modalprism.suggest import suggestion

Answer = Literal["own", "picture", "name", "match"]

MODALITIES: Final = ("image", "text")
BLOCKS: Final = 12  # partners are drawn inside a block, so that folds can be made of whole blocks


@dataclass(frozen=True)
class Question:
    """A question: its short name, the words that the model reads, and the rule of its answer.

    The answer is a category (the pair's own, the picture's or the name's), or whether both match.
    """

    name: str
    text: str
    answer: Answer


QUESTIONS: Final = {
    question.name: question
    for question in (
        Question("kind", "what kind of thing is this?", "own"),
        Question("pictured", "what kind of thing is pictured?", "picture"),
        Question("named", "what kind of thing is named?", "name"),
        Question("match", "does the name belong to the picture?", "match"),
    )
}


@dataclass(frozen=True, eq=False)
class PairedExamples:
    """Pairs of a picture and a name with the right answer: a dataset that `capture` takes.

    `picture` and `name`, shape (n,), are indices into `emojis`, and so are an example's inputs;
    `label` is an index into `answers`, −1 where there is none. Pairs whose picture, or whose name,
    is of the same kin share a group.
    """

    question: Question
    emojis: Sequence[Emoji]
    picture: NDArray[np.int64]
    name: NDArray[np.int64]
    label: NDArray[np.int64]

    @property
    def answers(self) -> tuple[str, ...]:
        """The candidate answers."""
        return ("no", "yes") if self.question.answer == "match" else categories(self.emojis)

    def __len__(self) -> int:
        return len(self.label)

    def __iter__(self) -> Iterator[Example]:
        # Zero-padded, so that words sort as the numbers do.
        kin = [f"{number:05d}" for number in kin_numbers(self.emojis)]
        pairs = zip(self.picture.tolist(), self.name.tolist(), self.label.tolist(), strict=True)
        for row, (picture, name, label) in enumerate(pairs):
            groups = {"picture": kin[picture], "name": kin[name]}
            yield Example(str(row), {"image": picture, "text": name}, label, groups)

    def unpaired(self) -> list[Example]:
        """Return each emoji once with its own name, for redrawn pairs."""
        members = np.unique(np.concatenate([self.picture, self.name])).tolist()
        return [Example(f"{i:05d}", {"image": i, "text": i}) for i in members]

    def shown(self, example: Example) -> dict[str, Any]:
        """Return the picture and the name of an example."""
        picture, name = (self.emojis[example.inputs[modality]] for modality in MODALITIES)
        return {"image": picture_of(picture.picture.read_bytes()), "text": name.name}

    def fingerprint(self) -> str:
        """Return a hash of the question and its pairs."""
        digest = hashlib.sha256(repr(self.question).encode())
        for numbers in (self.picture, self.name):
            digest.update(" ".join(self.emojis[number].key for number in numbers).encode())
        digest.update(self.label.tobytes())
        return digest.hexdigest()[:16]


def question_named(name: str) -> Question:
    """Look a question up.

    Raises InputError if there is no question of that name.
    """
    if name not in QUESTIONS:
        hint = suggestion(name, QUESTIONS)
        raise InputError(f"there is no question {name!r}; choose from {', '.join(QUESTIONS)}{hint}")
    return QUESTIONS[name]


def label_pairs(
    question: Question,
    emojis: Sequence[Emoji],
    picture: NDArray[np.int64],
    name: NDArray[np.int64],
) -> PairedExamples:
    """Attach the right answer to given pairs."""
    category = {word: index for index, word in enumerate(categories(emojis))}
    kind = np.array([category[emoji.category] for emoji in emojis])
    match question.answer:
        case "match":
            label = (picture == name).astype(np.int64)
        case "picture":
            label = kind[picture]
        case "name":
            label = kind[name]
        case "own":
            label = np.where(kind[picture] == kind[name], kind[picture], -1)
    return PairedExamples(question, emojis, picture, name, label)


def draw_partners(
    emojis: Sequence[Emoji],
    members: NDArray[np.int64],
    rounds: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw partners for every member, none of them its kin, shape (rounds, len(members)).

    A round is one permutation, so that every name is used once a round. Where a permutation pairs
    kin, the names of random members change places until it does not.
    """
    kin = np.array([emojis[i].kin for i in members])
    if len(set(kin)) < 3:
        raise InputError(f"partners cannot be drawn from {len(set(kin))} different emojis")
    drawn = []
    for _ in range(rounds):
        partner = generator.permutation(len(members))
        while (clash := np.flatnonzero(kin[partner] == kin)).size:
            other = generator.integers(len(members), size=clash.size)
            for i, j in zip(clash, other, strict=True):
                partner[i], partner[j] = partner[j], partner[i]
        drawn.append(members[partner])
    return np.stack(drawn)


def observed_pairs(
    question: Question,
    emojis: Sequence[Emoji],
    members: NDArray[np.int64],
    *,
    rounds: int = 2,
    seed: int = 0,
) -> PairedExamples:
    """Pair pictures and names as the question asks, inside blocks that nothing straddles.

    `members` are the emojis to use, such as the held-out ones. Every picture is paired with
    `rounds` names (``kind``: its own alone; ``match``: its own and one other's, whatever `rounds`
    says). `seed` fixes the blocks and the partners.
    """
    generator = np.random.default_rng(seed)
    kins = sorted({emojis[i].kin for i in members})
    block_of_kin = dict(zip(kins, generator.permutation(len(kins)) % BLOCKS, strict=True))
    block = np.array([block_of_kin[emojis[i].kin] for i in members])
    pictures, names = [], []
    for number in range(BLOCKS):
        inside = members[block == number]
        if question.answer == "own":
            partners = inside[None]
        elif question.answer == "match":
            partners = np.concatenate([inside[None], draw_partners(emojis, inside, 1, generator)])
        else:
            partners = draw_partners(emojis, inside, rounds, generator)
        pictures.append(np.tile(inside, len(partners)))
        names.append(partners.ravel())
    return label_pairs(question, emojis, np.concatenate(pictures), np.concatenate(names))
