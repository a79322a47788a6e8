import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modalprism.datasets.media import picture_of, side_by_side
from modalprism.demo.questions import load_emojis
from modalprism.errors import InputError

REAL = load_emojis()[0].picture.read_bytes()


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def seen(picture, kind="PNG", **options):
    read = picture_of(encoded(picture, kind, **options))
    assert read.mode == "RGB"
    return np.asarray(read)


def test_transparency_is_white_paper(pictures, on_white):
    for content, expected in zip(pictures, on_white, strict=True):
        np.testing.assert_array_equal(picture_of(content), expected)
    assert (np.asarray(picture_of(pictures[0]))[0, 0] == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "1"])
def test_a_transparent_colour_is_white(mode):
    picture = Image.new(mode, (4, 4), 0)
    transparent = (0, 0, 0) if mode == "RGB" else 0
    assert (seen(picture, transparency=transparent) == 255).all()


def test_half_transparent_is_half_white():
    red = seen(Image.new("RGBA", (2, 2), (200, 0, 0, 128)))
    np.testing.assert_allclose(red.reshape(4, 3), [[227, 127, 127]] * 4, atol=1)
    np.testing.assert_allclose(seen(Image.new("LA", (2, 2), (0, 128))), 127, atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_askew_is_turned(orientation, on_white):
    stored = Image.fromarray(on_white[0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = {3: 180, 6: 270, 8: 90}
    if orientation in turns:
        expected = np.asarray(stored.rotate(turns[orientation], expand=True))
        np.testing.assert_array_equal(seen(stored, exif=exif), expected)
    else:
        mirrored = {1: lambda a: a, 2: np.fliplr, 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
                    7: lambda a: a[::-1, ::-1].swapaxes(0, 1)}  # fmt: skip
        expected = mirrored[orientation](np.asarray(stored))
        np.testing.assert_array_equal(seen(stored, exif=exif), expected)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(kind):
    levels = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    read = seen(Image.fromarray(levels), kind)
    np.testing.assert_array_equal(read[..., 0].ravel(), np.arange(256))
    assert (read == read[..., :1]).all()


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.int32), np.zeros((4, 4), np.float32)])
def test_levels_of_32_bits_are_refused(array):
    with pytest.raises(InputError, match="grey levels of 32 bits"):
        picture_of(encoded(Image.fromarray(array), "TIFF"))


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "expected"),
    [
        ("L", "PNG", 90, (90, 90, 90)),
        ("1", "PNG", 1, (255, 255, 255)),
        ("CMYK", "TIFF", (0, 255, 255, 0), (255, 0, 0)),
        ("RGB", "BMP", (1, 2, 3), (1, 2, 3)),
        ("RGB", "WEBP", (255, 255, 255), (255, 255, 255)),
    ],
)
def test_every_mode_becomes_rgb(mode, kind, colour, expected):
    assert (seen(Image.new(mode, (8, 8), colour), kind) == expected).all()


def test_the_first_frame_of_several_is_taken():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    read = seen(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (read == (255, 0, 0)).all()


def test_what_is_no_picture_is_said():
    for content in (b"", b"no picture", b"<svg/>", REAL[:20]):
        with pytest.raises(InputError, match=r"no picture of a kind|cannot be read"):
            picture_of(content)
    with pytest.raises(InputError, match="a recording, no picture: its column is audio=…"):
        picture_of(b"RIFF\0\0\0\0WAVEfmt ")


def test_a_truncated_jpeg_is_refused(on_white):
    whole = encoded(Image.fromarray(on_white[0]), "JPEG")
    with pytest.raises(InputError, match=r"cannot be read: .*truncated"):
        picture_of(whole[: len(whole) // 2])


@pytest.mark.parametrize("height", [8_001, 14_000, 40_000])
def test_a_picture_above_the_limit_is_refused_before_it_is_decoded(height):
    whole = encoded(Image.new("1", (10_000, height)))
    with pytest.raises(InputError, match="the picture has more than 80,000,000 pixels"):
        picture_of(whole[:100])


def test_a_kind_that_starts_another_program_is_refused():
    with pytest.raises(InputError, match="it is no picture of a kind that can be read"):
        picture_of(encoded(Image.new("RGB", (4, 4)), "EPS"))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(REAL) - 1), st.integers(0, 255), st.integers(0, len(REAL)))
def test_damage_is_an_input_error_or_a_picture(place, byte, length):
    damaged = bytearray(REAL)
    damaged[place] = byte
    try:
        picture = picture_of(bytes(damaged[:length]))
    except InputError:
        return
    assert picture.mode == "RGB"


def test_two_pictures_stand_side_by_side_with_white_between():
    red, blue = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (16, 32), "blue")
    both = np.asarray(side_by_side([red, blue]))
    assert both.shape == (64, 64 + 2 + 32, 3)  # the second is brought to the first one's height
    assert (both[:, :64] == (255, 0, 0)).all()
    assert (both[:, 64:66] == 255).all()
    assert (both[:, 66:] == (0, 0, 255)).all()


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=2, max_size=4))
@settings(max_examples=30)
def test_side_by_side_nothing_is_cut(sizes):
    pictures = [Image.new("RGB", size, "black") for size in sizes]
    both = side_by_side(pictures)
    assert both.height == max(height for _, height in sizes)
    columns = np.asarray(both).max(axis=(0, 2))
    gap = max(round(both.height / 32), 1)
    assert (columns == 255).sum() == gap * (len(sizes) - 1)
