"""The estimators, each a function from a sample to an `Answer` in bits.

=========  =========================================================================================
posterior  this package's default
codebook   this package's corrected tables
plug-in    tables of k-means codes, uncorrected: Liang et al. 2023 (CVX)
tokens     the paper's protocol: tables of the tokens of one example, averaged over examples
batch      neural, by alignment within batches: Liang et al. 2023 (BATCH)
stack      stacked classifiers of scikit-learn, for informations alone
=========  =========================================================================================
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from folders import fingerprint
from problems import ATOMS, INFORMATIONS, Sample

import modalprism
from modalprism.errors import InputError

_HERE = Path(__file__).parent
_PACKAGE = Path(modalprism.__file__).parent


class SkipError(Exception):
    """An estimator that is not there; the message says why."""


@dataclass(frozen=True)
class Settings:
    """Options of estimators from the command line.

    Parameters
    ----------
    replicates : int
        Bootstrap replicates behind our intervals.
    permutations : int
        Permutations behind our nulls, once `analyze` has them.
    """

    replicates: int = 1000
    permutations: int = 99


@dataclass(frozen=True)
class Answer:
    """Estimates of one sample, in bits.

    Parameters
    ----------
    redundancy, unique_1, unique_2, synergy : float
        The atoms.
    contribution : float
        Of source 1; NaN where undetermined.
    low, high : mapping or None
        Bounds of the 95 % intervals by quantity; None where the estimator has none.
    p_values : mapping or None
        Of the null that a quantity is 0, by quantity; None where the estimator has no test.
    determined : bool or None
        Whether the contribution is; None where the estimator knows no such thing.
    informations : tuple of float, or None
        I(X₁;Y), I(X₂;Y) and I(X₁X₂;Y) of an estimator that gives these alone; its atoms are NaN.
    seconds, processor : float
        It took, by the clock and of the processor, which others on the machine do not lengthen.
    """

    redundancy: float
    unique_1: float
    unique_2: float
    synergy: float
    contribution: float
    low: Mapping[str, float] | None = None
    high: Mapping[str, float] | None = None
    p_values: Mapping[str, float] | None = None
    determined: bool | None = None
    informations: tuple[float, float, float] | None = None
    seconds: float = math.nan
    processor: float = math.nan

    def values(self) -> dict[str, float]:
        """Every quantity that was estimated, by name."""
        if self.informations is not None:
            return dict(zip(INFORMATIONS, self.informations, strict=True))
        atoms = {name: getattr(self, name) for name in ATOMS}
        r, u1, u2, _ = atoms.values()
        told = dict(zip(INFORMATIONS, (r + u1, r + u2, sum(atoms.values())), strict=True))
        return atoms | told | {"contribution": self.contribution}


@dataclass(frozen=True)
class Estimator:
    """Something that answers.

    Parameters
    ----------
    name : str
        What the tables call it.
    about : str
        What it is, in one line.
    answer : callable
        From a sample, a seed and the settings to an `Answer`.
    files : sequence of Path
        Its code: draws made by other code are made again.
    draws : int
        Most draws of one problem unless more are asked for by number: the slow ones have few.
    missing : callable
        Why it cannot run here; None where it can.
    groups : sequence of str, optional
        Groups of problems that it is tried on; all without one.
    code : str
        First digits of the hash of its code, as it was when it was imported.
    """

    name: str
    about: str
    answer: Callable[[Sample, int, Settings], Answer]
    files: Sequence[Path] = field(repr=False)
    draws: int = 1_000
    missing: Callable[[], str | None] = lambda: None
    groups: Sequence[str] | None = None
    code: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", fingerprint(self.files))

    def timed(self, sample: Sample, seed: int, settings: Settings) -> Answer:
        """Answer, and say how long it took."""
        started, used = time.perf_counter(), time.process_time()
        answer = self.answer(sample, seed, settings)
        seconds, processor = time.perf_counter() - started, time.process_time() - used
        return dataclasses.replace(answer, seconds=seconds, processor=processor)


def from_atoms(r: float, u1: float, u2: float, s: float) -> Answer:
    """Answer with atoms alone; their contribution is the ratio, whatever it is worth.

    Examples
    --------
    >>> from_atoms(0.5, 0.375, 0.125, 0.0).contribution
    0.75
    """
    ratio = u1 / (u1 + u2) if u1 + u2 else math.nan
    return Answer(r, u1, u2, s, ratio)


def _ours(name: str, sample: Sample, seed: int, settings: Settings) -> Answer:
    """Ask this package; nulls are asked for where this version of it has them."""
    options = {"replicates": settings.replicates, "permutations": settings.permutations}
    known = inspect.signature(modalprism.analyze).parameters
    analysis = modalprism.analyze(
        {"one": sample.x1, "two": sample.x2},
        sample.y,
        groups=sample.groups,
        estimator=name,
        seed=seed,
        **{option: value for option, value in options.items() if option in known},
    )
    estimates = {
        "redundancy": analysis.redundancy,
        "unique_1": analysis.unique[0],
        "unique_2": analysis.unique[1],
        "synergy": analysis.synergy,
        "information_1": analysis.marginal_information[0],
        "information_2": analysis.marginal_information[1],
        "information": analysis.information,
        "contribution": analysis.contribution[0],
    }
    tested = {
        quantity: estimate.p_value
        for quantity, estimate in estimates.items()
        if not math.isnan(estimate.p_value)
    }
    return Answer(
        *(estimates[atom].value for atom in ATOMS),
        contribution=analysis.contribution[0].value,
        low={quantity: estimate.low for quantity, estimate in estimates.items()},
        high={quantity: estimate.high for quantity, estimate in estimates.items()},
        p_values=tested or None,
        determined=analysis.contribution[0].determined,
    )


def _ours_missing(name: str) -> str | None:
    """Whether this version of the package knows an estimator: it says so before all else."""
    try:
        modalprism.analyze({"one": [[0.0]], "two": [[0.0]]}, [0], estimator=name)
    except InputError as error:
        return f"not in this version: {error}" if "no estimator" in str(error) else None
    return None


def _plug_in(sample: Sample, seed: int, _settings: Settings) -> Answer:
    from plug_in import decompose_codes

    return from_atoms(*decompose_codes(sample, seed))


def _tokens(sample: Sample, seed: int, _settings: Settings) -> Answer:
    from tokens import decompose_examples

    *atoms, contribution = decompose_examples(sample, seed)
    return Answer(*atoms, contribution=contribution)


def _batch(sample: Sample, seed: int, _settings: Settings) -> Answer:
    from neural import align

    return from_atoms(*align(sample, seed))


def _stack(sample: Sample, seed: int, _settings: Settings) -> Answer:
    from stack import informations

    return Answer(*[math.nan] * 5, informations=informations(sample, seed))


def _our_files() -> list[Path]:
    return [*(_PACKAGE / "estimation").rglob("*.py"), *(_PACKAGE / "pid").rglob("*.py")]


ESTIMATORS = {
    estimator.name: estimator
    for estimator in (
        Estimator(
            "posterior",
            "calibrated probes, coupled row by row",
            partial(_ours, "posterior"),
            _our_files(),
            missing=partial(_ours_missing, "posterior"),
        ),
        Estimator(
            "codebook",
            "tables of codes, corrected for bias",
            partial(_ours, "codebook"),
            _our_files(),
            missing=partial(_ours_missing, "codebook"),
        ),
        Estimator(
            "plug-in",
            "k-means to 20 codes, counts, exact solver (the recipe of Liang et al. 2023, CVX)",
            _plug_in,
            [_HERE / "plug_in.py"],
        ),
        Estimator(
            "tokens",
            "one table for each 18 rows, IPFP, averaged (the paper's protocol)",
            _tokens,
            [_HERE / "tokens.py"],
        ),
        Estimator(
            "batch",
            "networks aligned within batches (after Liang et al. 2023, BATCH)",
            _batch,
            [_HERE / "neural.py"],
            draws=3,
        ),
        Estimator(
            "stack",
            "stacked off-the-shelf classifiers (scikit-learn), for informations alone",
            _stack,
            [_HERE / "stack.py"],
            draws=5,
            groups=("kinds",),
        ),
    )
}


def select(parts: Sequence[str] | None) -> list[Estimator]:
    """Return the estimators whose name contains one of the parts, all where there are none.

    Examples
    --------
    >>> [estimator.name for estimator in select(["plug"])]
    ['plug-in']
    """
    return [
        estimator
        for name, estimator in ESTIMATORS.items()
        if not parts or any(part.lower() in name for part in parts)
    ]
