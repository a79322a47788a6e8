"""Tables as parquet files and as CSV.

pyarrow is given contents and no paths: it would expand ``~``, and take ``s3:/x`` for an address.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from modalprism.foreign import guarded, require_file

if TYPE_CHECKING:
    import pandas as pd

_FORMULA: Final = re.compile(r"^(?=\s*[=+\-@＝＋－＠])")
_ADVICE: Final = "if it is damaged, run the study again"


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
    with guarded(path, _ADVICE):
        return parquet_table(require_file(path).read_bytes(), path)


def parquet_table(content: bytes, what: str | Path) -> pa.Table:
    """Read the content of a parquet file; an `InputError` about `what` if it is damaged."""
    with guarded(what, _ADVICE):
        return pq.ParquetFile(pa.BufferReader(content)).read()


def csv_of(table: pd.DataFrame) -> str:
    """Return a table as CSV for spreadsheet programs, in which no text is a formula.

    Text that begins with ``=``, ``+``, ``-`` or ``@`` gets an apostrophe in front, since names come
    from other people's files. Numbers stay as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> print(csv_of(pd.DataFrame({"model": ["=1+1", "a-b"], "value": [-0.5, 1.0]})), end="")
    model,value
    '=1+1,-0.5
    a-b,1.0
    """
    from pandas.api.types import is_numeric_dtype

    def plain(cell: object) -> object:
        return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell

    table = table.copy(deep=False)
    for name in table:
        if not is_numeric_dtype(table[name]):
            table[name] = table[name].map(plain, na_action="ignore")
    return table.to_csv(index=False, lineterminator="\n")
