"""Tables as CSV for spreadsheet programs.

A spreadsheet takes text that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and may run
what it names. Names come from other people's files, so that such text gets an apostrophe in front.
"""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

_FORMULA: Final = re.compile(r"^(?=\s*[=+\-@＝＋－＠])")


def csv_of(table: pd.DataFrame) -> str:
    """Return a table as CSV, in which no text is a formula; numbers stay as they are.

    Examples
    --------
    >>> print(csv_of(pd.DataFrame({"model": ["=1+1", "a-b"], "value": [-0.5, 1.0]})), end="")
    model,value
    '=1+1,-0.5
    a-b,1.0
    """

    def plain(cell: object) -> object:
        return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell

    table = table.copy(deep=False)
    for name in table:
        if not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = table[name].map(plain, na_action="ignore")
    return table.to_csv(index=False, lineterminator="\n")
