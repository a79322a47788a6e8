"""What hooks read of a pass, and which mistakes in naming modules are refused."""

import pytest
import torch
from torch import nn

from modalprism.capture.adapter import Site
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.reading import mean, read_batch, read_states
from modalprism.errors import InputError


class Twins(nn.Module):
    """One encoder of both modalities, a head that only long batches reach, and one that none."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(4, 4), nn.Linear(4, 4)
        self.encoder, self.joined = nn.Linear(4, 4), nn.Linear(8, 4)
        self.seldom, self.never = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, image, text):
        image, text = self.encoder(self.image(image)), self.encoder(self.text(text))
        both = self.joined(torch.cat([image, text], -1))
        return self.seldom(both) if len(both) > 2 else both


def read(layers, rows=3, spans=None, **inputs):
    given = {name: torch.randn(rows, 4) for name in ("image", "text")} | inputs
    adapter = ModuleAdapter(Twins(), lambda _: given, layers, spans=spans)
    with read_states(adapter.model, adapter.sites(), mean) as reading:
        return read_batch(adapter, given, reading)[0]


def test_a_module_that_never_runs_is_named():
    with pytest.raises(InputError, match=r"'never' did not run .* so that text at layer 1 has no"):
        read({"image": ["image", "joined"], "text": ["text", "never"]})


def test_a_module_that_runs_only_for_some_batches_is_named():
    layers = {"image": ["image", "seldom"], "text": ["text"]}
    assert "image/1" in read(layers, rows=3)
    with pytest.raises(InputError, match="'seldom' did not run in a forward pass"):
        read(layers, rows=2)


def test_a_module_that_runs_twice_needs_to_say_which_call():
    with pytest.raises(
        InputError, match=r"'encoder' runs more than once .*Site\(0, 'encoder', …, c"
    ):
        read({"image": ["encoder"], "text": ["text"]})
    first, second = Site(0, "encoder", ("image",), call=0), Site(0, "encoder", ("text",), call=1)
    image, text = torch.ones(3, 4), torch.zeros(3, 4)
    states = read({"image": [first], "text": [second]}, image=image, text=text)
    model = Twins()
    torch.testing.assert_close(states["image/0"], model.encoder(model.image(image)))
    torch.testing.assert_close(states["text/0"], model.encoder(model.text(text)))
    third = Site(0, "encoder", ("text",), call=2)
    with pytest.raises(InputError, match="'encoder' ran 2 times in a forward pass"):
        read({"image": [first], "text": [third]})


@pytest.mark.parametrize("rows", [1, 3])
def test_two_modalities_of_one_module_are_refused(rows):
    with pytest.raises(
        InputError, match="image and text are both read from the module 'joined' be"
    ):
        read({"image": ["joined"], "text": ["joined"]}, rows=rows)


def test_spans_tell_two_modalities_of_one_module_apart():
    tokens = {name: torch.randn(2, 3, 4) for name in ("image", "text")}

    def spans(_inputs, alike=False):
        image = torch.tensor([[True, False, False]] * 2)
        return {"image": image, "text": image if alike else ~image}

    layers = {"image": ["image"], "text": [Site(0, "image", ("text",))]}
    states = read(layers, spans=spans, **tokens)
    assert not torch.equal(states["image/0"], states["text/0"])
    with pytest.raises(InputError, match="both read from the module 'image' before fusion"):
        read(layers, spans=lambda inputs: spans(inputs, alike=True), **tokens)


def test_a_fused_layer_may_have_one_state_for_both():
    states = read({"image": ["image", "joined"], "text": ["text", "joined"]})
    assert torch.equal(states["image/1"], states["text/1"])


def test_a_mistyped_module_is_answered_with_its_name():
    with pytest.raises(InputError, match="no module 'encodr'; did you mean 'encoder'"):
        read({"image": ["encodr"], "text": ["text"]})


def test_a_site_that_is_named_twice_is_read_once():
    both = Site(1, "joined", ("image", "text"))
    assert "text/1" in read({"image": ["image", both], "text": ["text", both]})


def test_one_encoder_under_two_names_is_found_by_both():
    class Tied(Twins):
        def __init__(self):
            super().__init__()
            self.text = self.image

    def tied(**calls):
        sites = {
            name: [Site(0, name, (name,), **calls.get(name, {}))] for name in ("image", "text")
        }
        given = {name: torch.randn(3, 4) for name in ("image", "text")}
        adapter = ModuleAdapter(Tied(), lambda _: given, sites)
        with read_states(adapter.model, adapter.sites(), mean) as reading:
            return read_batch(adapter, given, reading)[0]

    with pytest.raises(InputError, match="'image' runs more than once in a forward pass"):
        tied()
    states = tied(image={"call": 0}, text={"call": 1})
    assert not torch.equal(states["image/0"], states["text/0"])
