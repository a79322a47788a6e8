"""Rows spread over processes: the same answer as on one, proven the same way."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from modalprism.errors import InputError
from modalprism.pid import Reason, decompose_marginals, decompose_sharded
from modalprism.pid.ipfp import agreed

# Starting a process takes seconds, so those of a group go through all the cases.
_RANK = """
import json, sys
import numpy as np
import torch.distributed as distributed
from modalprism.errors import InputError
from modalprism.pid import decompose_sharded

meeting, rank, size, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
answers = []
for k, (options, own) in enumerate(json.loads(sys.argv[5])):
    held = np.load(f"{folder}/{k}.npz")
    rows = held["p1"][held["cuts"][rank] : held["cuts"][rank + 1]]
    try:
        d = decompose_sharded(rows, held["p2"], **options | own.get(str(rank), {}))
        answers.append([d.lower, d.upper, d.iterations, d.stopped, *d.marginal_information])
    except InputError as error:
        answers.append(str(error))
print(json.dumps(answers))
distributed.destroy_process_group()
"""


def on_processes(size, cases, folder):
    """Run cases (p1, p2, cuts, options, options of single ranks); answers by case, then rank."""
    for k, (p1, p2, cuts, _, _) in enumerate(cases):
        np.savez(folder / f"{k}.npz", p1=p1, p2=p2, cuts=[0, *cuts, len(p1)])
    options = json.dumps([case[3:] for case in cases])
    meeting = f"file://{folder / 'meeting'}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _RANK, meeting]
    processes = [
        subprocess.Popen(  # noqa: S603 -- this file's own script
            [*command, str(rank), str(size), str(folder), options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(size)
    ]
    ended = [process.communicate(timeout=600) for process in processes]
    for process, (_, errors) in zip(processes, ended, strict=True):
        assert process.returncode == 0, errors
    answers = [json.loads(out.splitlines()[-1]) for out, _ in ended]
    return list(zip(*answers, strict=True))


def marginals(seed, shape, *, zeros=0.0):
    rng = np.random.default_rng(seed)
    joint = rng.gamma(0.3, size=shape) * (rng.random(shape) >= zeros)
    joint /= joint.sum()
    p1, p2 = joint.sum(1), joint.sum(0)
    p1[0, 0] += 0.01  # a marginal cell that is 0 in the other process's rows
    p1[1, 0] = 0.0
    p1 *= p2.sum(0) / p1.sum(0)
    return p1, p2


DENSE, SPARSE, SMALL = marginals(0, (60, 50, 5)), marginals(1, (12, 9, 4), zeros=0.6), np.eye(2) / 2
OTHER = np.array([[0.25, 0.25], [0.25, 0.25]]) * [[1.2, 0.8]]
TWO = {
    "coarse": (*DENSE, (30,), {"tol": 1e-3}, {}),
    "counts": (np.full((60, 5), 3), np.full((60, 5), 3), (11,), {"tol": 1e-6}, {}),
    "stopped early": (*SPARSE, (5,), {"tol": 1e-12, "max_iter": 4}, {}),
    "tol": (*SPARSE, (4,), {"tol": 1e-3}, {"1": {"tol": 1e-2}}),
    "base": (*SPARSE, (4,), {}, {"1": {"base": 1}}),
    "device": (*SPARSE, (4,), {}, {"1": {"device": "nowhere"}}),
    "p(y)": (SMALL, OTHER, (1,), {}, {}),
}
REFUSED = {
    "tol": "tol is 0.001 on process 0 and 0.01 on process 1: give every process the same",
    "base": "process 1: base is 1: pass a number above 1",
    "device": "process 1: device 'nowhere' cannot be used",
    "p(y)": "p(y) differs",
}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    answers = on_processes(2, list(TWO.values()), tmp_path_factory.mktemp("two"))
    return dict(zip(TWO, answers, strict=True))


def assert_as_one(p1, p2, answers, tol):
    one = decompose_marginals(p1, p2, tol=tol, solver="ipfp")
    tight = decompose_marginals(p1, p2, tol=1e-7)
    for lower, upper, iterations, stopped, *told in answers:
        assert [lower, upper, iterations] == answers[0][:3]  # to the last bit
        assert (lower, upper) == pytest.approx((one.lower, one.upper), abs=1e-6)
        assert iterations == one.iterations
        assert stopped == one.stopped == "converged"
        assert told == pytest.approx(one.marginal_information, abs=1e-12)
        assert 0 <= upper - lower <= tol
        assert lower <= tight.upper
        assert upper >= tight.lower


@pytest.mark.parametrize("case", ["coarse", "counts"])
def test_two_processes_answer_as_one_does(two, case):
    p1, p2, _, options, _ = TWO[case]
    assert_as_one(p1, p2, two[case], options["tol"])


@pytest.mark.slow
def test_four_processes_answer_as_one_does(tmp_path):
    case = (*DENSE, (1, 20, 50), {"tol": 3e-4}, {})  # a single row on the first
    (answers,) = on_processes(4, [case], tmp_path)
    assert_as_one(*DENSE, answers, 3e-4)


def test_bounds_hold_wherever_the_processes_stop(two):
    truth = decompose_marginals(*SPARSE, tol=1e-8)
    assert two["stopped early"][0] == two["stopped early"][1]
    lower, upper, iterations, stopped, *_ = two["stopped early"][0]
    assert (iterations, stopped) == (4, "max_iter reached")
    assert lower <= truth.upper
    assert upper >= truth.lower
    assert upper - lower > 1e-6


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_be_is_refused_on_every_process(two, case):
    assert two[case][0] == two[case][1]
    assert REFUSED[case] in two[case][0]


def test_without_a_group_it_says_what_to_do():
    with pytest.raises(InputError, match="init_process_group first, or decompose_marginals on one"):
        decompose_sharded(np.eye(2), np.eye(2))


def test_processes_stop_for_one_reason():
    """A clock that has run out on one process stops all of them."""

    class Late:
        def max(self, part):
            return torch.maximum(part, torch.full_like(part, 1 + list(Reason).index(Reason.TIME)))

        def sum(self, part):
            return part

    assert agreed(None, Late(), torch.device("cpu")) is Reason.TIME
