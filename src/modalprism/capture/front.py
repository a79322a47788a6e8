"""The front door: a model, examples, and a folder → a store of embeddings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

from torch import nn

from modalprism.capture.adapter import Adapter
from modalprism.capture.families.registry import adapter_class
from modalprism.capture.loading import load_adapter
from modalprism.capture.parts import REDRAWN, PartsReader
from modalprism.capture.pooling import ATTENTION
from modalprism.capture.redrawn import PARTNERS, check_redrawn, redrawn_examples
from modalprism.capture.run import FIRST_BATCH, CaptureSettings, run_capture
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.example import Example
from modalprism.errors import InputError
from modalprism.progress import Track, silent
from modalprism.remote import brought

_VERSIONED: Final = ("modalprism", "torch", "transformers")
_BESIDE: Final = frozenset({"id", "label", "groups"})


def capture(
    model: str | Path | nn.Module | Adapter,
    processor: Any,
    examples: Iterable[Example | Mapping[str, Any]],
    *,
    out: str | Path,
    candidates: Sequence[str] = (),
    layers: Sequence[int] | None = None,
    pool: str = "mean",
    tokens: int = 0,
    batch_size: int | Literal["auto"] = "auto",
    dtype: str = "float16",
    device: str = "auto",
    on_error: Literal["stop", "skip"] = "stop",
    redrawn: int = 0,
    partners: int = PARTNERS,
    model_name: str = "",
    dataset: str = "examples",
    fingerprint: str = "",
    seed: int = 0,
    adapter: type[Adapter] | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    track: Track = silent,
) -> EmbeddingStore:
    """Run a model on examples, and keep what each modality's states are, layer by layer.

    Inference only: nothing of the model is changed or trained. Memory does not grow with the number
    of examples. The same call resumes a capture that was killed.

    Parameters
    ----------
    model : str, Path, Module or Adapter
        A folder or hub id; a model of transformers in memory, with its processor; or an adapter of
        your own (`modalprism.capture.generic.ModuleAdapter`).
    processor : object
        Of a model in memory; None otherwise.
    examples : iterable of Example or mapping
        A mapping has a value a modality (a PIL image, a string, a waveform), and may have
        ``label``, ``id`` and ``groups``.
    out : str or Path
        The store's folder, or an address that fsspec knows, such as ``s3://bucket/run/store``.
    candidates : sequence of str
        The answers among which the model chooses, where the family needs them.
    layers : sequence of int, optional
        Which layers beside that before fusion; all by default.
    pool : {"mean", "last", "max", "attention"}
        From the states of a span to one state; "attention" is a mean weighed by the attention that
        a position receives in its layer.
    tokens : int
        How many single positions of every span are kept beside; 0 for none.
    batch_size : int or "auto"
        Either is halved where memory does not suffice; "auto" begins with 32.
    dtype : {"float16", "float32", "bfloat16"}
        Of the states in the store.
    device : str
        Such as ``cuda:0``; ``auto`` is a GPU where there is one.
    on_error : {"stop", "skip"}
        What an example that cannot be read does; skipped ones are listed in the store.
    redrawn : int
        How many examples' inputs are run with each other's, too, for what the model answers when
        the inputs are independent (`pairs: [redrawn]` of a study); 0 for none. `examples` are then
        read twice.
    partners : int
        With how many others each of them is run: redrawn × partners passes beside.
    model_name, dataset, fingerprint : str
        What the store says of the model, by default its own name, and of the examples.
    seed : int
        Of whatever drew the examples, kept in the store; and of the redrawn pairs.
    adapter : type of Adapter, optional
        Of a family that is not in the registry.
    revision, trust_remote_code
        Of a hub's repository; its code does not run unless asked for.
    track : Track
        Shows progress.

    Returns
    -------
    EmbeddingStore
        ``modalprism run`` takes its folder as a source, ``modalprism inspect`` prints it.

    Raises
    ------
    InputError
        If the model cannot be loaded or has no adapter, an example cannot be used, or `out` holds
        another capture.
    """
    if redrawn and isinstance(examples, Iterator):
        raise InputError("redrawn pairs read the examples twice; give a list, no generator")
    total = len(examples) if isinstance(examples, Sized) else 0
    if redrawn and total:  # now, and not when all has been captured
        check_redrawn(redrawn, partners, total)
    settings = CaptureSettings(
        layers=None if layers is None else tuple(layers),
        pool=pool,
        tokens=tokens,
        batch_size=FIRST_BATCH if batch_size == "auto" else batch_size,
        dtype=dtype,
        device=device,
        on_error=on_error,
    )
    # What is asked for is looked at before a large model is loaded.
    if isinstance(model, str | Path):
        name = str(model)
        reads = load_adapter(
            model,
            revision=revision,
            candidates=candidates,
            adapter=adapter,
            trust_remote_code=trust_remote_code,
            attn_implementation="eager" if pool == ATTENTION else None,
        )
    elif isinstance(model, Adapter):
        name, reads = type(model.model).__name__, model
    else:
        name, reads = _in_memory(model, processor, candidates, adapter)
    words = {
        "model": model_name or name,
        "revision": revision or "",
        "weights": weights_digest(reads.model),
        "dataset": dataset,
        "fingerprint": fingerprint,
        "seed": seed,
        "processor": _settings_of(reads.processor),
        "versions": {package: _version(package) for package in _VERSIONED},
    }

    def run(given: Iterable[Example], out: Path, how: CaptureSettings, total: int) -> None:
        run_capture(reads, given, out, words=words, settings=how, total=total, track=track)

    out = brought(out)
    run(_examples(examples), out, settings, total)
    if redrawn:
        if "answer" not in EmbeddingStore.open(out).names:
            raise InputError(
                "redrawn pairs are read from the model's answer, and this one gives none; its "
                "family may need candidates"
            )
        kept = set(PartsReader.open(out).array("id").tolist())
        pairs = redrawn_examples(
            _examples(examples),
            kept,
            reads.modalities,
            count=redrawn,
            partners=partners,
            seed=seed,
        )
        words |= {"redrawn": redrawn, "partners": partners}
        alone = replace(settings, answer_alone=True, tokens=0, pool="mean")
        run(pairs, out / REDRAWN, alone, redrawn * partners)
    return EmbeddingStore.open(out)


def _in_memory(
    model: nn.Module, processor: Any, candidates: Sequence[str], adapter: type[Adapter] | None
) -> tuple[str, Adapter]:
    config = getattr(model, "config", None)
    if config is None or not hasattr(config, "model_type"):
        raise InputError(
            f"{type(model).__name__} is no model of transformers; describe it with "
            "modalprism.capture.generic.ModuleAdapter, and hand that in"
        )
    chosen = adapter or adapter_class(config.model_type, (type(model).__name__,))
    return str(getattr(config, "_name_or_path", "") or type(model).__name__), chosen(
        model, processor, candidates
    )


def _examples(given: Iterable[Example | Mapping[str, Any]]) -> Iterator[Example]:
    return (_example(value, place) for place, value in enumerate(given))


def _example(value: Example | Mapping[str, Any], place: int) -> Example:
    if isinstance(value, Example):
        return value
    return Example(
        str(value.get("id", place)),
        {name: given for name, given in value.items() if name not in _BESIDE},
        value.get("label"),
        value.get("groups", {}),
    )


def weights_digest(model: nn.Module) -> str:
    """Return a digest of a model's weights: names, shapes, and the sums of their values.

    Cheap enough for billions of weights, and enough to tell one checkpoint from another.
    """
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{float(value.double().sum()):.9g}".encode())
    return digest.hexdigest()[:16]


def _settings_of(processor: Any) -> dict[str, Any]:
    """Return a processor's class and settings, as far as they can be written down."""
    settings = processor.to_dict() if hasattr(processor, "to_dict") else {}
    kept = {key: _written(value) for key, value in settings.items()}
    named = {} if processor is None else {"class": type(processor).__name__}
    return named | {key: value for key, value in kept.items() if value is not None}


def _written(value: Any) -> Any:
    """Return what JSON makes of a setting; None where it has no words for it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
