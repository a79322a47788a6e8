"""The function `analyze`: check a sample once, and call an estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import signature
from typing import Any, Final, Protocol

from numpy.typing import ArrayLike

from modalprism.errors import DataWarning, InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.codebook.codebook import CodebookEstimator
from modalprism.estimation.inputs import check_index, named_columns
from modalprism.estimation.posterior import PosteriorEstimator
from modalprism.estimation.sample import Embeddings, Sample, check_sample
from modalprism.estimation.streaming import Streaming
from modalprism.estimation.validation import Groups, Seed, check_options, seed_number
from modalprism.progress import Progress, tracking
from modalprism.registry import Registry
from modalprism.results.estimate import Estimate


class Estimator(Protocol):
    """Function from a checked sample to its analysis, such as `PosteriorEstimator()`.

    Studies also read the integer attribute ``version`` of an estimator. Increase it whenever the
    estimator's results change; studies then recompute their cached results.
    """

    def __call__(self, sample: Sample, /) -> Analysis:
        """Analyse a sample, with modalities in the order of their names."""


ESTIMATORS: Final[Registry[Callable[..., Estimator]]] = Registry(
    "estimator",
    "modalprism.estimators",
    {"posterior": PosteriorEstimator, "codebook": CodebookEstimator},
)
"""Estimators by name. Each is called with the options of `analyze` that match its parameters."""


def analyze(
    embeddings: Embeddings,
    y: ArrayLike,
    *,
    groups: Groups = None,
    target: str = "target",
    base: float = 2,
    estimator: str | Estimator = "posterior",
    folds: int = 5,
    replicates: int = 1000,
    permutations: int = 199,
    effort: str = "default",
    seed: Seed = 0,
    streaming: Streaming | None = None,
    progress: Progress = False,
) -> Analysis:
    """Decompose the information of two embeddings about a target, with intervals.

    Parameters
    ----------
    embeddings : mapping of modality name to array_like, shapes (n, d1) and (n, d2)
        Two modalities; row i of both is example i. Arrays, tables and lists of any float, integer
        or boolean dtype; tensors on any device, with or without gradients. Arrays with more than
        50,000 rows only need to support slicing, such as a `numpy.memmap` or an HDF5 dataset.
    y : array_like, shape (n,), (n, 1) or (n, C)
        Labels, none of them missing, or a model's answer probabilities (rows sum to 1).
    groups : array_like, shape (n,), or mapping of column name to such, or DataFrame, optional
        Rows that share a value in any column never straddle folds.
        All pandas indices of `embeddings`, `y` and `groups` must be equal.
    target : str
        Description of `y` in words, shown in every output.
    base : float
        Base of the logarithm: 2 for bits, ``math.e`` for nats.
    estimator : {"posterior", "codebook"}, another name or callable
        ``posterior``: held-out predictions of calibrated probes. ``codebook``: counts of k-means
        codes, or of a source's own symbols, with bias correction. Other
        packages register names in the entry point group ``modalprism.estimators``. A callable
        takes the checked `Sample` and returns an `Analysis`; it has its own options instead of
        `base`, `replicates`, `permutations`, `effort`, `seed` and `progress`.
    folds : int
        Folds of the posterior estimator; at least 3.
    replicates : int
        Bootstrap replicates behind each interval.
    permutations : int
        Draws behind each p-value, which is at least 1 / (1 + permutations). With fewer than 19,
        or with fewer than 39 replicates, no atom is significant at .05, and every contribution is
        undetermined.
    effort : {"fast", "default", "thorough"}
        Probes of the posterior estimator. ``fast``: linear ones, curves, radial basis functions and
        products. ``default``: an ensemble of trees as well, where a small one adds to the others.
        ``thorough``: two larger ensembles.
    seed : int, None, numpy.random.Generator or numpy.random.SeedSequence
        The same number gives the same result, for either order of the modalities. Other seeds
        draw a number, which `Analysis.seed` records.
    streaming : Streaming, optional
        Options for more than 50,000 rows, which are analysed in blocks: embeddings may be mapped
        from disk and are never in memory as a whole. `Streaming(above=…)` sets the threshold.
    progress : bool or callable
        True shows a bar on standard error; a callable takes every
        `modalprism.progress.ProgressEvent`.

    Returns
    -------
    Analysis
        Intervals come from a bootstrap over groups. Those of ``posterior`` also include the effect
        of other and of more training rows; those of ``codebook`` are for the fitted codes.

    Raises
    ------
    InputError
        If the sample is invalid; the message has the reason and a remedy.

    Warns
    -----
    DataWarning
        If all columns of one modality are copies of the other's, an embedding is the same in every
        row, or rows repeat, nearly repeat or continue each other without a group that ties them;
        `Analysis.cautions` has the same sentences.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> image = rng.normal(size=(400, 8))
    >>> text = np.eye(2)[y] @ rng.normal(size=(2, 8)) * 3 + rng.normal(size=(400, 8))
    >>> a = analyze({"image": image, "text": text}, y, target="label")
    >>> a.unique[1].value > 0.8, round(a.contribution[1].value, 1)
    (True, 1.0)
    """
    check_options(base, replicates, permutations)
    if not isinstance(target, str):
        raise InputError(f"target is {target!r}: pass a name of y, such as 'answer'")
    seed = seed_number(seed)
    _check_index(embeddings, y, groups)
    streaming = streaming or Streaming()
    options = {
        "folds": folds,
        "replicates": replicates,
        "permutations": permutations,
        "base": base,
        "effort": effort,
        "seed": seed,
        "streaming": streaming,
    }
    with tracking(progress) as track:
        estimate = _estimator_of(estimator, options | {"track": track})
        sample = check_sample(
            embeddings, y, groups, folds, title=target, block_numbers=streaming.block_numbers
        )
        analysis = estimate(sample)
    if not isinstance(analysis, Analysis):
        raise InputError(
            f"the estimator {estimator!r} returned {type(analysis).__name__}, not an Analysis"
        )
    return _finished(analysis, sample, embeddings)


def _estimator_of(estimator: str | Estimator, options: Mapping[str, Any]) -> Estimator:
    """Return an estimator unchanged, or create one by name with the options that it takes."""
    if isinstance(estimator, str):
        make = ESTIMATORS[estimator]
        taken = signature(make).parameters
        return make(**{name: option for name, option in options.items() if name in taken})
    if isinstance(estimator, type) or not callable(estimator):
        names = ", ".join(map(repr, ESTIMATORS.names()))
        raise InputError(
            f"estimator is {estimator!r}: pass one of {names}, or an object that is called with a "
            "sample, such as PosteriorEstimator()"
        )
    return estimator


def _check_index(embeddings: Embeddings, y: ArrayLike, groups: Groups) -> None:
    tables: dict[str, Any] = {}
    if isinstance(embeddings, Mapping):
        tables |= {f"the embedding of {str(name)!r}": each for name, each in embeddings.items()}
    tables["the target"] = y
    columns = named_columns(groups)
    check_index(tables | {f"the group column {name!r}": columns[name] for name in columns})


def _finished(analysis: Analysis, sample: Sample, embeddings: Embeddings) -> Analysis:
    first, second = map(str, embeddings)
    found: dict[str, Estimate] = {}
    cautions = []
    if sample.repeated:
        found["repeated_rows"] = Estimate(float(sample.repeated))
    if sample.copied is not None:
        found["copied_columns"] = Estimate(1.0)
        other = second if sample.copied == first else first
        cautions.append(
            f"all columns of {sample.copied!r} are columns of {other!r}, up to order, sign, scale "
            f"and offset, so {sample.copied!r} has no unique information by construction; "
            "check that each modality was given its own array"
        )
    for name, source in zip(sample.modalities, sample.sources, strict=True):
        if source.nearly_constant:
            found[f"constant_source/{name}"] = Estimate(1.0)
            rounded = "" if source.constant else " up to rounding"
            cautions.append(
                f"the embedding of {name!r} is the same in every row{rounded}, so it has no "
                "information about the target by construction: a contribution of 0 is an artefact; "
                f"check that it is the right array, and that the inputs of {name!r} differ"
            )
    for name, dependence in zip(sample.modalities, sample.dependence, strict=True):
        if sentences := dependence.cautions(name, len(sample)):
            found[f"dependent_rows/{name}"] = Estimate(1.0)
            cautions.extend(sentences)
    for caution in cautions:
        warnings.warn(caution, DataWarning, stacklevel=3)
    analysis = replace(
        analysis,
        diagnostics=analysis.diagnostics | found,
        cautions=(*analysis.cautions, *cautions),
    )
    return analysis.in_order((first, second))
