"""Inputs as a person sees them, small enough for a page: a thumbnail, a few words, a waveform."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from modalprism.studies.study_store import Recording

SIZE: Final = 96
"""The longer side of a thumbnail, in pixels."""
LONGEST: Final = 240
"""Letters of a text."""
_QUALITY: Final = 82
_WAVE: Final = (SIZE, 40)
_PAPER, _WAVE_INK = "#ffffff", "#3d4650"


def picture_and_text(value: Any) -> tuple[bytes | None, str | None]:
    r"""Return an input as a picture, WebP, and as text; either may be None.

    Examples
    --------
    >>> picture_and_text("  a cat\n on a mat ")
    (None, 'a cat on a mat')
    >>> picture_and_text(np.zeros((3, 4)))
    (None, 'an array of 3 × 4 numbers')
    """
    if isinstance(value, Image.Image):
        return thumbnail(value), None
    if isinstance(value, Recording):
        seconds = len(value.samples) / value.rate
        return waveform(value.samples), f"a recording of {seconds:.1f} s"
    if isinstance(value, np.ndarray) and value.ndim:
        return None, f"an array of {' × '.join(map(str, value.shape))} numbers"
    return None, clipped(str(value))


def clipped(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line, cut after a word where it is too long.

    Examples
    --------
    >>> clipped("one two three four", 12)
    'one two…'
    """
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    start = text[: longest - 1]
    words, space, _ = start.rpartition(" ")
    # A text without spaces, as in many scripts, is cut between letters.
    return f"{words if space and len(words) > longest // 2 else start}…"


def thumbnail(picture: Image.Image) -> bytes:
    """Return a picture as WebP, at most `SIZE` pixels wide and high."""
    small = picture.convert("RGB")
    small.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _webp(small)


def waveform(samples: NDArray[Any]) -> bytes:
    """Draw a recording: its loudness from start to end, relative to its loudest moment."""
    width, height = _WAVE
    loudness = np.abs(np.asarray(samples, dtype=np.float64))
    pieces = np.array_split(loudness, min(width, max(len(loudness), 1)))
    peaks = np.array([piece.max(initial=0.0) for piece in pieces])
    peaks = np.repeat(peaks, -(-width // len(peaks)))[:width] / (peaks.max() or 1.0)
    image = Image.new("RGB", _WAVE, _PAPER)
    pen = ImageDraw.Draw(image)
    middle = (height - 1) / 2
    for column, peak in enumerate(peaks.tolist()):
        reach = round(peak * (middle - 2))  # silence is a line
        pen.line([(column, middle - reach), (column, middle + reach)], fill=_WAVE_INK)
    return _webp(image)


def _webp(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()
