"""Notices of a store: cut texts, unmatched labels and the like, counted during capture.

Each shard's index has the counts of its rows (`ShardNotices`), and ``finished.json`` their sum.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

import torch
from torch import Tensor

from modalprism.capture.adapter import Adapter
from modalprism.datasets.dataset import Example
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
_NAMED: Final = 5  # labels or candidates that a sentence names


class _Counts:
    """A dataclass of counts that is stored as JSON without its empty fields."""

    @classmethod
    def read(cls, content: Any) -> Self:
        """Read what `stored` returned; missing values and values of another type are ignored."""
        content = content if isinstance(content, Mapping) else {}
        found = {}
        for name, default in cls().stored(empty=True).items():
            value = content.get(name)
            value = tuple(value) if isinstance(value, list) else value
            if type(value) is type(default):
                found[name] = value
        return cls(**found)

    def stored(self, *, empty: bool = False) -> dict[str, Any]:
        """Return the fields that are not empty, as JSON has them."""
        fields = asdict(self)  # type: ignore[call-overload]
        return {name: value for name, value in fields.items() if value or empty}


@dataclass(frozen=True)
class ShardNotices(_Counts):
    """Counts over the rows of a batch or of a shard.

    `texts_cut` texts were longer than the model's context; `text_tokens` tokens were kept of the
    longest. `same` counts, by layer, rows whose state is the same for both modalities. `prompt` is
    that of the store's first row, and empty in all other shards.
    """

    texts_cut: int = 0
    text_tokens: int = 0
    same: Mapping[str, int] = field(default_factory=dict)
    prompt: str = ""

    @classmethod
    def summed(cls, shards: Iterable[ShardNotices]) -> ShardNotices:
        """Add up several; the first prompt counts."""
        shards = list(shards)
        same: Counter[str] = Counter()
        for shard in shards:
            counts = {layer: n for layer, n in shard.same.items() if type(n) is int}
            same.update({layer: n for layer, n in counts.items() if layer.isdecimal()})
        return cls(
            sum(shard.texts_cut for shard in shards),
            max((shard.text_tokens for shard in shards), default=0),
            dict(same),
            next((shard.prompt for shard in shards if shard.prompt), ""),
        )


@dataclass(frozen=True)
class Notices(_Counts):
    """Counts over a whole store, and the sentences that a reader has to know.

    `labels` counts rows with a label, and `labels_unmatched` those whose label is no candidate. The
    tokenizer does not know the `unknown_candidates`; `same_candidates` are the same tokens as
    another. At `same_layers`, both modalities have the same states in all rows. `prompt` is what
    the model was sent for the first row.

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
        metadata: Mapping[str, Any],
    ) -> Notices:
        """Add up the notices of shards.

        `labels` are all labels of the store; `metadata` its metadata, with the candidates.
        """
        summed = ShardNotices.summed(shards)
        candidates = metadata.get("candidates", [])
        others = unmatched(labels, candidates) if candidates else Counter()
        return cls(
            rows=rows,
            texts_cut=summed.texts_cut,
            text_tokens=summed.text_tokens,
            labels=len(labels),
            labels_unmatched=others.total(),
            commonest_unmatched=tuple(label for label, _ in others.most_common(_NAMED)),
            unknown_candidates=tuple(metadata.get("unknown_candidates", ())),
            same_candidates=tuple(metadata.get("same_candidates", ())),
            same_layers=tuple(
                sorted(int(layer) for layer, times in summed.same.items() if times == rows)
            ),
            prompt=summed.prompt,
        )

    def sentences(self) -> list[str]:
        """Return a sentence for every problem of the states."""
        sentences = []
        if self.texts_cut:
            sentences.append(
                f"{self.texts_cut:,} of {self.rows:,} texts are longer than the model reads and "
                f"were cut to {self.text_tokens:,} tokens; what stands behind is not in the states."
            )
        if self.labels_unmatched:
            seen = ", ".join(f"{label!r:.60}" for label in self.commonest_unmatched)
            sentences.append(
                f"{self.labels_unmatched:,} of {self.labels:,} labels are none of the candidates "
                f"(the commonest: {seen}), so that accuracy is not reported."
            )
        if self.unknown_candidates:
            sentences.append(
                f"The tokenizer does not know {_named(self.unknown_candidates)}: the model was "
                "asked for its token for unknown words instead."
            )
        if self.same_candidates:
            sentences.append(
                f"{_named(self.same_candidates)} are the same to the model as another candidate."
            )
        if self.same_layers:
            layers = ", ".join(map(str, self.same_layers))
            sentences.append(
                f"Both modalities have the same states in all rows at layer {layers}: what is "
                "read there is one array, and its atoms say nothing of two modalities."
            )
        return sentences


def cut_texts(
    adapter: Adapter, examples: Sequence[Example], inputs: Mapping[str, Tensor]
) -> tuple[int, int]:
    """Return the number of cut texts and the tokens kept of the longest.

    A text was cut if it has more tokens than the prepared inputs hold of it. Nothing is counted
    where the adapter has no tokenizer or the inputs have no token ids.
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
    """Return the prompt of the first example of a batch, with all marks.

    The text is decoded from the token ids of the first row of `inputs`. Where there are none, or no
    tokenizer, it is the example's text. Runs of one mark, such as image tokens, are shortened to
    ``<image>×576``.
    """
    sent = _sent(inputs)
    if sent is not None and adapter.tokenizer is not None:
        ids, mask = sent
        prompt = str(adapter.tokenizer.decode(ids[0][mask[0]].tolist()))
    else:
        names = [name for name in ("text", *adapter.modalities) if name in example.inputs]
        values = (example.inputs[name] for name in names)
        prompt = next((value for value in values if isinstance(value, str)), "")
    prompt = _REPEATED.sub(lambda run: f"{run[1]}×{run[0].count(run[1])}", prompt)
    if len(prompt) <= LONGEST_PROMPT:
        return prompt
    return f"{prompt[:LONGEST_PROMPT]}… ({len(prompt):,} characters)"


def _sent(inputs: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    """Return token ids and the mask of those that are not padding, (b, t) each."""
    for name, mask_name in _IDS:
        ids = inputs.get(name)
        if isinstance(ids, Tensor) and ids.ndim == 2:
            mask = inputs.get(mask_name)
            if isinstance(mask, Tensor) and mask.shape == ids.shape:
                return ids, mask.bool()
            return ids, torch.ones_like(ids, dtype=torch.bool)
    return None


def _named(candidates: Sequence[str]) -> str:
    more = len(candidates) - _NAMED
    names = ", ".join(map(repr, candidates[:_NAMED])) + (f" and {more} more" if more > 0 else "")
    return f"the candidate{'s' if len(candidates) > 1 else ''} {names}"


def notices_in(metadata: Mapping[str, str]) -> Notices:
    """Read the notices among a store's metadata; none where there are none."""
    try:
        return Notices.read(parse_json(metadata.get("notices", "{}"), "the notices"))
    except InputError:
        return Notices()
