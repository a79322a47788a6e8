"""Decode pictures to RGB on a white background, and WAV files to one channel of float32."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy.signal
from numpy.typing import NDArray
from scipy.io import wavfile

from modalprism.errors import InputError, optional
from modalprism.foreign import guarded

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS: Final = 80_000_000
"""A larger picture is refused before it is decoded: a small file can claim any size."""
_TOO_LARGE: Final = f"the picture has more than {MOST_PIXELS:,} pixels; make it smaller"
_KINDS: Final = (
    *("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF"),
    *("AVIF", "DIB", "ICO", "JPEG2000", "PPM", "TGA"),
)
"""Kinds that Pillow decodes by itself: for others, such as EPS, it may start another program."""
_GAP: Final = 1 / 32  # white space between two pictures side by side, as a fraction of their height


def _pillow() -> Any:
    for module in ("PIL.Image", "PIL.ImageOps"):
        optional(module, "pictures need pillow", "capture")
    return optional("PIL", "pictures need pillow", "capture")


def picture_of(content: bytes) -> Image:
    """Decode a picture: the first frame, turned as its EXIF says, transparency on white, RGB.

    Raises InputError if it is no picture of the kinds in `_KINDS`, damaged, has more than
    `MOST_PIXELS` pixels, or has grey levels of which nobody knows the range.
    """
    pillow = _pillow()
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        raise InputError("it is a recording, no picture: its column is audio=…")
    with guarded("the picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on metadata
        try:
            pillow.Image.init()
            kinds = [kind for kind in _KINDS if kind in pillow.Image.OPEN]
            opened = pillow.Image.open(io.BytesIO(content), formats=kinds)
        except pillow.UnidentifiedImageError as error:
            raise InputError(
                "it is no picture of a kind that can be read, or is damaged"
            ) from error
        except pillow.Image.DecompressionBombError as error:
            raise InputError(_TOO_LARGE) from error
        with opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise InputError(_TOO_LARGE)
            opened.load()
            picture: Image = on_white(pillow.ImageOps.exif_transpose(opened))
            return picture


def on_white(picture: Image) -> Image:
    """Return a picture in RGB, with what is transparent in white."""
    pillow = _pillow()
    if picture.mode.startswith("I;16"):
        return on_white(pillow.Image.fromarray(np.rint(np.asarray(picture) / 257).astype(np.uint8)))
    if picture.mode in {"I", "F"}:
        raise InputError(
            f"the picture has grey levels of 32 bits (mode {picture.mode}), of which nobody knows "
            "the range; save it with 8 or 16"
        )
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = pillow.Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture)
        picture = white
    return picture.convert("RGB")


def side_by_side(pictures: Sequence[Image]) -> Image:
    """Put pictures into one, from left to right, as high as the highest, with white between."""
    pillow = _pillow()
    height = max(picture.height for picture in pictures)
    scaled = [
        picture.resize((max(round(picture.width * height / picture.height), 1), height))
        if picture.height != height
        else picture
        for picture in pictures
    ]
    gap = max(round(height * _GAP), 1)
    width = sum(picture.width for picture in scaled) + gap * (len(scaled) - 1)
    together: Image = pillow.Image.new("RGB", (width, height), "white")
    left = 0
    for picture in scaled:
        together.paste(picture, (left, 0))
        left += picture.width + gap
    return together


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
