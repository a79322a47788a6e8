"""Codebook estimator: atoms of the counts of k-means codes and the target.

The estimator codes each embedding, counts the codes with the target, and decomposes the table. That
is the usual estimator of discrete decompositions of embeddings (Liang et al. 2023,
arXiv:2302.12247) with three additions: a bias correction of every atom, intervals from resampled
tables, and a null for every atom, in which that atom is zero and the rest is unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis
from modalprism.estimation.atoms import split_information
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.codebook.coding import code_sources, renumbered
from modalprism.estimation.codebook.nulls import (
    Draws,
    coupled_sources,
    garbled_apart,
    garbled_source,
    permuted_source,
    permuted_target,
)
from modalprism.estimation.codebook.tables import (
    GAP_TOLERANCE,
    MOST_ITERATIONS,
    Coded,
    adjust,
    informations,
)
from modalprism.estimation.folds import connected_groups
from modalprism.estimation.sample import Sample
from modalprism.estimation.streaming import Streaming
from modalprism.estimation.summary import resolution_of, summarize
from modalprism.estimation.threads import one_thread
from modalprism.pid.solve import solve_union_information
from modalprism.progress import Step, Track, counted_steps, no_step, silent
from modalprism.results.estimate import Estimate

Array = NDArray[np.float64]

LEVEL_TABLES: Final = 50
"""Number of tables behind each noise level."""
SIGNIFICANT: Final = 0.05
_NULLS: Final = 7
_STEPS: Final = _NULLS + 2
"""Steps for the codes, the nulls, and the tables."""


@dataclass(frozen=True)
class CodebookResult:
    """Atoms of a coded sample, in nats.

    Attributes
    ----------
    value : ndarray, shape (8,)
        Bias-corrected, in the order of `modalprism.estimation.atoms.ATOMS`.
    replicates : ndarray, shape (8, R)
        Replicates around the value; their central 95 % is the interval.
    p_values : dict of str to float
        For the nulls that ``information``, ``redundancy``, ``unique_1``, ``unique_2``, ``synergy``
        and U₁+U₂ (``determined``) are 0, and that I(X₁;Y) = I(X₂;Y) (``imbalance``).
    gap : float
        Bound on the solver's error in the value's atoms.
    codes : (int, int)
        k1 and k2.
    plug_in, level : ndarray, shape (4,)
        I(X₁;Y), I(X₂;Y), I(X₁X₂;Y) and I_Q, as counted, and for a permuted target.
    ceiling : float
        I(row;Y), the largest possible information.
    rows_a_cell : float
        n / (k1 k2 C).
    blocks : int
        Number of blocks of rows that were exchanged as a whole.
    """

    value: Array
    replicates: Array
    p_values: dict[str, float]
    gap: float
    codes: tuple[int, int]
    plug_in: Array
    level: Array
    ceiling: float
    rows_a_cell: float
    blocks: int


@dataclass(frozen=True)
class CodebookEstimator:
    """Estimate the information of k-means codes, or of a source's own symbols, about a target.

    Attributes
    ----------
    replicates : int
        Replicates of the bootstrap over groups.
    permutations : int
        Draws of every null.
    base : float
        Base of the logarithm.
    seed : int
    streaming : Streaming
        Its `looked_at` bounds the rows of the nulls, sampled as whole groups, because a null takes
        hundreds of tables.
    track : Track
        Reports progress; see `modalprism.progress.tracking`.

    Notes
    -----
    *Interval.* A resampled table has the bias twice. Its informations get the correction of the
    sample, and the replicates are shifted so that their mean is the value. The codes are not
    refitted.

    *Nulls* (`nulls`). The statistic is the corrected atom, computed with the null's own noise
    level; p = (1 + #{≥}) / (1 + B), and differences within the solver's bound count as equal. Many
    distributions have no unique information or no synergy. The statistic is therefore compared with
    the null closest to the sample and with a null of noise (that source permuted; the target
    permuted), and the larger p-value is used. Unique information must also remain above zero in the
    resampled tables, because the nulls redraw one source and ignore the dependence between the
    errors of both. For sources with equal p(x,y) (AND), only this condition matters.

    ``determined`` has the null U₁ = U₂ = 0; its p is twice the smaller p-value of the two.
    ``imbalance`` compares |I(X₁;Y) − I(X₂;Y)| with permuted targets if the information is not
    significant (at .05). Otherwise the bootstrap is used, because sources with equal information
    need not be exchangeable.

    Examples
    --------
    >>> from modalprism.estimation.sample import check_sample
    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.integers(2, size=(2, 400, 1))
    >>> xor = check_sample({"image": one, "text": other}, (one != other).ravel(), None, folds=5)
    >>> analysis = CodebookEstimator(replicates=50, permutations=50)(xor)
    >>> round(analysis.synergy.value, 1), round(analysis.synergy.p_value, 2)
    (1.0, 0.02)
    """

    version: ClassVar[int] = 1
    """Increased with every change of results; studies then recompute their cached results."""

    replicates: int = 1000
    permutations: int = 199
    base: float = 2
    seed: int = 0
    streaming: Streaming = field(default_factory=Streaming)
    track: Track = silent

    def __call__(self, sample: Sample) -> Analysis:
        """Code, count, correct and resample a sample, in one thread."""
        names = " and ".join(sample.modalities)
        with (
            one_thread(),
            counted_steps(self.track, _STEPS, f"analysing {names}") as step,
        ):
            counted, tested = self.count(sample, step)
        n, classes = len(sample), sample.target.classes
        nat = math.log(self.base)
        # Values without the correction, and for a permuted target.
        diagnostics = {
            f"{name}_information": Estimate(float(amounts[2]) / nat)
            for name, amounts in (("plug_in", counted.plug_in), ("noise", counted.level))
        }
        if tested < n:
            diagnostics["tested_rows"] = Estimate(float(tested))
        analysis = summarize(
            counted.value,
            counted.replicates - counted.value[:, None],
            modalities=sample.modalities,
            target=sample.target.title,
            base=self.base,
            n=n,
            gap=counted.gap,
            classes=classes,
            resolution=resolution_of(classes, n),
            estimator="codebook",
            diagnostics=diagnostics,
            families={
                modality: (f"{codes} codes",)
                for modality, codes in zip(sample.modalities, counted.codes, strict=True)
            },
            p_values=counted.p_values,
        )
        return replace(analysis, seed=self.seed)

    def count(self, sample: Sample, step: Step = no_step) -> tuple[CodebookResult, int]:
        """Return the atoms in nats, and the number of rows behind the p-values."""
        codes, n = code_sources(sample, self.seed), len(sample)
        step()
        coded = Coded.of(codes, sample.target.whole, sample.groups)
        if n <= self.streaming.looked_at:
            weights = self._weights(sample.groups, n)
            result = decompose_coded(coded, weights, self.permutations, self.seed, step)
            step()
            return result, n
        tested = self._tested(sample)
        groups = {name: column[tested] for name, column in sample.groups.items()}
        some = Coded.of(
            (renumbered(codes[0][tested]), renumbered(codes[1][tested])),
            sample.target.rows(tested),
            groups,
        )
        weights = self._weights(groups, len(tested))
        p_values = decompose_coded(some, weights, self.permutations, self.seed, step).p_values
        weights = self._weights(sample.groups, n)
        result = decompose_many_coded(coded, weights, p_values, self.seed)
        step()
        return result, len(tested)

    def _weights(self, groups: Mapping[str, NDArray[Any]], n: int) -> Iterable[Array]:
        batches = weights_in_batches(groups, n, self.replicates, self.seed)
        return chain.from_iterable(batches)

    def _tested(self, sample: Sample) -> NDArray[np.int64]:
        """Choose whole components of rows at random, within the limit if possible."""
        component = connected_groups(sample.groups, len(sample))
        size = np.bincount(component)
        order = np.random.default_rng(self.seed).permutation(len(size))
        kept = np.zeros(len(size), dtype=np.bool_)
        kept[order[np.cumsum(size[order]) <= max(self.streaming.looked_at, size[order[0]])]] = True
        return np.flatnonzero(kept[component])


@dataclass(frozen=True)
class _Told:
    """Informations of a coded sample, those of noise, its atoms and replicates."""

    plug: Array
    gap: float
    random: Array
    level: Array
    value: Array
    drawn: Array

    @classmethod
    def of(
        cls, coded: Coded, weights: Iterable[Array], draws: int, rng: np.random.Generator
    ) -> _Told:
        """Compute the table, `draws` tables of a permuted target, and one for every weighting."""
        plug, gap = informations(coded.table()[None])
        random, _ = informations(permuted_target(coded, draws, rng))
        level = random.mean(1)
        value = _atoms(plug, level, coded.ceiling)[:, 0]
        resampled, _ = informations(np.stack([coded.table(weight) for weight in weights]))
        drawn = _atoms(resampled, level, coded.ceiling)
        drawn += value[:, None] - drawn.mean(1, keepdims=True)
        return cls(plug, gap, random, level, value, drawn)

    def result(self, coded: Coded, p_values: dict[str, float]) -> CodebookResult:
        """Return the result of the estimator."""
        ceiling = coded.ceiling
        return CodebookResult(
            value=self.value,
            replicates=self.drawn,
            p_values=p_values,
            gap=self.gap * ceiling / max(ceiling - float(self.level[3]), GAP_TOLERANCE),
            codes=coded.shape[:2],
            plug_in=self.plug[:, 0],
            level=self.level,
            ceiling=ceiling,
            rows_a_cell=coded.n / float(np.prod(coded.shape)),
            blocks=len(coded.blocks),
        )


def decompose_coded(
    coded: Coded,
    weights: Iterable[Array],
    permutations: int,
    seed: int,
    step: Step = no_step,
) -> CodebookResult:
    """Decompose coded rows, with bootstrap weights (n,) per replicate; see `CodebookEstimator`.

    `step` is called after each of `_NULLS` nulls.
    """
    rng = np.random.default_rng(seed)
    told = _Told.of(coded, weights, max(permutations, LEVEL_TABLES), rng)
    value, drawn = told.value, told.drawn
    none = _atoms(told.random[:, :permutations], told.level, coded.ceiling)
    p_values = {"information": _p_value(none[4], value[4])}
    p_values |= _atom_p_values(coded, value, none, permutations, rng, step)
    for atom, name in ((1, "unique_1"), (2, "unique_2")):
        p_values[name] = max(p_values[name], _tail(drawn[atom]))
    p_values["determined"] = min(1.0, 2 * min(p_values["unique_1"], p_values["unique_2"]))
    p_values["imbalance"] = _imbalance(p_values["information"], value, none, drawn)
    return told.result(coded, p_values)


def decompose_many_coded(
    coded: Coded, weights: Iterable[Array], p_values: dict[str, float], seed: int
) -> CodebookResult:
    """Decompose many coded rows, given p-values computed on some of them."""
    told = _Told.of(coded, weights, LEVEL_TABLES, np.random.default_rng(seed))
    return told.result(coded, p_values)


def _atoms(plug: Array, level: Array, ceiling: float) -> Array:
    """Return the corrected atoms, (8, B), of counted informations, (4, B)."""
    return split_information(*adjust(plug, level, ceiling))


def _p_value(null: Array, value: float) -> float:
    # Differences within the solver's tolerance count as equal.
    return float((1 + (null >= value - 2 * GAP_TOLERANCE).sum()) / (1 + len(null)))


def _tail(drawn: Array) -> float:
    """Return the fraction of resampled tables in which an atom is zero."""
    return float((1 + (drawn <= 2 * GAP_TOLERANCE).sum()) / (1 + len(drawn)))


def _atom_p_values(
    coded: Coded,
    value: Array,
    none: Array,
    permutations: int,
    rng: np.random.Generator,
    step: Step,
) -> dict[str, float]:
    """Draw the tables of every atom's nulls, and return the largest p-value."""
    table = coded.table() / coded.n
    coupling = solve_union_information(
        table.sum(1), table.sum(0), tol=GAP_TOLERANCE, max_iter=MOST_ITERATIONS
    ).coupling()

    def atoms_of(draw: Draws) -> Array:
        level = informations(draw.noise)[0].mean(1)
        atoms = _atoms(informations(draw.tables)[0], level, coded.ceiling)
        step()
        return atoms

    asked = (permutations, LEVEL_TABLES, rng)
    permuted = [atoms_of(permuted_source(coded, source, *asked)) for source in (0, 1)]
    garbled = [atoms_of(garbled_source(coded, coupling, source, *asked)) for source in (0, 1)]
    apart = [atoms_of(garbled_apart(coded, coupling, source, *asked)) for source in (0, 1)]
    nulls = {
        "redundancy": [permuted[int(value[6] < value[5])]],
        "unique_1": [garbled[0], apart[0], permuted[0]],
        "unique_2": [garbled[1], apart[1], permuted[1]],
        "synergy": [atoms_of(coupled_sources(coded, coupling, *asked)), none],
    }
    return {
        name: max(_p_value(null[atom], value[atom]) for null in members)
        for atom, (name, members) in enumerate(nulls.items())
    }


def _imbalance(information: float, value: Array, none: Array, drawn: Array) -> float:
    """Return the p-value of I(X₁;Y) = I(X₂;Y), two-sided."""
    difference = value[5] - value[6]
    if information > SIGNIFICANT:
        return _p_value(np.abs(none[5] - none[6]), abs(float(difference)))
    spread = drawn[5] - drawn[6]
    lesser = min((spread <= 0).sum(), (spread >= 0).sum())
    return float(min(1.0, 2 * (1 + lesser) / (1 + len(spread))))
