"""Studies: what to decompose, written down, and the run that does it.

A run resumes where it stood: captured stores and finished work are cached in its folder, each
written whole, and taken up again when what they depend on is the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from modalprism.cache import Cache
from modalprism.engines import Engine, LocalEngine, engine_for
from modalprism.errors import InputError
from modalprism.estimation.analyze import ESTIMATORS
from modalprism.estimation.trees import Effort
from modalprism.estimation.validation import LARGEST_SEED
from modalprism.files import make_folder, write_whole
from modalprism.foreign import redacted
from modalprism.options import Options, each_once, first_mistake, name_in
from modalprism.pid.information import unit_of
from modalprism.progress import Announce, Progress, Track, forwarding, silent, tracking, unheard
from modalprism.results.table import Table
from modalprism.studies.baselines import (
    BASELINES_FILE,
    BaselineOptions,
    run_baselines,
    write_baselines,
)
from modalprism.studies.code import Code, require_allowed
from modalprism.studies.evidence_store import EVIDENCE_FILE, write_evidence
from modalprism.studies.example_store import EXAMPLES_FILE
from modalprism.studies.inputs import AnyInput
from modalprism.studies.manifest import manifest_of
from modalprism.studies.profile import MANIFEST_FILE, PROFILE_FILE, Profile, with_q_values
from modalprism.studies.runner import plan_analyses, run_analyses
from modalprism.studies.shown_examples import gather_examples
from modalprism.studies.status import STATUS_FILE, reported
from modalprism.studies.study_store import StudyStore
from modalprism.studies.views import VIEWS, Pairs, Settings
from modalprism.yaml_files import read_yaml, yaml_text

STUDY_FILE: Final = "study.yaml"
_WRITTEN: Final = (
    STUDY_FILE,
    MANIFEST_FILE,
    EVIDENCE_FILE,
    EXAMPLES_FILE,
    "report.html",
    "figures",
    "tables",
    "analyses",
)
"""Files that a run replaces. ``store`` is none of them: an earlier capture may have made it."""


class Study(Options):
    """Models × datasets × views, and how they are analysed.

    Attributes
    ----------
    sources : tuple of Input
        Where embeddings come from: ``{kind: embeddings, path: file.npz}``, a model on a dataset,
        ``{kind: capture, model: folder, data: rows.jsonl}``, or the demo's
        ``{kind: emoji_questions}``.
    modalities : (str, str)
        The two modalities, in the order of every table.
    views : tuple of str
        ``answer``, ``stream``, ``encoding``, or the name of another view; see `VIEWS`.
    pairs : tuple of {"observed", "redrawn"}
        Readings of the answer view.
    layers : tuple of int, optional
        Which layers of the stream and encoding views; all by default.
    base : float
        Of the logarithm; 2 for bits.
    estimator : {"posterior", "codebook"} or another name
        Of observed pairs; redrawn pairs read the model itself.
    folds, replicates, permutations, seed : int
        Of the estimator.
    effort : {"fast", "default", "thorough"}
        Probes of the posterior estimator, see `modalprism.analyze`.
    workers : int
        Local processes; 0 means one a core.
    baselines : BaselineOptions, optional
        Other scores of the same examples: ``all``, a list such as ``[ablation, mm_shap]``, or
        ``{names: [ablation], examples: 500}``. They run the model, as captures do.
    out : Path
        The run's folder.

    Examples
    --------
    >>> Study(sources=[{"kind": "embeddings", "path": "clip.npz"}], modalities=("image", "text"),
    ...       out="runs/clip").views
    ('answer',)
    """

    title: str = "study"
    sources: tuple[AnyInput, ...] = Field(min_length=1)
    modalities: tuple[str, str] = ("image", "text")
    views: tuple[Annotated[str, name_in(VIEWS)], ...] = Field(default=("answer",), min_length=1)
    pairs: tuple[Pairs, ...] = Field(default=("observed",), min_length=1)
    layers: tuple[int, ...] | None = None
    base: float = Field(default=2, gt=1, allow_inf_nan=False)
    estimator: Annotated[str, name_in(ESTIMATORS)] = "posterior"
    folds: int = Field(default=5, ge=3)
    replicates: int = Field(default=1000, ge=1)
    permutations: int = Field(default=199, ge=1)
    effort: Effort = "default"
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    workers: int = Field(default=0, ge=0)
    baselines: BaselineOptions | None = None
    out: Path

    _each_once = field_validator("views", "pairs", "layers")(each_once)

    @field_validator("baselines", mode="before")
    @classmethod
    def _names_alone(cls, baselines: Any) -> Any:
        names_alone = isinstance(baselines, str | list | tuple)
        return {"names": baselines} if names_alone else baselines

    @model_validator(mode="after")
    def _modalities_differ(self) -> Self:
        if self.modalities[0] == self.modalities[1]:
            raise ValueError(f"the two modalities are both called {self.modalities[0]!r}")
        return self

    @classmethod
    def from_yaml(cls, path: str | Path) -> Study:
        """Read a study from a YAML file; relative paths in it are relative to its folder.

        Raises
        ------
        InputError
            If the file cannot be read (see `modalprism.yaml_files.read_yaml`) or does not describe
            a study. The message names the line.
        """
        path = Path(path)
        file = read_yaml(path)
        if not isinstance(file.content, dict):
            raise InputError(f"{path} must hold keys such as 'sources:' and 'out:'")
        try:
            study = cls.model_validate({"out": f"runs/{path.stem}", **file.content})
        except ValidationError as error:
            raise InputError(first_mistake(error, file)) from error
        return study._relative_to(path.parent)

    def _relative_to(self, folder: Path) -> Study:
        sources = tuple(given.relative_to(folder) for given in self.sources)
        return self.model_copy(update={"sources": sources, "out": folder / self.out})

    def with_baselines(self, names: str) -> Study:
        """Return the study with these baselines, on its own number of examples.

        Parameters
        ----------
        names : str
            ``all``, or names with commas between.

        Raises
        ------
        InputError
            If there is no such baseline.
        """
        chosen = names if names == "all" else [name.strip() for name in names.split(",")]
        examples = (self.baselines or BaselineOptions()).examples
        try:
            again = BaselineOptions.model_validate({"names": chosen, "examples": examples})
        except ValidationError as error:
            raise InputError(f"baselines: {first_mistake(error)}", parameter="baselines") from error
        return self.model_copy(update={"baselines": again})

    def to_yaml(self) -> str:
        """Return the study, every default spelled out, with absolute paths."""
        study = self._relative_to(Path.cwd())
        return yaml_text(study.model_dump(mode="json"))

    def settings(self) -> Settings:
        """Return the options of every analysis."""
        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})

    def code(self) -> tuple[Code, ...]:
        """Return the code that the study would run, which the user has to allow."""
        return tuple(code for given in self.sources for code in given.code())

    def stores(
        self,
        *,
        engine: Engine | None = None,
        track: Track = silent,
        allow_code: Sequence[str] = (),
    ) -> list[StudyStore]:
        """Open the stores of all inputs; capture what is missing.

        Code that the study brings along runs from here on, and only if it is allowed.

        Parameters
        ----------
        engine : Engine, optional
            Where models are captured.
        track : Track
            Shows progress.
        allow_code : sequence of str
            Names of code that may run; see `run`.

        Raises
        ------
        InputError
            If an input cannot be used.
        CodeRefusedError
            If the study would run code that is not allowed.
        """
        require_allowed(self.code(), allow_code)
        folder = self.out / "store"
        for given in self.sources:
            given.check(folder, engine)
        return [
            study_store
            for given in self.sources
            for study_store in given.stores(folder, self.seed, track, engine)
        ]

    def run(
        self,
        *,
        engine: str | Engine | None = None,
        progress: Progress = False,
        announce: Announce = unheard,
        fresh: bool = False,
        allow_code: Sequence[str] = (),
        report: bool = True,
    ) -> Profile:
        """Capture what is missing, analyse what is missing, and write the run's folder.

        Parameters
        ----------
        engine : Engine or str, optional
            Where analyses run: an engine of `modalprism.engines`, or the name of one, which stands
            for its default object. The bytes are the same everywhere. By default, as many local
            processes as `workers` says. On a Ray cluster, models that are captured run there too.
        progress : bool or callable
            True shows bars on standard error; a callable takes every
            `modalprism.progress.ProgressEvent`.
        announce : Announce
            Called with the cost of every model's baselines, before they begin.
        fresh : bool
            Analyse again what was analysed before; captured stores are kept.
        allow_code : sequence of str
            Names of code that may run: an ``adapter`` of the study as it is written there,
            ``module:Class``; a model with ``trust_remote_code`` by its id (``owner/model``, or
            ``owner/model@revision``), or by the path of its folder. The variable
            ``MODALPRISM_ALLOW_CODE`` holds more, with commas between.
        report : bool
            Write the report, its figures and its tables too, as `modalprism.write_report` does.

        Returns
        -------
        Profile

        Raises
        ------
        InputError
            If an input or the engine cannot be used, another process runs a study in this folder,
            or the folder holds files of yours that the run would replace. Finished work stays.
        CodeRefusedError
            If the study would run code that is not allowed; nothing has been done then.
        WorkerError
            If the process of an analysis dies every time. Finished work stays.
        """
        engine = LocalEngine(self.workers) if engine is None else engine_for(engine)
        with tracking(progress) as shown:
            require_allowed(self.code(), allow_code)  # before a folder is made or a cluster joined
            engine.ready()
            _make_folder(self.out)
            with reported(self.out, shown) as track:
                profile = self._run(engine, track, announce, fresh, allow_code)
                if report:
                    # The one import from a higher room: what users call ends with the report.
                    from modalprism.reports import write_report

                    write_report(self.out, progress=forwarding(track))
        return profile

    def _run(
        self,
        engine: Engine,
        track: Track,
        announce: Announce,
        fresh: bool,
        allow_code: Sequence[str],
    ) -> Profile:
        start = time.perf_counter()
        stores = self.stores(engine=engine, track=track, allow_code=allow_code)
        captured = time.perf_counter()
        planned = plan_analyses(self, stores)
        cache = Cache(self.out / "analyses", fresh=fresh)
        finished = run_analyses(planned, self.settings(), cache, engine=engine, track=track)
        analysed = time.perf_counter()
        cache = Cache(self.out / "baselines", fresh=fresh)
        scored = run_baselines(self, stores, cache, track=track, announce=announce)
        timings = {
            "capture": captured - start,
            "analysis": analysed - captured,
            "baselines": time.perf_counter() - analysed,
        }
        profile = Profile(
            # q-values depend on every layer of the run, and so are not cached.
            with_q_values(Table.of_rows(finished.rows, self.modalities).to_frame()),
            manifest_of(self, stores, timings, scored),
        )
        write_whole(self.out / STUDY_FILE, redacted(self.to_yaml()))
        write_evidence(self.out, finished.evidence)
        if self.baselines:
            write_baselines(self.out, scored.frame)
        else:
            (self.out / BASELINES_FILE).unlink(missing_ok=True)  # of an earlier run with baselines
        gather_examples(
            self.out, stores, finished.evidence, self.modalities, unit_of(self.base), track
        )
        profile.write(self.out)
        return profile


def _make_folder(folder: Path) -> None:
    make_folder(folder, "the run's folder")
    of_a_run = any((folder / name).exists() for name in (STATUS_FILE, PROFILE_FILE))
    if not of_a_run and (lost := [name for name in _WRITTEN if (folder / name).exists()]):
        raise InputError(
            f"the folder {folder} is not that of a run, and a run there would replace its "
            f"{lost[0]}; give another folder as out, such as out: runs/{folder.resolve().name}",
            parameter="out",
        )
