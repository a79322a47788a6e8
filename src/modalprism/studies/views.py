"""Views: which embeddings are the sources, what is the target, and at which layer.

==========  ==============================  ================================  ===========
view        sources                         target                            results
==========  ==============================  ================================  ===========
answer      each modality before fusion     the model's answer                one
stream      both spans' states at a layer   the label                         one a layer
encoding    each modality before fusion     the fused state at a layer, coded one a layer
==========  ==============================  ================================  ===========
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from modalprism.capture.store import EmbeddingStore
from modalprism.errors import DataWarning, InputError
from modalprism.estimation.analysis import Analysis, Estimate, percentile_interval
from modalprism.estimation.analyze import EstimatorName, analyze
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.codes import code_states
from modalprism.estimation.redrawn import analyze_redrawn
from modalprism.estimation.sensitivity import code_sensitivity
from modalprism.studies.evidence_store import StoredEvidence

View = Literal["answer", "stream", "encoding"]
Pairs = Literal["observed", "redrawn"]

NO_LAYER: Final = -1


@dataclass(frozen=True)
class Settings:
    """How every analysis of a study is done."""

    modalities: tuple[str, str]
    base: float = 2
    estimator: EstimatorName = "posterior"
    folds: int = 5
    replicates: int = 1000
    permutations: int = 199
    seed: int = 0


@dataclass(frozen=True)
class Task:
    """One analysis of a study: a view of one store at one layer."""

    model: str
    dataset: str
    view: View
    pairs: Pairs
    layer: int
    layer_name: str


def plan_tasks(
    store: EmbeddingStore,
    model: str,
    dataset: str,
    *,
    views: Sequence[View],
    pairs: Sequence[Pairs],
    modalities: tuple[str, str],
    layers: Sequence[int] | None,
) -> list[Task]:
    """List the analyses that a store allows and a study asks for.

    Raises
    ------
    InputError
        If the store lacks what a view reads, or a layer that was asked for, or both modalities
        have the same array at a layer.
    """
    known = store.layers(modalities)
    if not known:
        raise InputError(f"{store.path} has no layer with both {modalities[0]} and {modalities[1]}")
    available = {"stream": known, "encoding": store.fused_layers}
    unknown = set(layers or ()) - set(known) - set(store.fused_layers)
    if unknown:
        raise InputError(
            f"{store.path} has no layer {min(unknown)}; it has {', '.join(map(str, known))}"
        )
    tasks = []
    for view in views:
        if view == "answer":
            if "redrawn" in pairs and "redrawn/answer" not in store.names:
                raise InputError(
                    f"{store.path} has no runs on redrawn pairs; ask for pairs: [observed]"
                )
            tasks += [
                Task(model, dataset, view, reading, NO_LAYER, "whole model") for reading in pairs
            ]
            continue
        wanted = [layer for layer in available[view] if layers is None or layer in layers]
        if not wanted:
            raise InputError(
                f"{store.path} has nothing for the {view} view at the layers asked for"
                + ("; it needs arrays fused/1, fused/2, …" if view == "encoding" else "")
            )
        tasks += [
            Task(model, dataset, view, "observed", layer, store.layer_name(layer))
            for layer in wanted
        ]
    _refuse_same_states(store, modalities, tasks)
    return tasks


def _refuse_same_states(
    store: EmbeddingStore, modalities: tuple[str, str], tasks: Sequence[Task]
) -> None:
    """Refuse a layer at which both modalities have one array: its atoms would say nothing."""
    observed = [task for task in tasks if task.pairs == "observed"]
    for layer in sorted({task.layer if task.view == "stream" else 0 for task in observed}):
        if layer in store.layers(modalities) and store.same_states(modalities, layer):
            also = ", or leave the layer out by layers" if layer else ""
            raise InputError(
                f"{store.path} has the same array for {modalities[0]} and {modalities[1]} at layer "
                f"{layer}, so that nothing can tell them apart; read each from a module of its own"
                + also
            )


def right_answer(store: EmbeddingStore) -> tuple[NDArray[Any], str]:
    """Return the target of the stream view, and what it is called."""
    if "label" in store.names:
        return store.array("label"), "label"
    if "answer" in store.names:
        return store.array("answer"), "the model's answer"
    raise InputError(f"{store.path} has neither 'label' nor 'answer': name the target so")


def model_answer(store: EmbeddingStore) -> tuple[NDArray[Any], str]:
    """Return the target of the answer view, and what it is called."""
    if "answer" in store.names:
        return store.array("answer"), "the model's answer"
    return right_answer(store)


def _accuracy(store: EmbeddingStore, settings: Settings) -> dict[str, Estimate]:
    """Return the model's accuracy and that of the commonest answer, where the store tells them."""
    if not {"label", "answer"} <= set(store.names):
        return {}
    label, answer = _numbered(store.array("label"), store.metadata), store.array("answer")
    if answer.ndim != 2 or label.dtype.kind not in "iu":
        return {}
    if label.shape != answer.shape[:1]:
        raise InputError(
            f"the array 'label' has shape {label.shape}, but 'answer' has {len(answer)} rows; "
            "row i of both must be the same example"
        )
    if label.min() < 0 or label.max() >= answer.shape[1]:
        return {}
    correct = (answer.argmax(1) == label).astype(np.float64)
    batches = weights_in_batches(store.groups(), len(label), settings.replicates, settings.seed)
    spread = np.concatenate([weights @ correct / weights.sum(1) for weights in batches])
    return {
        "accuracy": Estimate(float(correct.mean()), *percentile_interval(spread)),
        "chance": Estimate(float(np.bincount(label).max() / len(label))),
    }


def _numbered(label: NDArray[Any], metadata: Mapping[str, str]) -> NDArray[Any]:
    """Return right answers as numbers of the candidates that the model chose from.

    Words stay words where one of them was no candidate, or nobody says what the candidates were.
    """
    candidates = json.loads(metadata.get("candidates", "[]"))
    if label.dtype.kind != "U" or not set(label.tolist()) <= set(candidates):
        return label
    return np.array([candidates.index(word) for word in label.tolist()])


def run_task(
    task: Task, store: EmbeddingStore, settings: Settings
) -> tuple[list[dict[str, Any]], StoredEvidence | None]:
    """Do one analysis and return its rows of the profile, without q-values, and its evidence."""
    if task.pairs == "redrawn":
        analysis = _redrawn(store, settings)
    else:
        # The profile records copied columns, and the report says so once for all layers.
        with warnings.catch_warnings(action="ignore", category=DataWarning):
            analysis = _observed(task, store, settings)
    where = {
        "model": task.model,
        "dataset": task.dataset,
        "view": task.view,
        "pairs": task.pairs,
        "layer": task.layer,
        "layer_name": task.layer_name,
        "q_value": float("nan"),
    }
    evidence = analysis.evidence
    if evidence is not None and task.view != "answer":  # rows of every layer would be too many
        evidence = replace(evidence, rows=None)
    rows = [where | record for record in analysis.records()]
    if evidence is None:
        return rows, None
    return rows, StoredEvidence(evidence, _digest_of_sample(task, store, settings))


def _digest_of_sample(task: Task, store: EmbeddingStore, settings: Settings) -> str:
    """Tell these examples, and how they are resampled, from all others."""
    if task.pairs == "redrawn":
        names = [f"redrawn/{modality}" for modality in sorted(settings.modalities)]
    else:
        known = ("id", "label", *(f"group/{column}" for column in sorted(store.groups())))
        names = [name for name in known if name in store.names]
    if not names:  # nothing says which examples they are: only the same store is the same
        return store.digest()[:16]
    digest = hashlib.sha256(f"{settings.seed} {settings.replicates}".encode())
    for name in names:
        values = store.array(name)
        digest.update(f"{name} {values.shape}".encode())
        digest.update("\0".join(map(str, values.ravel().tolist())).encode())
    return digest.hexdigest()[:16]


def _redrawn(store: EmbeddingStore, settings: Settings) -> Analysis:
    runs = store.redrawn(settings.modalities)
    return analyze_redrawn(
        runs.probability,
        *runs.inputs,
        modalities=settings.modalities,
        base=settings.base,
        replicates=settings.replicates,
        seed=settings.seed,
    )


def _observed(task: Task, store: EmbeddingStore, settings: Settings) -> Analysis:
    layer = task.layer if task.view == "stream" else 0
    ask = partial(
        analyze,
        {modality: store.mapped_span(modality, layer) for modality in settings.modalities},
        groups=store.groups(),
        base=settings.base,
        estimator=settings.estimator,
        folds=settings.folds,
        replicates=settings.replicates,
        permutations=settings.permutations,
        seed=settings.seed,
    )
    if task.view == "encoding":
        states = store.array(f"fused/{task.layer}")
        y = code_states(states, seed=settings.seed)
        analysis = ask(y, target=f"the fused state, {int(y.max()) + 1} codes")
        values_alone = partial(ask, replicates=1, permutations=1)
        extra = code_sensitivity(analysis, states, values_alone, seed=settings.seed)
    elif task.view == "answer":
        y, target = model_answer(store)
        analysis = ask(y, target=target)
        extra = _accuracy(store, settings)
    else:
        y, target = right_answer(store)
        return ask(y, target=target)
    return replace(analysis, diagnostics=analysis.diagnostics | extra)
