"""Summaries of runs and of comparisons for the list."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from modalprism.errors import InputError
from modalprism.reports import cautions, headlines, summary_sentences
from modalprism.reports.compare import PAGE, TABLE
from modalprism.results.notation import counts
from modalprism.serve.file_cache import PATIENCE, FileCache
from modalprism.serve.files import downloads, read_regular
from modalprism.serve.folder import STUDY_FILE, Comparison, Run
from modalprism.studies.profile import MANIFEST_FILE, PROFILE_FILE, Profile
from modalprism.yaml_files import parse_yaml

_SIDES: Final = ("1", "2")
_COLUMNS: Final = [f"{part}_{side}" for side in _SIDES for part in ("run", "model", "dataset")]
# What a manifest or a table can do to code that trusts it, where somebody else wrote it.
_SURPRISES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Summary:
    """Title, contents and first sentence of a run or a comparison.

    `sizes` is the number of examples in words, `sentence` the first of the report, and `problem`
    why it cannot be read; empty where it can.
    """

    title: str
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    sizes: str = ""
    seed: str = ""
    sentence: str = ""
    warnings: tuple[str, ...] = ()
    problem: str = ""

    def matches(self, words: str, path: str) -> bool:
        """Return whether every word is in the title, a model, a dataset or the path.

        Examples
        --------
        >>> Summary("Emoji questions", models=("late",)).matches("LATE emoji", "runs/demo")
        True
        """
        text = "\n".join((self.title, *self.models, *self.datasets, path)).casefold()
        return all(word in text for word in words.casefold().split())


class Summaries:
    """Summaries of runs, each read once for each state of its files."""

    def __init__(self) -> None:
        self._finished = FileCache(files_of_profile, _summarise)
        self._sentences = FileCache(files_of_profile, _sentences, most=200)

    def get(self, run: Run) -> Summary:
        """Return the summary of a run, however long it takes."""
        if not run.finished:
            return Summary(_planned_title(run) or run.path.name)
        return self._finished.get(run)

    def sentences(self, run: Run) -> list[str]:
        """Return all sentences of a run's report; none where it cannot be read."""
        if not run.finished or self.get(run).problem:
            return []
        return self._sentences.get(run)

    def get_many(
        self, runs: Sequence[Run], patience: float = PATIENCE
    ) -> dict[Run, Summary | None]:
        """Return the summaries of runs; None for those that there was no time to read yet."""
        read = self._finished.get_many([run for run in runs if run.finished], patience)
        return {run: read[run] if run.finished else self.get(run) for run in runs}


def files_of_profile(run: Run) -> tuple[Path, ...]:
    """List the files that a run's profile is read from."""
    return run.path / PROFILE_FILE, run.path / MANIFEST_FILE


def _sentences(run: Run) -> list[str]:
    return summary_sentences(Profile.read(run.path).table)


def _summarise(run: Run) -> Summary:
    try:
        profile = Profile.read(run.path)
        frame, results, seed = profile.frame, profile.table, profile.manifest.get("seed")
        sizes = results.sizes()
        return Summary(
            title=str(profile.manifest.get("title") or run.path.name),
            models=_distinct(frame["model"]),
            datasets=_distinct(frame["dataset"]),
            views=_distinct(frame["view"]),
            sizes=counts(*sizes) if any(sizes) else "",
            seed="" if seed is None else str(seed),
            # All sentences would take twice as long; a list of many runs shows one of each.
            sentence=next(iter(headlines(results)), ""),
            warnings=tuple(cautions(results)),
        )
    except InputError as error:
        return Summary(run.path.name, problem=str(error))
    except _SURPRISES as error:
        words = " ".join(str(error).split())
        return Summary(
            run.path.name, problem=f"the run {run.path} is damaged ({words}); run its study again"
        )


def _distinct(column: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in column.dropna().unique())


def _planned_title(run: Run) -> str:
    """Return the title in the run's study file, if it can be read."""
    path = downloads(run).get(STUDY_FILE)
    if path is None:
        return ""
    try:
        study = parse_yaml(read_regular(path), path.name).content
    except (InputError, OSError):
        return ""
    title = study.get("title") if isinstance(study, dict) else None
    return title if isinstance(title, str) else ""


def files_of_comparison(comparison: Comparison) -> tuple[Path, ...]:
    """List the files that `summarise_comparison` reads."""
    return comparison.path / PAGE, comparison.path / TABLE


def summarise_comparison(comparison: Comparison) -> Summary:
    """Summarise a comparison from its table of differences; `problem` says what cannot be used."""
    files = downloads(comparison)
    again = "run modalprism compare again"
    problem = ""
    if PAGE not in files:
        problem = (
            f"the comparison {comparison.path} has no page: it is being written now, or was "
            f"stopped; if so, {again}"
        )
    table, unread = pd.DataFrame(columns=[*_COLUMNS, "view"]), ""
    try:
        if PAGE in files and not read_regular(files[PAGE]).rstrip().endswith(b"</html>"):
            problem = f"the page of the comparison {comparison.path} is cut off; {again}"
        if TABLE in files:
            table = _names_in(read_regular(files[TABLE]))
        else:
            unread = f"the comparison {comparison.path} has no {TABLE}; {again}"
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())
        unread = f"the comparison {comparison.path} is damaged ({words}); {again}"
    runs = _both_sides(table, "run")
    return Summary(
        title=f"Comparison of {', '.join(runs)}" if runs else comparison.path.name,
        models=_both_sides(table, "model"),
        datasets=_both_sides(table, "dataset"),
        views=tuple(table["view"].unique()),
        problem=problem or unread,
    )


def _names_in(table: bytes) -> pd.DataFrame:
    """Read names from a table of differences; a model may be named "NA"."""
    frame = pd.read_csv(
        io.BytesIO(table), usecols=[*_COLUMNS, "view"], dtype=str, keep_default_na=False
    )
    if frame.empty:
        raise ValueError(f"{TABLE} has no rows")
    return frame


def _both_sides(table: pd.DataFrame, part: str) -> tuple[str, ...]:
    """Return the distinct names of both sides, in order."""
    return tuple(dict.fromkeys(name for side in _SIDES for name in table[f"{part}_{side}"]))
