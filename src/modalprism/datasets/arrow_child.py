"""Program that checks Arrow files in a separate process, since the library crashes on bad ones.

Its arguments are the paths. It writes ``ok`` to standard output at last, or what is wrong.
"""

from __future__ import annotations

import sys

import pyarrow as pa

from modalprism.errors import InputError
from modalprism.foreign import guarded
from modalprism.isolation import alive, limit_memory


def main() -> None:
    """Validate every batch of every file."""
    limit_memory()
    try:
        for path in sys.argv[1:-1]:
            alive()
            with guarded(path), pa.memory_map(path) as file, pa.ipc.open_stream(file) as batches:
                for batch in batches:
                    batch.validate(full=True)
                    alive()
    except InputError as error:
        sys.stdout.write(str(error))
    else:
        sys.stdout.write("ok")


if __name__ == "__main__":
    main()
