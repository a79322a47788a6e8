"""The command line where something around it is missing, full, closed, or taken."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import made_runs
import numpy as np
from campaign import Campaign

from modalprism.errors import InputError

SECONDS: Final = 300
READER_LEFT: Final = 141
"""Exit code where nobody reads the output any more."""
_expected: dict[str, bytes] = {}


def command(*arguments: object) -> list[str]:
    """Return the words of a command line of Modalprism's."""
    return [sys.executable, "-m", "modalprism", *map(str, arguments)]


def said(*arguments: object, codes: tuple[int, ...] = (0,), **options: Any) -> str:
    """Run a command; return what it wrote to standard error, which must hold no traceback."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    done = subprocess.run(  # noqa: S603
        command(*arguments), timeout=SECONDS, check=False, start_new_session=True, **options
    )
    errors = (done.stderr or b"").decode("utf-8", "backslashreplace")
    assert "Traceback" not in errors, errors[-3_000:]
    assert done.returncode in codes, f"exit code {done.returncode}: {errors[-1_000:]}"
    return errors


def prepare() -> None:
    """Run the study once, undisturbed, for its results."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        said("run", made_runs.write_study(Path(folder)))
        _expected.update(made_runs.results(Path(folder, "run")))


def _same(run: Path) -> None:
    assert made_runs.results(run) == _expected, "other bytes"


def two_runs(folder: Path, seed: int) -> None:  # noqa: ARG001
    """Start a second run in the folder of one that goes on: it is refused, and costs nothing."""
    study = made_runs.write_study(folder)
    environment = os.environ | {"NO_COLOR": "1"}
    with subprocess.Popen(  # noqa: S603
        command("run", study), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    ) as first:
        until = time.monotonic() + SECONDS
        while not (folder / "run" / "run-status.json").exists() and time.monotonic() < until:
            time.sleep(0.02)
        second = said("run", study, "--engine", "serial", codes=(0, 2))
        _, errors = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, errors
    # On a slow machine the first run may end before the second starts, which then has no work.
    assert not second or "another process" in second or "error" not in second, second
    _same(folder / "run")


def full_disk(folder: Path, seed: int) -> None:
    """Let no file grow beyond some bytes; with room again, the same command finishes the run."""
    most = int(np.random.default_rng(seed).integers(0, 40_000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    study = made_runs.write_study(folder)
    errors = said("run", study, codes=(0, 1), preexec_fn=limit)
    assert not errors or "too large" in errors or "error" not in errors, errors
    said("run", study)
    _same(folder / "run")


def full_tmpfs(folder: Path, seed: int) -> None:
    """Run on a file system of some kilobytes, which is full before the run ends."""
    size = int(np.random.default_rng(seed).integers(40, 400))
    with _mounted(folder / "disk", f"size={size}k") as disk:
        study = made_runs.write_study(folder, out=str(disk / "run"))
        errors = said("run", study, codes=(0, 1))
        assert not errors or "No space left" in errors or "error" not in errors, errors
        said("run", made_runs.write_study(folder), "--engine", "serial")
    _same(folder / "run")


def read_only(folder: Path, seed: int) -> None:  # noqa: ARG001
    """Run, report and capture into a folder that cannot be written."""
    with _mounted(folder / "disk", "size=1m") as disk:
        _call("mount", "-o", "remount,ro", str(disk))
        study = made_runs.write_study(folder, out=str(disk / "run"))
        assert "ead-only" in said("run", study, codes=(1, 2))
        for arguments in (("demo", "--out", disk / "demo"), ("report", disk)):
            said(*arguments, codes=(1, 2))


def no_home(folder: Path, seed: int) -> None:
    """Run without HOME, or with one that is not there."""
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    if seed % 2:
        environment["HOME"] = "/nonexistent"
    said("run", made_runs.write_study(folder), env=environment)
    _same(folder / "run")


def plain_locale(folder: Path, seed: int) -> None:
    """Run a study with Japanese names under LC_ALL=C; or in a Python that is kept to ASCII."""
    environment = os.environ | {"LC_ALL": "C"}
    study = made_runs.write_study(folder, title="画像を見るか 🙂", out="走る")
    if seed % 3 == 0:
        environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        assert "PYTHONUTF8=1" in said("run", study, codes=(2,), env=environment)
        return
    said("run", study, env=environment)
    said("report", folder / "走る", "--json", env=environment)
    assert "画像" in (folder / "走る" / "report.html").read_text("utf-8")


def closed_output(folder: Path, seed: int) -> None:
    """Close what a command writes to, or fill it."""
    study = made_runs.write_study(folder)
    if seed % 3 == 0:
        said("run", study, codes=(0, 1), stdout=None, preexec_fn=lambda: os.close(1))
    elif seed % 3 == 1:
        read, write = os.pipe()
        os.close(read)
        try:
            said("run", study, codes=(0, 1, READER_LEFT), stdout=write)
        finally:
            os.close(write)
    else:
        with open("/dev/full", "wb") as full:
            said("run", study, codes=(0, 1), stdout=full)
    _same(folder / "run")


class _mounted:  # noqa: N801  # a context manager, used as a function
    """A file system in memory; refused where this process may not mount one."""

    def __init__(self, place: Path, options: str) -> None:
        self.place, self.options = place, options

    def __enter__(self) -> Path:
        self.place.mkdir()
        try:
            _call("mount", "-t", "tmpfs", "-o", self.options, "tmpfs", str(self.place))
        except (OSError, subprocess.CalledProcessError) as error:
            raise InputError("this trial mounts a file system; run it as root") from error
        return self.place

    def __exit__(self, *_: object) -> None:
        _call("umount", "-l", str(self.place))


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603


SCENES: Final[tuple[Callable[[Path, int], None], ...]] = (
    two_runs, full_disk, full_tmpfs, read_only, no_home, plain_locale, closed_output,
)  # fmt: skip


def campaigns() -> Iterator[Campaign]:
    """Yield a campaign for every scene."""
    for scene in SCENES:

        def trial(seed: int, scene: Callable[[Path, int], None] = scene) -> None:
            with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
                scene(Path(folder), seed)

        yield Campaign(
            scene.__name__.replace("_", " "), trial, 6, 0, weight=1.5, patience=SECONDS,
            prepare=prepare,
        )  # fmt: skip
