"""``modalprism inspect`` and ``modalprism families``: what is captured, and what can be."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from modalprism.cli.console import OUT, Json, print_json, print_text
from modalprism.errors import InputError
from modalprism.foreign import one_line, parse_json, redacted


def inspect(
    store: Annotated[
        str,
        typer.Argument(
            help="A store's folder, or a file of named arrays (.npz, .parquet, …), here or at an "
            "address such as s3://bucket/store."
        ),
    ],
    check: Annotated[
        bool, typer.Option(help="Compare every shard with its checksum; reads all of the store.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Say what a store of embeddings holds: model, dataset, spans, arrays, and what was skipped.

    It also prints the first example's text as the model was given it, and how many texts were cut
    and labels match no candidate.

    Example: modalprism inspect runs/clip/store
    """
    from modalprism.capture.notices import notices_in
    from modalprism.capture.shards import METADATA_FILE, StoreReader, is_finished
    from modalprism.capture.store import EmbeddingStore

    opened = EmbeddingStore.open(store)
    skipped: list[tuple[str, str]] = []
    columns = opened.names
    described: dict[str, dict[str, Any]] = {}
    unfinished = ""
    if (opened.path / METADATA_FILE).is_file():
        reader = StoreReader.open(opened.path)
        skipped = reader.skipped()
        for name, (shape, kind) in reader.shapes().items():
            described[name] = {"shape": list(shape), "dtype": kind}
        columns = tuple(name for name in columns if name not in described)
        if check:
            reader.check()
        if not is_finished(opened.path):
            unfinished = "not finished: the same capture command goes on where it stopped"
    for name, values in opened.arrays(sorted(columns)):
        described[name] = {"shape": list(values.shape), "dtype": str(values.dtype)}
    notices = notices_in(opened.metadata)
    metadata = {key: value for key, value in opened.metadata.items() if key != "notices"}
    if as_json:
        print_json(
            {
                "metadata": metadata,
                "notices": notices.stored(),
                "arrays": described,
                "skipped": skipped,
                "finished": not unfinished,
            }
        )
        return
    OUT.print(_two_columns(redacted(store), metadata))
    table = Table("array", "rows × columns", "type", box=None, title="arrays", title_justify="left")
    for name, what in described.items():
        table.add_row(escape(name), " × ".join(map(str, what["shape"])), what["dtype"])
    OUT.print(table)
    if notices.prompt:
        OUT.print("\nThe first example's text, as the model was given it:", highlight=False)
        print_text(notices.prompt)
        OUT.print()
    for sentence in notices.sentences():
        print_text(sentence)
    if unfinished:
        OUT.print(unfinished)
    for name, why in skipped:
        print_text(one_line(f"skipped {name}: {why}", 1_000), wrap=True)


def _two_columns(title: str, words: dict[str, str]) -> Table:
    table = Table(
        box=None, show_header=False, title=escape(title), title_justify="left", pad_edge=False
    )
    for key, value in words.items():
        table.add_row(
            escape(one_line(key.replace("_", " "))), escape(one_line(_plain(value), 2_000))
        )
    return table


def _plain(value: str) -> str:
    """Write a list or mapping of a store's metadata as people would."""
    try:
        content = parse_json(value, "metadata")
    except InputError:
        return value
    return _words(content) if isinstance(content, list | dict) else value


def _words(content: Any) -> str:
    if isinstance(content, list):
        return ", ".join(map(_words, content))
    if isinstance(content, dict):
        pairs = (
            f"{key} ({_words(item)})" if isinstance(item, dict) else f"{key} {_words(item)}"
            for key, item in content.items()
        )
        return ", ".join(pairs)
    return str(content)


def families(as_json: Json = False) -> None:
    """List the families of models that can be captured, and where their modalities meet.

    Any other model: describe it with modalprism.capture.generic.ModuleAdapter, or write an adapter
    (docs/adapters.md does so in fifteen lines).
    """
    from modalprism.capture.families.registry import FAMILIES

    known: dict[str, Any] = {}
    for model_type in sorted(FAMILIES.names()):
        chosen = FAMILIES[model_type]
        known[model_type] = {"modalities": list(chosen.modalities), "fusion": chosen.fusion}
    if as_json:
        print_json(known)
        return
    table = Table("model type", "modalities", "where they meet", box=None)
    for model_type, what in known.items():
        table.add_row(model_type, " + ".join(what["modalities"]), what["fusion"])
    OUT.print(table)
    OUT.print(
        "\nAny other model: modalprism.capture.generic.ModuleAdapter, or an adapter of your own "
        "(docs/adapters.md).",
        highlight=False,
    )
