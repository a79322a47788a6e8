"""The command line: from a file, an embeddings file or a study to numbers and a page.

Exit codes: 0 done, 1 failed, 2 wrong use. Every error is one sentence on standard error.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from modalprism.errors import InputError

app = typer.Typer(
    help="How much does each modality of a model contribute? Splits the information in its "
    "embeddings into unique, redundant and synergistic parts, with a certificate and intervals.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_out = Console()
_err = Console(stderr=True)
_INTERRUPTED = 130  # how typer leaves after Ctrl-C
_RESUMES = "finished work is kept, and the same command resumes"

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, and nothing else.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Analyse again what was analysed before; keep the store.")
]
Base = Annotated[
    str, typer.Option("--base", help="Base of the logarithm: 2 for bits, e for nats, or a number.")
]


def _base(words: str) -> float:
    if words == "e":
        return math.e
    try:
        return float(words)
    except ValueError as error:
        raise InputError(f"--base {words!r} is neither a number nor 'e'") from error


def _print_json(content: Any) -> None:
    """Print strict JSON: NaN, which JSON lacks, becomes null."""

    def strict(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, dict):
            return {key: strict(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [strict(item) for item in value]
        return value

    typer.echo(json.dumps(strict(content), indent=2, ensure_ascii=False))


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Bars are for eyes: in a file or a pipe they would only bury the one sentence of an error.
    with Progress(*columns, console=_err, disable=quiet or not _err.is_terminal) as progress:
        yield progress


@app.command()
def decompose(
    file: Annotated[
        Path | None,
        typer.Argument(
            help=".npy or .npz with a joint (n1, n2, C), .npz with p_x1y and p_x2y, or a .csv, "
            ".tsv or .parquet table of observations.",
            show_default=False,
        ),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instead of FILE: a distribution whose atoms are known, such as 'and' or 'xor'; "
            "'list' shows them.",
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Name of a source; a column of a table. Give it twice."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Name of the target; a column.")] = None,
    base: Base = "2",
    tol: Annotated[float, typer.Option(help="Bound to reach on the numerical error.")] = 1e-6,
    max_iter: Annotated[int, typer.Option(help="Stop after so many iterations.")] = 10_000,
    as_json: Json = False,
) -> None:
    """Split a discrete distribution into atoms, with a proven bound on the error.

    Example: modalprism decompose answers.csv --source image --source text --target answer

    Example: modalprism decompose --gate and
    """
    options: dict[str, Any] = {"base": _base(base), "tol": tol, "max_iter": max_iter}
    if file is not None and gate is None:
        _decompose_file(file, source, target, options, as_json)
    elif gate == "list" and file is None:
        _list_gates(as_json)
    elif gate is not None and file is None:
        if source or target:
            raise InputError("a gate has no columns: leave --source and --target out with --gate")
        _decompose_gate(gate, options, as_json)
    else:
        raise InputError(
            "decompose takes either a FILE or --gate NAME; 'modalprism decompose --gate list' "
            "shows the gates"
        )


def _decompose_file(
    file: Path,
    source: list[str] | None,
    target: str | None,
    options: dict[str, Any],
    as_json: bool,
) -> None:
    from modalprism.datasets.tables import read_joint
    from modalprism.pid import decompose, decompose_marginals

    table = read_joint(file, sources=source, target=target)
    if table.joint is not None:
        result = decompose(table.joint, **options)
    elif table.marginals is not None:
        result = decompose_marginals(*table.marginals, **options)
    if as_json:
        _print_json(_named(result, table.sources, table.target))
        return
    first, second = table.sources
    typer.echo(f"sources: 1 = {first}, 2 = {second}; target: {table.target}")
    typer.echo(str(result))


def _decompose_gate(name: str, options: dict[str, Any], as_json: bool) -> None:
    from modalprism.pid import decompose
    from modalprism.pid.gates import compare, gate

    chosen = gate(name)
    result = decompose(chosen.joint, **options)
    known = chosen.atoms.in_base(options["base"])
    if as_json:
        sources = ("source 1", "source 2")
        content = _named(result, sources, "target")
        _print_json({"gate": chosen.name, **content, "known": _atoms(known, sources)})
        return
    typer.echo(f"gate {chosen.name}: {chosen.about}\nfrom {chosen.citation}\n")
    typer.echo(f"{result}\n\n{compare(known, result)}")


def _list_gates(as_json: bool) -> None:
    from modalprism.pid.gates import GATES

    if as_json:
        fields = ("name", "about", "citation")
        _print_json([{field: getattr(gate, field) for field in fields} for gate in GATES.values()])
        return
    width = max(map(len, GATES))
    for gate in GATES.values():
        typer.echo(f"{gate.name:<{width}}  {gate.about}")


def _named(result: Any, sources: tuple[str, str], target: str) -> dict[str, Any]:
    """Return a decomposition as JSON has it, with the names of its sources."""
    return {
        "sources": list(sources),
        "target": target,
        "unit": result.unit,
        **_atoms(result, sources),
        "contribution": dict(zip(sources, result.contribution, strict=True)),
        "share": dict(zip(sources, result.share, strict=True)),
        "union_information": {"lower": result.lower, "upper": result.upper},
        "gap": result.gap,
        "converged": result.converged,
    }


def _atoms(of: Any, sources: tuple[str, str]) -> dict[str, Any]:
    """Return the atoms of a decomposition, or known ones, and the information they add up to."""
    return {
        "redundancy": of.redundancy,
        "unique": dict(zip(sources, of.unique, strict=True)),
        "synergy": of.synergy,
        "information": of.information,
    }


@app.command()
def analyze(
    embeddings: Annotated[
        Path,
        typer.Argument(
            help=".npz or .safetensors with one array (n, d) a modality, such as 'image' and "
            "'text' (or 'image/0', 'image/1', … by layer), and the target's array.",
        ),
    ],
    modality: Annotated[
        list[str] | None, typer.Option(help="Name of a modality's array. Give it twice.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="Array of labels (n,) or answer probabilities (n, C).")
    ] = "label",
    layer: Annotated[int, typer.Option(help="Layer of both modalities; 0 is before fusion.")] = 0,
    folds: Annotated[int, typer.Option(help="Folds of the cross-fitting.")] = 5,
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    base: Base = "2",
    as_json: Json = False,
) -> None:
    """Split what two embeddings tell about a target into atoms, with intervals.

    Arrays named group/… hold what must not straddle folds: the same patient, picture or question.

    Example: modalprism analyze clip.npz --modality image --modality text --target label
    """
    from modalprism.capture.store import EmbeddingStore
    from modalprism.estimation.posterior import analyze as analyze_embeddings

    store = EmbeddingStore.open(embeddings)
    names = tuple(modality or [name for name in store.modalities if name != target])
    if len(names) != 2:
        raise InputError(
            f"name two modalities with --modality; {embeddings} has {', '.join(names) or 'none'}"
        )
    first, second = names
    with _progress(as_json) as progress:
        progress.add_task(f"analysing {first} and {second}", total=None)
        analysis = analyze_embeddings(
            {name: store.span(name, layer) for name in (first, second)},
            store.array(target),
            groups=store.groups(),
            target=target,
            base=_base(base),
            folds=folds,
            replicates=replicates,
            seed=seed,
        )
    if as_json:
        _print_json(analysis.frame().to_dict("records"))
    else:
        typer.echo(str(analysis))


def _run_and_report(study: Any, *, fresh: bool, as_json: bool) -> None:
    from modalprism.reports import write_report

    with _progress(as_json) as progress:
        profile = study.run(track=progress.track, fresh=fresh)
        page = write_report(study.out, track=progress.track)
    _show(profile, page, as_json)


def _show(profile: Any, page: Path, as_json: bool) -> None:
    from modalprism.reports import answer_table, summary_sentences

    if as_json:
        _print_json({"report": str(page), "profile": profile.frame.to_dict("records")})
        return
    if (profile.frame["view"] == "answer").any():
        _out.print(answer_table(profile))
    for sentence in summary_sentences(profile):
        _out.print(f"• {sentence}", markup=False, highlight=False)
    _out.print(f"\nReport: {page}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Run the bundled demo: three fusions answer four questions about emoji pictures and names.

    Real pictures, names and pretrained encoders; the fusion networks are this project's own. Takes
    a few minutes on two cores the first time; features, captures and analyses are kept.
    """
    from modalprism.studies.demo import demo_study

    _run_and_report(demo_study(out, seed=seed), fresh=fresh, as_json=as_json)


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="A study in YAML; docs/studies.md shows one.")],
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Run a study: capture, analyse, write the run's folder and its report. Resumes where it stood.

    Example: modalprism run study.yaml
    """
    from modalprism.studies.study import Study

    _run_and_report(Study.from_yaml(study), fresh=fresh, as_json=as_json)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as runs/demo.")],
    as_json: Json = False,
) -> None:
    """Write the report of a finished run anew, and print its table."""
    from modalprism.reports import write_report
    from modalprism.studies.profile import Profile

    profile = Profile.read(run)
    with _progress(as_json) as progress:
        page = write_report(run, track=progress.track)
    _show(profile, page, as_json)


def main() -> None:
    """Run the command line, and turn what went wrong into one sentence and an exit code."""

    def leave(sentence: str, code: int) -> NoReturn:
        _err.print(sentence, markup=False, highlight=False, soft_wrap=True)
        sys.exit(code)

    try:
        app()
    except InputError as error:
        leave(f"error: {error}", 2)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        leave(f"error: {error.strerror or error}{where}; {_RESUMES}", 1)
    except SystemExit as leaving:
        if leaving.code == _INTERRUPTED:
            leave(f"stopped; {_RESUMES}", 1)
        raise


if __name__ == "__main__":
    main()
