"""The examples of a run that carry most of each atom, with what a person sees of them.

Only chosen examples are looked up in the dataset; a later run takes them from a cache. Their inputs
are small enough for a page: a thumbnail, a few words, a waveform.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from modalprism.cache import Cache, Entry, Key
from modalprism.errors import InputError
from modalprism.progress import Track, silent
from modalprism.results.examples import OBSERVED, ShownExample
from modalprism.results.quantities import ATOMS, keys
from modalprism.studies.evidence_store import AnalysisKey, StoredEvidence
from modalprism.studies.example_store import pack_examples, unpack_examples, write_examples
from modalprism.studies.study_store import Origin, Recording, StudyStore
from modalprism.studies.views import NO_LAYER

EACH: Final = 4
"""Examples of an atom."""
EXAMPLES_FOLDER: Final = "examples"
"""Cached examples, in the folder of a run."""
_VERSION: Final = 2
"""Raised when examples are looked up or shown otherwise."""
_LONGEST_ANSWER: Final = 80
LEAST: Final = 0.005
"""Smaller scores read 0.00, and are not shown."""
_NEAR: Final = 0.8
"""Another input with this part of the best score left is shown before the same input again."""
THUMBNAIL: Final = 96
"""The longer side of a thumbnail, in pixels."""
LONGEST_TEXT: Final = 240
"""Letters of a text."""
_QUALITY: Final = 82
_WAVE: Final = (THUMBNAIL, 40)
_PAPER, _WAVE_INK = "#ffffff", "#3d4650"


def gather_examples(
    folder: Path,
    stores: Sequence[StudyStore],
    evidence: Mapping[AnalysisKey, StoredEvidence],
    modalities: tuple[str, str],
    unit: str,
    track: Track = silent,
) -> None:
    """Choose the examples of a run, look up what a person sees of them, and write them.

    They are chosen by the pointwise atoms, in `unit`, of the answer view on observed pairs, where a
    row is an example.
    """
    cache = Cache(folder / EXAMPLES_FOLDER)
    examples: list[ShownExample] = []
    for study_store in track(stores, total=len(stores), description="looking up examples"):
        case = AnalysisKey(study_store.model, study_store.dataset, "answer", OBSERVED, NO_LAYER)
        stored = evidence.get(case)
        if stored is None or stored.evidence.rows is None:  # no answer view, or no rows
            continue
        chosen = _chosen(study_store, stored.evidence.row_atoms, modalities, unit)
        examples += _shown(study_store, stored, chosen, cache) if chosen else ()
    write_examples(folder, examples)


def _shown(
    study_store: StudyStore, stored: StoredEvidence, chosen: Sequence[ShownExample], cache: Cache
) -> Sequence[ShownExample]:
    """Add what a person sees of examples, from the cache where they are the same."""
    if study_store.origin is None:
        return chosen
    inputs = {
        "sample": stored.sample,
        "fingerprint": study_store.store.metadata.get("fingerprint", ""),
        "chosen": [asdict(example) for example in chosen],
    }
    key = Key(f"{study_store.model}-{study_store.dataset}", {"examples": _VERSION}, inputs)
    if entry := cache.find(key):
        return unpack_examples(entry.files["parquet"], "the cache of examples")
    rows = sorted({example.row for example in chosen})
    found = _read(study_store.origin, rows, chosen[0].modalities)
    shown = [replace(example, **found[example.row]) for example in chosen]
    if not any(example.note for example in shown):  # what cannot be read is tried again
        cache.put(key, Entry(None, {"parquet": pack_examples(shown)}))
    return shown


def _chosen(
    study_store: StudyStore, atoms: NDArray[np.float64], modalities: tuple[str, str], unit: str
) -> list[ShownExample]:
    """Choose the examples of a case, before anything is looked up."""
    store, origin = study_store.store, study_store.origin
    label, answer, identities = (
        store.array(name) if name in store.names else None for name in ("label", "answer", "id")
    )
    candidates = json.loads(store.metadata.get("candidates", "[]"))
    candidates = candidates or (origin.candidates if origin else ())
    answered = answer.argmax(1) if answer is not None and answer.ndim == 2 else answer
    score, inputs = net_atoms(atoms), list(store.groups().values())
    chosen = []
    for place, (atom, modality) in enumerate(keys(ATOMS, modalities)):
        for rank, row in enumerate(chosen_rows(score[:, place], inputs, answered, EACH)):
            redundancy, one, other, synergy = (float(value) for value in atoms[row])
            example = ShownExample(
                study_store.model,
                study_store.dataset,
                atom,
                modality or None,
                rank,
                row,
                "" if identities is None else str(identities[row]),
                modalities,
                (redundancy, one, other, synergy),
                unit,
                None if label is None or label.ndim != 1 else _word(label[row], candidates),
                None if answered is None else _word(answered[row], candidates),
                None if answer is None or answer.ndim != 2 else _probability(answer[row]),
            )
            chosen.append(example)
    return chosen


def _probability(answer: NDArray[Any]) -> float:
    return float(answer.max() / answer.sum())


def _word(value: Any, candidates: Sequence[str]) -> str | None:
    """Return an answer in words where they are known, else its number; None where there is none."""
    if isinstance(value, int | np.integer):
        if value < 0:  # how datasets say that nothing is right
            return None
        return clipped(candidates[int(value)] if value < len(candidates) else str(value))
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else f"{value:g}"
    return clipped(str(value), _LONGEST_ANSWER)


def _read(origin: Origin, rows: list[int], modalities: tuple[str, str]) -> dict[int, Any]:
    try:
        shown = origin.shown(rows)
        return {row: _inputs(one, modalities) for row, one in zip(rows, shown, strict=True)}
    except (InputError, OSError) as error:
        if len(rows) == 1:
            return {rows[0]: {"note": clipped(str(error))}}
    # One of them, or all: each by itself.
    return {row: found for one in rows for row, found in _read(origin, [one], modalities).items()}


def _inputs(shown: Mapping[str, Any], modalities: tuple[str, str]) -> dict[str, Any]:
    first, second = (
        picture_and_text(shown[name]) if name in shown else (None, None) for name in modalities
    )
    return {"pictures": (first[0], second[0]), "texts": (first[1], second[1])}


def net_atoms(atoms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how well each row stands for each atom, (n, 4), from its pointwise atoms.

    The score is the atom of a row and all of its other atoms that are below zero. Where a modality
    misleads, redundancy of +5 stands beside a unique information of −5, and their sum is nothing;
    the largest values alone are often such pairs. A score never exceeds the row's information.

    Examples
    --------
    >>> net_atoms(np.array([[5.0, -5.0, 0.0, 0.1], [2.0, 0.1, -0.2, 0.0]]))[:, 0].tolist()
    [0.0, 1.8]
    """
    taken = np.minimum(atoms, 0)
    net: NDArray[np.float64] = atoms + taken.sum(1, keepdims=True) - taken
    return net


def chosen_rows(
    score: NDArray[np.float64],
    inputs: Sequence[NDArray[Any]],
    answer: NDArray[Any] | None,
    count: int,
) -> list[int]:
    """Choose at most `count` rows with the largest scores, (n,), the best first.

    Rows that share a value in any of `inputs`, (n,) each, show the same input: one is chosen, as
    long as another with a different input has nearly as large a score. The same holds for `answer`
    where inputs leave a choice. Scores up to `LEAST` are not chosen; the first of equal rows is.

    Examples
    --------
    >>> picture = np.array(["cat", "cat", "dog", "owl"])
    >>> chosen_rows(np.array([3.0, 2.9, 2.8, 0.5]), [picture], None, 3)
    [0, 2, 1]
    """
    alike = [*inputs, *([] if answer is None else [answer])]
    wishes = (len(alike), len(inputs))  # that all differ, or the inputs at least
    order = np.argsort(-score, kind="stable")
    left: list[int] = order[score[order] > LEAST].tolist()
    known: list[set[Any]] = [set() for _ in alike]
    taken: list[int] = []
    while left and len(taken) < count:
        enough = _NEAR * score[left[0]]
        near = [row for row in left if score[row] >= enough]
        others = (
            row
            for most in wishes
            for row in near
            if not any(alike[i][row] in known[i] for i in range(most))
        )
        row = next(others, left[0])
        left.remove(row)
        taken.append(row)
        for values, used in zip(alike, known, strict=True):
            used.add(values[row])
    return taken


def picture_and_text(value: Any) -> tuple[bytes | None, str | None]:
    r"""Return an input as a picture, WebP, and as text; either may be None.

    Examples
    --------
    >>> picture_and_text("  a cat\n on a mat ")
    (None, 'a cat on a mat')
    >>> picture_and_text(np.zeros((3, 4)))
    (None, 'an array of 3 × 4 numbers')
    """
    if isinstance(value, Image.Image):
        return thumbnail(value), None
    if isinstance(value, Recording):
        seconds = len(value.samples) / value.rate
        return waveform(value.samples), f"a recording of {seconds:.1f} s"
    if isinstance(value, np.ndarray) and value.ndim:
        return None, f"an array of {' × '.join(map(str, value.shape))} numbers"
    return None, clipped(str(value))


def clipped(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text on one line, cut after a word where it is too long.

    Examples
    --------
    >>> clipped("one two three four", 12)
    'one two…'
    """
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    start = text[: longest - 1]
    words, space, _ = start.rpartition(" ")
    # A text without spaces, as in many scripts, is cut between letters.
    return f"{words if space and len(words) > longest // 2 else start}…"


def thumbnail(picture: Image.Image) -> bytes:
    """Return a picture as WebP, at most `THUMBNAIL` pixels wide and high."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _webp(small)


def waveform(samples: NDArray[Any]) -> bytes:
    """Draw a recording: its loudness from start to end, relative to its loudest moment."""
    width, height = _WAVE
    loudness = np.abs(np.asarray(samples, dtype=np.float64))
    pieces = np.array_split(loudness, min(width, max(len(loudness), 1)))
    peaks = np.array([piece.max(initial=0.0) for piece in pieces])
    peaks = np.repeat(peaks, -(-width // len(peaks)))[:width] / (peaks.max() or 1.0)
    image = Image.new("RGB", _WAVE, _PAPER)
    pen = ImageDraw.Draw(image)
    middle = (height - 1) / 2
    for column, peak in enumerate(peaks.tolist()):
        reach = round(peak * (middle - 2))  # silence is a line
        pen.line([(column, middle - reach), (column, middle + reach)], fill=_WAVE_INK)
    return _webp(image)


def _webp(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()
