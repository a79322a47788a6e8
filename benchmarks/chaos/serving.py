"""`modalprism serve` under load: many clients, slow clients, foreign names, a thousand runs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import made_runs
import numpy as np
from campaign import Campaign
from surroundings import command, said

RUNS: Final = 1_000
AT_ONCE: Final = 200
SLOWEST: Final = 20.0  # seconds; on a machine that is not busy, a tenth of it
_HOSTS: Final = (
    "evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "127.0.0.1.evil:{port}",
    "[::1]:{port}", "0.0.0.0:{port}", "user@127.0.0.1:{port}", "", "127.0.0.1:{port}\r\nHost: evil",
)  # fmt: skip
_runs: dict[int, Path] = {}


def prepare(count: int = RUNS) -> None:
    """Make a folder of runs, copies of one, as hard links."""
    if count in _runs:
        return
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    said("run", made_runs.write_study(folder))
    for number in range(count):
        shutil.copytree(folder / "run", folder / "runs" / f"{number:04}", copy_function=os.link)
    _runs[count] = folder / "runs"


@dataclass(frozen=True)
class Answer:
    """An answer, and the seconds until it came."""

    status: int
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Server:
    """A process of `modalprism serve`."""

    port: int
    pid: int

    async def get(self, path: str, host: str | None = None) -> Answer:
        """Ask for a page, over a connection of its own."""
        begin = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        host = f"127.0.0.1:{self.port}" if host is None else host
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        content = await asyncio.wait_for(reader.read(), 120)
        writer.close()
        head, _, body = content.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        return Answer(int(words[1]) if len(words) > 1 else 0, body, time.monotonic() - begin)

    def memory(self) -> float:
        """Return the resident memory in MiB (Linux)."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024


@asynccontextmanager
async def served(runs: Path) -> AsyncIterator[Server]:
    """Start a server on a free port, and end it afterwards."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    with subprocess.Popen(  # noqa: S603
        command("serve", runs, "--port", 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)/", process.stdout.readline())
            assert found, "it did not start"
            yield Server(int(found[1]), process.pid)
            assert process.poll() is None, "the server died"
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors, errors[-3_000:]


async def _ids(server: Server) -> list[str]:
    body = (await server.get("/")).body.decode()
    return list(dict.fromkeys(re.findall(r"/runs/([0-9a-f]{16})", body)))


async def burst(server: Server, rng: np.random.Generator) -> None:
    """Ask for 200 pages at once."""
    ids = await _ids(server)
    assert len(ids) == RUNS, f"{len(ids)} runs in the list"
    tails = ["", "/state", "/report", "/profile.csv", "/files/manifest.json"]
    paths = [f"/runs/{rng.choice(ids)}{rng.choice(tails)}" for _ in range(AT_ONCE * 3 // 4)]
    paths += ["/"] * (AT_ONCE - len(paths))
    answers = await asyncio.gather(*map(server.get, paths))
    _all_good(answers)


async def the_list(server: Server, rng: np.random.Generator) -> None:  # noqa: ARG001
    """Ask for the list of all runs, ten times."""
    _all_good([await server.get("/") for _ in range(10)])


def _all_good(answers: list[Answer]) -> None:
    found = Counter(one.status for one in answers)
    assert set(found) == {200}, f"statuses {dict(found)}"
    slowest = max(one.seconds for one in answers)
    assert slowest < SLOWEST, f"the slowest took {slowest:.1f} s"


async def gone(server: Server, rng: np.random.Generator) -> None:
    """Ask for 200 comparisons, and leave without waiting."""
    ids = await _ids(server)
    for _ in range(AT_ONCE):
        first, second = rng.choice(ids, 2, replace=False)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        path = f"/compare?run={first}&run={second}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        await writer.drain()
        writer.close()
    _all_good([await server.get("/"), await server.get(f"/runs/{ids[0]}")])


async def slow(server: Server, rng: np.random.Generator) -> None:  # noqa: ARG001
    """Have 300 clients send a byte a second (slowloris), and 50 read nothing."""
    ids = await _ids(server)
    clients = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(350)]
    for _, writer in clients[300:]:
        writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode() * 20)
    begin = time.monotonic()
    while time.monotonic() < begin + 28:
        for _, writer in clients[:300]:
            if not writer.is_closing():
                writer.write(b"X")
        answer = await server.get(f"/runs/{ids[0]}")
        assert answer.status == 200, answer.status
        assert answer.seconds < SLOWEST, answer.seconds
        await asyncio.sleep(1)
    still = sum(not reader.at_eof() and not writer.is_closing() for reader, writer in clients[:300])
    for _, writer in clients:
        writer.close()
    assert still == 0, f"{still} slow clients are still connected"


async def rebinding(server: Server, rng: np.random.Generator) -> None:  # noqa: ARG001
    """Ask under names that are not this machine's own."""
    ids = await _ids(server)
    for host in _HOSTS:
        for path in ("/", f"/runs/{ids[0]}", f"/runs/{ids[0]}/profile.csv"):
            answer = await server.get(path, host.format(port=server.port))
            assert answer.status in (400, 421), f"{host!r} got {answer.status}"
            assert b"Does it look?" not in answer.body


async def garbage(server: Server, rng: np.random.Generator) -> None:
    """Send 200 requests that are none."""
    for _ in range(AT_ONCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        good = bytearray(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        for place in rng.integers(0, len(good), int(rng.integers(1, 8))):
            good[place] = rng.integers(256)
        writer.write(bytes(good) if rng.random() < 0.8 else rng.bytes(2_000))
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 60)
        writer.close()
    _all_good([await server.get("/")])


SCENES: Final[tuple[Callable[[Server, np.random.Generator], Awaitable[None]], ...]] = (
    burst, the_list, gone, slow, rebinding, garbage,
)  # fmt: skip


def campaigns() -> Iterator[Campaign]:
    """Yield a campaign for every scene."""
    for scene in SCENES:

        def trial(
            seed: int, scene: Callable[[Server, np.random.Generator], Awaitable[None]] = scene
        ) -> None:
            async def run() -> None:
                async with served(_runs[RUNS]) as server:
                    await scene(server, np.random.default_rng(seed))

            asyncio.run(run())

        yield Campaign(
            f"serve, {scene.__name__.replace('_', ' ')}", trial, 5, int(scene is burst),
            weight=1, patience=180, at_once=1, prepare=prepare,
        )  # fmt: skip


def soak(minutes: float, seed: int) -> int:
    """Ask a server for pages at random, eight at a time; return 1 if anything goes wrong."""
    prepare()
    return asyncio.run(_soak(minutes, np.random.default_rng(seed)))


async def _soak(minutes: float, rng: np.random.Generator) -> int:
    found: Counter[int] = Counter()
    slowest, begin, warm = 0.0, time.monotonic(), 0.0
    async with served(_runs[RUNS]) as server:
        ids = await _ids(server)
        tails = ["", "", "/state", "/report", "/profile.csv", "/files/manifest.json", "/none"]
        while (passed := time.monotonic() - begin) < minutes * 60:
            paths = [f"/runs/{rng.choice(ids)}{rng.choice(tails)}" for _ in range(7)]
            first, second = rng.choice(ids[:12], 2, replace=False)
            few = [f"/compare?run={first}&run={second}", f"/?q={rng.integers(1000):04}", "/"]
            paths.append(str(rng.choice(few, p=[0.05, 0.55, 0.4])))
            answers = await asyncio.gather(*map(server.get, paths))
            found.update(one.status for one in answers)
            slowest = max(slowest, *(one.seconds for one in answers))
            if not warm and passed > minutes * 60 / 4:
                warm = server.memory()
        grown = server.memory() - warm
        print(f"{found.total():,} requests in {minutes:g} minutes: {dict(found)}, slowest ", end="")
        print(f"{slowest:.1f} s; {server.memory():.0f} MiB, {grown:+.0f} since a quarter of it")
    bad = {status for status in found if status not in (200, 404)}
    return 1 if bad or grown > 100 or slowest > SLOWEST else 0
