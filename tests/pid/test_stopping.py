"""Time limits and Ctrl-C end a run with bounds that hold."""

import signal
import threading
import time

import numpy as np
import pytest

from modalprism.pid import (
    Interrupted,
    Newton,
    Reason,
    decompose,
    decompose_batch,
    solve_union_information,
)
from modalprism.pid.stopping import Watch


@pytest.fixture
def press_ctrl_c(monkeypatch):
    """Send this process an interrupt at the n-th time that a solver asks whether to stop."""
    reason, asked = Watch.reason, []

    def at(n):
        def press(watch, iteration):
            asked.append(iteration)
            if len(asked) == n:
                signal.raise_signal(signal.SIGINT)
            return reason(watch, iteration)

        monkeypatch.setattr(Watch, "reason", press)

    return at


@pytest.mark.parametrize("solver", ["newton", "ipfp"])
def test_a_time_limit_ends_the_run(random_joint, solver):
    joint = random_joint(0, (30, 30, 10))
    d = decompose(joint, solver=solver, tol=1e-14, max_iter=10**9, time_limit=1e-3)
    assert d.stopped is Reason.TIME
    assert not d.converged
    assert "not converged: time limit reached" in str(d)
    truth = decompose(joint, tol=1e-8)
    assert d.lower <= truth.upper
    assert d.upper >= truth.lower


def test_the_time_limit_is_for_a_whole_batch(random_joint):
    joints = np.stack([random_joint(seed, (12, 12, 5)) for seed in range(5)])
    for d in decompose_batch(joints, solver="newton", tol=1e-14, time_limit=1e-4):
        assert d.stopped is Reason.TIME
        assert d.lower <= d.upper


@pytest.mark.parametrize("solver", ["newton", "ipfp"])
def test_ctrl_c_leaves_certified_bounds(random_joint, press_ctrl_c, solver):
    joint = random_joint(0, (40, 40, 10))
    press_ctrl_c(4)
    with pytest.raises(Interrupted) as stop:
        decompose(joint, solver=solver, tol=1e-14)
    (d,) = stop.value.results
    assert d.stopped is Reason.INTERRUPT
    truth = decompose(joint, tol=1e-8)
    assert d.lower <= truth.upper
    assert d.upper >= truth.lower
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_a_batch_leaves_what_was_reached(random_joint, press_ctrl_c):
    joints = np.stack([random_joint(seed, (12, 12, 5)) for seed in range(4)])
    press_ctrl_c(20)
    with pytest.raises(KeyboardInterrupt) as stop:
        decompose_batch(joints, solver="newton", tol=1e-9)
    reasons = {d.stopped for d in stop.value.results}
    assert len(stop.value.results) == 4
    assert reasons == {Reason.CONVERGED, Reason.INTERRUPT}


def test_a_second_ctrl_c_breaks_off():
    with Watch(1e-6, 10) as watch:
        signal.raise_signal(signal.SIGINT)
        assert watch.reason(1) is Reason.INTERRUPT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_after_the_last_look_is_not_lost():
    """The solver has converged by then, and the caller is interrupted with its result."""

    class Pressed(Newton):
        def __call__(self, problem, watch):
            solution = super().__call__(problem, watch)
            signal.raise_signal(signal.SIGINT)
            return solution

    with pytest.raises(Interrupted) as stop:
        decompose(np.arange(1, 13).reshape(2, 3, 2), solver=Pressed())
    (result,) = stop.value.results
    assert result.converged


def test_another_handler_is_left_in_place():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        with Watch(1e-6, 10) as watch:
            signal.raise_signal(signal.SIGINT)
            assert watch.reason(1) is None
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]


def test_other_threads_solve_too():
    answers = []

    def work():
        same = np.eye(2) / 2
        answers.append(solve_union_information(same, same, tol=1e-9, max_iter=50))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers[0].converged


def test_iterations_of_two_solvers_add_up():
    watch = Watch(1e-6, 5)
    with watch.spent(3):
        assert watch.reason(1) is None
        assert watch.reason(2) is Reason.ITERATIONS
    assert watch.reason(2) is None


def test_a_deadline_is_counted_from_the_start():
    watch = Watch(1e-6, 5, time_limit=1e-3)
    time.sleep(2e-3)
    assert watch.reason(1) is Reason.TIME
