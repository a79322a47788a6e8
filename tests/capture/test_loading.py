"""What is loaded, and what is refused in words: other weights, code, unknown families."""

import json
import sys

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from modalprism.capture.adapter import Adapter
from modalprism.capture.families.registry import FAMILIES, adapter_class
from modalprism.capture.families.towers import ClipAdapter
from modalprism.capture.loading import load_adapter
from modalprism.errors import InputError

logging.set_verbosity_error()
logging.disable_progress_bar()

SIZES = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}


@pytest.fixture
def clip():
    return CLIPModel(
        CLIPConfig(
            text_config=SIZES | {"vocab_size": 8, "max_position_embeddings": 4},
            vision_config=SIZES | {"image_size": 14, "patch_size": 14},
            projection_dim=4,
        )
    )


@pytest.fixture
def folder(clip, tmp_path):
    """A whole model: weights, and what prepares its inputs."""
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "<pad>": 1}, unk_token="<unk>"))  # noqa: S106
    clip.save_pretrained(tmp_path / "model")
    CLIPImageProcessor().save_pretrained(tmp_path / "model")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
    ).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_is_loaded_by_the_adapter_of_its_family(folder, clip):
    adapter = load_adapter(folder)
    assert type(adapter) is ClipAdapter
    assert not adapter.model.training
    for name, value in clip.state_dict().items():
        assert torch.equal(adapter.model.state_dict()[name], value), name


def test_an_adapter_of_ones_own_goes_before_the_registry(folder):
    class Mine(ClipAdapter):
        """Another."""

    assert type(load_adapter(str(folder), adapter=Mine)) is Mine


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"the model '.*nothing' cannot be loaded"):
        load_adapter(tmp_path / "nothing")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be loaded: .*config\.json"):
        load_adapter(tmp_path)


def test_a_folder_without_safetensors_is_refused(folder, clip):
    (folder / "model.safetensors").unlink()
    torch.save(clip.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"cannot be loaded: .*safetensors"):
        load_adapter(folder)


def test_a_type_without_an_adapter_is_refused_in_words(tmp_path):
    BertModel(BertConfig(**SIZES, vocab_size=8)).save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match=r"no adapter for models of type 'bert' \(BertModel\); there are .*clip"
    ):
        load_adapter(tmp_path)


def test_a_type_that_nobody_knows_is_refused_in_words(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "telepathy"}))
    with pytest.raises(InputError, match=r"cannot be loaded: .*telepathy"):
        load_adapter(folder)


def with_code(folder):
    """Give a model code of its own, which says so when it runs."""
    witness = folder.parent / "ran"
    code = f"""
from pathlib import Path
from transformers import CLIPConfig, CLIPModel
Path({str(witness)!r}).touch()
class OwnConfig(CLIPConfig):
    model_type = "telepathy"
class OwnModel(CLIPModel):
    config_class = OwnConfig
"""
    (folder / "own.py").write_text(code)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"},
        "model_type": "telepathy",
    }
    (folder / "config.json").write_text(json.dumps(config))
    return witness


def test_code_of_a_model_does_not_run_by_default(folder):
    witness = with_code(folder)
    with pytest.raises(InputError, match="trust_remote_code"):
        load_adapter(folder, adapter=ClipAdapter)
    assert not witness.exists()


def test_code_of_a_model_runs_where_it_is_asked_for(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path))
    monkeypatch.setattr("sys.path", [*sys.path])
    witness = with_code(folder)
    adapter = load_adapter(folder, adapter=ClipAdapter, trust_remote_code=True)
    assert witness.exists()
    assert type(adapter.model).__name__ == "OwnModel"


def test_an_architecture_goes_before_the_type():
    assert adapter_class("clip", ["BlipForQuestionAnswering"]).__name__ == "BlipQuestionAdapter"
    assert adapter_class("clip", ["CLIPModel"]) is ClipAdapter
    assert adapter_class("clip", None) is adapter_class("clip") is ClipAdapter
    # A model of the type alone would be given a head that was never trained.
    with pytest.raises(InputError, match="no adapter for models of type 'blip'; there are"):
        adapter_class("blip")


@pytest.mark.parametrize("name", FAMILIES.names())
def test_every_adapter_of_the_registry_says_where_modalities_meet(name):
    found = adapter_class(name)
    assert issubclass(found, Adapter)
    assert found.fusion
    assert found.__doc__ != Adapter.__doc__
