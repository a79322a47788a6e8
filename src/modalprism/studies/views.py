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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from modalprism.capture.store import EmbeddingStore
from modalprism.errors import InputError
from modalprism.estimation.analysis import Estimate, percentile_interval
from modalprism.estimation.analyze import analyze
from modalprism.estimation.bootstrap import pigeonhole_weights
from modalprism.estimation.codes import code_states
from modalprism.estimation.redrawn import analyze_redrawn

View = Literal["answer", "stream", "encoding"]
Pairs = Literal["observed", "redrawn"]

NO_LAYER: Final = -1


@dataclass(frozen=True)
class Settings:
    """How every analysis of a study is done."""

    modalities: tuple[str, str]
    base: float = 2
    folds: int = 5
    replicates: int = 1000
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
        If the store lacks what a view reads, or a layer that was asked for.
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
    return tasks


def _right_answer(store: EmbeddingStore) -> tuple[NDArray[Any], str]:
    if "label" in store.names:
        return store.array("label"), "label"
    if "answer" in store.names:
        return store.array("answer"), "the model's answer"
    raise InputError(f"{store.path} has neither 'label' nor 'answer': name the target so")


def _model_answer(store: EmbeddingStore) -> tuple[NDArray[Any], str]:
    if "answer" in store.names:
        return store.array("answer"), "the model's answer"
    return _right_answer(store)


def _accuracy(store: EmbeddingStore, settings: Settings) -> dict[str, Estimate]:
    """Return the model's accuracy and that of the commonest answer, where the store tells them."""
    if not {"label", "answer"} <= set(store.names):
        return {}
    label, answer = store.array("label"), store.array("answer")
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
    weights = pigeonhole_weights(store.groups(), len(label), settings.replicates, settings.seed)
    spread = weights @ correct / weights.sum(1)
    return {
        "accuracy": Estimate(float(correct.mean()), *percentile_interval(spread)),
        "chance": Estimate(float(np.bincount(label).max() / len(label))),
    }


def run_task(task: Task, store: EmbeddingStore, settings: Settings) -> list[dict[str, Any]]:
    """Do one analysis and return its rows of the profile."""
    extra: dict[str, Estimate] = {}
    if task.pairs == "redrawn":
        runs = store.redrawn(settings.modalities)
        analysis = analyze_redrawn(
            runs.probability,
            *runs.inputs,
            modalities=settings.modalities,
            base=settings.base,
            replicates=settings.replicates,
            seed=settings.seed,
        )
    else:
        layer = task.layer if task.view == "stream" else 0
        if task.view == "answer":
            y, target = _model_answer(store)
        elif task.view == "stream":
            y, target = _right_answer(store)
        else:
            y = code_states(store.array(f"fused/{task.layer}"), seed=settings.seed)
            target = f"the fused state, {int(y.max()) + 1} codes"
        analysis = analyze(
            {modality: store.span(modality, layer) for modality in settings.modalities},
            y,
            groups=store.groups(),
            target=target,
            base=settings.base,
            folds=settings.folds,
            replicates=settings.replicates,
            seed=settings.seed,
        )
        if task.view == "answer":
            extra = _accuracy(store, settings)
    analysis = replace(analysis, diagnostics=analysis.diagnostics | extra)
    where = {
        "model": task.model,
        "dataset": task.dataset,
        "view": task.view,
        "pairs": task.pairs,
        "layer": task.layer,
        "layer_name": task.layer_name,
        "q_value": float("nan"),
    }
    return [where | record for record in analysis.records()]
