"""docs/adapters.md is followed to the letter: the family that it writes is captured."""

import re
from pathlib import Path

import pytest
import torch
from transformers import (
    ChineseCLIPConfig,
    ChineseCLIPImageProcessor,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
)

import modalprism as mp
from modalprism.capture.adapter import Adapter
from modalprism.capture.loading import load_adapter

PAGE = Path(__file__).parents[3] / "docs" / "adapters.md"


@pytest.fixture
def folder(tmp_path, tokenizer_of):
    tokenizer = tokenizer_of(names={"cls_token": "[CLS]", "sep_token": "[SEP]"})
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    config = ChineseCLIPConfig(
        text_config={**sizes, "num_hidden_layers": 2, "vocab_size": len(tokenizer)},
        vision_config={**sizes, "num_hidden_layers": 2, "image_size": 28, "patch_size": 14},
        projection_dim=8,
    )
    pictures = ChineseCLIPImageProcessor(size={"height": 28, "width": 28}, do_center_crop=False)
    torch.manual_seed(0)
    ChineseCLIPModel(config).save_pretrained(tmp_path / "model")
    ChineseCLIPProcessor(pictures, tokenizer).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_page_adds_a_family(folder, emoji_examples, tmp_path):
    written, used = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    body = [line for line in written.split("class ")[1].splitlines()[1:] if line.strip()]
    assert len(body) == 15
    names = {
        "mp": mp,
        "load_adapter": load_adapter,
        "folder": folder,
        "examples": emoji_examples,
        "out": tmp_path / "store",
    }
    exec(written + used, names)  # noqa: S102 - what the page says is what is run
    assert issubclass(names["ChineseClipAdapter"], Adapter)
    store = names["store"]
    assert store.layers(("image", "text")) == [0, 1, 2]
    assert store.span("image", 0).shape == (8, 8)
    assert store.span("text", 2).shape == (8, 16)
