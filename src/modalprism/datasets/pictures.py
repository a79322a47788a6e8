"""Decode pictures to RGB on a white background."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modalprism.errors import InputError
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
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise InputError("pictures need pillow; run pip install 'modalprism[capture]'") from error
    return PIL


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
