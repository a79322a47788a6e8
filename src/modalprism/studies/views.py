"""Views: which embeddings are the sources, what is the target, and at which layers.

A study names its views. Packages register views of their own under a name in the entry point group
``modalprism.views``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar, Final, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modalprism.capture.store import EmbeddingStore
from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.analyze import analyze
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.codes import code_states
from modalprism.estimation.redrawn import analyze_redrawn
from modalprism.estimation.sensitivity import code_sensitivity
from modalprism.registry import Registry
from modalprism.results.estimate import Estimate, percentile_interval

Pairs = Literal["observed", "redrawn"]

NO_LAYER: Final = -1
"""The layer of an analysis of the whole model."""


@dataclass(frozen=True)
class Settings:
    """Options that all analyses of a study share; see `modalprism.analyze`."""

    modalities: tuple[str, str]
    base: float = 2
    estimator: str = "posterior"
    folds: int = 5
    replicates: int = 1000
    permutations: int = 199
    effort: str = "default"
    seed: int = 0

    def analyze(self, embeddings: Mapping[str, Any], y: ArrayLike, **options: Any) -> Analysis:
        """Analyse embeddings with these settings; `options` of `modalprism.analyze` go first."""
        own = asdict(self)
        del own["modalities"]
        return analyze(embeddings, y, **(own | options))


class View(Protocol):
    """Selection from a store: sources, target and layers.

    Attributes
    ----------
    version : int
        Raised when the view reads something else, so that cached results are computed anew.
    """

    version: ClassVar[int]

    def layers(
        self, store: EmbeddingStore, modalities: tuple[str, str], selected: Collection[int] | None
    ) -> Sequence[int]:
        """Return the layers to analyse; `NO_LAYER` stands for the whole model.

        Parameters
        ----------
        store : EmbeddingStore
        modalities : (str, str)
        selected : collection of int, optional
            The layers that the study names; all by default.

        Raises
        ------
        InputError
            If the store lacks what the view reads.
        """
        ...

    def analysis(self, store: EmbeddingStore, layer: int, settings: Settings) -> Analysis:
        """Analyse a store at one of these layers."""
        ...


class AnswerView:
    """Each modality's embedding before fusion about the model's answer: one result."""

    version: ClassVar[int] = 1

    def layers(
        self,
        store: EmbeddingStore,
        modalities: tuple[str, str],
        selected: Collection[int] | None,  # noqa: ARG002
    ) -> Sequence[int]:
        """Return no layer: the view is of the whole model."""
        require_different(store, modalities, 0)
        return (NO_LAYER,)

    def analysis(self, store: EmbeddingStore, layer: int, settings: Settings) -> Analysis:  # noqa: ARG002
        """Analyse the answer, and add the model's accuracy."""
        analysis = _analyze(store, settings, 0, *target_of(store, "answer", "label"))
        extra = _accuracy(store, settings)
        return replace(analysis, diagnostics=analysis.diagnostics | extra)


class RedrawnView:
    """The model's answer on re-paired inputs, without probes: ``pairs: [redrawn]``."""

    version: ClassVar[int] = 1

    def layers(
        self,
        store: EmbeddingStore,
        modalities: tuple[str, str],  # noqa: ARG002
        selected: Collection[int] | None,  # noqa: ARG002
    ) -> Sequence[int]:
        """Return no layer: the view is of the whole model."""
        if "redrawn/answer" not in store.names:
            raise InputError(
                f"{store.path} has no runs on redrawn pairs; ask for pairs: [observed]"
            )
        return (NO_LAYER,)

    def analysis(self, store: EmbeddingStore, layer: int, settings: Settings) -> Analysis:  # noqa: ARG002
        """Decompose the answers on redrawn pairs."""
        runs = store.redrawn(settings.modalities)
        return analyze_redrawn(
            runs.probability,
            *runs.inputs,
            modalities=settings.modalities,
            base=settings.base,
            replicates=settings.replicates,
            seed=settings.seed,
        )


class StreamView:
    """Both spans' states at a layer about the label: one result a layer."""

    version: ClassVar[int] = 1

    def layers(
        self, store: EmbeddingStore, modalities: tuple[str, str], selected: Collection[int] | None
    ) -> Sequence[int]:
        """Return the layers that have states of both modalities."""
        layers = [k for k in store.layers(modalities) if selected is None or k in selected]
        for layer in layers:
            require_different(store, modalities, layer)
        return layers

    def analysis(self, store: EmbeddingStore, layer: int, settings: Settings) -> Analysis:
        """Analyse the label."""
        return _analyze(store, settings, layer, *target_of(store, "label", "answer"))


class EncodingView:
    """Each modality's embedding before fusion about codes of a layer's fused state, by layer."""

    version: ClassVar[int] = 1

    def layers(
        self, store: EmbeddingStore, modalities: tuple[str, str], selected: Collection[int] | None
    ) -> Sequence[int]:
        """Return the layers that have a fused state."""
        layers = [k for k in store.fused_layers if selected is None or k in selected]
        if not layers:
            raise InputError(
                f"{store.path} has nothing for the encoding view at the layers asked for; it needs "
                "arrays fused/1, fused/2, …"
            )
        require_different(store, modalities, 0)
        return layers

    def analysis(self, store: EmbeddingStore, layer: int, settings: Settings) -> Analysis:
        """Analyse the codes, and add how much depends on their number."""
        states = store.array(f"fused/{layer}")
        y = code_states(states, seed=settings.seed)
        target = f"the fused state, {int(y.max()) + 1} codes"
        analysis = _analyze(store, settings, 0, y, target)
        alone = replace(settings, replicates=1, permutations=1)
        values_alone = partial(_analyze, store, alone, 0)
        extra = code_sensitivity(analysis, states, values_alone, seed=settings.seed)
        return replace(analysis, diagnostics=analysis.diagnostics | extra)


VIEWS: Final[Registry[Callable[[], View]]] = Registry(
    "view",
    "modalprism.views",
    {"answer": AnswerView, "stream": StreamView, "encoding": EncodingView},
)
"""Views by name: what makes each."""


def require_different(store: EmbeddingStore, modalities: tuple[str, str], layer: int) -> None:
    """Refuse a layer at which all states of both modalities are equal."""
    if layer in store.layers(modalities) and store.same_states(modalities, layer):
        also = ", or leave the layer out by layers" if layer else ""
        raise InputError(
            f"{store.path} has the same array for {modalities[0]} and {modalities[1]} at layer "
            f"{layer}, so that nothing can tell them apart; read each from a module of its own"
            + also
        )


def target_of(store: EmbeddingStore, *names: str) -> tuple[NDArray[Any], str]:
    """Return the first of the arrays "label" and "answer" that a store has, and its description."""
    for name in names:
        if name in store.names:
            return store.array(name), "label" if name == "label" else "the model's answer"
    raise InputError(f"{store.path} has neither 'label' nor 'answer': name the target so")


def _analyze(
    store: EmbeddingStore, settings: Settings, layer: int, y: ArrayLike, target: str = "target"
) -> Analysis:
    """Analyse both modalities' states at a layer, which are mapped."""
    spans = {one: store.mapped_span(one, layer) for one in settings.modalities}
    return settings.analyze(spans, y, groups=store.groups(), target=target)


def _accuracy(store: EmbeddingStore, settings: Settings) -> dict[str, Estimate]:
    """Return the model's accuracy and that of the commonest answer, where the store has both."""
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
    """Return labels as numbers of the candidates; as they are where one is no candidate."""
    candidates = json.loads(metadata.get("candidates", "[]"))
    if label.dtype.kind != "U" or not set(label.tolist()) <= set(candidates):
        return label
    return np.array([candidates.index(word) for word in label.tolist()])
