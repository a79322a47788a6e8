r"""p-values of the posterior estimator's atoms, computed from held-out scores without new fits.

**H0: no information.** Permute the targets within each fold, in whole blocks. With one slope to
calibrate, held-out information increases with the mean of :math:`\sum_y t_{iy} z_{iy}`. This mean
is the test statistic of each information. For the atoms, merge the scores into few states,
calibrate them again in each permutation, and couple them.

**H0: one atom is zero, and the information is positive.** The other atoms are then free, and the
first null is too easy to reject. The atom must exceed that null, and the null in which one source
is permuted beside the other. Its bootstrap replicates must also exceed a floor: the solver's error,
plus (C−1)/n nats (the size of a class frequency's error), plus 2 % of the union information (the
measured difference between probes of one source, of another, and of both). Near zero the atoms are
flat, so the bootstrap is conservative.

**H0: no synergy.** Synergy is what the joint probe adds to the union's own predictor, the best that
the marginals of both sources allow. A score test (Rao 1948) decides whether it adds anything. Its
statistic is the mean over rows of target minus prediction times log-odds, after a projection off
the other slopes; its null gives random signs to blocks of rows. The log-odds are those of the joint
probe and those of products alone, and the larger statistic counts. Synergy is significant if it
passes this test and exceeds the floor without the 2 %, or if it exceeds the whole floor: synergy
without products escapes the test (AND is additive in log-odds).

**The factor √2.** Scores are held out, but every pair of rows from two folds counts twice: the
probe that predicts i was fitted to j, and the probe that predicts j to i. For a probe that is
linear in its targets, as probes of noise are to first order, this doubles the variance of a mean of
target times score relative to a permutation with fixed scores. Permuted draws are scaled by √2;
docs/estimation.md has the measured rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, log_softmax
from sklearn.cluster import KMeans

from modalprism.estimation.atoms import ATOMS, split_information
from modalprism.estimation.calibration import fit_nonnegative
from modalprism.estimation.exchange import Exchange
from modalprism.pid.solve import solve_batch

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

SURELY: Final = 0.01
"""p-value of an information below which the nulls assume a positive information."""
STATES: Final = 24
_TOLERANCE: Final = 1e-6  # nats; noise has about 1/n
_DIVERGED: Final = 1e-3  # nats
_MOST_ITERATIONS: Final = 500
_NEWTON_STEPS: Final = 30
_EQUAL: Final = 1e-9
PAIRS_TWICE: Final = 2**0.5
LOUDEST: Final = 1.25
"""Factor for draws of the maximum of three scores; with √2, 2 % of noise was significant."""
MARGIN: Final = 0.02
"""Fraction of the union information that an atom may reach by unequal probes."""


@dataclass(frozen=True)
class _Source:
    """Merged held-out scores of one source.

    Attributes
    ----------
    scores : ndarray, shape (k, C)
        Mean log-odds of every state.
    of_row : ndarray of int64, shape (n,)
    """

    scores: Array
    of_row: Rows

    @classmethod
    def of(cls, logits: Array, seed: int) -> _Source:
        log_p = log_softmax(logits, axis=1)
        roots = np.exp(log_p / 2)
        count = min(STATES, len(np.unique(roots.round(6), axis=0)))
        of_row = KMeans(count, n_init=1, max_iter=20, random_state=seed).fit_predict(roots)
        _, of_row = np.unique(of_row, return_inverse=True)
        total = np.zeros((int(of_row.max()) + 1, logits.shape[1]))
        np.add.at(total, of_row, log_p - log_p.mean(1, keepdims=True))
        return cls(total / np.bincount(of_row)[:, None], of_row)

    def marginals(self, target: Array, orders: Rows, stretch: float) -> Array:
        """Calibrate the states by permuted targets (B, n) and return p(state, y), (B, k, C).

        Deviations of the counts from independence are multiplied by `stretch`.
        """
        counts = np.zeros((len(orders), *self.scores.shape))
        for table, order in zip(counts, orders, strict=True):
            np.add.at(table, self.of_row, target[order] / len(target))
        independent = counts.sum(2, keepdims=True) * counts.sum(1, keepdims=True)
        return calibrate_states(self.scores, independent + stretch * (counts - independent))


def calibrate_states(scores: Array, counts: Array) -> Array:
    """Fit a slope and biases to states' scores for many tables together (Newton).

    Parameters
    ----------
    scores : ndarray, shape (k, C)
    counts : ndarray, shape (B, k, C)
        Observed p(state, y); every class has mass.

    Returns
    -------
    ndarray, shape (B, k, C)
        Calibrated p(state, y) = p(state) p(y|state), with the observed p(y). Negative slopes are
        set to 0.
    """
    batch, _, classes = counts.shape
    mass, frequency = counts.sum(2), counts.sum(1)
    spread = max(float(scores.std()), 1e-12)
    scaled = scores / spread
    fit = np.einsum("bky,ky->b", counts, scaled)
    start = np.einsum("by,bk,ky->b", frequency, mass, scaled)
    slope, bias = np.zeros(batch), np.log(frequency)

    def posterior(slope: Array, bias: Array) -> Array:
        p: Array = np.exp(log_softmax(slope[:, None, None] * scaled + bias[:, None], axis=2))
        return p

    def loss(slope: Array, bias: Array) -> Array:
        log_p = log_softmax(slope[:, None, None] * scaled + bias[:, None], axis=2)
        found: Array = -(counts * log_p).sum((1, 2))
        return found

    current = loss(slope, bias)
    for _ in range(_NEWTON_STEPS):
        p = posterior(slope, bias)
        joint = mass[:, :, None] * p
        deviation = scaled - (p * scaled).sum(2, keepdims=True)
        gradient = np.concatenate(
            [
                ((joint * scaled).sum((1, 2)) - fit)[:, None],
                joint.sum(1) - frequency,
            ],
            1,
        )
        if np.abs(gradient).max() < _EQUAL:
            break
        hessian = np.empty((batch, classes + 1, classes + 1))
        hessian[:, 0, 0] = (joint * deviation**2).sum((1, 2)) + 1e-9
        hessian[:, 0, 1:] = hessian[:, 1:, 0] = (joint * deviation).sum(1)
        hessian[:, 1:, 1:] = -np.einsum("bky,bkz->byz", joint, p) + 1.0 / classes
        # Slightly more curvature, for nearly certain p, where the loss is flat.
        hessian[:, 1:, 1:] += (joint.sum(1)[:, :, None] + 1e-9) * np.eye(classes)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        length = np.ones(batch)
        for _ in range(20):  # halve steps that increase the loss
            tried = loss(slope - length * step[:, 0], bias - length[:, None] * step[:, 1:])
            worse = tried > current + 1e-12
            if not worse.any():
                break
            length[worse] /= 2
        slope, bias = slope - length * step[:, 0], bias - length[:, None] * step[:, 1:]
        current = np.minimum(tried, current)
    p = posterior(slope, bias)
    nothing = fit <= start + 1e-15
    p[nothing] = frequency[nothing][:, None]
    calibrated: Array = mass[:, :, None] * p
    return calibrated


def p_value(null: Array, value: float) -> float:
    """Return (1 + #{null ≥ value}) / (1 + B); equal within rounding counts."""
    return float((1 + (null >= value - _EQUAL).sum()) / (1 + len(null)))


def p_values_of(
    logits: Array,
    target: Array,
    potential: Array,
    gap: float,
    value: Array,
    moved: Array,
    exchange: Exchange,
    *,
    permutations: int,
    seed: int,
) -> dict[str, float]:
    """Return the p-value of the null that each atom is zero.

    Parameters
    ----------
    logits : ndarray, shape (n, 4, C)
        Held-out scores, see `HeldOut`.
    target : ndarray, shape (n, C)
    potential : ndarray, shape (n, C)
        Log-odds of the union's predictor, without synergy; see `Coupling.potential`.
    gap : float
        Bound on the solver's error in the union information, in nats.
    value, moved : ndarray, shapes (8,) and (8, R)
        The atoms, and their bootstrap replicates.
    exchange : Exchange
    permutations : int
    seed : int

    Returns
    -------
    dict of str to float
        By atom; ``determined`` tests U₁+U₂ = 0, and ``imbalance`` tests U₁ = U₂.
    """
    rng = np.random.default_rng(seed)
    orders = exchange.permutations(permutations, rng)
    read = [logits[:, kind] for kind in range(3)]
    spoken, silence = zip(*(_linear_test(scores, target, orders) for scores in read), strict=True)
    # The largest statistic tests the information of both. Without information the joint probe is
    # often constant, and its own test would almost never reject.
    told = [p_value(null, value) for value, null in zip(spoken[:2], silence[:2], strict=True)]
    told.append(p_value(np.max(silence, 0), max(spoken) * PAIRS_TWICE / LOUDEST))
    p_values = dict(
        zip(("marginal_information_1", "marginal_information_2", "information"), told, strict=True)
    )
    sources = [_Source.of(scores, seed) for scores in read[:2]]
    as_it_is = np.arange(len(target))[None]
    observed = [source.marginals(target, as_it_is, 1.0) for source in sources]
    permuted = [source.marginals(target, orders, PAIRS_TWICE) for source in sources]
    statistic = _statistics(observed[0], observed[1])[:, 0]
    none = _statistics(permuted[0], permuted[1])
    something = min(told) <= max(SURELY, 1 / (1 + permutations))
    floor = gap + (target.shape[1] - 1) / len(target)
    beyond = floor + MARGIN * max(float(value[7]), 0.0)
    silent = _one_silent(observed, permuted) if something else []
    weaker = int(statistic[1] < statistic[0])
    beside = {"redundancy": weaker, "unique_1": 0, "unique_2": 1}
    for row, name in enumerate(("redundancy", "unique_1", "unique_2", "determined"), start=2):
        found = [p_value(none[row], statistic[row])]
        if something:
            found.append(_tail(value, moved, name, beyond))
            if name in beside:
                found.append(p_value(silent[beside[name]][row], statistic[row]))
        p_values[name] = max(found)
    difference = np.abs(none[0] - none[1])
    p_values["imbalance"] = (
        _two_sided(moved, value)
        if something
        else p_value(difference, abs(float(statistic[0] - statistic[1])))
    )
    added = _score_test(logits, target, potential, exchange, permutations, rng)
    p_values["synergy"] = added
    if something:
        p_values["synergy"] = min(
            max(added, _tail(value, moved, "synergy", floor)),
            _tail(value, moved, "synergy", beyond),
        )
    return p_values


def _one_silent(observed: list[Array], permuted: list[Array]) -> list[Array]:
    """Return the statistics with one source permuted and the other unchanged."""
    count = len(permuted[0])
    kept = [np.repeat(joint, count, axis=0) for joint in observed]
    return [_statistics(permuted[0], kept[1]), _statistics(kept[0], permuted[1])]


def _linear_test(scores: Array, target: Array, orders: Rows) -> tuple[float, Array]:
    """Return the sufficient statistic of the slope of scores (n, C), and its permuted draws (B,).

    In standard deviations of the draws; constant scores have statistic 0.
    """
    centred = scores - scores.mean(1, keepdims=True)
    centred = centred / max(float(centred.std()), 1e-12)
    value = float((target * centred).sum() / len(target))
    null = np.array([(target[order] * centred).sum() for order in orders]) / len(target)
    deviation = PAIRS_TWICE * float(null.std())
    if deviation < _EQUAL:
        return 0.0, np.zeros(len(null))
    return (value - float(null.mean())) / deviation, (null - null.mean()) / null.std()


def _statistics(first: Array, second: Array) -> Array:
    """Return I(X₁;Y), I(X₂;Y), R, U₁, U₂ and U₁+U₂ of many marginals, (6, B), in nats."""
    entropy = entr(first.sum(1)).sum(1)

    def information(joint: Array) -> Array:
        conditional = joint / joint.sum(2, keepdims=True)
        told: Array = entropy - (joint.sum(2) * entr(conditional).sum(2)).sum(1)
        return told

    one, other = information(first), information(second)
    union = np.maximum(one, other)
    both = np.flatnonzero((one > _EQUAL) & (other > _EQUAL))
    if len(both):
        p_y = first[both].sum(1, keepdims=True)
        matched = second[both] * (p_y / second[both].sum(1, keepdims=True))
        union[both] = np.maximum(union[both], _unions(first[both], matched))
    atoms = split_information(one, other, union, union)
    return np.stack([one, other, atoms[0], atoms[1], atoms[2], atoms[1] + atoms[2]])


def _unions(first: Array, second: Array) -> Array:
    """Return the union information of marginals with the same p(y), (B,), in nats."""
    how: dict[str, Any] = {"tol": _TOLERANCE, "max_iter": _MOST_ITERATIONS}
    unions = solve_batch(first, second, **how)
    found = np.array([one.upper for one in unions])
    # Newton's method solves problems on which proportional fitting does not converge.
    open_ = np.flatnonzero([one.gap > _DIVERGED for one in unions])
    if len(open_):
        again = solve_batch(first[open_], second[open_], solver="newton", **how)
        found[open_] = [one.upper for one in again]
    return found


def _tail(value: Array, moved: Array, name: str, floor: float) -> float:
    """Return the fraction of bootstrap replicates of an atom at or below the floor."""
    at = {atom: value[index] + moved[index] for index, atom in enumerate(ATOMS)}
    drawn = at["unique_1"] + at["unique_2"] if name == "determined" else at[name]
    # For equally informative sources the larger one gets the whole apparent unique atom. The sum
    # is then the absolute value of a difference, so the test is two-sided.
    ends = 2 if name == "determined" else 1
    return float(min(1.0, ends * (1 + (drawn <= floor).sum()) / (1 + len(drawn))))


def _two_sided(moved: Array, value: Array) -> float:
    """Test I(X₁;Y) = I(X₂;Y) by the bootstrap of their difference."""
    drawn = (value[5] - value[6]) + moved[5] - moved[6]
    lesser = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return float(min(1.0, 2 * (1 + lesser) / (1 + len(drawn))))


def _score_test(
    logits: Array,
    target: Array,
    potential: Array,
    exchange: Exchange,
    count: int,
    rng: np.random.Generator,
) -> float:
    """Test that interactions add nothing to the union's own predictor."""
    allowed = [logits[:, 0], logits[:, 1], potential]
    stack = fit_nonnegative(allowed, target)
    p = np.exp(stack.log_probabilities(allowed))
    error = target - p
    active = [scores for scores, slope in zip(allowed, stack.slopes, strict=True) if slope > 0]
    taken = np.stack([(error * scores).sum(1) for scores in active] + [*error.T], 1)
    taken /= np.maximum(taken.std(0), 1e-12)
    sums = []
    for scores in (logits[:, 2], logits[:, 3]):
        added = (error * (scores - scores.mean(1, keepdims=True))).sum(1)
        added /= max(float(np.abs(added).max()), 1e-300)
        rest = added - taken @ np.linalg.lstsq(taken, added, rcond=None)[0]
        of_blocks = exchange.sums(rest)
        sums.append(of_blocks / max(float(np.linalg.norm(of_blocks)), 1e-300))
    # Each fold has its own directions, so no pair of rows counts twice here.
    null = exchange.signs(count, rng) @ np.stack(sums, 1)
    return p_value(null.max(1), float(np.sum(sums, 1).max()))
