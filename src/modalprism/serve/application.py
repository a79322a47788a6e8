"""Pages by their addresses; what is a file is downloaded, not shown."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock, Thread
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from modalprism.errors import InputError
from modalprism.reports.compare import FIGURES, PAGE, render_comparison
from modalprism.reports.page import REPORT_FILE
from modalprism.reports.shell import policy
from modalprism.serve import pages
from modalprism.serve.answers import Answers
from modalprism.serve.file_cache import PATIENCE, FileCache
from modalprism.serve.files import TYPES, downloads, has, read_regular
from modalprism.serve.folder import Comparison, Found, Listings, Run, find_runs
from modalprism.serve.guard import Guard
from modalprism.serve.live import label, read_status, state_of
from modalprism.serve.summaries import (
    Summaries,
    Summary,
    files_of_comparison,
    files_of_profile,
    summarise_comparison,
)
from modalprism.strict_json import dumps
from modalprism.studies.comparison import FinishedRun
from modalprism.studies.evidence_store import EVIDENCE_FILE
from modalprism.studies.profile import Profile
from modalprism.studies.status import STATUS_FILE, RunStatus
from modalprism.tables import csv_of

WATCH_MILLISECONDS: Final = 2000
_AT_ONCE: Final = 4
_DRAWING: Final = Lock()
_READ_ON_MILLISECONDS: Final = 300
_NOTHING_ELSE: Final = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_FOREMOST_FIGURES: Final = ("before-after-observed", "before-after-redrawn", "map", "stream")
_FAILED: Final = "This page could not be made; the terminal of modalprism serve says why."
_Kind = TypeVar("_Kind", Run, Comparison)
_FILE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def make_app(root: str | Path, port: int, *, read_ahead: bool = False) -> ASGIApp:
    """Make the application that shows the runs of a folder.

    Parameters
    ----------
    root : path-like
        The folder; nothing outside it is read.
    port : int
        Port of the application; requests for other host names are refused.
    read_ahead : bool
        Begin to read the runs now, in a thread, so that the first page waits less.
    """
    views = _Views(Path(root).resolve())
    # Figures take seconds each; other pages do not wait behind them.
    answers, drawn = Answers(_AT_ONCE), Answers(1)
    if read_ahead:
        Thread(target=views.read_ahead, daemon=True).start()
    application = Starlette(
        routes=[
            Route("/", answers.by(views.runs)),
            Route("/runs/{id}", answers.by(views.run)),
            Route("/runs/{id}/state", answers.by(views.state)),
            Route("/runs/{id}/report", answers.by(views.report)),
            Route("/runs/{id}/profile.csv", answers.by(views.csv)),
            Route("/runs/{id}/files/{name:path}", answers.by(views.file)),
            Route("/compare", drawn.by(views.compare)),
            Route("/comparisons/{id}", answers.by(views.comparison)),
            Route("/comparisons/{id}/page", answers.by(views.comparison_page)),
            Route("/comparisons/{id}/files/{name:path}", answers.by(views.comparison_file)),
            Route("/style.css", _static("serve.css", "text/css; charset=utf-8")),
            Route("/watch.js", _static("watch.js", "text/javascript; charset=utf-8")),
            Route("/favicon.ico", _static("icon.svg", TYPES[".svg"])),
        ],
        exception_handlers={
            HTTPException: _refused,
            InputError: lambda _request, error: _sentence(422, str(error)),
            Exception: lambda _request, _error: _sentence(500, _FAILED),
        },
    )
    application.router.redirect_slashes = False
    return Guard(application, port)


class _Views:
    """The pages of one folder; values read from files are cached until the files change."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listings = Listings()
        self._summaries = Summaries()
        self._statuses = FileCache(lambda run: [run.path / STATUS_FILE], read_status)
        self._csv = FileCache(
            files_of_profile,
            lambda run: _encoded(csv_of(Profile.read(run.path).frame)),
            most=20,
        )
        self._compared = FileCache(files_of_comparison, summarise_comparison)
        self._compared_now = FileCache(_files_compared, _compared_page, most=10)

    def _found(self) -> Found:
        return find_runs(self._root, listed=self._listings)

    def _status(self, run: Run) -> RunStatus | None:
        status = self._statuses.get(run)
        return None if status is None else status.checked()

    def read_ahead(self) -> None:
        found = self._found()
        self._summaries.get_many(found.runs, math.inf)
        self._compared.get_many(found.comparisons, math.inf)

    def runs(self, request: Request) -> Response:
        words = request.query_params.get("q", "")
        found = self._found()
        summaries = self._summaries.get_many(found.runs)
        compared = self._compared.get_many(found.comparisons, PATIENCE)
        unread = sum(summary is None for summary in summaries.values())
        waiting = unread or None in compared.values()
        return _page(
            "runs.html",
            root=str(self._root),
            words=words,
            found=found,
            shown=_matching(summaries, words),
            compared=_matching(compared, words),
            labels={run: label(run, self._status(run)) for run in found.runs},
            unread=unread,
            refresh=_READ_ON_MILLISECONDS if waiting else 0,
            has_report=lambda run: has(run, REPORT_FILE),
        )

    def run(self, request: Request) -> Response:
        run = self._run(request)
        status = self._status(run)
        going = not run.finished or (status is not None and status.state == "running")
        return _page(
            "run.html",
            run=run,
            label=label(run, status),
            run_status=status,
            summary=self._summaries.get(run),
            words=self._summaries.sentences(run),
            state=None if run.finished else state_of(run),
            files=list(downloads(run)),
            refresh=WATCH_MILLISECONDS if going else 0,
        )

    def state(self, request: Request) -> Response:
        run = self._run(request)
        status = self._status(run)
        state = asdict(state_of(run))
        state["status"] = None if status is None else status.model_dump(exclude={"born"})
        if run.finished:
            state["report"] = f"/runs/{run.id}/report"
        return Response(dumps(state), media_type="application/json")

    def report(self, request: Request) -> Response:
        absent = "This run has no report; modalprism report writes it."
        return _report(_content(self._run(request), REPORT_FILE, absent))

    def csv(self, request: Request) -> Response:
        run = self._run(request)
        self._check(run)
        return _download(self._csv.get(run), "profile.csv")

    def file(self, request: Request) -> Response:
        return _file(self._run(request), request, "This run has no such file.")

    def compare(self, request: Request) -> Response:
        chosen = dict.fromkeys(request.query_params.getlist("run"))
        found = self._found().runs
        # The list has the last written first; what was there before is named first.
        runs = sorted((_by_id(found, name, "run") for name in chosen), key=Run.changed)
        if not runs:
            raise InputError("tick the runs in the list that are to be compared")
        for run in runs:
            self._check(run)
        return _report(self._compared_now.get(tuple(runs)))

    def comparison(self, request: Request) -> Response:
        comparison = self._comparison(request)
        files = list(downloads(comparison))
        foremost = [f"{FIGURES}/{name}.svg" for name in _FOREMOST_FIGURES]
        return _page(
            "comparison.html",
            comparison=comparison,
            summary=self._compared.get(comparison),
            files=files,
            figure=next((name for name in foremost if name in files), ""),
            refresh=0 if comparison.finished else WATCH_MILLISECONDS,
        )

    def comparison_page(self, request: Request) -> Response:
        absent = "This comparison has no page; modalprism compare writes it."
        return _report(_content(self._comparison(request), PAGE, absent))

    def comparison_file(self, request: Request) -> Response:
        return _file(self._comparison(request), request, "This comparison has no such file.")

    def _run(self, request: Request) -> Run:
        return _by_id(self._found().runs, request.path_params["id"], "run")

    def _comparison(self, request: Request) -> Comparison:
        return _by_id(self._found().comparisons, request.path_params["id"], "comparison")

    def _check(self, run: Run) -> None:
        """Refuse a run that is damaged, even where its files can be read."""
        problem = self._summaries.get(run).problem
        if problem:
            raise InputError(problem)


def _files_compared(runs: Sequence[Run]) -> list[Path]:
    return [file for run in runs for file in (*files_of_profile(run), run.path / EVIDENCE_FILE)]


def _compared_page(runs: Sequence[Run]) -> bytes:
    """Compare runs by the names of their folders."""
    short = [run.path.name for run in runs]
    names = short if len(set(short)) == len(short) else [run.name for run in runs]
    found = {name: FinishedRun.read(run.path) for name, run in zip(names, runs, strict=True)}
    # Figures are drawn under settings that belong to the whole process.
    with _DRAWING:
        return _encoded(render_comparison(found))


def _matching(summaries: dict[_Kind, Summary | None], words: str) -> dict[_Kind, Summary | None]:
    # Places that are not read yet are shown: a search must not hide them.
    return {
        place: summary
        for place, summary in summaries.items()
        if summary is None or summary.matches(words, place.name)
    }


def _by_id(places: Iterable[_Kind], name: str, what: str) -> _Kind:
    for place in places:
        if place.id == name:
            return place
    raise HTTPException(404, f"There is no such {what} in this folder, or no longer.")


def _file(place: Run | Comparison, request: Request, absent: str) -> Response:
    name = request.path_params["name"]
    return _download(_content(place, name, absent), Path(name).name)


def _content(place: Run | Comparison, name: str, absent: str) -> bytes:
    path = downloads(place).get(name)
    if path is None:
        raise HTTPException(404, absent)
    try:
        return read_regular(path)
    except OSError as error:
        raise HTTPException(404, "This file cannot be read, or is no longer there.") from error


def _report(page: bytes) -> Response:
    # Not the policy that the page names: a folder may come from somebody else, with its own script.
    headers = {"Content-Security-Policy": f"{policy()}; {_NOTHING_ELSE}"}
    return Response(page, media_type=TYPES[".html"], headers=headers)


def _download(file: bytes, name: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": _FILE_POLICY,
    }
    return Response(file, media_type=TYPES[Path(name).suffix], headers=headers)


def _page(template: str, status: int = 200, refresh: int = 0, **words: object) -> Response:
    text = pages.render(template, refresh=refresh, **words)
    return Response(_encoded(text), status, media_type=TYPES[".html"])


def _encoded(text: str) -> bytes:
    # A file's name may hold bytes that are no UTF-8.
    return text.encode("utf-8", "replace")


def _sentence(status: int, sentence: str) -> Response:
    return _page("sentence.html", status, sentence=pages.sentence(sentence))


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the kind that it handles
    ours = error.detail.endswith(".")
    return _sentence(error.status_code, error.detail if ours else "There is no such page.")


def _static(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        return Response(pages.asset(name), media_type=kind)

    return endpoint
