"""Emoji questions: four questions about a picture and a name, whose decompositions are known.

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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.emoji import Emoji, categories
from modalprism.errors import InputError
from modalprism.suggest import suggestion

Answer = Literal["own", "picture", "name", "match"]

MODALITIES: Final = ("image", "text")
BLOCKS: Final = 12  # partners are drawn inside a block, so that folds can be made of whole blocks


@dataclass(frozen=True)
class Question:
    """What is asked, and who is right.

    Attributes
    ----------
    name : str
        Short name, the dataset's name in every output.
    text : str
        The words that the model reads before the name.
    answer : {"own", "picture", "name", "match"}
        Whose category is the answer, or whether the two belong together.
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


@dataclass(frozen=True)
class PairedExamples:
    """Pairs of a picture and a name, with the right answer.

    Attributes
    ----------
    question : Question
        What is asked about every pair.
    picture, name : ndarray of int64, shape (n,)
        Indices of emojis.
    label : ndarray of int64, shape (n,)
        The right answer, an index into `answers`; −1 where there is none (redrawn `kind`).
    answers : tuple of str
        The candidate answers.
    """

    question: Question
    picture: NDArray[np.int64]
    name: NDArray[np.int64]
    label: NDArray[np.int64]
    answers: tuple[str, ...]


def question_named(name: str) -> Question:
    """Look a question up.

    Raises
    ------
    InputError
        If there is no question of that name.
    """
    if name not in QUESTIONS:
        hint = suggestion(name, QUESTIONS)
        raise InputError(f"there is no question {name!r}; choose from {', '.join(QUESTIONS)}{hint}")
    return QUESTIONS[name]


def candidate_answers(question: Question, emojis: Sequence[Emoji]) -> tuple[str, ...]:
    """Return the answers that the model may choose from."""
    return ("no", "yes") if question.answer == "match" else categories(emojis)


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
    return PairedExamples(question, picture, name, label, candidate_answers(question, emojis))


def draw_partners(
    emojis: Sequence[Emoji],
    members: NDArray[np.int64],
    rounds: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Give every member `rounds` partners among the members, each no kin of it.

    A round is one permutation, so that every name is used once a round. Where a permutation pairs
    kin, the names of random members change places until it does not.

    Returns
    -------
    ndarray of int64, shape (rounds, len(members))
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

    Parameters
    ----------
    question : Question
    emojis : sequence of Emoji
    members : ndarray of int64
        The emojis to use, such as the held-out ones.
    rounds : int
        How many names every picture is paired with (``kind``: its own alone; ``match``: its own
        and one other's, whatever `rounds` says).
    seed : int
        Fixes the blocks and the partners.
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


def redrawn_pairs(
    question: Question,
    emojis: Sequence[Emoji],
    members: NDArray[np.int64],
    *,
    examples: int,
    partners: int,
    seed: int = 0,
) -> PairedExamples:
    """Run a sample of pictures with `partners` names each, and each name with as many pictures.

    The sample's members stand in a random circle; picture i meets the names i+1, …, i+partners.
    Every picture and every name is thus seen equally often, and never with its own.

    Returns
    -------
    PairedExamples
        ``examples × partners`` rows; row ``i·partners + j`` is picture i with name i+1+j.
    """
    if not 2 <= partners < examples <= len(members):
        raise InputError(
            f"redrawn pairs need 2 <= partners < examples <= {len(members)}, "
            f"not {partners} partners and {examples} examples"
        )
    circle = np.random.default_rng(seed).permutation(members)[:examples]
    start = np.arange(examples)[:, None]
    picture = np.broadcast_to(circle[start], (examples, partners)).ravel()
    name = circle[(start + 1 + np.arange(partners)) % examples].ravel()
    return label_pairs(question, emojis, picture, name)
