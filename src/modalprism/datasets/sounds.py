"""Decode WAV files to one channel of float32 at a given rate."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any, Final

import numpy as np
import scipy.signal
from numpy.typing import NDArray
from scipy.io import wavfile

from modalprism.errors import InputError
from modalprism.foreign import guarded

_RATES: Final = (1_000, 1_000_000)  # in Hz; what is outside is a damaged header


def sound_of(content: bytes, rate: int) -> NDArray[np.float32]:
    """Decode a WAV file to the mean of its channels, between −1 and 1, `rate` samples a second.

    Raises InputError if it is no WAV file, damaged, or empty.
    """
    if content[:4] not in {b"RIFF", b"RIFX", b"RF64"}:
        raise InputError(
            "it is no WAV file; convert it, such as with ffmpeg -i recording.mp3 recording.wav"
        )
    with guarded("the WAV file"), warnings.catch_warnings():
        # Other chunks beside the samples are harmless; samples that are missing are not.
        warnings.simplefilter("ignore", wavfile.WavFileWarning)
        warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
        found, samples = wavfile.read(io.BytesIO(content))
    return resampled(samples, found, rate)


def resampled(samples: NDArray[Any], found: float, rate: int) -> NDArray[np.float32]:
    """Turn samples of any kind, shape (n,) or (n, channels), into float32 at another rate.

    Raises InputError if there are none, one is not finite, or the rate is none of a recording.
    """
    if not (_RATES[0] <= found <= _RATES[1]):
        raise InputError(f"its rate is {found} Hz; recordings have {_RATES[0]} to {_RATES[1]}")
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or not samples.size:
        raise InputError(f"it has samples of shape {samples.shape}; give (n,) or (n, channels)")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        mono = samples.astype(np.float64)
        if samples.dtype == np.uint8:  # unsigned in WAV files
            mono = (mono - 128) / 128
        elif np.issubdtype(samples.dtype, np.integer):
            mono /= -float(np.iinfo(samples.dtype).min)
        if mono.ndim == 2:
            mono = mono.mean(1)
        if found != rate:
            shared = math.gcd(int(found), rate)
            mono = scipy.signal.resample_poly(mono, rate // shared, int(found) // shared)
        resampled = np.asarray(mono, dtype=np.float32)
    if not np.isfinite(resampled).all():
        raise InputError("a sample is not finite, or too large for a float32")
    return resampled
