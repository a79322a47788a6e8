"""One declaration of the options of a capture: arguments, keys of a study, flags."""

import inspect

import numpy as np
import pytest
import torch
from typer.main import get_command

import modalprism as mp
from modalprism.capture.config import CaptureConfig
from modalprism.cli.app import app
from modalprism.datasets.config import DatasetConfig
from modalprism.errors import InputError
from modalprism.studies.capture_input import CaptureInput

BESIDE = {"model", "processor", "examples", "out", "model_name", "dataset", "fingerprint", "seed",
          "engine", "progress"}  # fmt: skip
FIELDS = CaptureConfig.model_fields


def test_the_arguments_of_capture_are_the_fields_with_their_defaults():
    parameters = inspect.signature(mp.capture).parameters
    assert parameters.keys() - BESIDE == FIELDS.keys()
    assert {name: parameters[name].default for name in FIELDS} == {
        name: field.default for name, field in FIELDS.items()
    }


def test_every_field_is_described_once_for_all():
    words = " ".join(inspect.getdoc(mp.capture).split())
    assert "{options}" not in words
    for name, field in FIELDS.items():
        assert f"{name} : " in words
        assert field.description in words


def test_flags_have_the_names_defaults_and_help_of_the_fields():
    options = {one.name: one for one in get_command(app).commands["capture"].params}
    for name, field in FIELDS.items():
        assert options[name].help.startswith(field.description)
        assert options[name].default in (field.default, None)
        # An option that is given several times is named in the singular.
        assert options[name].opts[0] in (f"--{name.replace('_', '-')}", f"--{name[:-1]}")
    for name in ("prompt", "split", "limit", "streaming"):
        assert options[name].help == DatasetConfig.model_fields[name].description


def test_keys_of_a_study_are_the_fields():
    keys = CaptureInput.model_fields.keys() - {"kind", "model", "data", "name", "dataset"}
    assert keys == FIELDS.keys() | DatasetConfig.model_fields.keys()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pool": "maen"}, "pool: give .*not 'maen'; did you mean 'mean'"),
        ({"tokens": -1}, "tokens: give a number of at least 0, not -1"),
        ({"batch_size": 0}, "batch_size: give a number above 0 or 'auto', not 0"),
        ({"batch_size": 1.5}, "batch_size: give a whole number or 'auto', not 1.5"),
        ({"layers": [1, "two"]}, r"layers\.1: give a whole number, not 'two'"),
        ({"layers": [True]}, "layers: a truth value is no number"),
        ({"candidates": "yes"}, "candidates: give a list, such as .*, not 'yes'"),
        ({"partners": 1}, "partners: give a number of at least 2"),
        ({"adapter": "mine"}, "write it as module:Class"),
    ],
)
def test_a_wrong_argument_is_one_sentence_that_names_it(options, words, tmp_path):
    with pytest.raises(InputError, match=words) as caught:
        mp.capture("nowhere", None, [], out=tmp_path, **options)
    assert caught.value.parameter in {*options, ""}


def test_names_of_torch_and_numbers_of_numpy_are_taken():
    config = CaptureConfig(
        device=torch.device("cuda:1"), dtype=torch.bfloat16, layers=np.array([1, 2]),
        batch_size=np.int64(8),
    )  # fmt: skip
    assert (config.device, config.dtype) == ("cuda:1", "bfloat16")
    assert (config.layers, config.batch_size) == ((1, 2), 8)
