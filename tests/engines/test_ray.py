"""What only a cluster can do wrong: not be there, be another, have no room, lose a machine."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from modalprism.engines import Job, RayEngine, ray_cluster, ray_nodes
from modalprism.engines.ray_cluster import check_address, imported_ray
from modalprism.errors import InputError, WorkerError
from modalprism.progress import silent

pytest.importorskip("ray")


def run(engine, jobs):
    return dict(engine.run(jobs, track=silent, description="working"))


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"needs Ray .*pip install 'modalprism\[ray\]'"):
        imported_ray()


@pytest.mark.parametrize("address", ["nowhere", "a:b", "host:99999", "ray://host:10001", ""])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InputError, match="is no address of a Ray cluster; give auto, or host:port"):
        check_address(address)


def test_an_address_where_nothing_answers_is_refused_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(InputError, match=rf"no Ray cluster can be reached at 127.0.0.1:{port} \("):
        RayEngine(f"127.0.0.1:{port}").ready()
    assert time.monotonic() - start < 5


@pytest.mark.slow
def test_what_answers_and_is_no_cluster_is_refused_before_long(monkeypatch):
    monkeypatch.setattr(ray_cluster, "_PROBE_SECONDS", 4.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(InputError, match="is no Ray cluster that this machine is part of, or"),
    ):
        check_address(f"127.0.0.1:{server.getsockname()[1]}")


def test_a_cluster_that_wants_its_token_says_how(cluster, monkeypatch):
    check_address(cluster)  # this process started it, and has the token
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(InputError, match=r"wants its token: give address .auto. on a machine of"):
        check_address(cluster)


def test_where_no_cluster_runs_auto_says_how_to_have_one():
    error = ray_cluster._refused("auto", "Could not find any running Ray instance. Please specify")
    assert str(error).startswith("no Ray cluster runs on this machine; start one with ray start")
    error = ray_cluster._refused("host:1", "Version mismatch: the cluster has Ray 2.59.0")
    assert str(error).startswith("the Ray cluster at host:1 cannot be joined: Version mismatch")


def test_an_own_cluster_is_checked_for_being_the_one(cluster, monkeypatch):
    monkeypatch.setattr("modalprism.engines.ray.check_address", lambda address: None)  # noqa: ARG005
    assert run(RayEngine(cluster), [Job("a", pow, (2, 3))]) == {"a": 8}
    with pytest.raises(InputError, match=r"part of the Ray cluster at .* already; leave"):
        run(RayEngine("192.0.2.77:6379"), [Job("a", pow, (2, 3))])


def test_sigterm_goes_back_to_who_had_it():
    before = signal.getsignal(signal.SIGTERM)
    with ray_cluster._signals_left_alone():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("cluster")
def test_a_node_with_other_versions_is_refused(monkeypatch):
    def by_process():  # as if every process had another numpy
        return lambda: {"numpy": f"2.4.{os.getpid()}"}

    monkeypatch.setattr(ray_nodes, "_versions_reader", by_process)
    words = (
        rf"node \S+ of the Ray cluster has numpy \S+, and this process has numpy 2.4.{os.getpid()}"
    )
    with pytest.raises(InputError, match=words):
        run(RayEngine(), [Job("a", pow, (2, 3))])


def test_a_node_is_asked_for_its_code_too():
    found = ray_nodes._versions_reader()()
    assert found["modalprism"].endswith(")")
    assert set(found) >= {"Python", "torch", "numpy", "scipy", "scikit-learn", "modalprism"}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("name", ["ObjectStoreFullError", "OutOfDiskError", "RaySystemError"])
def test_a_cluster_without_room_ends_in_a_sentence(name):
    def full():
        from ray import exceptions

        raise getattr(exceptions, name)("no room on the device\nand many lines more")

    with pytest.raises(WorkerError, match="the Ray cluster could not run large: ") as caught:
        run(RayEngine(workers=2), [Job("large", full)])
    assert "\n" not in str(caught.value)
    assert "no room on the device" in str(caught.value)


LOSES_A_MACHINE = """
import threading, time
from ray.cluster_utils import Cluster
from modalprism.engines import Job, RayEngine
from modalprism.progress import silent

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
second = cluster.add_node(num_cpus=1)
lose = threading.Thread(target=cluster.remove_node, args=(second, False))

def work(number):
    import time, ray
    there = ray.get_runtime_context().get_node_id()
    for _ in range(100):  # on the machine that is lost, it never ends
        time.sleep(0.02 if there == head else 10)
    return number ** 2

head = cluster.head_node.node_id
found = {}
jobs = [Job(str(number), work, (number,)) for number in range(4)]
for key, square in RayEngine(cluster.address).run(jobs, track=silent, description="working"):
    if not found:
        lose.start()
    found[key] = square
lose.join()
assert found == {"0": 0, "1": 1, "2": 4, "3": 9}, found
cluster.shutdown()
print("all came back")
"""


@pytest.mark.slow
def test_a_machine_that_is_lost_loses_no_job():
    """Two nodes on this machine; the second goes while it works, with all that is on it."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LOSES_A_MACHINE], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.rstrip().endswith("all came back"), done.stderr[-2000:]
    assert "tried again" in done.stderr
