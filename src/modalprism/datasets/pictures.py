"""Pictures: from a file's bytes to RGB, as a person would see it on white."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from modalprism.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise InputError("pictures need pillow; run pip install 'modalprism[capture]'") from error
    return PIL


def picture_of(content: bytes) -> Image:
    """Decode a picture: the first frame, turned as its EXIF says, transparency on white, RGB.

    Raises
    ------
    InputError
        If it is no picture, damaged, or of grey levels of which nobody knows the range.
    """
    pillow = _pillow()
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        raise InputError("it is a recording, no picture: its column is audio=…")
    try:
        with pillow.Image.open(io.BytesIO(content)) as opened:
            opened.load()
            picture: Image = on_white(pillow.ImageOps.exif_transpose(opened))
            return picture
    except InputError:
        raise
    except pillow.UnidentifiedImageError as error:
        raise InputError("it is no picture of a kind that can be read, or is damaged") from error
    except (
        # All that decoders of damaged files raise.
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        EOFError,
        MemoryError,
        struct.error,
        pillow.Image.DecompressionBombError,
    ) as error:
        raise InputError(f"the picture cannot be read: {error or type(error).__name__}") from error


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
