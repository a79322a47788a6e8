"""Profile Whisper tiny.en on spoken digits: what it takes from the sound, what from the words.

    python examples/whisper/spoken_digits.py free-spoken-digit-dataset/recordings
    python examples/whisper/spoken_digits.py RECORDINGS --replicates 50 --permutations 19  # quicker

The recordings are those of the Free Spoken Digit Dataset (CC BY-SA 4.0): six speakers say the ten
digits. Before each stands a text, as if it had been said before: the digit's own name, the name of
another digit, or a word that names none. The same recordings are heard clean and in white noise.
Weights: Whisper tiny.en (MIT), from a package of requirements/weights.txt.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from scipy.signal import resample_poly
from whisper_weights import whisper_tiny_english

import modalprism as mp
from modalprism.capture.loading import load_adapter
from modalprism.capture.run import RunConfig, run_capture
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example

DIGITS: Final = (
    "Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine",
)  # fmt: skip
SPEAKERS: Final = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
NAMES_NONE: Final = ("Hello.", "Listen.", "Well.", "Please.")
# Of ten texts, four name the digit, three another one, three none.
KINDS: Final = ("same",) * 4 + ("other",) * 3 + ("none",) * 3
RATE: Final = 16000
SILENCE: Final = 0.1  # seconds before and after
CONDITIONS: Final = {"clean": None, "noise": -9.0}  # decibels of the digit over the noise
IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"


def read_digit(path: Path) -> NDArray[np.float32]:
    """Read a recording of 8 kHz as one of 16 kHz."""
    with wave.open(str(path)) as file:
        if file.getframerate() * 2 != RATE:
            raise SystemExit(f"{path} has {file.getframerate()} samples a second, not {RATE // 2}")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return resample_poly(samples.astype(np.float32) / 32768, 2, 1).astype(np.float32)


def heard(
    samples: NDArray[np.float32], decibels: float | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Put silence around a digit, and noise of a given strength over all."""
    around = np.pad(samples, int(SILENCE * RATE))
    if decibels is None:
        return around
    strength = np.sqrt((samples**2).mean() / 10 ** (decibels / 10))
    return (around + strength * rng.standard_normal(len(around))).astype(np.float32)


def text_before(kind: str, digit: int, rng: np.random.Generator) -> str:
    """Say the digit's name, another digit's, or a word that names none."""
    if kind == "none":
        return str(rng.choice(NAMES_NONE))
    shift = 0 if kind == "same" else int(rng.integers(1, 10))
    return f"{DIGITS[(digit + shift) % 10]}."


def spoken_digits(
    recordings: Path, repeats: int, decibels: float | None, seed: int
) -> Iterator[Example]:
    """Yield every digit of every speaker `repeats` times, each another recording, in mixed order.

    The same recordings and texts whatever the noise.
    """
    rng = np.random.default_rng(seed)
    chosen = [
        (digit, speaker, take)
        for digit in range(10)
        for speaker in SPEAKERS
        for take in rng.choice(50, repeats, replace=False)
    ]
    kinds = [rng.permutation(np.resize(KINDS, 6 * repeats)) for _ in range(10)]
    texts = [text_before(str(kind), digit, rng) for digit in range(10) for kind in kinds[digit]]
    noise = np.random.default_rng(seed + 1)
    for place in rng.permutation(len(chosen)):
        digit, speaker, take = chosen[place]
        samples = read_digit(recordings / f"{digit}_{speaker}_{take}.wav")
        yield Example(
            f"{digit}_{speaker}_{take}",
            {"audio": heard(samples, decibels, noise), "text": texts[place]},
            label=digit,
        )


def describe(store: EmbeddingStore, texts: list[str]) -> None:
    """Print how often the model is right, by what the text before named."""
    answer, label = store.array("answer"), store.array("label").astype(int)
    named = np.array([DIGITS.index(text[:-1]) if text[:-1] in DIGITS else -1 for text in texts])
    kinds = {"same": named == label, "other": (named >= 0) & (named != label), "none": named < 0}
    for kind, rows in kinds.items():
        right = (answer[rows].argmax(1) == label[rows]).mean()
        as_said = (answer[rows].argmax(1) == named[rows]).mean()
        print(
            f"  text names {kind:5}  n = {rows.sum():3}  right {right:.3f}  p(spoken) "
            f"{answer[rows, label[rows]].mean():.3f}"
            + (f"  says what the text named {as_said:.3f}" if kind == "other" else "")
        )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recordings", type=Path, help="the dataset's folder of that name")
    parser.add_argument("--repeats", type=int, default=6, help="recordings a speaker and digit")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=199)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/whisper"))
    parser.add_argument("--images", action="store_true", help="renew the figures of the docs")
    options = parser.parse_args()
    if not (options.recordings / "0_george_0.wav").is_file():
        parser.error(
            f"{options.recordings} holds no 0_george_0.wav; get the Free Spoken Digit Dataset and "
            "name its folder of recordings"
        )
    adapter = load_adapter(whisper_tiny_english(), candidates=DIGITS)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    stores = {}
    with Progress() as progress:
        for name, decibels in CONDITIONS.items():
            examples = list(
                spoken_digits(options.recordings, options.repeats, decibels, options.seed)
            )
            start = time.perf_counter()
            stores[name] = run_capture(
                adapter,
                examples,
                options.out / "captured" / name,
                metadata={
                    "model": "Whisper tiny.en",
                    "dataset": f"spoken digits, {name}",
                    "seed": options.seed,
                },
                config=RunConfig(batch_size=12, dtype="float32"),
                total=len(examples),
                track=progress.track,
            )
            seconds = time.perf_counter() - start
            print(f"{name}: {len(examples)} clips, captured in {seconds:.0f} s")
            describe(stores[name], [example.inputs["text"] for example in examples])
    study = mp.Study(
        title="Whisper: the sound, or the words before it?",
        sources=[
            {"path": store.path, "model": "Whisper tiny.en", "dataset": name}
            for name, store in stores.items()
        ],
        modalities=("audio", "text"),
        views=("answer", "stream", "encoding"),
        replicates=options.replicates,
        permutations=options.permutations,
        seed=options.seed,
        out=options.out,
    )
    start = time.perf_counter()
    profile = study.run(progress=True)
    print(f"analysed in {time.perf_counter() - start:.0f} s")
    columns = ["dataset", "view", "layer", "quantity", "modality", "value", "low", "high"]
    kept = profile.frame[profile.frame["quantity"].isin(["redundancy", "unique", "synergy"])]
    print(kept[columns].to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    if options.images:
        for name in ("stream", "encoding"):
            shutil.copy(options.out / "figures" / f"{name}.svg", IMAGES / f"whisper-{name}.svg")


if __name__ == "__main__":
    main()
