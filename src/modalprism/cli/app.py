"""The application of the command line: its commands and the options that they share."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

import modalprism
from modalprism.baselines import BASELINES
from modalprism.cli.capture import capture
from modalprism.cli.compare import compare
from modalprism.cli.console import (
    ERR,
    OUT,
    Address,
    AllowCode,
    Base,
    Fresh,
    Json,
    announce_to,
    base_of,
    output_of,
    print_json,
    print_text,
    show_progress,
)
from modalprism.cli.decompose import decompose
from modalprism.cli.init import init
from modalprism.cli.serve import serve
from modalprism.cli.stores import families, inspect
from modalprism.cli.validate import validate
from modalprism.engines import ENGINES, engine_for
from modalprism.errors import DataWarning, InputError, concerning
from modalprism.suggest import suggestion


class _Commands(typer.core.TyperGroup):
    """Commands, with a suggestion for a mistyped one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"there is no command {name!r}{suggestion(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    help="How much does each modality of a model contribute? Splits the information in its "
    "embeddings into unique, redundant and synergistic parts, with a certificate and intervals.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Of a run of many cases only what is true over all is said: the tables above it have each case.
_MOST_SENTENCES = 10

Baselines = Annotated[
    str | None,
    typer.Option(
        help="Also score by what people use today, on the same examples: all, or names with commas "
        f"between, of {', '.join(BASELINES.builtin)}. What they cost is said before they begin.",
    ),
]

Where = Annotated[
    str,
    typer.Option("--engine", help=f"Where analyses are done, one of {', '.join(ENGINES.builtin)}."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="How many analyses are done at once; 0 means as many as there are CPUs for. By "
        "default what the study says, or on a cluster that runs, 0.",
    ),
]


def _print_version(given: bool) -> None:
    if given:
        typer.echo(f"modalprism {modalprism.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that go before a command."""


app.command()(decompose)
app.command()(capture)
app.command()(inspect)
app.command()(init)
app.command()(families)
app.command()(compare)
app.command()(serve)
app.command()(validate)


@app.command()
def analyze(
    embeddings: Annotated[
        str,
        typer.Argument(
            help="A capture's store (a folder, or an address such as s3://bucket/store), or .npz, "
            ".safetensors, .parquet, HDF5 or zarr, with one array (n, d) a modality, "
            "such as 'image' and 'text' (or 'image/0', 'image/1', … by layer), "
            "and the target's array.",
        ),
    ],
    modality: Annotated[
        list[str] | None, typer.Option(help="Name of a modality's array. Give it twice.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="Array of labels (n,) or answer probabilities (n, C).")
    ] = "label",
    layer: Annotated[int, typer.Option(help="Layer of both modalities; 0 is before fusion.")] = 0,
    estimator: Annotated[
        str,
        typer.Option(help="posterior: calibrated probes. codebook: counts of codes."),
    ] = "posterior",
    folds: Annotated[int, typer.Option(help="Folds of the cross-fitting.")] = 5,
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates.")] = 1000,
    permutations: Annotated[
        int,
        typer.Option(help="Draws behind each p-value; below 19, nothing is significant at .05."),
    ] = 199,
    effort: Annotated[
        str, typer.Option(help="Probes: fast has no trees, default some, thorough more.")
    ] = "default",
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    base: Base = "2",
    as_json: Json = False,
) -> None:
    """Split what two embeddings tell about a target into atoms, with intervals.

    Arrays named group/… hold what must not straddle folds: the same patient, picture or question.

    Example: modalprism analyze clip.npz --modality image --modality text --target label
    """
    with show_progress(as_json) as bars:
        from modalprism.capture.store import EmbeddingStore
        from modalprism.estimation.analyze import analyze as analyze_embeddings

        store = EmbeddingStore.open(embeddings)
        with concerning("target"):
            labels = store.array(target)
        names = tuple(modality or [name for name in store.modalities if name != target])
        if len(names) != 2:
            known = ", ".join(store.modalities) or "none"
            raise InputError(f"name two modalities, --modality once each; {embeddings} has {known}")
        # The analysis repeats the warning as a caution, which is printed.
        with warnings.catch_warnings(action="ignore", category=DataWarning):
            analysis = analyze_embeddings(
                {name: store.mapped_span(name, layer) for name in names},
                labels,
                groups=store.groups(),
                target=target,
                base=base_of(base),
                estimator=estimator,
                folds=folds,
                replicates=replicates,
                permutations=permutations,
                effort=effort,
                seed=seed,
                progress=bars.show,
            )
    if as_json:
        for caution in analysis.cautions:
            print_text(f"warning: {caution}", ERR)
        print_json(analysis.table().rows())
    else:
        typer.echo(str(analysis))


def _run_and_report(
    read: Callable[[], Any],
    *,
    engine: str,
    address: str | None,
    workers: int | None,
    baselines: str | None,
    fresh: bool,
    as_json: bool,
    allow_code: Sequence[str] = (),
) -> None:
    """Run the study that `read` returns on an engine, and show the results."""
    with show_progress(as_json) as bars:
        from modalprism.reports.page import REPORT_FILE

        study = read()
        if workers is None:  # the study's are those of one machine
            workers = 0 if engine == "serial" or address is not None else study.workers
        where = engine_for(engine, workers=workers, address=address)
        if baselines is not None:
            study = study.with_baselines(baselines)
        with output_of(where):
            profile = study.run(
                engine=where,
                progress=bars.show,
                announce=announce_to(as_json),
                fresh=fresh,
                allow_code=allow_code,
            )
    _show(profile, study.out / REPORT_FILE, as_json)


def _show(profile: Any, page: Path, as_json: bool) -> None:
    from modalprism.plotting.terminal import TerminalTable, layer_table
    from modalprism.plotting.views import view_grid
    from modalprism.reports import embedding_faults, summary_sentences

    results = profile.table
    if as_json:
        print_json({"report": str(page), "profile": results.rows()})
        return
    if results.cases("answer"):
        OUT.print(TerminalTable(view_grid(results, "answer")))
    for view in filter(results.cases, ("stream", "encoding")):
        OUT.print(layer_table(results, view))
    for sentence in summary_sentences(results, most=_MOST_SENTENCES):
        print_text(f"• {sentence}", wrap=True)
    for sentence in embedding_faults(results):
        print_text(f"warning: {sentence}", ERR)
    print_text(f"\nReport: {page}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    baselines: Baselines = None,
    engine: Where = "local",
    address: Address = None,
    workers: Workers = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Run the bundled demo: three fusions answer four questions about emoji pictures and names.

    Real pictures, names and pretrained encoders; the fusion networks are this project's own. Takes
    a few minutes on two cores the first time; features, captures and analyses are kept.
    """

    def read() -> Any:
        from modalprism.demo.input import demo_study

        return demo_study(out, seed=seed)

    _run_and_report(
        read,
        engine=engine,
        address=address,
        workers=workers,
        baselines=baselines,
        fresh=fresh,
        as_json=as_json,
    )


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="A study in YAML; docs/studies.md shows one.")],
    baselines: Baselines = None,
    engine: Where = "local",
    address: Address = None,
    workers: Workers = None,
    fresh: Fresh = False,
    allow_code: AllowCode = None,
    as_json: Json = False,
) -> None:
    """Run a study: capture, analyse, write the run's folder and its report. Resumes where it stood.

    Example: modalprism run study.yaml --baselines ablation,mm_shap

    On a cluster: modalprism run study.yaml --engine ray --address auto
    """

    def read() -> Any:
        from modalprism.studies.study import Study

        return Study.from_yaml(study)

    _run_and_report(
        read,
        engine=engine,
        address=address,
        workers=workers,
        baselines=baselines,
        fresh=fresh,
        as_json=as_json,
        allow_code=allow_code or (),
    )


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as runs/demo.")],
    as_json: Json = False,
) -> None:
    """Write the report of a finished run anew, and print its table."""
    with show_progress(as_json) as bars:
        from modalprism.reports import write_report
        from modalprism.studies.profile import Profile

        profile = Profile.read(run)
        page = write_report(run, progress=bars.show)
    _show(profile, page, as_json)


def with_flag(error: InputError) -> str:
    """Return an error's message, and the option that sets the parameter that was wrong.

    The library names parameters. Where the command that runs has an option for one, people read
    its name as well: ``… give another out (--out)``.
    """
    parameter = error.parameter
    if not parameter:
        return str(getattr(error, "for_shell", error))  # a command to copy
    commands = getattr(get_command(app), "commands", {})
    running = next((commands[word] for word in sys.argv[1:] if word in commands), None)
    # An option that is given several times is named in the singular.
    names = {parameter, parameter.removesuffix("s"), f"{parameter.removesuffix('ies')}y"}
    options = (one for one in getattr(running, "params", ()) if names & {one.name})
    return f"{error}" + next((f" ({o.opts[0]})" for o in options if o.opts[0].startswith("--")), "")
