"""The profile of a study: a tidy table of every quantity, and the folder that holds it.

A row is one (model, dataset, view, pairs, layer, quantity, modality). A run is a folder with the
table as ``profile.parquet`` and its history as ``manifest.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.foreign import guarded, parse_json
from modalprism.results.table import COLUMNS, Table, schema
from modalprism.strict_json import dumps
from modalprism.tables import read_parquet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROFILE_FILE: Final = "profile.parquet"
MANIFEST_FILE: Final = "manifest.json"
FORMAT_VERSION: Final = 1
FAMILY: Final = ("model", "dataset", "view", "pairs", "estimator", "quantity", "modality")
"""One question asked at every layer; other models, views and atoms are other questions."""

_RUN_AGAIN: Final = "if it is damaged, run its study again"


@dataclass(frozen=True)
class Profile:
    """Atoms, contributions and their uncertainty for every layer of a study.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row a quantity; columns as in `modalprism.results.table.COLUMNS`.
    manifest : dict
        Versions, seeds, hashes, timings, and the modalities and title of the study.
    """

    frame: pd.DataFrame
    manifest: dict[str, Any]

    @property
    def modalities(self) -> tuple[str, str]:
        """The two modalities, in the order of the study."""
        first, second = self.manifest["modalities"]
        return first, second

    @property
    def table(self) -> Table:
        """The rows as estimates."""
        columns = {name: self.frame[name].tolist() for name in COLUMNS}
        return Table(columns, self.modalities, self.manifest)

    def plot(self, figure: str | None = None) -> Figure:
        """Draw one of the report's figures.

        Parameters
        ----------
        figure : str, optional
            ``prism``, ``contribution``, ``stream`` or ``encoding``; where it is None, the first of
            these that the profile has the view of.

        Returns
        -------
        matplotlib.figure.Figure
            The figure, the same that the report has.

        Raises
        ------
        InputError
            If the profile has no such figure.
        """
        from modalprism.plotting.figures import figure_of

        return figure_of(self.table, figure)

    def _repr_html_(self) -> str:
        """Return the tables for a notebook."""
        from modalprism.plotting.views import profile_html

        return profile_html(self.table)

    def write(self, folder: Path) -> None:
        """Write the table and the manifest into `folder`; each file appears whole or not at all."""
        write_whole(folder / PROFILE_FILE, self.table.to_parquet())
        manifest = dumps(self.manifest, indent=2, ensure_ascii=False)
        write_whole(folder / MANIFEST_FILE, manifest + "\n")

    @classmethod
    def read(cls, folder: str | Path) -> Profile:
        """Read the profile of a run folder.

        Raises
        ------
        InputError
            If the folder is no run, is unfinished, or was written by another format version.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; name a run folder such as runs/demo")
        for name in (PROFILE_FILE, MANIFEST_FILE):
            if not (folder / name).is_file():
                raise InputError(
                    f"{folder} has no {name}: it is not a finished run; "
                    "run its study again and it resumes where it stood"
                )
        with guarded(folder / MANIFEST_FILE):
            content = (folder / MANIFEST_FILE).read_bytes()
        manifest = parse_json(content, folder / MANIFEST_FILE, _RUN_AGAIN)
        table = read_parquet(folder / PROFILE_FILE)
        if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"the run {folder} was written in another format; "
                f"this Modalprism reads version {FORMAT_VERSION}: run its study again"
            )
        modalities = manifest.get("modalities")
        if not isinstance(modalities, list) or len(modalities) != 2:
            raise InputError(
                f"{folder / MANIFEST_FILE} names no two modalities; run its study again"
            )
        if not table.schema.equals(schema()):
            raise InputError(
                f"{folder / PROFILE_FILE} lacks columns of a profile; run its study again"
            )
        return cls(table.to_pandas(), manifest)


def with_q_values(frame: pd.DataFrame, family: Sequence[str] = FAMILY) -> pd.DataFrame:
    """Return the rows of a table with their q-values, NaN where there is no p-value.

    Benjamini and Hochberg (1995): of all results with q ≤ .05, at most 5 % are expected to be
    false. Rows with the same values in the columns `family` are adjusted together.

    Examples
    --------
    >>> rows = pd.DataFrame({name: "same" for name in FAMILY}, index=range(3))
    >>> with_q_values(rows.assign(p_value=[0.01, 0.04, 0.02]))["q_value"].tolist()
    [0.03, 0.04, 0.03]
    """

    def adjusted(p_values: pd.Series[float]) -> pd.Series[float]:
        known = p_values.notna()
        q_values = pd.Series(np.nan, index=p_values.index)
        if known.any():
            q_values[known] = false_discovery_control(p_values[known].to_numpy(), method="bh")
        return q_values

    families = frame.groupby(list(family), dropna=False, sort=False)["p_value"]
    return frame.assign(q_value=families.transform(adjusted))
