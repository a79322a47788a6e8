"""The server: pages on this machine's own address, and on no other."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from modalprism.errors import InputError
from modalprism.serve.application import make_app
from modalprism.serve.connections import ImpatientProtocol

ADDRESS: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8765
_MOST_CONNECTIONS: Final = 500  # more get 503; a process may have 1,024 files open
_PATIENCE: Final = 2  # seconds that pages on their way have when the server ends


def serve(root: str | Path, port: int = DEFAULT_PORT, *, started: Callable[[str], None]) -> None:
    """Show the runs of a folder until Ctrl-C.

    Parameters
    ----------
    root : path-like
        The folder of runs.
    port : int
        Port at 127.0.0.1; 0 takes a free one.
    started : callable
        Called with the address once the server listens.

    Raises
    ------
    InputError
        If the folder is missing, or the port cannot be used.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; name the folder that holds your runs")
    with _listening(port) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            make_app(root, port, read_ahead=True),
            access_log=False,
            http=ImpatientProtocol,
            limit_concurrency=_MOST_CONNECTIONS,
            lifespan="off",
            log_level="error",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE,
            ws="none",
        )
        started(f"http://{ADDRESS}:{port}/")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            # Uvicorn has ended in order, and hands on the signal that ended it.
            return


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Without, a port is busy for a minute after the server before this one.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen(_MOST_CONNECTIONS)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {port} is busy: something, perhaps another modalprism serve, listens there; "
                "give another port",
                parameter="port",
            ) from error
        raise InputError(
            f"port {port} cannot be had: {error.strerror}; give another port", parameter="port"
        ) from error
    return listener
