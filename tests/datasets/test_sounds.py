import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from modalprism.datasets.media import resampled, sound_of
from modalprism.errors import InputError


def written(samples, rate=16_000):
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


def tone(rate, seconds=0.5, hertz=440):
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize(
    ("dtype", "scale", "shift"),
    [(np.int16, 2**15 - 1, 0), (np.int32, 2**31 - 1, 0), (np.uint8, 127, 128), (np.float32, 1, 0)],
)
def test_every_width_is_between_minus_one_and_one(dtype, scale, shift):
    expected = tone(16_000)
    read = sound_of(written((expected * scale + shift).astype(dtype)), 16_000)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected, atol=0.02 if dtype == np.uint8 else 1e-4)


def test_24_bits_as_recorders_write_them():
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 3, 16_000, 0, "NONE", ""))
        out.writeframes(b"".join(struct.pack("<i", level)[:3] for level in (0, 2**22, -(2**23))))
    np.testing.assert_allclose(sound_of(file.getvalue(), 16_000), [0, 0.5, -1])


def test_channels_are_averaged():
    left, right = tone(16_000), tone(16_000, hertz=880)
    read = sound_of(written(np.stack([left, right], 1).astype(np.float32)), 16_000)
    np.testing.assert_allclose(read, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_another_rate_is_resampled(rate):
    read = sound_of(written(tone(rate).astype(np.float32), rate), 16_000)
    assert len(read) == pytest.approx(8_000, abs=1)
    inside = slice(200, 7_800)  # the filter rings at both ends
    np.testing.assert_allclose(read[inside], tone(16_000)[inside], atol=0.01)


def test_a_note_in_the_file_is_harmless():
    content = written(np.zeros(10, np.int16))
    note = b"LIST" + struct.pack("<I", 4) + b"INFO" + b"mine" + struct.pack("<I", 2) + b"ab"
    assert len(sound_of(content + note, 16_000)) == 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ID3 an mp3", "no WAV file; convert it"),
        (b"", "no WAV file"),
        (b"RIFF", "cannot be read"),
        (written(np.zeros(100, np.int16))[:-50], "cannot be read: Reached EOF"),
        (written(np.zeros(0, np.int16)), r"samples of shape \(0,\)|cannot be read"),
        (written(np.array([0, np.nan], np.float32)), "a sample is not finite"),
        (written(np.zeros(10, np.int16), 3), "its rate is 3 Hz"),
    ],
)
def test_what_is_no_recording_is_said(content, words):
    with pytest.raises(InputError, match=words):
        sound_of(content, 16_000)


def test_samples_of_no_shape_are_refused():
    for shape in ((2, 2, 2), (3, 0)):
        with pytest.raises(InputError, match="samples of shape"):
            resampled(np.zeros(shape), 16_000, 16_000)


REAL = written((tone(16_000, 0.01) * 30_000).astype(np.int16))


@settings(max_examples=150, deadline=None)
@given(st.integers(4, len(REAL) - 1), st.integers(0, 255), st.integers(12, len(REAL)))
def test_damage_is_an_input_error_or_a_recording(place, byte, length):
    damaged = bytearray(REAL)
    damaged[place] = byte
    try:
        read = sound_of(bytes(damaged[:length]), 16_000)
    except InputError:
        return
    assert read.ndim == 1
    assert np.isfinite(read).all()
