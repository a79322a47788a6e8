"""Tables as the content of parquet files, and back.

pyarrow is given contents and no paths: it would expand ``~``, and take ``s3:/x`` for an address.
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

    Raises InputError if it is damaged.
    """
    with guarded(path, "if it is damaged, run the study again"):
        return parquet_table(require_file(path).read_bytes(), path)


def parquet_table(content: bytes, what: str | Path) -> pa.Table:
    """Read the content of a parquet file; an `InputError` about `what` if it is damaged."""
    with guarded(what, "if it is damaged, run the study again"):
        return pq.ParquetFile(pa.BufferReader(content)).read()
