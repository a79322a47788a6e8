"""q-values: false discovery rates over the layers of a study.

Benjamini and Hochberg (1995): of all results with q ≤ .05, at most 5 % are expected to be false. A
family is one question asked at every layer; other models, views and atoms are other questions.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

FAMILY: Final = ("model", "dataset", "view", "pairs", "estimator", "quantity", "modality")


def with_q_values(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a profile with their q-values, NaN where there is no p-value.

    Examples
    --------
    >>> rows = pd.DataFrame({name: "same" for name in FAMILY}, index=range(3))
    >>> with_q_values(rows.assign(p_value=[0.01, 0.04, 0.02]))["q_value"].tolist()
    [0.03, 0.04, 0.03]
    """
    families = frame.groupby(list(FAMILY), dropna=False, sort=False)["p_value"]
    return frame.assign(q_value=families.transform(_adjusted))


def _adjusted(p_values: pd.Series[float]) -> pd.Series[float]:
    known = p_values.notna()
    q_values = pd.Series(np.nan, index=p_values.index)
    if known.any():
        q_values[known] = false_discovery_control(p_values[known].to_numpy(), method="bh")
    return q_values
