"""Checkpoints: written, read, and refused."""

import pytest
import torch
from safetensors.torch import save_file

from modalprism.demo.fusion_network import (
    BUNDLED,
    CONFIGS,
    FUSIONS,
    FusionNetwork,
    checkpoint_folder,
    load_network,
    save_checkpoint,
)
from modalprism.errors import InputError


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path):
    torch.manual_seed(0)
    network = FusionNetwork(CONFIGS["late"])
    save_checkpoint(tmp_path / "sub" / "late.safetensors", network)
    loaded = load_network("late", tmp_path / "sub").state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(loaded[name], value.half().float())


def test_the_demos_checkpoints_travel_with_it():
    assert {f"{fusion}.safetensors" for fusion in BUNDLED} == {
        path.name for path in checkpoint_folder().glob("*.safetensors")
    }
    assert set(BUNDLED) < set(FUSIONS)


def test_an_unknown_fusion_is_refused():
    with pytest.raises(InputError, match="no fusion 'early'; choose from concat, cross_att"):
        load_network("early")


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gated\.safetensors is missing; .*train\.py gated'"):
        load_network("gated", tmp_path)


def cut(path):
    path.write_bytes((checkpoint_folder() / "concat.safetensors").read_bytes()[:-1000])


@pytest.mark.parametrize(
    "write",
    [
        cut,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no checkpoint" * 50),
        lambda path: save_file({"weight": torch.zeros(3)}, path),
        lambda path: save_checkpoint(path, FusionNetwork(CONFIGS["late"])),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_refused(tmp_path, write):
    write(tmp_path / "concat.safetensors")
    with pytest.raises(InputError, match=r"the checkpoint .*concat\.safetensors cannot") as caught:
        load_network("concat", tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
