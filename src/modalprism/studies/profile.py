"""A profile: every quantity of a study, one row each, and the folder that holds it.

The table is tidy: one row per (model, dataset, view, pairs, layer, quantity, modality). A run is a
folder with the table as ``profile.parquet`` and its history as ``manifest.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa

from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.foreign import guarded, parse_json
from modalprism.parquet import parquet_bytes, read_parquet
from modalprism.plotting.notebook import profile_html
from modalprism.strict_json import dumps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROFILE_FILE: Final = "profile.parquet"
MANIFEST_FILE: Final = "manifest.json"
FORMAT_VERSION: Final = 1

_RUN_AGAIN: Final = "if it is damaged, run its study again"
SCHEMA: Final = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("view", pa.string()),  # answer | stream | encoding
        ("pairs", pa.string()),  # observed | redrawn
        ("target", pa.string()),  # what the sources are informative about, in words
        ("layer", pa.int64()),  # depth, 0 = before fusion; -1 = not a layer (answer view)
        ("layer_name", pa.string()),
        ("estimator", pa.string()),
        ("quantity", pa.string()),  # see QUANTITIES
        ("modality", pa.string()),  # null where the quantity belongs to no single modality
        ("value", pa.float64()),  # NaN = undetermined
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("p_value", pa.float64()),
        ("q_value", pa.float64()),  # of p_value, over the layers: see q_values
        ("unit", pa.string()),  # bit | nat | 1 (a ratio)
        ("n", pa.int64()),
        ("gap", pa.float64()),  # proven bound on the solver's error, in `unit` of the atoms
    ]
)

QUANTITIES: Final = {
    "redundancy": "information that both modalities carry",
    "unique": "information that only this modality carries",
    "synergy": "information that appears only when both are read together",
    "information": "information that both together carry about the target",
    "marginal_information": "information that this modality carries by itself",
    "union_information": "information that the modalities' marginals guarantee",
    "contribution": "this modality's part of the unique information; NaN where undetermined",
    "imbalance": "difference of the two contributions, 0 to 1; NaN where undetermined",
    "share": "Shapley share of the information",
    "redundancy_fraction": "part of the information that is redundant",
    "unique_fraction": "part of the information that is unique to this modality",
    "synergy_fraction": "part of the information that is synergistic",
    "information_ceiling": "the model's own information about its answer: no probe can read more",
    "recovered": "fraction of the ceiling that the probes read",
    "state_loss": "information lost by merging alike states before coupling them",
    "calibration_difference": "most by which the information that held-out rows have differs from "
    "what a modality's posteriors claim",
    "matching_distance": "how far calibration moved a modality's posteriors: mean total variation",
    "plug_in_information": "information as counted in the codes' table, its bias left in",
    "noise_information": "information that the table would show of a target that is noise",
    "code_sensitivity": "largest change of an atom's part of the information with half or double "
    "the codes of the fused state",
    "information_half_codes": "information about half as many codes",
    "information_double_codes": "information about twice as many codes",
    "repeated_rows": "rows whose whole example stands in an earlier row; kept in one fold with it",
    "copied_columns": "1 where all columns of one modality are copies of the other's, up to order "
    "and units: redundant by construction",
    "constant_source": "1 where this modality's embedding is the same in every row: it tells "
    "nothing by construction",
    "accuracy": "fraction of examples that the model answers correctly",
    "chance": "accuracy of always giving the commonest answer",
}


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows of a profile as a table; null, which JSON has for NaN, is NaN again."""
    numbers = [field.name for field in SCHEMA if pa.types.is_floating(field.type)]
    return pd.DataFrame(rows, columns=SCHEMA.names).astype(dict.fromkeys(numbers, float))


@dataclass(frozen=True)
class Profile:
    """Atoms, contributions and their uncertainty for every layer of a study.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per quantity, columns as in `SCHEMA`; information in the column ``unit``.
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
        # What draws is below this room, in look: a report is only one of the places that show it.
        from modalprism.plotting.figures import figure_of

        return figure_of(self, figure)

    def _repr_html_(self) -> str:
        """Return the tables for a notebook."""
        return profile_html(self)

    def write(self, folder: Path) -> None:
        """Write the table and the manifest into `folder`; each file appears whole or not at all."""
        table = pa.Table.from_pandas(self.frame, schema=SCHEMA, preserve_index=False)
        write_whole(folder / PROFILE_FILE, parquet_bytes(table))
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
        if not table.schema.equals(SCHEMA):
            raise InputError(
                f"{folder / PROFILE_FILE} lacks columns of a profile; run its study again"
            )
        return cls(table.to_pandas(), manifest)
