"""Drafts of study files: commented YAML, from embeddings or from a model and its data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from modalprism.capture.config import CaptureConfig
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.columns import Columns
from modalprism.datasets.config import DatasetConfig
from modalprism.datasets.examples import open_examples
from modalprism.datasets.labels import distinct_answers
from modalprism.datasets.recognise import open_dataset
from modalprism.errors import InputError
from modalprism.foreign import redacted
from modalprism.remote import is_address
from modalprism.suggest import listed, suggestion
from modalprism.yaml_files import quoted

_TARGETS: Final = ("label", "answer")
_FURTHER_KEYS: Final[dict[str, Any]] = {
    "prompt": "{question} Answer yes or no.",
    "limit": 2000,
    "redrawn": 160,
    "partners": None,
    "layers": None,
    "pool": None,
    "batch_size": None,
    "device": None,
    "on_error": None,
    "revision": "main",
}
"""Keys that a draft shows in comments, with an example where the default says little."""
_LABELS_READ: Final = 2000
_MOST_CANDIDATES: Final = 20
_MOST_SHOWN: Final = 30
_HUB_ID: Final = re.compile(r"\w[\w.-]*(?:/[\w.-]+)?")


def _draft(
    title: str,
    source: str,
    modalities: Iterable[str],
    views: Iterable[str],
    notes: Iterable[str],
    file: Path,
) -> str:
    """Return a study file; `source` has the lines of its one input, `notes` are comments."""
    comments = "".join(f"# {note}\n" for note in notes)
    return f"""\
# A study: what to decompose, and where the result goes. Run it with: modalprism run FILE
# docs/studies.md explains every key. Keep words in quotes: YAML reads a bare yes, no, on or 010 as
# something else. Lines that begin with "#" show defaults and further keys.

title: {quoted(title)}  # of the report

sources:  # one or more; each becomes a row of the report
{source}
{comments}# The order of the two modalities is the order of every table.
modalities: {_list(modalities)}

# answer: what the model's answer owes to each modality, before fusion.
# stream: what the two streams hold about the label, layer by layer.
# encoding: what the fused state holds of each modality, layer by layer.
views: {_list(views)}

# pairs: ["observed"]     # and "redrawn": every input with the other inputs of other examples
# layers: null            # of the stream and encoding views: all, or a list such as [0, 4, 8]
# base: 2                 # of the logarithm: bits
# estimator: "posterior"  # calibrated probes; or "codebook": counts of codes
# folds: 5
# replicates: 1000        # bootstrap replicates behind each interval
# permutations: 199       # draws behind each p-value
# effort: "default"       # probes: "fast" has no trees, "thorough" more of them
# seed: 0
# workers: 0              # local processes; 0 is one a core
# baselines: "all"        # other methods on the same examples, or a list of names; needs a model

out: {quoted(f"runs/{file.stem}")}  # the run's folder, relative to this file
"""


def draft_of_embeddings(
    place: str | Path,
    file: Path,
    *,
    modalities: Sequence[str] = (),
    target: str | None = None,
) -> str:
    """Return a study of embeddings, which runs as it stands; it will be written to `file`.

    `place` is a store or a file of named arrays, here or at an address. The modalities are by
    default those of the file, where it holds two; the target is "answer" where there is one, else
    "label". An `InputError` refuses a file that does not hold what a study needs.
    """
    store = EmbeddingStore.open(place)
    target = _target_in(store, place, target)
    first, second = _modalities_in(store, place, modalities)
    layers = store.layers((first, second))
    if not layers:
        raise InputError(f"{place} has no layer that both {first!r} and {second!r} have")
    of_label = target == "label" and "answer" in store.names  # the answer view reads the answer
    views = ("stream",) if of_label else ("answer", "stream") if len(layers) > 1 else ("answer",)
    notes = [f"Modalities in the file: {_list(store.modalities)}."]
    notes.append(f"Layers that both have: {len(layers)}. The target is {quoted(target)}.")
    if store.fused_layers:
        notes.append('The file holds fused states: "encoding" may be among the views.')
    if "redrawn/answer" in store.names:
        notes.append('The file holds redrawn pairs: pairs may be ["observed", "redrawn"].')
    source = f"""\
  - path: {quoted(_from(file, place))}  # relative to this file
    model: {quoted(_stem(place))}  # names in tables and figures
    dataset: "dataset"
"""
    return _draft(_stem(place), source, (first, second), views, notes, file)


def draft_of_capture(
    model: str,
    data: str,
    file: Path,
    *,
    modalities: Sequence[str] = (),
    target: str | None = None,
) -> str:
    """Return a study that captures a model on a dataset, with columns guessed by their names.

    `model` is a folder or an id of the model hub, `data` a dataset as `open_examples` takes it.
    Each of `modalities` is ``image=column`` or the name of a guessed one; two are written.
    `target` is the column of right answers. An `InputError` says what is missing.
    """
    if not Path(model).is_dir() and (Path(model).exists() or not _HUB_ID.fullmatch(model)):
        raise InputError(
            f"there is no model folder {model}; check the path, or give an id of the model hub, "
            "owner/name"
        )
    available = open_dataset(data).columns
    given = [flag for flag in modalities if "=" in flag]
    columns = replace(Columns.from_flags(given), label=target).among(available)
    first, second = _two_of(tuple(columns.modalities), modalities, data)
    guessed = not given or target is None
    source = f"""\
  - model: {quoted(_from(file, model))}  # a folder, or an id of the model hub
    data: {quoted(_from(file, data))}
{_columns(columns, (first, second), available, guessed)}{_candidates(data, columns)}\
{_further_keys()}"""
    notes = ['Add "stream" or "encoding" to the views for what each layer holds.']
    title = f"{_stem(model)} on {_stem(data)}"
    return _draft(title, source, (first, second), ["answer"], notes, file)


def _further_keys() -> str:
    """Return commented lines of further keys, with an example or the default of each."""
    lines = []
    for name, example in _FURTHER_KEYS.items():
        field = (DatasetConfig.model_fields | CaptureConfig.model_fields)[name]
        value = field.default if example is None else example
        words = "null" if value is None else quoted(value) if isinstance(value, str) else value
        lines.append(f"    # {name}: {words}")
        lines += [f"    #   {line}" for line in wrap(str(field.description), 90)]
    return "\n".join(lines) + "\n"


def _target_in(store: EmbeddingStore, place: str | Path, target: str | None) -> str:
    held = [name for name in _TARGETS if name in store.names]
    if target is None and held:
        return "answer" if "answer" in held else "label"
    if target in held:
        return str(target)
    shown = "none" if target is None else repr(target)
    raise InputError(
        f"the target of a study is an array called 'label' or 'answer', target is {shown}, and "
        f"{redacted(str(place))} has {listed(map(repr, store.names))}; rename the array"
        f"{suggestion(target or 'label', held)}",
        parameter="target",
    )


def _modalities_in(
    store: EmbeddingStore, place: str | Path, named: Sequence[str]
) -> tuple[str, str]:
    held = store.modalities
    if missing := [name for name in named if name not in held]:
        raise InputError(
            f"{redacted(str(place))} has no modality {missing[0]!r}; it has "
            f"{listed(map(repr, held))}{suggestion(missing[0], held)}",
            parameter="modality",
        )
    chosen = tuple(dict.fromkeys(named)) or held
    if len(chosen) != 2:
        raise InputError(
            f"a study has two modalities, and there are {len(chosen)}: "
            f"{listed(map(repr, chosen))}; name two by modality",
            parameter="modality",
        )
    return chosen[0], chosen[1]


def _two_of(found: Sequence[str], named: Sequence[str], data: str) -> tuple[str, str]:
    """Return the modalities that the user named, in this order, or the two that were found."""
    names = [flag.partition("=")[0].partition(":")[0].strip() for flag in named]
    if unknown := [name for name in names if name not in found]:
        raise InputError(
            f"{data} has no modality {unknown[0]!r}; found are "
            f"{listed(map(repr, found))}; say which column it is, "
            f"{unknown[0]}=column{suggestion(unknown[0], found)}",
            parameter="modality",
        )
    chosen = list(dict.fromkeys([*names, *found]))
    if len(chosen) < 2 or (len(names) < 2 < len(chosen)):
        raise InputError(
            f"a study has two modalities, and in {data} found are "
            f"{listed(map(repr, found))}; name two by modality, "
            "image=column and text=column",
            parameter="modality",
        )
    return chosen[0], chosen[1]


def _columns(
    columns: Columns, chosen: Sequence[str], available: Sequence[str], guessed: bool
) -> str:
    why = "guessed by their names; please check" if guessed else "as given"
    lines = [
        f"    # The data has the columns {_list(available[:_MOST_SHOWN])}.",
        f"    columns:  # {why}",
    ]
    for name in chosen:
        one = columns.modalities[name]
        role = name if one.kind == name else f"{name}:{one.kind}"
        column = _list(one.columns) if one.beside else quoted(one.column)
        lines.append(f"      {quoted(role)}: {column}")
    for role, given in (("label", columns.label), ("id", columns.id)):
        absent = f"      # {role}: {quoted(available[0])}"
        lines.append(f"      {role}: {quoted(given)}" if given else absent)
    groups = f"      group: {_list(columns.groups)}"
    absent = f"      # group: [{quoted(available[0])}]  # rows that must not straddle folds"
    lines.append(groups if columns.groups else absent)
    return "\n".join(lines) + "\n"


def _candidates(data: str, columns: Columns) -> str:
    """Return the words among which the model chooses: those of the labels, where there are few."""
    words: list[str] = []
    if columns.label:
        examples = islice(open_examples(data, columns), _LABELS_READ)
        words = distinct_answers(str(one.label) for one in examples if one.label is not None)
    if 2 <= len(words) <= _MOST_CANDIDATES:
        return (
            "    # The answers among which the model chooses: the labels of the first rows. Where\n"
            "    # the model answers in other words, give these, and which label is which:\n"
            '    # answers: {"0": "no", "1": "yes"}\n'
            f"    candidates: {_list(words)}\n"
        )
    return '    # candidates: ["yes", "no"]  # the answers among which the model chooses\n'


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, words))}]"


def _stem(place: str | Path) -> str:
    name = redacted(str(place)).rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return name.partition(".")[0] or name or "study"


def _from(file: Path, place: str | Path) -> str:
    """Name a place from the study's folder; addresses and ids of the hub stay as they are."""
    if is_address(place) or not (Path(place).exists() or re.search(r"[{*]", str(place))):
        return str(place)
    try:
        relative = os.path.relpath(place, file.parent)
    except ValueError:  # another drive
        return str(Path(place).resolve())
    return relative if relative.startswith(os.pardir) else os.path.join(os.curdir, relative)
