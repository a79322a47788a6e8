"""Recording leaves a model as it was."""

import pytest
import torch
from torch import nn

from modalprism.capture.recorder import record


class Two(nn.Module):
    def forward(self, x):
        return x, 2 * x


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.ReLU())


def test_outputs_of_the_latest_pass_are_kept(model):
    x, y = torch.ones(2, 3), torch.full((2, 3), -2.0)
    with record({"first": model[0], "whole": model}) as outputs:
        model(x)
        result = model(y)
    assert set(outputs) == {"first", "whole"}
    assert torch.equal(outputs["whole"][0], result)
    assert torch.equal(outputs["first"][0], model[0](y))


def test_a_module_may_give_several_tensors():
    two = Two()
    with record({"two": two}) as outputs:
        two(torch.ones(1))
    assert [tensor.item() for tensor in outputs["two"]] == [1, 2]


def test_recording_does_not_change_the_answer(model):
    x = torch.ones(2, 3)
    expected = model(x)
    with record({"first": model[0]}):
        assert torch.equal(model(x), expected)


def test_hooks_are_gone_after_the_block(model):
    with record({"first": model[0]}) as outputs:
        pass
    model(torch.ones(1, 3))
    assert outputs == {}
    assert not model[0]._forward_hooks


def test_hooks_are_gone_after_an_error(model):
    with pytest.raises(RuntimeError), record({"first": model[0], "second": model[1]}):
        model(torch.ones(1, 7))
    assert not model[0]._forward_hooks
    assert not model[1]._forward_hooks
