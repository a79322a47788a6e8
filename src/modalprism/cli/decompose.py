"""The command that decomposes a table, or a distribution whose atoms are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modalprism.cli.console import (
    ERR,
    Base,
    Json,
    base_of,
    print_json,
    printable,
    show_progress,
)
from modalprism.errors import InputError

if TYPE_CHECKING:
    from modalprism.pid import Decomposition


def decompose(
    file: Annotated[
        Path | None,
        typer.Argument(
            help=".npy or .npz with a joint (n1, n2, C), .npz with p_x1y and p_x2y, or a .csv, "
            ".tsv, .jsonl or .parquet table of observations.",
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
    count: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column that holds how often each row was seen; by default 'count' or "
            "'proportion', if there is one.",
        ),
    ] = None,
    base: Base = "2",
    tol: Annotated[float, typer.Option(help="Bound to reach on the numerical error.")] = 1e-6,
    solver: Annotated[
        str,
        typer.Option(
            help="newton: small and middle tables, to the last digit; ipfp: thousands of states; "
            "auto: what is expected to be faster."
        ),
    ] = "auto",
    max_iter: Annotated[int, typer.Option(help="Stop after so many iterations.")] = 10_000,
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Stop then; the bounds on the error still hold."),
    ] = None,
    marginal_tolerance: Annotated[
        float | None,
        typer.Option(
            help="Largest difference in p(y) between p_x1y and p_x2y; by default what rounding "
            "to their type makes.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Split a discrete distribution into atoms, with a proven bound on the error.

    Ctrl-C stops the solver and prints what was reached, with bounds that hold.

    Example: modalprism decompose answers.csv --source image --source text --target answer

    Example: modalprism decompose --gate and
    """
    options: dict[str, Any] = {
        "base": base_of(base),
        "solver": solver,
        "tol": tol,
        "max_iter": max_iter,
        "time_limit": time_limit,
    }
    if file is not None and gate is None:
        names = {"sources": source, "target": target, "count": count}
        _decompose_file(file, names, options, marginal_tolerance, as_json)
    elif gate == "list" and file is None:
        _list_gates(as_json)
    elif gate is not None and file is None:
        if source or target or count or marginal_tolerance is not None:
            raise InputError(
                "a gate has no columns and no marginals: leave --source, --target, --count and "
                "--marginal-tolerance out with --gate"
            )
        _decompose_gate(gate, options, as_json)
    else:
        raise InputError(
            "decompose takes either a FILE or --gate NAME; 'modalprism decompose --gate list' "
            "shows the gates"
        )


def _decompose_file(
    file: Path,
    names: dict[str, Any],
    options: dict[str, Any],
    marginal_tolerance: float | None,
    as_json: bool,
) -> None:
    from modalprism.datasets.joint_tables import read_joint
    from modalprism.pid import decompose, decompose_marginals

    table = read_joint(file, **names)

    if marginal_tolerance is not None and len(table.tables) < 2:
        raise InputError(f"{file} holds no marginals: leave --marginal-tolerance out")

    def solve() -> Decomposition:
        if len(table.tables) == 2:
            return decompose_marginals(
                *table.tables, marginal_tolerance=marginal_tolerance, **options
            )
        return decompose(*table.tables, **options)

    with _solved(solve, as_json) as result:
        if as_json:
            named = _named(result, table.sources, table.target)
            print_json(named | ({"count": table.count} if table.count else {}))
            return
        first, second, target = map(printable, (*table.sources, table.target))
        counts = f"; counts: {printable(table.count)}" if table.count else ""
        typer.echo(f"sources: 1 = {first}, 2 = {second}; target: {target}{counts}")
        typer.echo(str(result))


def _decompose_gate(name: str, options: dict[str, Any], as_json: bool) -> None:
    from modalprism.pid import decompose
    from modalprism.pid.gates import compare, gate
    from modalprism.pid.result import SOURCES

    chosen = gate(name)
    known = chosen.atoms.in_base(options["base"])
    with _solved(lambda: decompose(chosen.joint, **options), as_json) as result:
        if as_json:
            content = _named(result, SOURCES, "target")
            unique = dict(zip(SOURCES, known.unique, strict=True))
            atoms = {"redundancy": known.redundancy, "unique": unique, "synergy": known.synergy}
            atoms["information"] = known.information
            print_json({"gate": chosen.name, **content, "known": atoms})
            return
        typer.echo(f"gate {chosen.name}: {chosen.about}\nfrom {chosen.citation}\n")
        typer.echo(f"{result}\n\n{compare(known, result)}")


@contextmanager
def _solved(solve: Callable[[], Decomposition], quiet: bool) -> Iterator[Decomposition]:
    """Solve, and let the result be printed; after Ctrl-C, leave with code 1 when it was."""
    from modalprism.pid import Interrupted

    interrupted = False
    with show_progress(quiet) as bars:
        bars.add_task("solving", total=None)
        try:
            result = solve()
        except Interrupted as stop:
            (result,), interrupted = stop.results, True
    yield result
    if interrupted:
        ERR.print("stopped by Ctrl-C: the bounds hold for what was reached", highlight=False)
        raise typer.Exit(1)


def _list_gates(as_json: bool) -> None:
    from modalprism.pid.gates import GATES

    if as_json:
        fields = ("name", "about", "citation")
        print_json([{field: getattr(gate, field) for field in fields} for gate in GATES.values()])
        return
    width = max(map(len, GATES))
    for gate in GATES.values():
        typer.echo(f"{gate.name:<{width}}  {gate.about}")


def _named(result: Decomposition, sources: tuple[str, str], target: str) -> dict[str, Any]:
    """Return a decomposition as JSON has it, with the names of its variables."""
    return {"sources": list(sources), "target": target, **result.to_dict(sources)}
