"""A sweep equals the three separate products, whatever its blocks."""

import pytest
import torch

from modalprism.pid.iterate import Iterate
from modalprism.pid.torch_backend import TorchBackend, sweep

TORCH = TorchBackend()


def make(random_joint, dtype, batch=1, shape=(9, 7, 4), zeros=0.3):
    joints = torch.stack(
        [torch.as_tensor(random_joint(k, shape, zeros=zeros)) for k in range(batch)]
    )
    p_x1y, p_x2y = joints.sum(2), joints.sum(1)
    iterate = Iterate(p_x1y, p_x2y, dtype)
    sweep(iterate, TORCH)
    return p_x1y, p_x2y, iterate


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("modalprism.pid.torch_backend._BLOCK_BYTES", 128)


def multiply(iterate):
    """Move of the plain iteration."""
    return lambda tile, s: iterate.kernel[tile].mul_(s)


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.usefixtures("small_blocks")
def test_equals_separate_products(random_joint, dtype, within, batch, refit):
    p_x1y, p_x2y, iterate = make(random_joint, dtype, batch)
    p_x1, p_x2 = p_x1y.sum(2), p_x2y.sum(2)
    r = p_x1[:, :, None] * p_x2[:, None]
    v = torch.ones_like(p_x2y)
    p_y = p_x1y.sum(1, keepdim=True)
    for _ in range(4):
        # By the book: u and v with respect to r, class by class.
        u = p_x1y / p_y / (r @ v)
        v = p_x2y / p_y / (r.mT @ u)
        torch.testing.assert_close(
            (u * p_y) @ v.mT, (iterate.u @ iterate.v).double(), rtol=within, atol=within
        )
        if refit:
            u = p_x1y / p_y / (r @ v)
        r = r * ((u * p_y) @ v.mT)
        sweep(iterate, TORCH, multiply(iterate), refit=refit)
        kernel = iterate.kernel.double() * p_x1[:, :, None] * p_x2[:, None]
        torch.testing.assert_close(kernel, r, rtol=within, atol=within)
        torch.testing.assert_close(iterate.mass().double(), r.sum((1, 2)), rtol=within, atol=within)


def test_blocks_do_not_matter(random_joint, monkeypatch):
    results = []
    for size in (64, 200, 1 << 20):
        monkeypatch.setattr("modalprism.pid.torch_backend._BLOCK_BYTES", size)
        _, _, iterate = make(random_joint, torch.float64)
        for _ in range(5):
            sweep(iterate, TORCH, multiply(iterate))
            sweep(iterate, TORCH)
        iterate.fitted = TORCH.fit_rows(iterate)
        results.append((iterate.kernel, iterate.fitted, iterate.v))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-12, atol=1e-14)


def test_a_fit_has_the_marginals(random_joint):
    p_x1y, p_x2y, iterate = make(random_joint, torch.float64, batch=2, zeros=0.0)
    for _ in range(200):
        sweep(iterate, TORCH)
    assert float(iterate.lag(iterate.u).max()) == 0  # `fitted` is u itself after a fit
    u = iterate.u
    iterate.fitted = TORCH.fit_rows(iterate)
    assert float(iterate.lag(u).max()) < 1e-12
    weights = iterate.p_x1 * iterate.fitted, (iterate.p_x2 * iterate.v).mT
    q = torch.einsum("bik,bij,bjk->bijk", weights[0], iterate.kernel, weights[1])
    torch.testing.assert_close(q.sum(2), p_x1y)
    torch.testing.assert_close(q.sum(1), p_x2y)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tiny", [1e-30, 1e-200])
def test_no_table_holds_a_denormal_number(dtype, tiny):
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(1, 20, 5, generator=generator, dtype=torch.float64) ** 3
    p[0, ::3, 1], p[0, 1::3, 2], p[0, 5] = tiny, 0.0, tiny
    p /= p.sum()
    iterate = Iterate(p, p, dtype)
    sweep(iterate, TORCH)
    least = torch.finfo(dtype).tiny

    def move(tile, s):
        assert float(s[s > 0].min()) >= least
        log_kernel = 1.9 * iterate.log(s) + iterate.kernel[tile].log()
        iterate.write(tile, log_kernel)

    for _ in range(200):
        sweep(iterate, TORCH, move)
        for table in (iterate.kernel, iterate.u, iterate.v, iterate.fitted):
            assert table.isfinite().all()
            assert float(table[table > 0].min()) >= least


def test_problems_are_selected_and_converted(random_joint):
    _, _, iterate = make(random_joint, torch.float32, batch=4)
    _, _, other = make(random_joint, torch.float32, batch=4)
    iterate.select(torch.tensor([False, True, False, True]))
    iterate.convert(torch.float64)
    for _ in range(3):
        sweep(iterate, TORCH, multiply(iterate))
        sweep(other, TORCH, multiply(other))
    assert iterate.kernel.dtype == iterate.u.dtype == iterate.v.dtype == torch.float64
    torch.testing.assert_close(iterate.kernel, other.kernel[1::2].double(), rtol=1e-4, atol=1e-5)
