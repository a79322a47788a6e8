"""Train the networks of the study of fusions: every fusion from five seeds, two at a time.

    python examples/fusion_study/train.py                   # 20 networks, resumes where it stood
    python examples/fusion_study/train.py --seeds 0 1       # fewer

Every network is one run of ``examples/emoji_questions/train.py``, in one thread. What is there
already is left as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from modalprism.demo.fusion_network import FUSIONS

SEEDS = (0, 1, 2, 3, 4)
EPOCHS, BATCH = 4, 32  # the demo's own have 30 and 128
TRAINER = Path(__file__).parents[1] / "emoji_questions" / "train.py"
CHECKPOINTS = Path(__file__).parents[2] / "runs" / "fusion_study" / "checkpoints"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

console = Console()


def planned(seeds: Sequence[int], fusions: Sequence[str]) -> Iterator[tuple[int, str]]:
    """List what is trained, two seeds before the rest, so that these are whole early.

    Neighbours differ in their seed, so that no two processes write into the same folder at once.
    """
    for group in (seeds[:2], seeds[2:]):
        for fusion in fusions:
            for seed in group:
                yield seed, fusion


def train(seed: int, fusion: str) -> None:
    """Train one network, unless it is there."""
    folder = CHECKPOINTS / f"seed-{seed}"
    if (folder / f"{fusion}.safetensors").is_file():
        return
    options = {"seed": seed, "epochs": EPOCHS, "batch": BATCH, "out": folder}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(TRAINER), fusion, *words],
        env=os.environ | _ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{fusion} from seed {seed} was not trained:\n{done.stderr}")
    (took,) = (line for line in done.stdout.splitlines() if line.endswith(" minutes"))
    console.print(f"seed {seed}, {took}")


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--fusions", nargs="+", choices=FUSIONS, default=list(FUSIONS))
    parser.add_argument("--workers", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    with ThreadPoolExecutor(arguments.workers) as pool:
        for _ in pool.map(lambda one: train(*one), planned(arguments.seeds, arguments.fusions)):
            pass


if __name__ == "__main__":
    main()
