"""``modalprism init``: a commented study file from embeddings, or from a model and its data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modalprism.cli.console import print_text
from modalprism.errors import InputError


def init(
    what: Annotated[
        str,
        typer.Argument(
            help="A capture's store or a file of embeddings; or, with DATA, a folder of a model or "
            "an id of the model hub."
        ),
    ],
    data: Annotated[
        str | None, typer.Argument(help="The dataset of a model: a table, a folder, shards, an id.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the study file goes.")] = Path("study.yaml"),
    modality: Annotated[
        list[str] | None,
        typer.Option(help="A modality, or of a dataset image=column. Give it twice."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="label or answer; of a dataset the column of right answers."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Write a commented study file. A study of embeddings runs as it stands.

    Example: modalprism init clip.npz

    Of a model: modalprism init llava-hf/llava-1.5-7b-hf vqa.csv --target answer
    """
    from modalprism.files import make_folder, write_whole
    from modalprism.studies.drafts import draft_of_capture, draft_of_embeddings

    if out.is_dir():
        raise InputError(f"{out} is a folder; name a file with --out, such as {out / 'study.yaml'}")
    if out.exists() and not force:
        raise InputError(f"{out} exists; name another file with --out, or overwrite with --force")
    if data is None and (Path(what) / "config.json").is_file():
        raise InputError(f"{what} is a model; name its data too: modalprism init MODEL DATA")
    chosen = modality or ()
    if data is None:
        text = draft_of_embeddings(what, out, modalities=chosen, target=target)
    else:
        text = draft_of_capture(what, data, out, modalities=chosen, target=target)
    make_folder(out.parent)
    write_whole(out, text)
    print_text(f"{out} written. Next: modalprism run {out}", wrap=True)
