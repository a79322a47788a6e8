"""Information theory only: tables in, certified atoms out; knows no sample and no model.

`decompose` takes a joint table and `decompose_marginals` two marginals; both return a
`Decomposition` with a proven bound on its numerical error. `solve_union_information` is the
optimisation by itself, in nats, with the dual potentials that prove its lower bound.
"""

from modalprism.pid.decompose import decompose, decompose_marginals
from modalprism.pid.information import entropy, mutual_information
from modalprism.pid.ipfp import Momentum, UnionInformation, solve_union_information
from modalprism.pid.result import Decomposition

__all__ = [
    "Decomposition",
    "Momentum",
    "UnionInformation",
    "decompose",
    "decompose_marginals",
    "entropy",
    "mutual_information",
    "solve_union_information",
]
