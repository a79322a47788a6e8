"""Notices of a store: cut texts, unmatched labels and the like, counted during capture.

Each shard of a store counts for its own rows (`ShardNotices`, in the shard's index). When a capture
ends, `notices_of` adds them up, and the sum (`Notices`) stands in the mark of the finished store.
`modalprism inspect`, the log of a capture and the cautions of a report say it in sentences.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from modalprism.capture.adapter import Adapter
from modalprism.datasets.example import Example
from modalprism.datasets.labels import unmatched
from modalprism.errors import InputError
from modalprism.foreign import parse_json

LONGEST_PROMPT: Final = 4000
_IDS: Final = (
    ("decoder_input_ids", "decoder_attention_mask"),
    ("input_ids", "attention_mask"),
)
"""Names of token ids in prepared inputs, and of their mask."""
_REPEATED: Final = re.compile(r"(<[^<>\s]+>)(?:\s*\1){3,}")


def cut_texts(
    adapter: Adapter, examples: Sequence[Example], inputs: Mapping[str, Tensor]
) -> tuple[int, int]:
    """Count the examples whose text was cut, and return how many tokens of a text were kept.

    A text was cut if its own tokens are more than those that the model was sent. Nothing is
    counted where the adapter has no tokenizer or the inputs have no token ids.

    Parameters
    ----------
    adapter : Adapter
    examples : sequence of Example
    inputs : mapping of name to Tensor
        As `adapter` prepared them.
    """
    sent = _sent(inputs)
    if sent is None or adapter.tokenizer is None:
        return 0, 0
    lengths = sent[1].sum(1).tolist()
    kept = [
        length
        for example, length in zip(examples, lengths, strict=True)
        if isinstance(text := example.inputs.get("text"), str)
        and adapter.text_length(text) > length
    ]
    return len(kept), max(kept, default=0)


def prompt_of(adapter: Adapter, example: Example, inputs: Mapping[str, Tensor]) -> str:
    """Return the text that a model was sent for an example, with all marks.

    The text is decoded from the token ids of the first row of `inputs`. Where there are none, or no
    tokenizer, it is the example's text. Runs of one mark, such as image tokens, are shortened to
    ``<image>×576``.

    Parameters
    ----------
    adapter : Adapter
    example : Example
        The first of the batch.
    inputs : mapping of name to Tensor
        The batch, as `adapter` prepared it.
    """
    sent = _sent(inputs)
    if sent is not None and adapter.tokenizer is not None:
        ids, mask = sent
        said = str(adapter.tokenizer.decode(ids[0][mask[0]].tolist()))
    else:
        said = next(
            (
                value
                for name in ("text", *adapter.modalities)
                if name in example.inputs and isinstance(value := example.inputs[name], str)
            ),
            "",
        )
    said = _REPEATED.sub(lambda run: f"{run[1]}×{run[0].count(run[1])}", said)
    if len(said) <= LONGEST_PROMPT:
        return said
    return f"{said[:LONGEST_PROMPT]}… ({len(said):,} characters)"


def _sent(inputs: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    """Return token ids and a mask of those that are no padding, (b, t) each."""
    for name, mask_name in _IDS:
        ids = inputs.get(name)
        if isinstance(ids, Tensor) and ids.ndim == 2:
            mask = inputs.get(mask_name)
            if isinstance(mask, Tensor) and mask.shape == ids.shape:
                return ids, mask.bool()
            return ids, torch.ones_like(ids, dtype=torch.bool)
    return None


_NAMED = 5  # labels or candidates; of more only the number is said


@dataclass(frozen=True)
class ShardNotices:
    """Counts over the rows of a batch or of a shard.

    Attributes
    ----------
    texts_cut : int
        Rows whose text was longer than the model's context.
    text_tokens : int
        How many tokens were kept of the longest text that was cut.
    same : mapping of layer to int
        Rows whose state is the same number for both modalities.
    prompt : str
        What the model was sent for the first row of the store; empty in all other shards.
    """

    texts_cut: int = 0
    text_tokens: int = 0
    same: Mapping[str, int] = field(default_factory=dict)
    prompt: str = ""

    @classmethod
    def summed(cls, shards: Iterable[ShardNotices]) -> ShardNotices:
        """Add up the counts of several; the first prompt counts."""
        shards = list(shards)
        same: Counter[str] = Counter()
        for shard in shards:
            same.update(shard.same)
        return cls(
            sum(shard.texts_cut for shard in shards),
            max((shard.text_tokens for shard in shards), default=0),
            dict(same),
            next((shard.prompt for shard in shards if shard.prompt), ""),
        )

    @classmethod
    def read(cls, content: Any) -> ShardNotices:
        """Read what `said` returned; what is missing or of another kind counts as nothing."""
        found = _of_kind(cls(), content)
        same = found.pop("same", {}).items()
        known = {layer: n for layer, n in same if layer.isdecimal() and type(n) is int}
        return cls(**found, same=known)

    def said(self) -> dict[str, Any]:
        """Return what is not empty, as JSON has it."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Notices:
    """What a reader of a store must know of how it was captured.

    Attributes
    ----------
    rows : int
    texts_cut, text_tokens : int
        See `ShardNotices`.
    labels : int
        Rows with a label.
    labels_unmatched : int
        Labels that are no candidate.
    commonest_unmatched : tuple of str
    unknown_candidates : tuple of str
        Candidates that the tokenizer does not know.
    same_candidates : tuple of str
        Candidates that are the same tokens to the model as another.
    same_layers : tuple of int
        Layers at which both modalities have the same states in all rows.
    prompt : str
        What the model was sent for the first row.

    Examples
    --------
    >>> Notices(rows=8, texts_cut=6, text_tokens=77).sentences()
    ['6 of 8 texts are longer than the model reads and were cut to 77 tokens; what stands behind \
is not in the states.']
    """

    rows: int = 0
    texts_cut: int = 0
    text_tokens: int = 0
    labels: int = 0
    labels_unmatched: int = 0
    commonest_unmatched: tuple[str, ...] = ()
    unknown_candidates: tuple[str, ...] = ()
    same_candidates: tuple[str, ...] = ()
    same_layers: tuple[int, ...] = ()
    prompt: str = ""

    @classmethod
    def of(
        cls,
        rows: int,
        shards: Iterable[ShardNotices],
        labels: Sequence[int | str],
        words: Mapping[str, Any],
    ) -> Notices:
        """Add up the notices of a store's shards.

        Parameters
        ----------
        rows : int
        shards : iterable of ShardNotices
        labels : sequence of int or str
            All labels of the store; empty where it has none.
        words : mapping
            What the store says of itself: its candidates, and those that the model cannot tell.
        """
        summed = ShardNotices.summed(shards)
        candidates = words.get("candidates", [])
        others = unmatched(labels, candidates) if candidates else Counter()
        return cls(
            rows=rows,
            texts_cut=summed.texts_cut,
            text_tokens=summed.text_tokens,
            labels=len(labels),
            labels_unmatched=others.total(),
            commonest_unmatched=tuple(label for label, _ in others.most_common(_NAMED)),
            unknown_candidates=tuple(words.get("unknown_candidates", ())),
            same_candidates=tuple(words.get("same_candidates", ())),
            same_layers=tuple(
                sorted(int(layer) for layer, times in summed.same.items() if times == rows)
            ),
            prompt=summed.prompt,
        )

    @classmethod
    def read(cls, content: Any) -> Notices:
        """Read what `said` returned; what is missing or of another kind counts as nothing."""
        return cls(**_of_kind(cls(), content))

    def said(self) -> dict[str, Any]:
        """Return what is not empty, as JSON has it."""
        return {name: value for name, value in asdict(self).items() if value}

    def sentences(self) -> list[str]:
        """Return a sentence for everything that a reader must know before trusting the states."""
        said = []
        if self.texts_cut:
            said.append(
                f"{self.texts_cut:,} of {self.rows:,} texts are longer than the model reads and "
                f"were cut to {self.text_tokens:,} tokens; what stands behind is not in the states."
            )
        if self.labels_unmatched:
            seen = ", ".join(f"{label!r:.60}" for label in self.commonest_unmatched)
            said.append(
                f"{self.labels_unmatched:,} of {self.labels:,} labels are none of the candidates "
                f"(the commonest: {seen}), so that accuracy is not reported."
            )
        if self.unknown_candidates:
            said.append(
                f"The tokenizer does not know {_named(self.unknown_candidates)}: the model was "
                "asked for its mark of unknown words instead."
            )
        if self.same_candidates:
            said.append(
                f"{_named(self.same_candidates)} are the same to the model as another candidate."
            )
        if self.same_layers:
            layers = ", ".join(map(str, self.same_layers))
            said.append(
                f"Both modalities have the same states in all rows at layer {layers}: what is "
                "read there is one array, and its atoms say nothing of two modalities."
            )
        return said


def _of_kind(default: ShardNotices | Notices, content: Any) -> dict[str, Any]:
    """Return the values of a JSON object that have the types of a dataclass's fields."""
    content = content if isinstance(content, Mapping) else {}
    found: dict[str, Any] = {}
    for name, wanted in asdict(default).items():
        value = content.get(name)
        value = tuple(value) if isinstance(value, list) else value
        if type(value) is type(wanted):
            found[name] = value
    return found


def _named(candidates: Sequence[str]) -> str:
    """Name some candidates.

    Examples
    --------
    >>> _named(["a", "b"]), _named(list("abcdefg"))
    ("the candidates 'a', 'b'", "the candidates 'a', 'b', 'c', 'd', 'e' and 2 more")
    """
    more = len(candidates) - _NAMED
    names = ", ".join(map(repr, candidates[:_NAMED])) + (f" and {more} more" if more > 0 else "")
    return f"the candidate{'s' if len(candidates) > 1 else ''} {names}"


def notices_in(metadata: Mapping[str, str]) -> Notices:
    """Read the notices among a store's metadata; none where there are none."""
    try:
        return Notices.read(parse_json(metadata.get("notices", "{}"), "the notices"))
    except InputError:
        return Notices()
