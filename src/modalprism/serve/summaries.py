"""Summaries of runs for the list, cached until their files change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modalprism.errors import InputError
from modalprism.reports import cautions, headlines, summary_sentences
from modalprism.results.notation import counts
from modalprism.serve.file_cache import PATIENCE, FileCache
from modalprism.serve.files import content, offered
from modalprism.serve.folder import STUDY_FILE, Run
from modalprism.studies.profile import MANIFEST_FILE, PROFILE_FILE, Profile
from modalprism.yaml_files import parse_yaml

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
        return _described(run, Profile.read(run.path))
    except InputError as error:
        return Summary(run.path.name, problem=str(error))
    except _SURPRISES as error:
        words = " ".join(str(error).split())
        return Summary(
            run.path.name, problem=f"the run {run.path} is damaged ({words}); run its study again"
        )


def _described(run: Run, profile: Profile) -> Summary:
    frame, manifest, results = profile.frame, profile.manifest, profile.table
    sizes = results.sizes()
    seed = manifest.get("seed")
    return Summary(
        title=str(manifest.get("title") or run.path.name),
        models=_distinct(frame["model"]),
        datasets=_distinct(frame["dataset"]),
        views=_distinct(frame["view"]),
        sizes=counts(*sizes) if any(sizes) else "",
        seed="" if seed is None else str(seed),
        # All sentences would take twice as long; a list of many runs shows one of each.
        sentence=next(iter(headlines(results)), ""),
        warnings=tuple(cautions(results)),
    )


def _distinct(column: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in column.dropna().unique())


def _planned_title(run: Run) -> str:
    """Return the title in the run's study file, if it can be read."""
    path = offered(run).get(STUDY_FILE)
    if path is None:
        return ""
    try:
        study = parse_yaml(content(path), path.name).content
    except (InputError, OSError):
        return ""
    title = study.get("title") if isinstance(study, dict) else None
    return title if isinstance(title, str) else ""
