"""Recordings: from a WAV file's bytes to one channel of float32, at the rate asked for."""

from __future__ import annotations

import io
import math
import struct
import warnings
from typing import Any, Final

import numpy as np
import scipy.signal
from numpy.typing import NDArray
from scipy.io import wavfile

from modalprism.errors import InputError

_RATES: Final = (1_000, 1_000_000)
"""In Hz; what is outside is a damaged header."""


def sound_of(content: bytes, rate: int) -> NDArray[np.float32]:
    """Decode a WAV file to the mean of its channels, between −1 and 1, `rate` samples a second.

    Raises
    ------
    InputError
        If it is no WAV file, damaged, or empty.
    """
    if content[:4] not in {b"RIFF", b"RIFX", b"RF64"}:
        raise InputError(
            "it is no WAV file; convert it, such as with ffmpeg -i recording.mp3 recording.wav"
        )
    try:
        with warnings.catch_warnings():
            # Other chunks beside the samples are harmless; samples that are missing are not.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            found, samples = wavfile.read(io.BytesIO(content))
    except (
        wavfile.WavFileWarning,
        ValueError,
        OSError,
        EOFError,
        TypeError,
        LookupError,
        ArithmeticError,
        MemoryError,
        UnboundLocalError,
        struct.error,
    ) as error:
        raise InputError(f"the WAV file cannot be read: {error or type(error).__name__}") from error
    return resampled(samples, found, rate)


def resampled(samples: NDArray[Any], found: float, rate: int) -> NDArray[np.float32]:
    """Turn samples of any kind, shape (n,) or (n, channels), into float32 at another rate.

    Raises
    ------
    InputError
        If there are none, one is not finite, or the rate is none of a recording.
    """
    if not (_RATES[0] <= found <= _RATES[1]):
        raise InputError(f"its rate is {found} Hz; recordings have {_RATES[0]} to {_RATES[1]}")
    scaled = _scaled(np.asarray(samples))
    mono = scaled.mean(1) if scaled.ndim == 2 and scaled.shape[1] else scaled
    if mono.ndim != 1 or not mono.size:
        raise InputError(f"it has samples of shape {np.shape(samples)}; give (n,) or (n, channels)")
    if not np.isfinite(mono).all():
        raise InputError("a sample is not finite")
    if found != rate:
        shared = math.gcd(int(found), rate)
        mono = scipy.signal.resample_poly(mono, rate // shared, int(found) // shared)
    return np.asarray(mono, dtype=np.float32)


def _scaled(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Bring integers between −1 and 1; 8 bits are unsigned in WAV files."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float64) - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype(np.float64) / -float(np.iinfo(samples.dtype).min)
    return samples.astype(np.float64)
