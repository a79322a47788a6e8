"""``modalprism capture``: a model and a dataset → a store of embeddings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar, get_type_hints

import typer
from rich.progress import ProgressColumn, Task
from rich.text import Text

from modalprism.capture.config import CaptureConfig
from modalprism.cli.console import (
    ERR,
    Address,
    Json,
    output_of,
    print_json,
    print_text,
    show_progress,
)
from modalprism.datasets.config import DatasetConfig
from modalprism.engines import RayEngine, engine_for
from modalprism.errors import InputError, concerning
from modalprism.foreign import redacted
from modalprism.options import Options
from modalprism.suggest import suggestion

_Command = TypeVar("_Command", bound=Callable[..., None])
_PLAIN = (bool, int)


@dataclass(frozen=True)
class Flag:
    """Form of a field on the command line, where it differs from the default form.

    `kind` is the type of the option's value, `name` the option, such as ``--candidate``, and `hint`
    a sentence that follows the field's description.
    """

    kind: Any = None
    name: str = ""
    hint: str = ""


def with_options(
    fields: Mapping[str, type[Options]], flags: Mapping[str, Flag], *, before: str
) -> Callable[[_Command], _Command]:
    """Give a command an option for each field, in place of its ``**options``.

    An option has the name, default and description of its field. Its type is bool or int where the
    field's is; other values are words, which the model reads. In the command's help, the options
    stand before its parameter `before`.
    """

    def extend(command: _Command) -> _Command:
        hints = get_type_hints(command, include_extras=True)
        given = list(inspect.signature(command).parameters.values())
        parameters = [one for one in given if one.kind is not one.VAR_KEYWORD]
        hints.pop(next(one.name for one in given if one.kind is one.VAR_KEYWORD))
        generated = []
        for name, model in fields.items():
            field, flag = model.model_fields[name], flags.get(name, Flag())
            kind = flag.kind or (field.annotation if field.annotation in _PLAIN else str)
            text = f"{field.description} {flag.hint}".strip()
            option = typer.Option(*filter(None, [flag.name]), help=text)
            default = None if field.default in (None, ()) else field.default
            hints[name] = Annotated[kind if default is not None else kind | None, option]
            generated.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            )
        place = next(i for i, one in enumerate(parameters) if one.name == before)
        names = [*parameters[:place], *generated, *parameters[place:]]
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [one.replace(kind=one.KEYWORD_ONLY, annotation=hints[one.name]) for one in names]
        )
        command.__annotations__ = hints
        return command

    return extend


_FIELDS: Final[dict[str, type[Options]]] = {
    "candidates": CaptureConfig,
    **dict.fromkeys(("prompt", "split", "limit", "streaming"), DatasetConfig),
    **dict.fromkeys(CaptureConfig.model_fields, CaptureConfig),
}
_FLAGS: Final = {
    "candidates": Flag(list[str], "--candidate", "Repeat it."),
    "layers": Flag(hint="Such as 4,8,12."),
    "limit": Flag(int),
}


class _Speed(ProgressColumn):
    """Examples a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class _Memory(ProgressColumn):
    """The most memory that the process has held, and the most of a GPU's."""

    def render(self, task: Task) -> Text:  # noqa: ARG002
        held = _peak_memory()
        words = [] if held is None else [f"{held / 2**30:.1f} GiB"]
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            words.append(f"GPU {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
        return Text(", ".join(words))


def _peak_memory() -> int | None:
    """Return the most memory that this process has held, in bytes; None where POSIX is missing."""
    try:
        import resource
    except ImportError:
        return None
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


@with_options(_FIELDS, _FLAGS, before="seed")
def capture(
    model: Annotated[str, typer.Argument(help="A folder of a model, or an id of the model hub.")],
    data: Annotated[
        str,
        typer.Argument(
            help="A Hugging Face dataset (folder or hub id), a folder of pictures with a table, "
            ".jsonl, .parquet, or WebDataset shards (.tar).",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            help="The store's folder, or an address such as s3://bucket/store; the same command "
            "resumes."
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="What a column is: image=picture, text=question, label=answer, group=patient, "
            "id=key; image=left+right puts two side by side. Repeat it. Usual names are guessed."
        ),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            help="Which candidate a label is: 0=no, 1=yes; or letters, for the place in a list. "
            "Repeat it."
        ),
    ] = None,
    only_candidates: Annotated[
        bool, typer.Option(help="Leave out rows whose label is no candidate.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    engine: Annotated[
        str,
        typer.Option(
            help="Where the model runs: serial is this process; ray is a copy on every worker of a "
            "Ray cluster."
        ),
    ] = "serial",
    address: Address = None,
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Of a Ray cluster, each with a copy of the model; 0 is one a GPU, or one a CPU "
            "where there is none.",
        ),
    ] = 0,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Run a model on a dataset, in inference only, and keep its embeddings layer by layer.

    Example: modalprism capture llava-hf/llava-1.5-7b-hf vqa.jsonl --candidate yes --candidate no
    --out runs/llava/store

    On a cluster: … --engine ray --address auto
    """
    from modalprism.capture.api import capture as run
    from modalprism.capture.loading import quiet_library
    from modalprism.capture.model_checks import check_model
    from modalprism.capture.shards import StoreReader
    from modalprism.datasets.columns import Columns
    from modalprism.datasets.examples import open_examples
    from modalprism.datasets.labels import Labels
    from modalprism.datasets.prompts import Prompt

    if engine not in {"serial", "ray"}:
        hint = suggestion(engine, ("serial", "ray"))
        raise InputError(
            f"a capture knows no engine {engine!r}; choose serial or ray{hint}", parameter="engine"
        )
    where = engine_for(engine, workers=workers, address=address)
    if not isinstance(where, RayEngine):  # whose workers may see other folders
        check_model(model, options["revision"])
    candidates = options["candidates"] = options["candidates"] or ()
    if options["layers"] is not None:
        options["layers"] = options["layers"].split(",")
    prompt = options.pop("prompt")
    with concerning("prompt"):
        template = None if prompt is None else Prompt.of(prompt)
    with concerning("column"):
        columns = Columns.from_flags(column or []).with_prompt(template)
    examples = open_examples(
        data,
        columns,
        labels=Labels.of(candidates, _answers(answer), "candidates" if only_candidates else None),
        seed=seed,
        **{name: options.pop(name) for name in ("split", "limit", "streaming")},
    )
    if as_json or not ERR.is_terminal:
        quiet_library()
    with show_progress(as_json, _Speed(), _Memory()) as bars, output_of(where):
        store = run(
            model,
            None,
            examples,
            out=out,
            dataset=data,
            fingerprint=examples.fingerprint(),
            seed=seed,
            engine=where,
            progress=bars.show,
            **options,
        )
    reader = StoreReader.open(store.path)
    rows, skipped = sum(shard.rows for shard in reader.shards), reader.skipped()
    place = redacted(str(out))
    if as_json:
        print_json({"store": place, "rows": rows, "skipped": skipped})
        return
    print_text(f"{rows:,} examples, {len(store.names)} arrays in {place}", wrap=True)
    # Without labels, analyze has no target by default.
    labelled = f", or modalprism analyze {place}" if "label" in store.names else ""
    print_text(f"Next: modalprism inspect {place}{labelled}")
    if skipped:
        print_text(
            f"{len(skipped):,} skipped, the first {skipped[0][0]}: {skipped[0][1]}; "
            "modalprism inspect lists them",
            wrap=True,
        )


def _answers(flags: list[str] | None) -> dict[str, str] | Literal["letters"] | None:
    """Read ``value=candidate``, one a flag, or the word letters alone."""
    if flags == ["letters"]:
        return "letters"
    pairs = [flag.rpartition("=") for flag in flags or []]
    if wrong := [word for _, equals, word in pairs if not equals]:
        raise InputError(
            f"--answer {wrong[0]!r} is not of the form value=candidate: 1=yes; or letters alone"
        )
    answers: dict[str, str] = {}
    for value, candidate in ((value.strip(), candidate.strip()) for value, _, candidate in pairs):
        if answers.setdefault(value, candidate) != candidate:
            raise InputError(f"--answer {value} is given twice, with different candidates")
    return answers or None
