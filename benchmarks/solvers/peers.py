"""One small function for every peer, and for each of our own solvers.

A peer takes a problem, imports and prepares what is not to be timed (the input in the form it
wants), and returns a function without arguments, which is: from that input to an `Answer`.
Solvers with a tolerance are given a share of the accuracy wanted: a twentieth, and Clarabel a
hundredth. These are about the loosest with which their answers are that accurate.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from answer import Answer, SkipError, mutual_information
from cone import assemble
from problems import Problem
from scipy import sparse

Solve = Callable[[], Answer]
SolveAll = Callable[[], list[Answer]]

OURS = "modalprism"
OUR_SOLVERS = ("auto", "newton", "ipfp")
BATCH = f"{OURS} batch"
_SHARE, _CLARABEL_SHARE = 0.05, 0.01
_CLARABEL_REGULARISATION = 1e-11  # with its default, and others, it stops early on some problems
_ITERATIONS = 500  # of an interior-point method; none needs a fifth of them
_MAX_ITER = 1_000_000  # ours stop at their tolerance, or with the time


@dataclass(frozen=True)
class Peer:
    """A peer and where it comes from.

    Parameters
    ----------
    prepare : callable
        From a problem to the function that is timed.
    package : str
        What must be installed, or whose checkout is needed.
    folder : str or None
        Folder of the checkout to import from; None for an installed package.
    """

    prepare: Callable[[Problem], Solve]
    package: str
    folder: str | None = None


PEERS: dict[str, Peer] = {}


def peer(
    name: str, package: str, folder: str | None = None
) -> Callable[[Callable[[Problem], Solve]], Callable[[Problem], Solve]]:
    """Register a peer under a name."""

    def register(prepare: Callable[[Problem], Solve]) -> Callable[[Problem], Solve]:
        PEERS[name] = Peer(prepare, package, folder)
        return prepare

    return register


def prepare(name: str, problems: Sequence[Problem], checkouts: dict[str, str]) -> SolveAll:
    """Prepare one or more problems for a peer; the function returned solves them all.

    Parameters
    ----------
    name : str
        Of a peer, or `BATCH`.
    problems : sequence of Problem
        What to solve.
    checkouts : dict
        Paths of the peers that are not packages, by name.

    Raises
    ------
    SkipError
        If the peer is not installed, or has no checkout, or refuses the problem.
    """
    try:
        if name == BATCH:
            return _batch(problems)
        chosen = PEERS[name]
        if chosen.folder is not None:
            if chosen.package not in checkouts:
                raise SkipError(f"no package; give --checkout {chosen.package}=PATH")
            sys.path.insert(0, str(Path(checkouts[chosen.package]) / chosen.folder))
        solves = [chosen.prepare(problem) for problem in problems]
    except ImportError as error:
        raise SkipError(f"not installed: {error}") from error
    return lambda: [solve() for solve in solves]


# Ours.


def _answer(d: Any) -> Answer:
    """Return one of our decompositions as an answer."""
    state = "" if d.converged else ", not converged"
    atoms = None if d.synergy is None else (d.redundancy, *d.unique, d.synergy)
    return Answer(d.union_information, f"gap {d.gap:.0e}{state}", atoms, (d.lower, d.upper))


def _refused(call: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a refusal of ours into a skip."""
    from modalprism.errors import InputError

    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except InputError as error:
            raise SkipError(f"refused: {error}") from error

    return wrapped


def _register_ours(solver: str) -> None:
    """Register one of our solvers; the default one goes by the plain name."""

    @peer(OURS if solver == "auto" else f"{OURS} {solver}", OURS)
    def ours(problem: Problem) -> Solve:
        from modalprism import pid

        options = {"solver": solver, "tol": problem.tol, "max_iter": _MAX_ITER}
        if problem.name.startswith("gate"):
            decompose = _refused(pid.decompose)
            return lambda: _answer(decompose(problem.joint, **options))
        decompose = _refused(pid.decompose_marginals)
        return lambda: _answer(decompose(problem.p_x1y, problem.p_x2y, **options))


for _solver in OUR_SOLVERS:
    _register_ours(_solver)


def _batch(problems: Sequence[Problem]) -> SolveAll:
    """All problems in one call of ours."""
    from modalprism import pid

    if not hasattr(pid, "decompose_batch"):
        raise SkipError("modalprism.pid has no decompose_batch")
    joints = np.stack([problem.joint for problem in problems])
    decompose = _refused(pid.decompose_batch)
    options = {"tol": problems[0].tol, "max_iter": _MAX_ITER}
    return lambda: [_answer(d) for d in decompose(joints, **options)]


# The cone program, handed to its solvers without a modelling layer.


def _in_bits(entropy: float, value: float) -> float:
    """Union information in bits from the value of the cone program in nats."""
    return (entropy + value) / math.log(2)


def _share_in_nats(problem: Problem, share: float = _SHARE) -> float:
    """Return the tolerance that a peer is given."""
    return share * problem.tol * math.log(2)


@peer("Clarabel", "clarabel")
def clarabel(problem: Problem) -> Solve:
    """Clarabel by its own interface; less regularisation than its default, for the last digits."""
    import clarabel

    tol = _share_in_nats(problem, _CLARABEL_SHARE)

    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_iter = _ITERATIONS
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tol
    settings.static_regularization_constant = _CLARABEL_REGULARISATION

    def solve() -> Answer:
        program = assemble(problem)
        matrix = sparse.vstack([program.equations, -program.cones], format="csc")
        right = np.concatenate([program.right, np.zeros(3 * program.cells)])
        variables = len(program.cost)
        cones = [clarabel.ZeroConeT(len(program.right))]
        cones += [clarabel.ExponentialConeT()] * program.cells
        quadratic = sparse.csc_matrix((variables, variables))
        solution = clarabel.DefaultSolver(
            quadratic, program.cost, sparse.csc_matrix(matrix), right, cones, settings
        ).solve()
        return Answer(_in_bits(program.entropy, solution.obj_val), str(solution.status))

    return solve


@peer("ECOS", "ecos")
def ecos(problem: Problem) -> Solve:
    """ECOS by its own interface, which wants the cone as (t, r, q)."""
    import ecos

    tol = _share_in_nats(problem)

    def solve() -> Answer:
        program = assemble(problem)
        order = np.arange(3 * program.cells).reshape(-1, 3)[:, [0, 2, 1]].ravel()
        solution = ecos.solve(
            program.cost,
            sparse.csc_matrix(-program.cones[order]),
            np.zeros(3 * program.cells),
            {"l": 0, "e": program.cells},
            sparse.csc_matrix(program.equations),
            program.right,
            verbose=False,
            max_iters=_ITERATIONS,
            abstol=tol,
            reltol=tol,
            feastol=tol,
        )
        info = solution["info"]
        return Answer(_in_bits(program.entropy, info["pcost"]), info["infostring"])

    return solve


# The cone program through cvxpy.


def _register_cvxpy(solver: str, package: str, options: Callable[[Problem], dict]) -> None:
    """Register cvxpy with one of its solvers."""

    @peer(f"cvxpy + {solver}", package)
    def through_cvxpy(problem: Problem) -> Solve:
        import cvxpy as cp

        if solver not in cp.installed_solvers():
            raise SkipError(f"cvxpy has no {solver} here")

        def solve() -> Answer:
            program = assemble(problem)
            mixture = program.equations[: program.pairs, program.cells : 2 * program.cells]
            q, r = cp.Variable(program.cells), cp.Variable(program.pairs)
            task = cp.Problem(
                cp.Minimize(cp.sum(cp.rel_entr(q, r[program.pair_of]))),
                [program.marginals @ q == program.targets, mixture @ q == r],
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                task.solve(solver=solver, **options(problem))
            # Not task.value: the objective at a q that rounding left below zero is infinite.
            return Answer(_in_bits(program.entropy, task.solution.opt_val), task.status)

        return solve


_register_cvxpy(
    "CLARABEL",
    "cvxpy",
    lambda problem: {
        "max_iter": _ITERATIONS,
        "static_regularization_constant": _CLARABEL_REGULARISATION,
        **dict.fromkeys(
            ("tol_gap_abs", "tol_gap_rel", "tol_feas"), _share_in_nats(problem, _CLARABEL_SHARE)
        ),
    },
)
_register_cvxpy(
    "ECOS",
    "cvxpy",
    lambda problem: {
        "max_iters": _ITERATIONS,
        **dict.fromkeys(("abstol", "reltol", "feastol"), _share_in_nats(problem)),
    },
)
_register_cvxpy(
    "SCS",
    "cvxpy",
    lambda problem: {
        "max_iters": 10_000_000,
        "eps_infeas": 1e-15,  # it is feasible and bounded; told so, SCS does not give up early
        **dict.fromkeys(("eps_abs", "eps_rel"), _share_in_nats(problem)),
    },
)


# Packages for partial information decomposition.


def _register_dit(label: str, options: Callable[[Problem], dict]) -> None:
    """Register PID_BROJA of dit with one of its methods."""

    @peer(label, "dit")
    def through_dit(problem: Problem) -> Solve:
        import dit

        cells = np.argwhere(problem.joint > 0)
        outcomes = [tuple(int(index) for index in cell) for cell in cells]
        distribution = dit.Distribution(outcomes, list(problem.joint[tuple(cells.T)]))

        def solve() -> Answer:
            pid = dit.pid.PID_BROJA(distribution, [[0], [1]], [2], **options(problem))
            nodes = (((0,), (1,)), ((0,),), ((1,),), ((0, 1),))
            atoms = tuple(float(pid[node]) for node in nodes)
            return Answer(sum(atoms[:3]), "–", atoms)

        return solve


_register_dit("dit (default)", lambda _problem: {})
_register_dit("dit admui", lambda _problem: {"method": "admui"})
_register_dit(
    "dit cone",
    lambda problem: {
        "method": "cone",
        **dict.fromkeys(("abstol", "reltol", "feastol"), _share_in_nats(problem)),
    },
)


def _as_dictionary(problem: Problem) -> dict[tuple[int, int, int], float]:
    """Return the joint as BROJA_2PID wants it: (y, x₁, x₂) to probability."""
    cells = np.argwhere(problem.joint > 0)
    values = problem.joint[tuple(cells.T)]
    return {
        (int(y), int(x1), int(x2)): float(p) for (x1, x2, y), p in zip(cells, values, strict=True)
    }


def _makkeh(problem: Problem, module: ModuleType) -> Solve:
    """Return the call of BROJA_2PID, or of IDTxl's copy of it."""
    table = _as_dictionary(problem)
    tol = _share_in_nats(problem)

    def solve() -> Answer:
        options = dict.fromkeys(("abstol", "reltol", "feastol"), tol)
        result = module.pid(table, "ECOS", 0, max_iters=_ITERATIONS, **options)
        atoms = tuple(float(result[key]) for key in ("SI", "UIY", "UIZ", "CI"))
        return Answer(sum(atoms[:3]), f"gap {result['Num_err'][2] / math.log(2):.0e}", atoms)

    return solve


@peer("BROJA_2PID", "broja2pid", "")
def broja_2pid(problem: Problem) -> Solve:
    """The published code of Makkeh, Theis and Vicente (doi:10.3390/e20040271)."""
    return _makkeh(problem, importlib.import_module("broja2pid.BROJA_2PID"))


@peer("IDTxl Tartu", "idtxl", "")
def idtxl(problem: Problem) -> Solve:
    """IDTxl's Tartu solver, below its estimator, which takes samples only."""
    return _makkeh(problem, importlib.import_module("idtxl.synergy_tartu"))


@peer("computeUI", "computeui", "python")
def computeui(problem: Problem) -> Solve:
    """The published admUI of Banerjee, Rauh and Montúfar (arXiv:1709.07487), its defaults kept.

    Its precision is its own, 1e-7, unless less is asked for: with more it does not come back.
    """
    module = importlib.import_module("admUI_numpy")
    p_y = problem.p_x1y.sum(0)
    first, second = problem.p_x1y[:, p_y > 0], problem.p_x2y[:, p_y > 0]
    p_y = p_y[p_y > 0]
    eps = max(1e-7, problem.tol * math.log(2))

    def solve() -> Answer:
        coupling = module.computeQUI_numpy(first / p_y, second / p_y, p_y, eps=eps)
        table = coupling.reshape(len(p_y), -1).T
        return Answer(mutual_information(table), "–")

    return solve


@peer("Liang CVX", "liang", "synthetic")
def liang(problem: Problem) -> Solve:
    """The published CVX estimator of Liang et al. (arXiv:2302.12247), as it is."""
    module = importlib.import_module("rus")
    joint = problem.joint

    def solve() -> Answer:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            nats = module.get_measure(joint)
        keys = ("redundancy", "unique1", "unique2", "synergy")
        atoms = tuple(float(nats[key]) / math.log(2) for key in keys)
        return Answer(sum(atoms[:3]), "–", atoms)

    return solve
