"""From checked marginals to decompositions: options checked, solved in nats, given in the base."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.pid import validation
from modalprism.pid.information import mutual_information, unit_of
from modalprism.pid.memory import check_fits, fits
from modalprism.pid.result import Decomposition
from modalprism.pid.solution import UnionInformation
from modalprism.pid.solve import chosen, solve_batch
from modalprism.pid.stopping import Interrupted

logger = logging.getLogger("modalprism.pid")


class Options(TypedDict, total=False):
    """What all decompositions take; the defaults of `decompose` hold for what is left out."""

    base: float
    solver: str
    max_iter: int
    time_limit: float | None
    device: str | torch.device | None


def assemble(
    p_x1y: NDArray[np.float64],
    p_x2y: NDArray[np.float64],
    information: Sequence[float | None],
    *,
    base: float = 2,
    solver: str = "auto",
    tol: float = 1e-6,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    device: str | torch.device | None = None,
) -> list[tuple[Decomposition, UnionInformation]]:
    """Solve checked marginals, (B, n1, C) and (B, n2, C), with I(X₁X₂;Y) of each in nats.

    Returns
    -------
    list of (Decomposition, UnionInformation)
        One pair a problem: in the unit of the base, and in nats.

    Raises
    ------
    InputError
        If an option cannot be used, or the problem is too large for the memory.
    Interrupted
        On Ctrl-C, with the decompositions that were reached.
    """
    base = validation.check_base(base)
    max_iter = validation.check_stopping(tol, max_iter, time_limit)
    place = validation.check_device(device)
    validation.check_solver(solver)
    nats = math.log(base)
    batch, n1, n_classes = p_x1y.shape
    shape = n1, p_x2y.shape[1], n_classes
    first = chosen(solver, shape, batch, tol * nats, place)
    if device == "auto" and not fits(first, shape, batch, place, tol * nats):
        logger.warning("the problem does not fit on %s, so the processor computes", place)
        place = torch.device("cpu")
        first = chosen(solver, shape, batch, tol * nats, place)
    if solver == "auto" and not fits(first, shape, batch, place):
        solver = first = "ipfp"
    check_fits(first, shape, batch, place, tol * nats)

    def in_base(unions: Sequence[UnionInformation]) -> list[Decomposition]:
        return [
            Decomposition(
                information=None if known is None else known / nats,
                marginal_information=(
                    mutual_information(first) / nats,
                    mutual_information(second) / nats,
                ),
                lower=union.lower / nats,
                upper=union.upper / nats,
                stopped=union.reason,
                solver=union.solver,
                iterations=union.iterations,
                unit=unit_of(base),
            )
            for first, second, known, union in zip(p_x1y, p_x2y, information, unions, strict=True)
        ]

    try:
        unions = solve_batch(
            p_x1y,
            p_x2y,
            solver=solver,
            tol=tol * nats,
            max_iter=max_iter,
            time_limit=time_limit,
            device=place,
        )
    except Interrupted as stop:
        raise Interrupted(tuple(in_base(stop.results))) from None
    return list(zip(in_base(unions), unions, strict=True))
