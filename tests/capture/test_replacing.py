"""What is replaced is what the rest of the network is given, in every family of the registry."""

from collections import namedtuple
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from inspect import Parameter, Signature
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modalprism.capture.adapter import BEFORE_FUSION, Site
from modalprism.capture.families.registry import REGISTRY
from modalprism.capture.pooling import mean
from modalprism.capture.reading import read_states
from modalprism.capture.replacing import replaced_states
from modalprism.errors import InputError

FAMILIES = Path(__file__).parent / "families"


def fixtures_of(file):
    """Return the fixtures of another file of tests, by name."""
    spec = spec_from_file_location(f"families_{file.stem}", file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    kind = type(region_examples)
    return {name: value for name, value in vars(module).items() if isinstance(value, kind)}


@pytest.fixture
def region_examples(emoji_examples):
    """Make pictures of a few regions, each of some features."""

    def make(width):
        rng = np.random.default_rng(0)
        return [
            replace(e, inputs=e.inputs | {"image": rng.random((3 + place % 4, width))})
            for place, e in enumerate(emoji_examples)
        ]

    return make


# Tiny models of every family are made beside the families' own tests.
NAMES = ("blip", "decoders", "gemma3", "idefics", "internvl", "paligemma", "qwen", "single_stream",
         "towers", "two_streams", "whisper")  # fmt: skip
for file in (FAMILIES / "conftest.py", *(FAMILIES / f"test_{name}.py" for name in NAMES)):
    found = fixtures_of(file)
    globals().update({k: v for k, v in found.items() if k not in ("region_examples", "inference")})

# Fixture, what it is called with to make a model (None where it is one), and its examples.
MADE = {
    "blip": ("blip", None, "emoji_examples"),
    "blip2": ("blip2", None, "emoji_examples"),
    "clap": ("clap", None, "sounds"),
    "clip": ("clip", None, "emoji_examples"),
    "siglip": ("siglip_of", ("siglip",), "emoji_examples"),
    "siglip2": ("siglip_of", ("siglip2",), "emoji_examples"),
    "vilt": ("vilt_of", (), "emoji_examples"),
    "visual_bert": ("visual_bert", None, "region_examples"),
    "flava": ("flava_of", (), "emoji_examples"),
    "lxmert": ("lxmert_of", (), "region_examples"),
    "bridgetower": ("bridgetower_of", (), "emoji_examples"),
    "llava": ("llava", None, "emoji_examples"),
    "llava_next": ("llava_next", None, "emoji_examples"),
    "llava_onevision": ("llava_onevision", None, "emoji_examples"),
    "idefics3": ("idefics3", None, "emoji_examples"),
    "smolvlm": ("smolvlm", None, "emoji_examples"),
    "internvl": ("internvl", None, "emoji_examples"),
    "paligemma": ("paligemma", None, "emoji_examples"),
    "gemma3": ("gemma3", None, "emoji_examples"),
    "qwen2_vl": ("qwen2_vl", None, "emoji_examples"),
    "qwen2_5_vl": ("qwen2_5_vl", None, "emoji_examples"),
    "qwen3_vl": ("qwen3_vl", None, "emoji_examples"),
    "whisper": ("whisper", None, "examples"),
}
UNHEARD = {"clip", "clap"}  # candidates are compared with the first tower alone


@pytest.fixture(autouse=True)
def not_trained():
    with torch.no_grad():
        yield


def before_fusion(adapter):
    return [site for site in adapter.sites() if site.layer == BEFORE_FUSION]


def takes_other_states(name, adapter, examples):
    if name in UNHEARD:
        adapter._compared = torch.eye(2, 8)  # an untrained tower tells no two candidates apart
    inputs = adapter.prepare(examples)
    spans = adapter.spans(inputs)
    called = []

    def identity(site, modality, state):
        called.append((site, modality))
        return state

    def other(changed):
        def change(_site, modality, state):
            if modality != changed:
                return state
            value = torch.linspace(-1, 1, state.shape[-1], dtype=state.dtype)
            if state.ndim == 2:
                return value.expand(state.shape)
            span = spans.get(modality, torch.ones(state.shape[:2], dtype=torch.bool))
            return torch.where(span[..., None], value, state)

        return change

    def answer(replacing):
        with torch.inference_mode():
            if replacing is None:
                return adapter.answer(adapter.forward(inputs), inputs)
            with replaced_states(adapter.model, before_fusion(adapter), replacing):
                return adapter.answer(adapter.forward(inputs), inputs)

    plain = answer(None)
    assert torch.equal(answer(identity), plain)
    expected = [(site, modality) for site in before_fusion(adapter) for modality in site.modalities]
    assert sorted(map(str, called)) == sorted(map(str, expected))  # once each
    for modality in adapter.modalities:
        same = torch.equal(answer(other(modality)), plain)
        assert same == (name in UNHEARD and modality == "text")
    assert torch.equal(answer(None), plain)  # and afterwards all is as it was


def test_of(name, fixture, arguments, examples):
    """Return the test of one family, which asks for its fixtures by their names."""

    def test(**given):
        adapter = given[fixture] if arguments is None else given[fixture](*arguments)
        width = {"visual_bert": 5, "lxmert": 9}.get(name)
        takes_other_states(name, adapter, given[examples](width) if width else given[examples])

    wanted = [Parameter(argument, Parameter.KEYWORD_ONLY) for argument in (fixture, examples)]
    test.__signature__ = Signature(wanted)
    return test


test_of.__test__ = False
for name, made in MADE.items():
    globals()[f"test_{name}_takes_other_states"] = test_of(name, *made)


def test_no_family_is_left_out():
    homes = {path.rsplit(".", 1)[1] for path in REGISTRY.values()}
    assert len(MADE) == len(homes) - 1  # BLIP's two are one fixture


@pytest.mark.parametrize("name", ["llava", "vilt"])
def test_gradients_flow_through(name, request, emoji_examples):
    fixture, arguments, _ = MADE[name]
    adapter = request.getfixturevalue(fixture)
    adapter = adapter if arguments is None else adapter(*arguments)
    inputs = adapter.prepare(emoji_examples[:2])
    span = adapter.spans(inputs)["image"]
    for parameter in adapter.model.parameters():
        parameter.requires_grad_(False)
    scale = torch.ones(16, requires_grad=True)

    def scaled(_site, modality, state):
        return torch.where(span[..., None], state * scale, state) if modality == "image" else state

    with torch.enable_grad(), replaced_states(adapter.model, before_fusion(adapter), scaled):
        adapter.answer(adapter.forward(inputs), inputs)[:, 0].sum().backward()
    assert scale.grad.abs().sum() > 0


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
