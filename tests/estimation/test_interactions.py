"""Interactions are found in whatever directions they hide."""

import numpy as np
import pytest
import torch

from modalprism.estimation import interactions
from modalprism.estimation.interactions import Standard, Whitening, leading_axes


def leading_directions(first, second, residual, count):
    left, right = leading_axes(first, second, residual, count)
    return first @ left, second @ right


def standardised(terms, mask):
    return Standard.of(terms, mask)(terms)


def products(first, second, mask):
    return standardised(interactions.products(first, second), mask)


def squares(directions, mask):
    return standardised(interactions.squares(directions), mask)


def test_whitening_leaves_out_what_does_not_vary():
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(100, 4)) @ rng.normal(size=(4, 7))).float()
    white = Whitening.of(features, 6)(features)
    assert white.shape == (100, 4)
    torch.testing.assert_close(white.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(white.mT @ white / 100, torch.eye(4), atol=1e-3, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_product_that_answers_is_found(seed):
    rng = np.random.default_rng(seed)
    first, second = (torch.from_numpy(rng.normal(size=(2000, 12))).float() for _ in "ab")
    u, v = (torch.from_numpy(np.linalg.qr(rng.normal(size=(12, 1)))[0]).float() for _ in "ab")
    y = ((first @ u) * (second @ v) > 0).float()
    residual = torch.cat([y, 1 - y], 1) - 0.5
    left, right = leading_directions(first, second, residual, 1)
    for found, true in ((left, first @ u), (right, second @ v)):
        assert abs(np.corrcoef(found[:, 0], true[:, 0])[0, 1]) > 0.9
    term = products(left, right, torch.ones(2000))[:, 0]
    assert abs(np.corrcoef(term, y[:, 0])[0, 1]) > 0.5


def test_products_are_standardised_on_the_rows_that_are_seen():
    rng = np.random.default_rng(0)
    first, second = (torch.from_numpy(rng.normal(size=(300, 3)) * 9).float() for _ in "ab")
    mask = (torch.arange(300) < 200).float()
    for terms, count in ((products(first, second, mask), 9), (squares(first, mask), 6)):
        assert terms.shape == (300, count)
        seen = terms[:200]
        torch.testing.assert_close(seen.mean(0), torch.zeros(count), atol=1e-5, rtol=0)
        expected = torch.full((count,), count**-0.5)
        torch.testing.assert_close(seen.std(0, correction=0), expected, atol=1e-5, rtol=0)


def test_fits_that_see_fewer_directions_have_zeros_for_the_rest():
    rng = np.random.default_rng(0)
    first, second = (torch.from_numpy(rng.normal(size=(90, width))).float() for width in (2, 8))
    left, right = leading_directions(
        first, second, torch.from_numpy(rng.normal(size=(90, 3))).float(), 6
    )
    assert left.shape == right.shape == (90, 6)
    assert not left[:, 2:].any()
    seen = torch.ones(90)
    some, padded = (products(left[:, :k], right[:, :2], seen) for k in (2, 6))
    torch.testing.assert_close(padded[:, :4], some)
    assert not padded[:, 4:].any()


def test_a_row_that_lies_far_out_is_taken_for_the_furthest_that_was_seen():
    rng = np.random.default_rng(0)
    first, second = (torch.from_numpy(rng.normal(size=(90, 2))).float() for _ in "ab")
    mask = torch.ones(90)
    mask[-1] = 0
    first[-1] = second[-1] = 100
    for terms in (products(first, second, mask), squares(first, mask)):
        assert (terms[-1] <= terms[:-1].amax(0)).all()
        assert terms[-1].abs().max() > 1
