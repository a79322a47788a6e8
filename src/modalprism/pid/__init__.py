"""Partial information decomposition of tables, with certified bounds.

`decompose` takes a joint table and `decompose_marginals` two marginals; both return a
`Decomposition` with a proven bound on its numerical error. `decompose_batch` and
`decompose_marginals_batch` take many of one shape. `decompose_each_against_rest`,
`decompose_pairs` and `decompose_conditional` take more than two sources, or a third variable to
condition on; `decompose_pointwise` splits the atoms among samples; `decompose_sharded` solves one
problem on several processes. `gates` contains distributions with known atoms.

`solvers` contains the solver objects, and the protocol for custom solvers.
`solve_union_information` runs the optimisation alone, in nats, and returns the dual potentials that
prove its lower bound.
"""

from modalprism.pid.acceleration import Momentum
from modalprism.pid.batch import BatchDecomposition
from modalprism.pid.coupling import Coupling
from modalprism.pid.decompose import (
    decompose,
    decompose_batch,
    decompose_marginals,
    decompose_marginals_batch,
)
from modalprism.pid.gates import GATES, THREE_SOURCE_GATES, Gate, gate, three_source_gate
from modalprism.pid.information import entropy, mutual_information
from modalprism.pid.multivariate import (
    decompose_conditional,
    decompose_each_against_rest,
    decompose_pairs,
)
from modalprism.pid.pointwise import PointwiseDecomposition, decompose_pointwise
from modalprism.pid.result import Decomposition
from modalprism.pid.sharded import decompose_sharded
from modalprism.pid.solution import Bounds, Problem, Solution, UnionInformation
from modalprism.pid.solve import solve_batch, solve_union_information
from modalprism.pid.solvers import IPFP, Auto, Newton, Solver
from modalprism.pid.stopping import Interrupted, Reason, Watch

__all__ = [
    "GATES",
    "IPFP",
    "THREE_SOURCE_GATES",
    "Auto",
    "BatchDecomposition",
    "Bounds",
    "Coupling",
    "Decomposition",
    "Gate",
    "Interrupted",
    "Momentum",
    "Newton",
    "PointwiseDecomposition",
    "Problem",
    "Reason",
    "Solution",
    "Solver",
    "UnionInformation",
    "Watch",
    "decompose",
    "decompose_batch",
    "decompose_conditional",
    "decompose_each_against_rest",
    "decompose_marginals",
    "decompose_marginals_batch",
    "decompose_pairs",
    "decompose_pointwise",
    "decompose_sharded",
    "entropy",
    "gate",
    "mutual_information",
    "solve_batch",
    "solve_union_information",
    "three_source_gate",
]
