"""Public function `capture`: run a model on examples and write a store of embeddings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import nn

from modalprism.capture.adapter import Adapter
from modalprism.capture.config import PARTNERS, CaptureConfig
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.loading import ModelSpec, adapter_named
from modalprism.capture.reading import ATTENTION
from modalprism.capture.redrawn import Unpaired, check_redrawn, redrawn_pairs
from modalprism.capture.run import Capturer, RunConfig, device_named, run_capture
from modalprism.capture.shards import REDRAWN, StoreReader, read_notices
from modalprism.capture.store import EmbeddingStore, local_path
from modalprism.datasets.dataset import Example
from modalprism.datasets.examples import CountedExamples, Examples
from modalprism.datasets.labels import Labels, label_from, no_match, unmatched
from modalprism.datasets.lazy import group_of
from modalprism.engines import Engine, RayEngine
from modalprism.errors import InputError
from modalprism.files import exclusive, make_folder
from modalprism.options import documented
from modalprism.progress import Progress, Track, tracking

_LOG: Final = logging.getLogger("modalprism.capture")
_BESIDE: Final = frozenset({"id", "label", "groups"})


@documented(CaptureConfig)
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
    dtype: str | torch.dtype = "float16",
    device: str | torch.device = "auto",
    on_error: Literal["stop", "skip"] = "stop",
    redrawn: int = 0,
    partners: int = PARTNERS,
    adapter: str | type[Adapter] | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    model_name: str = "",
    dataset: str = "examples",
    fingerprint: str = "",
    seed: int = 0,
    engine: Engine | None = None,
    progress: Progress = False,
) -> EmbeddingStore:
    """Run a model on examples and store each modality's states, layer by layer.

    Inference only: the model is neither changed nor trained. Memory does not grow with the number
    of examples. The same call resumes a capture that was interrupted.

    Parameters
    ----------
    model : str, Path, Module or Adapter
        A folder or hub id; a model of transformers in memory, with its processor; or an adapter of
        your own (`modalprism.capture.generic.ModuleAdapter`).
    processor : object
        Of a model in memory; None otherwise.
    examples : iterable of Example or mapping
        A mapping has a value for each modality (a PIL image, a string, a waveform), and may have
        ``label``, ``id`` and ``groups``. A label becomes the candidate that is most like it
        (`modalprism.datasets.labels.Labels`); None, NaN and white space are no label.
    out : str or Path
        The store's folder, or an address that fsspec knows, such as ``s3://bucket/run/store``.
    {options}
    model_name, dataset, fingerprint : str
        Names of the model and the examples, and a hash of the examples, for the store's metadata.
    seed : int
        Seed that drew the examples, kept in the store, and of the redrawn pairs.
    engine : Engine, optional
        Where the model runs: `RayEngine` runs a copy on every worker of a cluster, all others one
        in this process. The store is the same.
    progress : bool or callable
        True shows a bar on standard error; a callable takes every
        `modalprism.progress.ProgressEvent`.

    Returns
    -------
    EmbeddingStore
        ``modalprism run`` takes its folder as an input, ``modalprism inspect`` prints it.

    Raises
    ------
    InputError
        If an option is wrong, the model cannot be loaded or has no adapter, an example cannot be
        used, `out` holds another capture, or another process captures into it now.
    """
    config = RunConfig(
        candidates=candidates,
        layers=layers,
        pool=pool,
        tokens=tokens,
        batch_size=batch_size,
        dtype=dtype,
        device=device,
        on_error=on_error,
        redrawn=redrawn,
        partners=partners,
        adapter=adapter_named(adapter) if isinstance(adapter, str) else adapter,
        revision=revision,
        trust_remote_code=trust_remote_code,
    )
    if redrawn and isinstance(examples, Iterator):
        raise InputError("redrawn pairs read the examples twice; give a list, no generator")
    total = len(examples) if isinstance(examples, Sized) else 0
    distinct = examples.unpaired() if isinstance(examples, Unpaired) else None
    if redrawn and total:  # now, and not when all has been captured
        check_redrawn(redrawn, partners, total if distinct is None else len(distinct))
    spec = ModelSpec(model, processor, config, model_name, dataset, fingerprint, seed)
    out = local_path(out)
    # Candidates of other adapters may be the model's own classes, of which a label need be none.
    own = model.candidates if isinstance(model, ModuleAdapter) else ()
    labels = Labels.of(config.candidates or own)
    if isinstance(examples, list | tuple):  # now, and not when all has been captured
        found = [one.label for one in _examples(examples, labels) if one.label is not None]
        if (
            labels.candidates
            and found
            and unmatched(found, labels.candidates).total() == len(found)
        ):
            raise InputError(no_match(found, labels.candidates))
    make_folder(out)
    with (
        tracking(progress) as track,
        _capturer(spec, config, engine, track) as capture_into,
        exclusive(out),
    ):
        given: Iterable[Example] = _examples(examples, labels)
        if isinstance(examples, CountedExamples):  # unchanged, so that a worker can open it
            given = examples
        capture_into(given, out, config, total, {})
        notices = read_notices(out)
        for sentence in notices.sentences():
            _LOG.warning("%s: %s", out.name, sentence)
        if labels.candidates and notices.labels and notices.labels_unmatched == notices.labels:
            raise InputError(no_match(notices.commonest_unmatched, labels.candidates))
        if redrawn:
            if "answer" not in EmbeddingStore.open(out).names:
                raise InputError(
                    "redrawn pairs are read from the model's answer, and this one gives none; its "
                    "family may need candidates"
                )
            captured = StoreReader.open(out)
            first, second = captured.metadata["modalities"]
            if distinct is None:
                paired, kept = _examples(examples, labels), set(captured.array("id").tolist())
            else:
                paired, kept = iter(distinct), {example.id for example in distinct}
            pairs = redrawn_pairs(
                paired, kept, (first, second), count=redrawn, partners=partners, seed=seed
            )
            answers = config.model_copy(update={"answer_alone": True, "tokens": 0, "pool": "mean"})
            more = {"redrawn": redrawn, "partners": partners}
            capture_into(pairs, out / REDRAWN, answers, len(pairs), more)
    return EmbeddingStore.open(out)


# `modalprism.capture` is this function, and `modalprism.capture.store` is to be the module still:
# the submodules that are imported, now or later, are the function's attributes too.
capture.__dict__ = vars(sys.modules["modalprism.capture"])


@contextmanager
def _capturer(
    spec: ModelSpec, config: RunConfig, engine: Engine | None, track: Track
) -> Iterator[Capturer]:
    if isinstance(engine, RayEngine):
        from modalprism.capture.on_ray import workers_for

        with workers_for(spec, config, engine, track) as capture_into:
            yield capture_into
        return
    device_named(config.device)  # before a large model is loaded
    adapter = spec.load(attention=config.pool == ATTENTION)
    metadata = spec.metadata(adapter)

    def capture_here(
        examples: Iterable[Example], out: Path, how: RunConfig, total: int, more: Mapping[str, Any]
    ) -> None:
        words = {**metadata, **more}
        run_capture(adapter, examples, out, metadata=words, config=how, total=total, track=track)

    yield capture_here


def _examples(given: Iterable[Example | Mapping[str, Any]], labels: Labels) -> Iterator[Example]:
    if isinstance(given, Examples):  # a dataset has read its labels
        return iter(given)
    return (_example(value, place, labels) for place, value in enumerate(given))


def _example(value: Example | Mapping[str, Any], place: int, labels: Labels) -> Example:
    if isinstance(value, Example):
        identity, inputs, label, groups = value.id, value.inputs, value.label, value.groups
    else:
        identity = str(value.get("id", place))
        inputs = {name: given for name, given in value.items() if name not in _BESIDE}
        label, groups = value.get("label"), value.get("groups", {})
    try:
        return Example(
            identity,
            inputs,
            label_from(label, labels, "its label"),
            {str(name): group_of(str(name), given) for name, given in groups.items()},
        )
    except InputError as error:
        raise InputError(f"the example {identity!r}: {error}") from error
