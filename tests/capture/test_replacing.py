"""What is replaced is what the rest of the network is given, whatever a module takes and gives."""

from collections import namedtuple

import pytest
import torch
from torch import nn

from modalprism.capture.adapter import Site
from modalprism.capture.interventions import replaced_states
from modalprism.capture.reading import mean, read_states
from modalprism.errors import InputError

Pair = namedtuple("Pair", "first second")


class Gives(nn.Module):
    """Gives what its function makes of a state."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, state):
        return self.function(state)


class Holder:
    def __init__(self, state):
        self.state = state


@pytest.mark.parametrize(
    ("function", "part", "read"),
    [
        (lambda x: x, 0, lambda out: out),
        (lambda x: (-x, x), 1, lambda out: out[1]),
        (lambda x: [x, -x], 0, lambda out: out[0]),
        (lambda x: Pair(-x, x), 1, lambda out: out.second),
        (lambda x: Pair(-x, x), "second", lambda out: out.second),
        (lambda x: {"other": -x, "state": x}, "state", lambda out: out["state"]),
        (Holder, "state", lambda out: out.state),
    ],
    ids=["tensor", "tuple", "list", "named", "named field", "dict", "object"],
)
def test_whatever_a_module_gives_keeps_its_kind(function, part, read):
    network = nn.Sequential(Gives(function))
    site, state = Site(0, "0", ("text",), part=part), torch.ones(2, 3, 4)
    kept = network(state)
    with replaced_states(network, [site], lambda *given: given[-1] + 1):
        made = network(state)
    assert torch.equal(read(made), torch.full_like(state, 2.0))
    assert type(made) is type(kept)
    assert torch.equal(state, torch.ones_like(state))


def test_what_enters_by_name_is_replaced_and_both_hooks_meet():
    class Layer(nn.Module):
        def forward(self, first, second, *, more=0):
            return first + 10 * second + more

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = Layer()

        def forward(self, one, two, named):
            if named:
                return self.layer(first=one, second=two, more=0.5)
            return self.layer(one, two, more=0.5)

    network, one = Network(), torch.ones(2, 3)
    sites = [
        Site(0, "layer", ("text",), reads="input", part=0),
        Site(0, "layer", ("image",), reads="input", part=1),
    ]
    for named in (True, False):
        with replaced_states(
            network, sites, lambda _, modality, state: state * (2 if modality == "text" else 3)
        ):
            assert torch.equal(network(one, one, named), torch.full_like(one, 32.5))


def test_reading_inside_sees_what_was_put_and_around_sees_what_was():
    network, site = nn.Sequential(nn.Identity()), Site(1, "0", ("text",))
    state = torch.ones(1, 2, 3)

    def twice(_site, _modality, given):
        return 2 * given

    with replaced_states(network, [site], twice), read_states(network, [site], mean) as reading:
        network(state)
    assert reading.states["text/1"].tolist() == [[2.0] * 3]
    with read_states(network, [site], mean) as reading, replaced_states(network, [site], twice):
        network(state)
    assert reading.states["text/1"].tolist() == [[1.0] * 3]


def test_what_cannot_be_is_said():
    network = nn.Sequential(nn.Identity())
    with (
        pytest.raises(InputError, match="no module '7'"),
        replaced_states(network, [Site(0, "7", ("text",))], lambda *given: given[-1]),
    ):
        pass
    with (
        pytest.raises(InputError, match=r"state of text at '0' has shape \(1, 2, 3\)"),
        replaced_states(network, [Site(0, "0", ("text",))], lambda *given: given[-1][:, :1]),
    ):
        network(torch.ones(1, 2, 3))
    assert not network[0]._forward_hooks
