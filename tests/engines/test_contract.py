"""What every engine does: results, progress, errors, an end in the middle, workers that die."""

import logging
import os
import signal
import threading
import time
from contextlib import closing

import pytest

from modalprism.engines import Job, Needs, SerialEngine
from modalprism.errors import InputError, WorkerError
from modalprism.progress import silent


def run(engine, jobs, track=silent, **options):
    return dict(engine.run(jobs, track=track, description="working", **options))


@pytest.fixture
def engine_with_workers(engine):
    if isinstance(engine, SerialEngine):
        pytest.skip("this process has no worker that could die without it")
    return engine


def test_every_job_comes_back_under_its_key(engine):
    jobs = [Job(f"{base}²", pow, (base, 2)) for base in range(7)]
    assert run(engine, jobs) == {f"{base}²": base**2 for base in range(7)}
    assert run(engine, jobs[::-1]) == run(engine, jobs)


def test_results_come_as_they_are_done(engine_with_workers, tmp_path):
    """The first job waits for a file that the second one's result lets be written."""
    mark = tmp_path / "second is back"

    def wait(name):
        until = time.monotonic() + 60
        while name == "first" and not mark.exists() and time.monotonic() < until:
            time.sleep(0.01)
        return name

    order = []
    jobs = [Job(name, wait, (name,)) for name in ("first", "second")]
    for key, _ in engine_with_workers.run(jobs, track=silent, description="working"):
        order.append(key)
        mark.touch()
    assert order == ["second", "first"]


def test_nothing_to_do_is_done(engine):
    assert run(engine, []) == {}


def test_progress_counts_every_job(engine):
    seen = []

    def track(sequence, *, total, description):
        for item in sequence:
            seen.append((total, description))
            yield item

    run(engine, [Job(str(base), pow, (base, 2)) for base in range(3)], track)
    assert seen == [(3, "working")] * 3


def test_a_jobs_own_error_comes_as_it_is_and_is_not_tried_again(engine, tmp_path):
    def refuse(number):
        with (tmp_path / str(number)).open("a") as file:
            file.write("tried\n")
        if number == 1:
            raise InputError("the rows of 'image' are not numbers; give numbers")
        return number

    with pytest.raises(InputError) as caught:
        run(engine, [Job(str(number), refuse, (number,)) for number in range(2)])
    assert type(caught.value) is InputError
    assert str(caught.value) == "the rows of 'image' are not numbers; give numbers"
    assert (tmp_path / "1").read_text() == "tried\n"


def test_an_error_that_is_nobodys_fault_comes_too(engine):
    with pytest.raises(ZeroDivisionError):
        run(engine, [Job(str(one), divmod, (1, one)) for one in (1, 0)])


@pytest.mark.slow
def test_a_caller_that_has_enough_stops_what_runs(engine, tmp_path):
    def work(number):
        time.sleep(0 if number == 0 else 0.3)
        (tmp_path / str(number)).touch()

    jobs = [Job(str(number), work, (number,)) for number in range(30)]
    with closing(engine.run(jobs, track=silent, description="working")) as results:
        next(results)
    time.sleep(1)
    done = len(list(tmp_path.iterdir()))
    time.sleep(1)
    assert len(list(tmp_path.iterdir())) == done < 15
    assert run(engine, [Job("after", pow, (2, 2))]) == {"after": 4}


@pytest.mark.slow
def test_an_interrupt_stops_what_runs(engine, tmp_path):
    """Ctrl-C, while jobs run: nothing goes on behind it, and the engine can be used again."""

    def work(number):
        (tmp_path / f"{number} began").touch()
        time.sleep(1)
        (tmp_path / f"{number} ended").touch()

    def interrupt():
        until = time.monotonic() + 60
        while not any(tmp_path.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    jobs = [Job(str(number), work, (number,)) for number in range(20)]
    presses = threading.Thread(target=interrupt)
    presses.start()
    with pytest.raises(KeyboardInterrupt):
        run(engine, jobs)
    presses.join()
    time.sleep(1.5)
    ended = sum(path.name.endswith("ended") for path in tmp_path.iterdir())
    time.sleep(1.5)
    assert sum(path.name.endswith("ended") for path in tmp_path.iterdir()) == ended < 10
    assert run(engine, [Job("after", pow, (2, 2))]) == {"after": 4}


def test_a_job_whose_worker_died_is_run_again(engine_with_workers, jobs_that_die, caplog):
    caplog.set_level(logging.WARNING, "modalprism.engines")
    found = run(engine_with_workers, jobs_that_die(once=True))
    assert found == {f"square of {number}": number**2 for number in range(5)}
    assert "tried again" in caplog.text


def test_a_job_whose_worker_always_dies_ends_in_a_sentence(engine_with_workers, jobs_that_die):
    with pytest.raises(WorkerError, match="square of 2 died 4 times") as caught:
        run(engine_with_workers, jobs_that_die(once=False))
    assert "\n" not in str(caught.value)


def test_a_gpu_that_nobody_has_is_refused_at_once(engine):
    start = time.monotonic()
    with pytest.raises(InputError, match=r"needs 64 GPUs, and .* has"):
        run(engine, [Job("large", pow, (2, 2))], needs=Needs(gpus=64))
    assert time.monotonic() - start < 30


def test_jobs_compute_in_one_thread(engine_with_workers):
    def threads():
        return os.environ["OMP_NUM_THREADS"]

    found = run(engine_with_workers, [Job(str(number), threads) for number in range(3)])
    assert set(found.values()) == {"1"}
