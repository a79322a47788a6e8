"""Plan a study's analyses and run them, each once; finished ones are cached.

Analyses may run anywhere. A worker sends back the content of an entry, and this process writes it,
so results need no disk that all machines share.
"""

from __future__ import annotations

import hashlib
import socket
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from modalprism.cache import Cache, Entry, Key
from modalprism.capture.store import EmbeddingStore
from modalprism.engines import Engine, Job
from modalprism.errors import DataWarning, InputError
from modalprism.estimation.analyze import ESTIMATORS
from modalprism.estimation.threads import one_thread
from modalprism.progress import Track
from modalprism.studies.evidence_store import AnalysisKey, StoredEvidence, pack, unpack
from modalprism.studies.study_store import StudyStore
from modalprism.studies.views import NO_LAYER, VIEWS, RedrawnView, Settings, View

if TYPE_CHECKING:
    from modalprism.studies.study import Study

_EVIDENCE: Final = "safetensors"
Planned = tuple[AnalysisKey, EmbeddingStore]


class Finished(NamedTuple):
    """Rows of the profile, and the evidence that they rest on."""

    rows: list[dict[str, Any]]
    evidence: dict[AnalysisKey, StoredEvidence]


def plan_analyses(study: Study, stores: Sequence[StudyStore]) -> list[Planned]:
    """List the analyses of a study, with the store that each reads.

    An `InputError` refuses two stores of the same names, and a store without what a view reads or
    without a layer that the study names.
    """
    modalities, layers = study.modalities, study.layers
    names = [(one.model, one.dataset) for one in stores]
    if len(set(names)) < len(names):
        raise InputError("two inputs have the same model and dataset names; rename one")
    planned: list[Planned] = []
    for study_store in stores:
        store = study_store.store
        known = store.layers(modalities)
        if not known:
            names_of_both = " and ".join(modalities)
            raise InputError(f"{store.path} has no layer with both {names_of_both}")
        if unknown := set(layers or ()) - set(known) - set(store.fused_layers):
            raise InputError(
                f"{store.path} has no layer {min(unknown)}; it has {', '.join(map(str, known))}"
            )
        for view in study.views:
            for reading in study.pairs if view == "answer" else ("observed",):
                chosen = _view(view, reading).layers(store, modalities, layers)
                if not chosen:
                    raise InputError(
                        f"{store.path} has nothing for the {view} view at the layers asked for"
                    )
                where = (study_store.model, study_store.dataset, view, reading)
                planned += [(AnalysisKey(*where, layer), store) for layer in chosen]
    return planned


def _view(name: str, pairs: str) -> View:
    return RedrawnView() if pairs == "redrawn" else VIEWS[name]()


def run_analyses(
    planned: Sequence[Planned],
    settings: Settings,
    cache: Cache,
    *,
    engine: Engine,
    track: Track,
) -> Finished:
    """Run every analysis that is not cached, each in one thread; keep the order planned.

    An `InputError` names a store that cannot be analysed, or read where the work is done.
    """
    digests = {store.path: store.digest() for _, store in planned}
    keys = [_cache_key(one, digests[store.path], settings) for one, store in planned]
    found = {key.name: _cached(cache, key) for key in keys}
    here = socket.gethostname()
    # A worker may stand in another folder: the store's whole path travels.
    jobs = []
    for key, (one, store) in zip(keys, planned, strict=True):
        if found[key.name] is None:
            absolute = replace(store, path=store.path.absolute())
            arguments = (one, absolute, digests[store.path], here, settings)
            jobs.append(Job(key.name, _analyse, arguments))
    of_name = {key.name: key for key in keys}
    with closing(engine.run(jobs, track=track, description="analysing")) as results:
        for name, entry in results:
            found[name] = _finished(cache.put(of_name[name], entry))
    done = [finished for key in keys if (finished := found[key.name]) is not None]
    return Finished(
        [row for finished in done for row in finished.rows],
        {one: stored for finished in done for one, stored in finished.evidence.items()},
    )


def _cached(cache: Cache, key: Key) -> Finished | None:
    try:
        entry = cache.find(key)
        return None if entry is None else _finished(entry)
    except InputError:  # evidence in a form that is no longer read
        return None


def _finished(entry: Entry) -> Finished:
    return Finished(entry.value, unpack(entry.files[_EVIDENCE], "the evidence of an analysis"))


def _cache_key(analysis: AnalysisKey, store_digest: str, settings: Settings) -> Key:
    """Name an analysis by all that it depends on."""
    redrawn = analysis.pairs == "redrawn"
    version = RedrawnView.version if redrawn else VIEWS.version(analysis.view)
    makers = {f"{'redrawn' if redrawn else analysis.view} view": version}
    if not redrawn:
        makers[f"{settings.estimator} estimator"] = ESTIMATORS.version(settings.estimator)
    inputs = {**analysis._asdict(), "store": store_digest, **asdict(settings)}
    return Key("-".join(map(str, analysis)), makers, inputs)


def _analyse(
    analysis: AnalysisKey,
    store: EmbeddingStore,
    digest: str,
    submitted_from: str,
    settings: Settings,
) -> Entry:
    """Run one analysis, wherever this is."""
    try:
        if socket.gethostname() != submitted_from:
            store = store.on_this_machine()
            _check_store_there(store, digest)
        # The profile records these warnings, and the report has each once for all layers.
        with (
            one_thread(),
            warnings.catch_warnings(action="ignore", category=DataWarning),
        ):
            view = _view(analysis.view, analysis.pairs)
            found = view.analysis(store, analysis.layer, settings)
    except InputError as error:
        where = f"{analysis.model} on {analysis.dataset}, {analysis.view} view"
        raise InputError(f"{where}: {error}") from error
    layer = analysis.layer
    name = "whole model" if layer == NO_LAYER else store.layer_name(layer)
    place = analysis._asdict() | {"layer_name": name, "q_value": float("nan")}
    rows = [place | record for record in found.table().rows()]
    evidence = found.evidence
    if evidence is None:
        return Entry(rows, {_EVIDENCE: pack({})})
    if analysis.view != "answer":  # rows of every layer would be too many
        evidence = replace(evidence, rows=None)
    stored = StoredEvidence(evidence, _digest_of_sample(analysis.pairs, store, settings))
    return Entry(rows, {_EVIDENCE: pack({analysis: stored})})


def _digest_of_sample(pairs: str, store: EmbeddingStore, settings: Settings) -> str:
    """Return a digest of the examples, their groups, and how they are resampled."""
    if pairs == "redrawn":
        names = [f"redrawn/{modality}" for modality in sorted(settings.modalities)]
    else:
        known = ("id", "label", *(f"group/{column}" for column in sorted(store.groups())))
        names = [name for name in known if name in store.names]
    if not names:  # without names of examples, only the same store has the same ones
        return store.digest()[:16]
    digest = hashlib.sha256(f"{settings.seed} {settings.replicates}".encode())
    for name in names:
        values = store.array(name)
        digest.update(f"{name} {values.shape}".encode())
        digest.update("\0".join(map(str, values.ravel().tolist())).encode())
    return digest.hexdigest()[:16]


@cache
def _digest_there(path: Path) -> str:
    """Read a store's digest once in a worker, which analyses many layers of it."""
    return EmbeddingStore.open(path).digest()


def _check_store_there(store: EmbeddingStore, digest: str) -> None:
    """Refuse a store that another machine does not see, or sees another one in its place."""
    machine = socket.gethostname()
    if not store.path.exists():
        raise InputError(
            f"the machine {machine} has no store {store.path}; put the run's folder, or the "
            "embeddings, on storage that all machines share, under the same path"
        )
    if _digest_there(store.path) != digest:
        raise InputError(
            f"the machine {machine} has another store at {store.path} than the one of this study; "
            "let all machines see the same"
        )
