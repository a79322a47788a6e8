"""``modalprism serve``: a folder of runs as pages on this machine."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from modalprism.cli.console import OUT, print_text
from modalprism.errors import InputError


def serve(
    runs: Annotated[Path, typer.Argument(help="The folder that holds your runs.")],
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where to listen; 0 takes a free one.")
    ] = 8765,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the browser there.")
    ] = False,
) -> None:
    """Show a folder of runs in the browser: find, watch, open, download and compare them.

    Only this machine can see the pages; nothing is written, and nothing is sent anywhere.

    Example: modalprism serve runs --open
    """
    try:
        from modalprism.serve import serve as show
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {"starlette", "uvicorn"}:
            raise
        raise InputError(f"the pages need {missing}; run pip install 'modalprism[serve]'") from (
            error
        )

    def started(address: str) -> None:
        print_text(f"Runs of {runs}: {address}")
        OUT.print("Ctrl-C ends it.", highlight=False)
        if open_browser:
            # A browser of the terminal would hold this thread until it is left.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    show(runs, port, started=started)
