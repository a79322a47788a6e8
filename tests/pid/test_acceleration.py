"""The strategies by themselves, and that they are worth having."""

import dataclasses
import math

import pytest
import torch

from modalprism.pid.acceleration import Momentum
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.stopping import Reason, Watch


def test_momentum_is_the_formula():
    momentum = Momentum(relaxation=1.2, delay=4.0)
    generator = torch.Generator().manual_seed(0)
    y, z, log_s = torch.randn(3, 2, 3, 4, generator=generator, dtype=torch.float64)
    weight = momentum.weight(torch.tensor([0.0, 6.0]).double()[:, None, None])
    torch.testing.assert_close(weight.flatten(), torch.tensor([0.0, 0.6]).double())
    plain = y + 1.2 * log_s
    extrapolated = plain + weight * (plain - z)
    momentum.advance(y, z, log_s, weight)
    torch.testing.assert_close(y, plain)
    torch.testing.assert_close(z, extrapolated)


def test_without_momentum_nothing_is_extrapolated():
    ages = torch.arange(5.0)[:, None, None]
    assert (Momentum(1.0, math.inf).weight(ages) == 0).all()


def test_momentum_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Momentum().delay = 1.0


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_momentum_saves_most_iterations(random_posteriors, correlation):
    tables = random_posteriors(0, 60, 6, scale=3.0, correlation=correlation)
    p_x1y, p_x2y = (torch.as_tensor(table)[None] for table in tables)

    def iterations(acceleration):
        with Watch(1e-3, 5000) as watch:
            solution = solve_ipfp(p_x1y, p_x2y, watch, acceleration=acceleration)
        assert solution.reasons == (Reason.CONVERGED,)
        return int(solution.iterations)

    plain = iterations(Momentum(1.0, math.inf))
    relaxed = iterations(Momentum(1.9, math.inf))
    assert relaxed < 0.75 * plain
    assert iterations(Momentum()) < 0.4 * relaxed
