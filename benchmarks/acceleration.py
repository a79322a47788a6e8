"""Ways to accelerate factored IPFP, compared: iterations and seconds until the gap is small.

    OMP_NUM_THREADS=1 python benchmarks/acceleration.py

All run on one plain float64 implementation of the fixed-point map ln r → ln r + ln s, so that they
differ by the acceleration only; seconds leave out the certificate, and compare within one run. The
winner is `modalprism.pid.acceleration.Momentum`; docs/ipfp.md keeps the figures.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from modalprism.pid.coupling import Coupling
from modalprism.pid.solution import Bounds

TOLS = (1e-3, 1e-4, 1e-6)
MOST = 2_500
Marginals = tuple[Tensor, Tensor]
Method = Iterator[tuple[Tensor, Tensor, Tensor]]


def from_joint(table: np.ndarray) -> Marginals:
    """Both marginals of a table, without unused symbols, as a batch of one."""
    first, second = table.sum(1) / table.sum(), table.sum(0) / table.sum()
    first, second = first[first.sum(1) > 0], second[second.sum(1) > 0]
    return torch.as_tensor(first)[None], torch.as_tensor(second)[None]


def dense(shape: tuple[int, int, int]) -> Marginals:
    """Make a random table."""
    return from_joint(np.random.default_rng(0).gamma(1.0, size=shape))


def counts(shape: tuple[int, int, int], mean: float) -> Marginals:
    """Make a table of counts, most of them 0."""
    return from_joint(np.random.default_rng(0).poisson(mean, size=shape).astype(float))


def posteriors(n: int, n_classes: int, scale: float, correlation: float) -> Marginals:
    """Make two sets of posteriors with one p(y)."""
    rng = np.random.default_rng(0)
    first, noise = rng.normal(size=(2, n, n_classes)) * scale
    second = correlation * first + math.sqrt(1 - correlation**2) * noise
    tables = [np.exp(z - z.max(1, keepdims=True)) for z in (first, second)]
    p_y = np.mean([(t / t.sum(1, keepdims=True)).mean(0) for t in tables], axis=0)
    for table in tables:
        for _ in range(200):
            table /= table.sum(1, keepdims=True) * n
            table *= p_y / table.sum(0)
    return torch.as_tensor(tables[0])[None], torch.as_tensor(tables[1])[None]


class Map:
    """The map ln r → ln r + ln s, with a number of proportional-fitting sweeps to find s."""

    def __init__(self, p_x1y: Tensor, p_x2y: Tensor, sweeps: int) -> None:
        self.p_y = p_x1y.sum(1, keepdim=True)
        self.a, self.b = p_x1y / self.p_y, p_x2y / self.p_y
        self.start = (p_x1y.sum(2)[:, :, None] * p_x2y.sum(2)[:, None]).log()
        self.u, self.v = self.a, torch.ones_like(self.b)
        self.sweeps = sweeps

    def __call__(self, log_r: Tensor) -> tuple[Tensor, Tensor]:
        """Return r, and ln s, at ln r."""
        r = log_r.clamp_(-230.0, 0.0).exp()
        for _ in range(self.sweeps):
            self.u = self.a / (r @ self.v).clamp_(min=1e-250)
            self.v = self.b / (r.mT @ self.u).clamp_(min=1e-250)
        self.lagging = self.u
        self.u = self.a / (r @ self.v).clamp_(min=1e-250)
        return r, ((self.u * self.p_y) @ self.v.mT).clamp_(min=1e-100).log_()

    def value(self, r: Tensor) -> float:
        """Return the objective at r, as far as the scalings are right."""
        first = torch.where(self.a > 0, self.p_y * self.a * self.u.log(), 0.0).sum()
        second = torch.where(self.b > 0, self.p_y * self.b * self.v.log(), 0.0).sum()
        return float(first + second + r.sum().log())


def relaxed(relaxation: float) -> Callable[[Map], Method]:
    """Plain iteration with ω = 1, over-relaxed with more."""

    def run(step: Map) -> Method:
        log_r = step.start
        while True:
            r, log_s = step(log_r)
            yield r, step.u, step.v
            log_r = log_r + relaxation * log_s

    return run


def nesterov(relaxation: float, ease: float, *, by_lag: bool) -> Callable[[Map], Method]:
    """Nesterov on ln r, of whose age `ease` is left where the objective ascends along a step.

    Sweeps are added where the scalings lag, or else wherever the objective ascends.
    """

    def run(step: Map) -> Method:
        log_r, previous, age = step.start, step.start, 0.0
        while True:
            r, log_s = step(log_r)
            yield r, step.u, step.v
            plain = log_r + relaxation * log_s
            ascends = float((r * log_s * (plain - previous)).sum()) < 0
            if by_lag:
                off = (step.u / step.lagging - 1).nan_to_num(0.0).abs() * step.a * step.p_y
                more = float(off.sum()) > 0.5 * float((r * log_s).abs().sum())
            else:
                more = ascends
            step.sweeps = min(step.sweeps + more, 12 if by_lag else 8)
            age *= ease if ascends else 1.0
            log_r, previous = plain + age / (age + 3) * (plain - previous), plain
            age += 1

    return run


def bregman(exponent: float) -> Callable[[Map], Method]:
    """Accelerated Bregman proximal gradient (Hanzely, Richtárik and Xiao 2021, algorithm 1)."""

    def run(step: Map) -> Method:
        x, log_z, theta = step.start.exp(), step.start, 1.0
        while True:
            z = log_z.exp()
            r, log_s = step(torch.lerp(x, z, theta).log())
            yield r, step.u, step.v
            log_z = (log_z + log_s / theta ** (exponent - 1)).clamp_(min=-230.0)
            log_z = log_z - log_z.logsumexp((1, 2), keepdim=True)
            x = torch.lerp(x, log_z.exp(), theta)
            low, high = 0.0, theta  # (1 − θ⁺)/θ⁺^γ = 1/θ^γ, by bisection
            for _ in range(60):
                middle = (low + high) / 2
                if (1 - middle) * theta**exponent > middle**exponent:
                    low = middle
                else:
                    high = middle
            theta = high

    return run


def anderson(memory: int) -> Callable[[Map], Method]:
    """Anderson mixing of ln r in the norm of r, restarted where the residual grows."""

    def run(step: Map) -> Method:
        log_r, points, residuals, last = step.start, [], [], math.inf
        while True:
            r, log_s = step(log_r)
            yield r, step.u, step.v
            size = float((r * log_s.square()).sum())
            if size > 4 * last:
                points, residuals = [], []
            last = size
            points = [*points[-memory:], log_r + log_s]
            residuals = [*residuals[-memory:], log_s]
            rows = torch.stack([(residual * r.sqrt()).flatten() for residual in residuals])
            gram = rows @ rows.mT
            gram = gram + 1e-8 * gram.trace() * torch.eye(len(rows), dtype=gram.dtype)
            weights = torch.linalg.solve(gram, torch.ones_like(gram[0]))
            weights = (weights / weights.sum()).tolist()
            log_r = sum(w * point for w, point in zip(weights, points, strict=True))

    return run


def squarem() -> Callable[[Map], Method]:
    """SQUAREM (Varadhan and Roland 2008, scheme S3), undone where the objective grows."""

    def run(step: Map) -> Method:
        start, best = step.start, math.inf
        while True:
            r, first = step(start)
            yield r, step.u, step.v
            one = start + first
            r, second = step(one)
            yield r, step.u, step.v
            value, bend = step.value(r), second - first
            fallback = one + second
            norms = (float((r * x.square()).sum().sqrt()) for x in (first, bend))
            length = max(1.0, next(norms) / max(next(norms), 1e-300))
            start = start + 2 * length * first + length**2 * bend
            if value > best + 1e-9:
                start = fallback
            best = min(best, value)

    return run


METHODS: dict[str, tuple[Callable[[Map], Method], int]] = {
    "plain": (relaxed(1.0), 1),
    "over-relaxed 1.9": (relaxed(1.9), 1),
    "Nesterov, 3 sweeps (before)": (nesterov(1.0, 0.0, by_lag=False), 3),
    "Nesterov, ω = 1.3, restarted": (nesterov(1.3, 0.0, by_lag=True), 1),
    "Nesterov, ω = 1.3, eased (kept)": (nesterov(1.3, 0.7, by_lag=True), 1),
    "Nesterov, ω = 1.5, eased": (nesterov(1.5, 0.7, by_lag=True), 1),
    "Bregman, exponent 2": (bregman(2.0), 1),
    "Bregman, exponent 1.5": (bregman(1.5), 1),
    "Anderson 5": (anderson(5), 1),
    "Anderson 5, 3 sweeps": (anderson(5), 3),
    "SQUAREM": (squarem(), 1),
    "SQUAREM, 3 sweeps": (squarem(), 3),
}
PROBLEMS: dict[str, Callable[[], Marginals]] = {
    "dense 20×20×10": lambda: dense((20, 20, 10)),
    "dense 200×200×20": lambda: dense((200, 200, 20)),
    "posteriors 256×9": lambda: posteriors(256, 9, 2.0, 0.0),
    "alike, sharp 256×9": lambda: posteriors(256, 9, 5.0, 0.9),
    "counts 50×50×10": lambda: counts((50, 50, 10), 0.2),
}


def race(
    marginals: Marginals,
    method: Callable[[Map], Method],
    sweeps: int,
    start: Tensor | None = None,
) -> list[str]:
    """Return iterations and seconds to each tolerance, from ln r = `start` if there is one."""
    p_x1y, p_x2y = marginals
    step = Map(p_x1y, p_x2y, sweeps)
    if start is not None:
        step.start = start
    bounds, reached = Bounds(p_x1y, p_x2y), []
    mean_u, mean_v = torch.zeros_like(step.a), torch.zeros_like(step.b)
    iterates, seconds, check = method(step), 0.0, 1
    for iteration in range(1, MOST + 1):
        begin = time.perf_counter()
        r, u, v = next(iterates)
        seconds += time.perf_counter() - begin
        mean_u.lerp_(u.clamp(min=1e-300).log(), 2 / (iteration + 1))
        mean_v.lerp_(v.clamp(min=1e-300).log(), 2 / (iteration + 1))
        if iteration < check:
            continue
        check = max(iteration + 1, int(iteration * 1.1))
        for log_u, log_v in ((u.log(), v.log()), (mean_u, mean_v)):
            bounds.offer_potentials(
                torch.where(p_x1y > 0, log_u, -torch.inf), torch.where(p_x2y > 0, log_v, -torch.inf)
            )
        bounds.offer_coupling(Coupling.rounded(p_x1y, p_x2y, r, u * step.p_y, v))
        while len(reached) < len(TOLS) and float(bounds.gap) <= TOLS[len(reached)]:
            reached.append(f"{iteration} ({seconds:.2f})")
        if len(reached) == len(TOLS):
            break
    return reached + ["–"] * (len(TOLS) - len(reached))


def warm_starts() -> None:
    """Print how a bootstrap replicate does from scratch, and from ln r of the data."""
    method, sweeps = METHODS["Nesterov, ω = 1.3, eased (kept)"]
    generator = np.random.default_rng(0)
    table = generator.gamma(1.0, size=(50, 50, 10))
    counts = generator.multinomial(100_000, (table / table.sum()).ravel()).reshape(table.shape)
    again = generator.multinomial(100_000, counts.ravel() / 100_000).reshape(table.shape)
    data, replicate = from_joint(counts), from_joint(again)
    iterates = method(Map(*data, sweeps))
    r = [next(iterates)[0] for _ in range(300)][-1]
    print("\na replicate of 100,000 counts 50×50×10")
    print("| | " + " | ".join(f"{tol:g}" for tol in TOLS) + " |")
    print("|---|" + "---|" * len(TOLS))
    print("| from scratch | " + " | ".join(race(replicate, method, sweeps)) + " |")
    print("| from the data's r | " + " | ".join(race(replicate, method, sweeps, r.log())) + " |")


def main() -> None:
    """Print one table a problem."""
    for name, make in PROBLEMS.items():
        print(f"\n{name}\n| | " + " | ".join(f"{tol:g}" for tol in TOLS) + " |", flush=True)
        print("|---|" + "---|" * len(TOLS))
        for label, (method, sweeps) in METHODS.items():
            cells = race(make(), method, sweeps)
            print(f"| {label} | " + " | ".join(cells) + " |", flush=True)
    warm_starts()


if __name__ == "__main__":
    main()
