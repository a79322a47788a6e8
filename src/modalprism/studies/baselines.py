"""Baselines beside a study: scores of the same models on the same examples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import pandas as pd
import pyarrow as pa
from pydantic import Field, field_validator

from modalprism.baselines import BASELINES
from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.running import Runner, drawn_rows
from modalprism.baselines.table import COLUMNS, frame_of
from modalprism.cache import Cache, Entry, Key
from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.options import Options, name_in
from modalprism.progress import Announce, Track
from modalprism.studies.study_store import StudyStore
from modalprism.tables import parquet_bytes, read_parquet

if TYPE_CHECKING:
    from modalprism.studies.study import Study

BASELINES_FILE: Final = "baselines.parquet"
_BACKWARD: Final = 2
"""Forward passes that a backward pass takes, about."""


class BaselineOptions(Options):
    """Baselines that a study runs, and the number of examples.

    Attributes
    ----------
    names : tuple of str
        Of `modalprism.baselines.BASELINES`; ``all`` is all of them.
    examples : int
        How many of every store's examples, drawn with the study's seed; all where there are fewer.
    """

    names: tuple[Annotated[str, name_in(BASELINES)], ...] = Field(
        default_factory=lambda: tuple(BASELINES.names()), min_length=1
    )
    examples: int = Field(default=200, ge=2)

    @field_validator("names", mode="before")
    @classmethod
    def _all(cls, names: Any) -> Any:
        return tuple(BASELINES.names()) if names == "all" else names

    @field_validator("names")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, eq=False)
class BaselineScores:
    """Scores of the baselines of a study, a row each; `left_out` are sentences on what has none."""

    frame: pd.DataFrame
    left_out: tuple[str, ...]


def run_baselines(
    study: Study,
    stores: Sequence[StudyStore],
    cache: Cache,
    *,
    track: Track,
    announce: Announce,
) -> BaselineScores:
    """Score every model on every dataset by every baseline, each once.

    `announce` is called with the cost of every model's baselines, before they begin. A baseline
    that cannot score a model is left out, with its reason, and stops no other.
    """
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    chosen, seed, replicates = study.baselines, study.seed, study.replicates
    if chosen is None:
        return BaselineScores(pd.DataFrame(columns=list(COLUMNS)), ())
    for study_store in stores:
        where = f"{study_store.model} on {study_store.dataset}"
        if study_store.origin is None:
            left_out.append(
                f"{where}: baselines run the model, and here are only its embeddings; name the "
                "model and its data among the sources, kind: capture"
            )
            continue
        options = {"examples": chosen.examples, "seed": seed, "replicates": replicates}
        keys = {name: _key(name, study_store, options) for name in chosen.names}
        found = {name: cache.find(key) for name, key in keys.items()}
        if missing := [name for name, entry in found.items() if entry is None]:
            store = study_store.store
            count = len(store.array("answer" if "answer" in store.names else "label"))
            attention = any(BASELINES[name].needs_attention for name in missing)
            rows_drawn = drawn_rows(count, chosen.examples, seed)
            subject = study_store.origin.subject(rows_drawn, attention=attention)
            subject = replace(subject, model=study_store.model, dataset=study_store.dataset)
            announce(f"{where}, {len(subject.examples)} examples: {_estimate(subject, missing)}")
            for name in missing:
                scored, lasting = _score(subject, name, seed, replicates, track)
                found[name] = cache.put(keys[name], scored) if lasting else scored
        for name, entry in found.items():
            if entry is None:
                continue
            rows += entry.value["rows"]
            if why := entry.value["left_out"]:
                left_out.append(f"{BASELINES[name].title} of {where}: {why}")
    # JSON has null for NaN.
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return BaselineScores(
        frame.astype(dict.fromkeys(("value", "low", "high"), float)), tuple(left_out)
    )


def _estimate(subject: Subject, names: Sequence[str]) -> str:
    """Return the cost of baselines in passes of one example, and in time, after a first batch."""
    costs = {}
    for name in names:
        try:
            costs[name] = BASELINES[name]().cost(subject)
        except InputError:  # it cannot score this model; `_score` keeps the reason
            continue
    if not costs:
        return "nothing to run"
    # Time a batch of the model, after one that warms it.
    first = replace(subject, examples=subject.examples[: max(2, subject.batch_size)])
    for _ in range(2):
        start = time.perf_counter()
        Runner(first).answers("timing")
    a_pass = (time.perf_counter() - start) / len(first.examples)
    whole = sum(costs.values(), Cost(0))
    seconds = (whole.forward + _BACKWARD * whole.backward) * a_pass
    each = ", ".join(f"{name} {cost}" for name, cost in costs.items())
    time_taken = f"at least {_duration(seconds)} at {a_pass * 1000:.2g} ms a pass"
    return f"{each}; {whole} passes, {time_taken}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _score(
    subject: Subject, name: str, seed: int, replicates: int, track: Track
) -> tuple[Entry, bool]:
    """Return scores or the reason why there are none, and whether the next run would have them."""
    baseline = BASELINES[name]()
    try:
        result = baseline.score(subject, seed=seed, replicates=replicates, track=track)
    except InputError as error:
        missing_library = isinstance(error.__cause__, ImportError)
        return Entry({"rows": [], "left_out": str(error)}), not missing_library
    return Entry({"rows": frame_of([result]).to_dict("records"), "left_out": ""}), True


def _key(name: str, study_store: StudyStore, options: dict[str, int]) -> Key:
    names = {"model": study_store.model, "dataset": study_store.dataset, "baseline": name}
    inputs = {**names, "store": study_store.store.digest(), **options}
    return Key("-".join(names.values()), {f"{name} baseline": BASELINES.version(name)}, inputs)


def write_baselines(folder: Path, frame: pd.DataFrame) -> None:
    """Write the scores of a run; the file appears whole or not at all."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    write_whole(folder / BASELINES_FILE, parquet_bytes(table))


def read_baselines(folder: Path) -> pd.DataFrame:
    """Read the scores of a run; an empty table where there are none."""
    path = folder / BASELINES_FILE
    if not path.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    frame: pd.DataFrame = read_parquet(path).to_pandas()
    if not set(COLUMNS) <= set(frame.columns):
        raise InputError(f"{path} lacks columns of baselines; run the study again")
    return frame
