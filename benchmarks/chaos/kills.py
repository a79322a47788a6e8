"""Runs and captures that are killed at a random moment, and taken up again, byte for byte."""

from __future__ import annotations

import functools
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import made_runs
import numpy as np
import torch
from campaign import Campaign
from torch import nn

from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.run import RunConfig, run_capture
from modalprism.datasets.dataset import Example
from modalprism.engines import Engine, LocalEngine, RayEngine, SerialEngine
from modalprism.studies.study import Study

ROWS: Final = 1_500
_OF_RAY: Final = ("ray::Dashboard", "ray::RuntimeEnv", "/ray/_private/", "/ray/dashboard/")
_LONGEST: Final = 240.0  # seconds that a run may take on a machine that is busy
ENGINES: Final[dict[str, Callable[[], Engine]]] = {
    "serial": SerialEngine,
    "local": lambda: LocalEngine(workers=2),
    "Ray": lambda: RayEngine(workers=2),
}
_expected: dict[str, dict[str, bytes]] = {}
_seconds: dict[str, float] = {}


def prepare(engine: str) -> None:
    """Run the study once, undisturbed, for its results and the time that it takes."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        study = made_runs.write_study(Path(folder))
        child = made_runs.forked(_running(study, engine), Path(folder, "output"))
        assert made_runs.ends(child, _LONGEST) == 0, Path(folder, "output").read_text()
        _seconds[engine] = time.monotonic() - begin
        _expected["run"] = made_runs.results(Path(folder, "run"))


def _running(study: Path, engine: str) -> Callable[[], object]:
    def run() -> None:
        os.environ["LOKY_MAX_CPU_COUNT"] = "2"
        Study.from_yaml(study).run(engine=ENGINES[engine](), report=False)

    return run


def run_trial(engine: str, seed: int) -> None:
    """Kill a run once or more, let it finish, and compare its results."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        work = _running(made_runs.write_study(folder), engine)
        _interrupted(work, folder / "output", _seconds[engine], seed)
        run = folder / "run"
        assert made_runs.results(run) == _expected["run"], "other bytes after a kill"
        assert not list(run.rglob("*.partial")), "unfinished files are left"


def _interrupted(work: Callable[[], object], output: Path, seconds: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(int(rng.choice([1, 2], p=[0.75, 0.25]))):
        child = made_runs.forked(work, output)
        code = made_runs.ends(child, float(rng.uniform(0, seconds)))
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        _require_nobody(child, seed)
        assert code in (None, 0), output.read_text()[-3_000:]
    child = made_runs.forked(work, output)
    code = made_runs.ends(child, _LONGEST)
    _require_nobody(child, seed)
    assert code == 0, f"exit code {code} of the resumed run: {output.read_text()[-3_000:]}"


def _require_nobody(child: int, seed: int) -> None:
    """Require that the processes of a run have ended, or end within seconds.

    Processes of Ray's own, beside those that compute, take a minute: every tenth trial waits.
    """
    if seed % 10 == 0:
        made_runs.require_nobody(child, 120)
    else:
        made_runs.require_nobody(child, 15, but=_OF_RAY)


class Pair(nn.Module):
    """Two small streams and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text, self.head = nn.Linear(5, 4), nn.Linear(3, 4), nn.Linear(8, 3)

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Return the answer's logits."""
        return self.head(torch.cat([self.image(image), self.text(text)], 1))


def _capturing(out: Path) -> Callable[[], object]:
    def capture() -> None:
        torch.set_num_threads(1)
        draws = np.random.default_rng(0).normal(size=(ROWS, 8)).astype(np.float32)
        examples = [
            Example(str(k), {"image": row[:5], "text": row[5:]}, label=k % 3)
            for k, row in enumerate(draws)
        ]

        def prepared(batch: list[Example]) -> dict[str, torch.Tensor]:
            time.sleep(0.002)  # as if a model computed
            return {
                name: torch.stack([torch.from_numpy(one.inputs[name]) for one in batch])
                for name in ("image", "text")
            }

        adapter = ModuleAdapter(
            Pair(), prepared, layers={"image": ["image"], "text": ["text"]},
            answer=lambda logits: logits.softmax(-1), candidates=["a", "b", "c"],
        )  # fmt: skip
        settings = RunConfig(batch_size=8, shard_rows=16)
        run_capture(
            adapter, examples, out, metadata={"model": "pair", "dataset": "made"}, config=settings
        )

    return capture


def _files(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.iterdir())}


def prepare_capture() -> None:
    """Capture once, undisturbed."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        begin = time.monotonic()
        child = made_runs.forked(_capturing(Path(folder, "store")), Path(folder, "output"))
        assert made_runs.ends(child, _LONGEST) == 0, Path(folder, "output").read_text()
        _seconds["capture"] = time.monotonic() - begin
        _expected["capture"] = _files(Path(folder, "store"))


def capture_trial(seed: int) -> None:
    """Kill a capture once or more, let it finish, and compare its store."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        work = _capturing(folder / "store")
        _interrupted(work, folder / "output", _seconds["capture"], seed)
        assert _files(folder / "store") == _expected["capture"], "other bytes after a kill"


def campaigns(count: int, few: int) -> Iterator[Campaign]:
    """Yield a campaign for captures, and one for runs under every engine."""
    yield Campaign(
        "kill capture", capture_trial, count, few, weight=1, patience=600, at_once=2,
        prepare=prepare_capture,
    )  # fmt: skip
    for engine, weight in (("serial", 2.0), ("local", 4.0), ("Ray", 6.0)):
        yield Campaign(
            f"kill run, {engine}", functools.partial(run_trial, engine), count,
            few if engine == "serial" else 0, weight=weight, patience=600, at_once=1,
            prepare=functools.partial(prepare, engine),
        )  # fmt: skip
