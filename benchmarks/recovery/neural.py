"""A neural estimator after BATCH (Liang et al. 2023, arXiv:2302.12247), written anew.

Three classifiers learn p(y|x₁), p(y|x₂) and p(y|x₁,x₂). A coupling q(x₁,x₂,y) over the rows of a
batch is exp of the similarity of learned features, one pair of features for every class, scaled by
Sinkhorn within the batch until its marginals are the classifiers'. The features are learned so that
I_q(X₁X₂;Y) is least. All is read off held-out rows; information is what the posteriors claim, as in
the original. Of each classifier the epoch with the least held-out loss is kept, which favours this
estimator: without it the classifiers learn small samples by heart.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from problems import Sample
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

HIDDEN, FEATURES = 64, 16
BATCH, EPOCHS, STEPS, SINKHORN = 128, 40, 300, 20
_RATE, _DECAY, _SHARPEST = 1e-3, 1e-2, 10.0
_TINY = 1e-12


def align(
    sample: Sample, seed: int, *, epochs: int = EPOCHS, steps: int = STEPS
) -> tuple[float, float, float, float]:
    """Return R, U₁, U₂ and S in bits.

    Parameters
    ----------
    sample : Sample
        A quarter of its rows is held out.
    seed : int
        Of the split, the weights and the batches.
    epochs, steps : int
        Of the classifiers over the rows, and of the alignment over batches.
    """
    torch.manual_seed(seed)
    n, classes = len(sample.y), int(sample.y.max()) + 1
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    train, held = order[n // 4 :], order[: n // 4]
    y = torch.from_numpy(sample.y.astype(np.int64))
    x1, x2 = (_standardise(rows, train) for rows in (sample.x1, sample.x2))
    both = torch.cat([x1, x2], 1)
    p1, p2, joint = (
        _classify(rows, y, (train, held), classes, epochs).double() for rows in (x1, x2, both)
    )
    nets = nn.ModuleList(_network(x.shape[1], classes * FEATURES) for x in (x1, x2))
    optimizer = torch.optim.Adam(nets.parameters(), lr=_RATE)
    for _ in range(steps):
        chosen = train[torch.randint(len(train), (min(BATCH, len(train)),))]
        loss = _information(_couple(nets, x1[chosen], x2[chosen], p1[chosen], p2[chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        coupling = _couple(nets, x1[held], x2[held], p1[held], p2[held])
        union = _information(coupling).item()
        first, second, whole = (
            _information(posterior[held] / len(held)).item() for posterior in (p1, p2, joint)
        )
    nats = (first + second - union, union - second, union - first, whole - union)
    r, u1, u2, s = (value / math.log(2) for value in nats)
    return r, u1, u2, s


def _standardise(rows: np.ndarray, train: Tensor) -> Tensor:
    """Return float32 rows with the training rows' mean 0 and variance 1."""
    x = torch.from_numpy(rows).float()
    return (x - x[train].mean(0)) / (x[train].std(0) + 1e-6)


def _network(inputs: int, outputs: int) -> nn.Sequential:
    """Return a perceptron with two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
    ).append(nn.Linear(HIDDEN, outputs))


def _classify(
    x: Tensor, y: Tensor, split: tuple[Tensor, Tensor], classes: int, epochs: int
) -> Tensor:
    """Return p(y|x) of all rows, from a classifier at its best epoch."""
    train, held = split
    network = _network(x.shape[1], classes)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    frequency = torch.bincount(y[train], minlength=classes) / len(train)
    best = (frequency + 1e-6).log().expand(len(x), classes)
    least = cross_entropy(best[held], y[held])
    for _ in range(epochs):
        for chosen in train[torch.randperm(len(train))].split(BATCH):
            optimizer.zero_grad()
            cross_entropy(network(x[chosen]), y[chosen]).backward()
            optimizer.step()
        with torch.no_grad():
            scores = network(x)
            loss = cross_entropy(scores[held], y[held])
        if loss < least:
            least, best = loss, scores
    return best.softmax(1)


def _couple(nets: nn.ModuleList, x1: Tensor, x2: Tensor, p1: Tensor, p2: Tensor) -> Tensor:
    """Return q(x₁,x₂,y) of a batch, (B, B, C): rows of x₁ by rows of x₂."""
    classes = p1.shape[1]
    f1, f2 = (
        normalize(net(x).double().view(len(x), classes, FEATURES), dim=2)
        for net, x in zip(nets, (x1, x2), strict=True)
    )
    coupling = torch.exp(_SHARPEST * torch.einsum("ice,jce->ijc", f1, f2))
    target1, target2 = p1 / len(p1), p2 / len(p2)
    # The two classifiers differ in how frequent they find a class: the first one's word counts.
    target2 = target2 * (target1.sum(0) / (target2.sum(0) + _TINY))
    for _ in range(SINKHORN):
        coupling = coupling * (target1 / (coupling.sum(1) + _TINY))[:, None]
        coupling = coupling * (target2 / (coupling.sum(0) + _TINY))[None]
    return coupling / coupling.sum()


def _information(table: Tensor) -> Tensor:
    """I(X;Y) in nats of a table whose last axis is y."""
    rows = table.reshape(-1, table.shape[-1])
    independent = rows.sum(1, keepdim=True) * rows.sum(0)
    return (rows * torch.log((rows + _TINY) / (independent + _TINY))).sum()
