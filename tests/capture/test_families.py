"""The contract of every family of the registry, on tiny models that are loaded as real ones are."""

from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from inspect import Parameter, Signature
from pathlib import Path

import numpy as np
import pytest
import torch

from modalprism.capture.adapter import BEFORE_FUSION
from modalprism.capture.families.registry import FAMILIES
from modalprism.capture.interventions import replaced_states
from modalprism.capture.reading import mean, read_batch, read_states
from modalprism.capture.run import RunConfig, run_capture
from modalprism.capture.shards import StoreReader
from modalprism.capture.store import EmbeddingStore

HERE = Path(__file__).parent / "families"
TOLERANCE = {"rtol": 0, "atol": 1e-5}
SIZES = [(72, 72), (144, 72), (72, 144), (108, 72)]  # width and height of pictures, in turn


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
for file in (HERE / "conftest.py", *(HERE / f"test_{name}.py" for name in NAMES)):
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


def read(adapter, examples):
    """Return pooled states, and the answer if the model gives one."""
    with torch.inference_mode(), read_states(adapter.model, adapter.sites(), mean) as reading:
        states, answer = read_batch(adapter, adapter.prepare(examples), reading)
    return states if answer is None else states | {"answer": answer}


def same(states, others):
    assert states.keys() == others.keys()
    for name, state in states.items():
        torch.testing.assert_close(state, others[name], **TOLERANCE)


def has_one_state_a_layer_and_modality(adapter, states, examples):
    layers = {site.layer for site in adapter.sites()}
    assert layers == set(range(len(layers)))
    expected = {f"{modality}/{layer}" for modality in adapter.modalities for layer in layers}
    if adapter.fused != "none":
        expected |= {f"fused/{layer}" for layer in layers - {BEFORE_FUSION}}
    assert states.keys() - {"answer"} == expected
    for state in states.values():
        assert state.shape == (len(examples), state.shape[1])
        assert torch.isfinite(state).all()
    spans = adapter.spans(adapter.prepare(examples))
    assert set(spans) <= set(adapter.modalities)
    assert all(mask.dtype == torch.bool and mask.any(1).all() for mask in spans.values())


def answers_with_a_distribution(adapter, states):
    answer = states["answer"]
    assert len(adapter.candidates) in (0, answer.shape[1])
    torch.testing.assert_close(answer.sum(1), torch.ones(len(answer)))


def keeps_the_order_of_rows(adapter, states, examples):
    turned = read(adapter, examples[::-1])
    same({name: state.flip(0) for name, state in turned.items()}, states)


def reads_an_example_alone_as_in_a_batch(adapter, states, examples):
    for row, example in enumerate(examples):
        alone = read(adapter, [example])
        same(alone, {name: state[row : row + 1] for name, state in states.items()})


def sees_one_modality_before_fusion(adapter, states, examples):
    """Exchange one modality: what is of the other alone does not move."""
    layers = sorted({site.layer for site in adapter.sites()})
    for modality, other in (adapter.modalities, adapter.modalities[::-1]):
        values = [example.inputs[other] for example in examples[1:] + examples[:1]]
        changed = read(
            adapter,
            [
                replace(example, inputs=example.inputs | {other: value})
                for example, value in zip(examples, values, strict=True)
            ],
        )
        unseeing = adapter.fused == "none" or ("never see" in adapter.fusion and other == "text")
        for layer in layers:
            name = f"{modality}/{layer}"
            if layer == BEFORE_FUSION or unseeing:
                torch.testing.assert_close(changed[name], states[name], **TOLERANCE)
            else:
                assert (changed[name] - states[name]).abs().max() > 1e-6  # untrained: not far
            name = f"{other}/{layer}"
            assert not torch.allclose(changed[name], states[name], atol=1e-4)


def is_captured_with_labels_and_resumed(adapter, examples, folder):
    """Stop after five examples, and go on: the store is that of a capture in one go."""
    labelled = [
        replace(example, label=row % 2, groups={"pair": str(row // 2)})
        for row, example in enumerate(examples)
    ]
    config = RunConfig(batch_size=2, shard_rows=2, dtype="float32", device="cpu")

    def stopped():
        yield from labelled[:3]
        raise KeyboardInterrupt

    whole = run_capture(adapter, labelled, folder / "whole", metadata={}, config=config)
    with pytest.raises(KeyboardInterrupt):
        run_capture(adapter, stopped(), folder / "resumed", metadata={}, config=config)
    run_capture(adapter, labelled, folder / "resumed", metadata={}, config=config)
    digests = {StoreReader.open(folder / name).digest() for name in ("whole", "resumed")}
    assert len(digests) == 1
    store = EmbeddingStore.open(whole.path)
    assert store.array("id").tolist() == [example.id for example in examples]
    assert store.array("label").tolist() == [example.label for example in labelled]
    assert store.groups()["pair"].tolist() == [example.groups["pair"] for example in labelled]
    assert store.modalities == tuple(sorted(adapter.modalities))


def takes_other_states(adapter, examples, unheard):
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
        unmoved = torch.equal(answer(other(modality)), plain)
        assert unmoved == (unheard and modality == "text")
    assert torch.equal(answer(None), plain)  # and afterwards all is as it was


def contract_of(name, fixture, arguments, examples):
    """Return the test of one family, which asks for its fixtures by their names."""

    def test(tmp_path, **given):
        adapter = given[fixture] if arguments is None else given[fixture](*arguments)
        if name in UNHEARD:
            # An untrained tower tells no two candidates apart.
            adapter.candidates, adapter._compared = ("yes", "no"), torch.eye(2, 8)
        width = {"visual_bert": 5, "lxmert": 9}.get(name)
        rows = given[examples](width) if width else given[examples]
        if examples == "emoji_examples" and name != "bridgetower":  # which takes squares alone
            rows = [
                replace(e, inputs=e.inputs | {"image": e.inputs["image"].resize(size)})
                for e, size in zip(rows, SIZES * 2, strict=True)
            ]
        states = read(adapter, rows)
        has_one_state_a_layer_and_modality(adapter, states, rows)
        answers_with_a_distribution(adapter, states)
        keeps_the_order_of_rows(adapter, states, rows)
        reads_an_example_alone_as_in_a_batch(adapter, states, rows)
        sees_one_modality_before_fusion(adapter, states, rows)
        takes_other_states(adapter, rows, name in UNHEARD)
        is_captured_with_labels_and_resumed(adapter, rows, tmp_path)

    wanted = [Parameter(word, Parameter.KEYWORD_ONLY) for word in (fixture, examples, "tmp_path")]
    test.__signature__ = Signature(wanted)
    return test


for name, made in MADE.items():
    globals()[f"test_{name}_keeps_the_contract"] = contract_of(name, *made)


def test_no_family_is_left_out():
    classes = {FAMILIES[name] for name in FAMILIES.names()}
    assert len(MADE) == len(classes) - 1  # BLIP's two are one fixture


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
