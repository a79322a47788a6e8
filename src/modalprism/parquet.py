"""Tables as parquet: to bytes, which `write_whole` writes, and back with an error in words.

pyarrow reads a relative path that begins with ``~`` in the home folder, and takes ``s3:/x`` for an
address. It gets absolute paths only, here and elsewhere, so that it reads the file that was named.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modalprism.foreign import guarded, require_file


def parquet_bytes(table: pa.Table) -> bytes:
    """Return the content of a parquet file.

    Examples
    --------
    >>> parquet_bytes(pa.table({"n": [1, 2]}))[:4]
    b'PAR1'
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_parquet(path: Path) -> pa.Table:
    """Read a parquet file of a run.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with guarded(path, "if it is damaged, run the study again"):
        return pq.ParquetFile(require_file(path).absolute()).read()
