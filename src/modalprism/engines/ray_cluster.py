"""Connections to a Ray cluster: one that runs already, or a temporary one of this machine.

Ray is an extra, and imported only where it is used.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from modalprism.errors import InputError, WorkerError
from modalprism.search_path import SAFE_PATH, variable

AUTO: Final = "auto"
_PLACE: Final = re.compile(r"(?P<host>[^\s/:]+|\[[^\]]+\]):(?P<port>\d{1,5})")
_KNOCK_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 30.0
# Ray itself tries for two minutes where nothing of its own answers, and then ends the process it is
# in. So another process tries first, for less.
_PROBE: Final = """
import logging, sys, warnings
warnings.simplefilter("ignore")
import ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
except Exception as error:
    reasons = []
    while error is not None:
        reasons.append(" ".join(str(error).split()))
        error = error.__cause__
    sys.exit("refused: " + " | ".join(reasons))
"""
_FEW_TRIES: Final = {"RAY_NUM_REDIS_GET_RETRIES": "3"}
_NO_TOKEN: Final = ("InvalidAuthToken", "no authentication token", "No authentication token")


def imported_ray() -> Any:
    """Import Ray; an `InputError` names the extra if it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise InputError(
            f"work on a cluster needs Ray ({error}); run pip install 'modalprism[ray]'"
        ) from error
    return ray


def check_address(address: str) -> None:
    """Refuse an address at which no Ray cluster can be joined by this process; takes seconds."""
    if address != AUTO:
        _knock(address)
    try:
        tried = subprocess.run(  # noqa: S603  # our own interpreter, our own words
            [sys.executable, "-c", _PROBE, address],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            env=os.environ | _FEW_TRIES | dict([SAFE_PATH]),
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"what answers at {address} is no Ray cluster that this machine is part of, or it is "
            f"too busy to answer in {_PROBE_SECONDS:.0f} s; give the address that ray start printed"
        ) from error
    if tried.returncode:
        reasons = (tried.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise _refused(address, reasons.removeprefix("refused: "))


def _knock(address: str) -> None:
    place = _PLACE.fullmatch(address)
    if place is None or int(place["port"]) > 65535:
        raise InputError(
            f"{address!r} is no address of a Ray cluster; give {AUTO}, or host:port as ray start "
            "printed it",
            parameter="address",
        )
    try:
        host = place["host"].strip("[]")
        socket.create_connection((host, int(place["port"])), _KNOCK_SECONDS).close()
    except OSError as error:
        raise InputError(
            f"no Ray cluster can be reached at {address} ({error.strerror or error}); check the "
            "address, or start one there with ray start --head"
        ) from error


def _refused(address: str, why: str) -> InputError:
    if address == AUTO and "Could not find any running Ray" in why:
        return InputError(
            "no Ray cluster runs on this machine; start one with ray start --head, join one with "
            "ray start --address host:port, or leave address out",
            parameter="address",
        )
    if any(words in why for words in _NO_TOKEN):
        return InputError(
            f"the Ray cluster at {address} wants its token: give address {AUTO!r} on a machine of "
            "the cluster, or set RAY_AUTH_MODE=token where the token is in place, as ray "
            "get-auth-token says"
        )
    first = why.partition(" | ")[0]
    return InputError(f"the Ray cluster at {address} cannot be joined: {first}")


@contextmanager
def connected(address: str | None, workers: int) -> Iterator[Any]:
    """Join the cluster at an address, or start one with so many CPUs here; yield Ray.

    The cluster is left, or ended, afterwards. A process that is part of a cluster, by its own
    `ray.init`, uses that one and stays in it. An `InputError` says that none can be joined, a
    `WorkerError` that none can be started.
    """
    ray = imported_ray()
    if ray.is_initialized():
        joined = ray.get_runtime_context().gcs_address
        if address not in {None, AUTO, joined}:
            raise InputError(
                f"this process is part of the Ray cluster at {joined} already; leave the address "
                f"{address} out, or call ray.shutdown() first"
            )
        yield ray
        return
    cluster: dict[str, Any] = {"address": address}
    if address is None:
        cluster = {"address": "local", "num_cpus": workers, "include_dashboard": False}
    # No usage statistics are sent, unless the user allows it; Ray Data looks at every pipeline.
    quiet, safe = variable("RAY_USAGE_STATS_ENABLED", "0"), variable(*SAFE_PATH)
    with _signals_left_alone(), quiet, safe:
        try:
            with warnings.catch_warnings():
                # Of what a coming version does with GPUs of tasks that ask for none.
                warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\.")
                ray.init(
                    **cluster,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    # As for jobs of Ray's client: without it, workers import from the folder in
                    # which this process runs before they import what is installed.
                    job_config=ray.job_config.JobConfig(_client_job=True),
                )
        except (OSError, RuntimeError, ValueError, SystemExit, ray.exceptions.RayError) as error:
            why = " ".join(str(error).split())
            if address is None:
                raise WorkerError(f"no Ray cluster can be started here: {why}") from error
            raise _refused(address, why) from error
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _signals_left_alone() -> Iterator[None]:
    """Restore the handler of SIGTERM, which Ray replaces for good."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
