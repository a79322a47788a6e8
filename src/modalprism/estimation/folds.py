"""Assignment of groups to folds.

Rows that share a value in *any* group column (the same picture, the same name) must stay together.
They are the edges of a graph. Every connected component of the graph is assigned to one fold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from modalprism.errors import InputError
from modalprism.estimation.target import Target

ONE_BY_ONE: Final = 50_000
_LARGEST: Final = 1_000
_GOLDEN: Final = (5**0.5 - 1) / 2


def connected_groups(groups: Mapping[str, NDArray[Any]], n: int) -> NDArray[np.int64]:
    """Number the connected components of rows that share a value in any column.

    Parameters
    ----------
    groups : mapping of column name to ndarray, shape (n,)
        Without columns every row is its own component.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> columns = {"picture": np.array([0, 0, 1, 2]), "name": np.array(["a", "b", "b", "c"])}
    >>> connected_groups(columns, 4)
    array([0, 0, 0, 1])
    """
    if not groups:
        return np.arange(n)
    rows, nodes, offset = [], [], n
    for column in groups.values():
        _, code = np.unique(column, return_inverse=True)
        rows.append(np.arange(n))
        nodes.append(offset + code)
        offset += code.max() + 1
    row, node = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_array((np.ones(len(row)), (row, node)), shape=(offset, offset))
    _, component = connected_components(graph, directed=False)
    _, number = np.unique(component[:n], return_inverse=True)
    return number.astype(np.int64)


def connected_sets(count: int) -> str:
    """Return a number of connected sets as text.

    Examples
    --------
    >>> connected_sets(1), connected_sets(2000)
    ('1 connected set', '2,000 connected sets')
    """
    return f"{count:,} connected set{'s' if count != 1 else ''}"


def assign_folds(
    component: NDArray[np.int64], target: Target, folds: int, seed: int
) -> NDArray[np.int64]:
    """Assign whole components to folds, with balanced sizes and class frequencies.

    The assignment is greedy. In decreasing order of size (ties shuffled by `seed`), each component
    goes to the fold whose class totals it brings closest to the average.

    Parameters
    ----------
    component : ndarray of int64, shape (n,)
    target : Target
    folds : int
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    InputError
        If there are fewer components than folds, or a class is in fewer than three folds.
    """
    size = np.bincount(component)
    held = target.totals(component, len(size))
    totals = np.concatenate([held, size[:, None].astype(np.float64)], 1)
    return deal_components(totals, folds, seed)[component]


def deal_components(
    totals: NDArray[np.float64], folds: int, seed: int, *, one_by_one: int = ONE_BY_ONE
) -> NDArray[np.int64]:
    """Assign components to folds, see `assign_folds`.

    Parameters
    ----------
    totals : ndarray of float64, shape (components, C + 1)
        Mass of every class in each component, and its number of rows.
    folds, seed : int
    one_by_one : int
        Number of the largest components that are assigned one by one. The others fill the folds in
        decreasing order of size, and within a size class by class.

    Returns
    -------
    ndarray of int64, shape (components,)

    Examples
    --------
    >>> totals = np.array([[1.0, 0, 1], [0, 1, 1], [1, 0, 1], [0, 1, 1]])
    >>> np.bincount(deal_components(np.repeat(totals, 3, axis=0), 3, seed=0)).tolist()
    [4, 4, 4]
    """
    count = len(totals)
    if count < folds:
        rows = round(float(totals[:, -1].sum()))
        if count == rows:
            raise InputError(
                f"folds is {folds}, and there are {count:,} rows; give fewer folds, such as 5",
                parameter="folds",
            )
        raise InputError(
            f"the groups tie all {rows:,} rows into {connected_sets(count)}, too few for {folds} "
            "folds; give fewer folds, or name fewer group columns",
            parameter="folds",
        )
    mass = totals[:, :-1].sum(0)
    totals = totals / np.maximum(totals.sum(0), 1e-300)
    shuffled = np.random.default_rng(seed).permutation(count)
    order = shuffled[np.argsort(-totals[shuffled, -1], kind="stable")]
    load = np.zeros((folds, totals.shape[1]))
    fold_of = np.empty(count, dtype=np.int64)
    first = order if count <= one_by_one else order[:_LARGEST]
    for index in first:
        # The squared distance from an even split grows least for this fold.
        growth = ((load + totals[index] - 1 / folds) ** 2 - (load - 1 / folds) ** 2).sum(1)
        fold_of[index] = int(np.argmin(growth))
        load[fold_of[index]] += totals[index]
    rest = order[len(first) :]
    if len(rest):
        rest = rest[np.lexsort((totals[rest, :-1].argmax(1), -totals[rest, -1]))]
        lacking = np.cumsum(np.maximum(1 / folds - load[:, -1], 0.0))
        # Multiples of the golden ratio are spread evenly over the free places of all folds.
        place = np.arange(len(rest)) * _GOLDEN % 1.0 * lacking[-1]
        fold_of[rest] = np.searchsorted(lacking[:-1], place, side="right")
        load = np.stack([totals[fold_of == fold].sum(0) for fold in range(folds)])
    if len(np.unique(fold_of)) < folds:
        raise InputError(
            f"one group holds so many rows that {folds} folds cannot be filled; "
            "name fewer group columns, or split the group"
        )
    _check_every_class_is_learnt(load[:, :-1], mass)
    return fold_of


def _check_every_class_is_learnt(share: NDArray[np.float64], mass: NDArray[np.float64]) -> None:
    """Check that every class occurs in the rows of a fit, which excludes up to two folds.

    Parameters
    ----------
    share : ndarray of float64, shape (folds, C)
        Share of every class's mass in each fold.
    mass : ndarray of float64, shape (C,)
    """
    left = 1 - np.sort(share, axis=0)[-2:].sum(0)
    # Ignore classes of a distribution with less than one row per fold.
    absent = np.flatnonzero((left < 1e-6) & (mass >= len(share) - 0.5))
    if absent.size:
        raise InputError(
            f"the groups tie the rows of class number {absent[0] + 1} of {len(mass)} (in sorted "
            "order) into one or two folds, but held-out predictions of a class need three; "
            "remove the class, merge it with another, or name fewer group columns"
        )
