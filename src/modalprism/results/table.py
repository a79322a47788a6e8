"""The tidy table of results: one estimate a row, found by what it measures.

`Table` is what a profile and an analysis have in common. Figures, tables and sentences ask it for
the estimate of a quantity, of a model on a dataset, at a depth. It needs neither pandas nor pyarrow
until a file or a data frame is wanted, so that processes that draw start fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from modalprism.results.estimate import Estimate
from modalprism.results.notation import counts, shortened
from modalprism.results.quantities import ATOMS, QuantityKey, keys

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS: Final = {
    "model": "string",
    "dataset": "string",
    "view": "string",  # answer | stream | encoding
    "pairs": "string",  # observed | redrawn
    "target": "string",  # what the sources are informative about, in words
    "layer": "int64",  # depth, 0 = before fusion; -1 = not a layer (answer view)
    "layer_name": "string",
    "estimator": "string",
    "quantity": "string",  # see `modalprism.results.quantities`
    "modality": "string",  # null where the quantity belongs to no single modality
    "value": "float64",  # NaN = undetermined
    "low": "float64",
    "high": "float64",
    "p_value": "float64",
    "q_value": "float64",  # of p_value, over layers: see `studies.profile.with_q_values`
    "unit": "string",  # bit | nat | 1 (a ratio)
    "n": "int64",
    "gap": "float64",  # proven bound on the solver's error, in `unit` of the atoms
}
"""Columns of a profile, and their types. An analysis has those that are its own."""
VIEW_TITLES: Final = {
    "answer": "Answer view: what the decision takes from each modality",
    "stream": "Stream view: what the two streams hold at each depth",
    "encoding": "Encoding view: what the fused state keeps of each modality",
}
PAIRS_ORDER: Final = ("observed", "redrawn")
_Z95: Final = 1.959964


class Case(NamedTuple):
    """A model on a dataset, with one kind of pairs."""

    model: str
    dataset: str
    pairs: str

    @property
    def place(self) -> tuple[str, str]:
        """Model and dataset."""
        return self.model, self.dataset

    @property
    def name(self) -> str:
        """The case in words: ``late on match``."""
        return f"{self.model} on {self.dataset}"


@dataclass(frozen=True)
class Skill:
    """Accuracy of a model on a dataset, and that of always giving the commonest answer."""

    accuracy: Estimate
    chance: Estimate

    @property
    def above_chance(self) -> bool:
        """Whether the lower end of the accuracy's interval is above chance.

        An accuracy without an interval gets Wilson's, from its number of examples.
        """
        low = self.accuracy.low if self.accuracy.bounded else _wilson_low(self.accuracy)
        return low > self.chance.value


@dataclass(frozen=True, eq=False)
class Table:
    """Estimates in tidy rows.

    Attributes
    ----------
    columns : dict of str to list
        Columns of `COLUMNS`, in their order; all of the same length.
    modalities : (str, str)
        In the order of the study.
    manifest : dict
        What the run recorded, such as its seed; empty for an analysis.
    """

    columns: dict[str, list[Any]]
    modalities: tuple[str, str]
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, Any]], modalities: tuple[str, str]) -> Table:
        """Return the table of some rows, each with the same columns."""
        rows = list(rows)
        names = [name for name in COLUMNS if not rows or name in rows[0]]
        return cls({name: [row[name] for row in rows] for name in names}, modalities)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows, each by column."""
        cells = zip(*self.columns.values(), strict=True)
        return [dict(zip(self.columns, row, strict=True)) for row in cells]

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a data frame; what is missing among numbers is NaN."""
        import pandas as pd

        numbers = [name for name in self.columns if COLUMNS[name] == "float64"]
        return pd.DataFrame(self.columns).astype(dict.fromkeys(numbers, float))

    def to_parquet(self) -> bytes:
        """Return the rows as a parquet file."""
        import pyarrow as pa

        from modalprism.tables import parquet_bytes

        return parquet_bytes(
            pa.Table.from_pandas(self.to_frame(), schema(self.columns), preserve_index=False)
        )

    @property
    def seed(self) -> object:
        """The seed of the study; None if unknown."""
        return self.manifest.get("seed")

    def size_and_seed(self, view: str | None = None) -> list[str]:
        """Return the number of examples, or their range, and the seed if known, as text."""
        return [counts(*self.sizes(view)), *([] if self.seed is None else [f"seed {self.seed}"])]

    @property
    def shown(self) -> tuple[str, str]:
        """The modalities as figures write them."""
        first, second = self.modalities
        return shortened(first), shortened(second)

    def cases(self, view: str) -> list[Case]:
        """Return the decomposed cases: by model, dataset, and observed before redrawn."""
        models, datasets = self.models(view), self.datasets(view)
        return sorted(
            self._cases(view),
            key=lambda c: (models.index(c.model), datasets.index(c.dataset), _rank(c.pairs)),
        )

    def models(self, view: str) -> list[str]:
        """Return the models of a view."""
        return list(dict.fromkeys(case.model for case in self._cases(view)))

    def datasets(self, view: str) -> list[str]:
        """Return the datasets of a view."""
        return list(dict.fromkeys(case.dataset for case in self._cases(view)))

    def pairs(self, view: str) -> list[str]:
        """Return the kinds of pairs of a view, observed before redrawn."""
        return sorted(dict.fromkeys(case.pairs for case in self._cases(view)), key=_rank)

    def target(self, view: str) -> str:
        """Return what the sources of a view are informative about, in words."""
        names = dict.fromkeys(self._text("target", row) for row in self._decomposed(view))
        return " / ".join(name for name in names if name) or "the target"

    def layers(self, case: Case, view: str) -> list[int]:
        """Return the depths at which a case was decomposed, in rising order."""
        return sorted(layer for (c, v, layer) in self._depths if c == case and v == view)

    def layer_name(self, case: Case, view: str, layer: int) -> str:
        """Return the name of a depth."""
        row = self._depths.get((case, view, layer))
        return ("" if row is None else self._text("layer_name", row)) or f"depth {layer}"

    def get(
        self, case: Case, view: str, quantity: str, modality: str = "", layer: int | None = None
    ) -> Estimate | None:
        """Return an estimate, or None where there is none; `layer` defaults to the only one."""
        if layer is None:
            layers = self.layers(case, view)
            layer = layers[0] if layers else -1
        row = self._rows.get((case, view, layer, quantity, modality))
        return None if row is None else self._estimate(row)

    def atoms(self, case: Case, view: str, layer: int | None = None) -> list[Estimate | None]:
        """Return R, U of the first modality, U of the second, S: always in this order."""
        return [self.get(case, view, *key, layer) for key in keys(ATOMS, self.modalities)]

    def courses(self, case: Case, view: str) -> list[tuple[Estimate | None, ...]]:
        """Return each of the atoms over the depths of a case."""
        layers = self.layers(case, view)
        return list(zip(*(self.atoms(case, view, layer) for layer in layers), strict=True))

    def copied(self, case: Case, view: str) -> bool:
        """Whether all columns of one modality are copies of the other's, at any depth."""
        found = (self.get(case, view, "copied_columns", "", k) for k in self.layers(case, view))
        return any(one is not None and one.value > 0 for one in found)

    def at(self, case: Case, view: str, layer: int) -> dict[QuantityKey, Estimate]:
        """Return all estimates of one analysis."""
        place = (case, view, layer)
        return {key[3:]: self._estimate(row) for key, row in self._rows.items() if key[:3] == place}

    def skill(self, case: Case) -> Skill | None:
        """Return accuracy and chance of a case's model and dataset, if the study measured them."""
        found = self._skills.get(case.place, {})
        return Skill(found["accuracy"], found["chance"]) if len(found) == 2 else None

    def unit(self, view: str | None = None) -> str:
        """Return the unit of the atoms."""
        return next((self._text("unit", row) for row in self._decomposed(view)), "bit")

    def sizes(self, view: str | None = None) -> tuple[int, int]:
        """Return the smallest and the largest number of examples behind an atom."""
        counts = [int(self.columns["n"][row]) for row in self._decomposed(view)]
        return (min(counts), max(counts)) if counts else (0, 0)

    @cached_property
    def _rows(self) -> dict[tuple[Case, str, int, str, str], int]:
        """Return the first row of each case, view, layer, quantity and modality."""
        found: dict[tuple[Case, str, int, str, str], int] = {}
        names = ("model", "dataset", "pairs", "view", "layer", "quantity", "modality")
        for row, (*case, view, layer, quantity, modality) in enumerate(
            zip(*(self.columns[name] for name in names), strict=True)
        ):
            place = (Case(*map(_word, case)), _word(view), int(layer))
            found.setdefault((*place, _word(quantity), _word(modality)), row)
        return found

    @cached_property
    def _depths(self) -> dict[tuple[Case, str, int], int]:
        """Return a row of each case, view and layer that was decomposed."""
        return {key[:3]: row for key, row in self._rows.items() if key[3] == ATOMS[0]}

    @cached_property
    def _skills(self) -> dict[tuple[str, str], dict[str, Estimate]]:
        found: dict[tuple[str, str], dict[str, Estimate]] = {}
        for (case, _, _, quantity, _), row in self._rows.items():
            if quantity in ("accuracy", "chance") and (estimate := self._estimate(row)).determined:
                found.setdefault(case.place, {}).setdefault(quantity, estimate)
        return found

    def _decomposed(self, view: str | None) -> list[int]:
        return [row for (_, v, _), row in self._depths.items() if view in (None, v)]

    def _cases(self, view: str) -> list[Case]:
        return list(dict.fromkeys(case for case, v, _ in self._depths if v == view))

    def _text(self, column: str, row: int) -> str:
        return _word(self.columns[column][row])

    def _estimate(self, row: int) -> Estimate:
        value, low, high, p_value, q_value, unit, n, gap = (
            self.columns[name][row]
            for name in ("value", "low", "high", "p_value", "q_value", "unit", "n", "gap")
        )
        corrected = q_value if math.isfinite(q_value) else p_value
        return Estimate(value, low, high, corrected, _word(unit), int(n), gap)


def schema(names: Sequence[str] | Mapping[str, Any] = tuple(COLUMNS)) -> pa.Schema:
    """Return the types of some columns on disk."""
    import pyarrow as pa

    types = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
    return pa.schema([(name, types[COLUMNS[name]]) for name in names])


def _word(cell: object) -> str:
    """Return a cell's text; empty where the cell is null, which pandas writes as nan or None."""
    return cell if isinstance(cell, str) else ""


def _rank(pairs: str) -> tuple[int, str]:
    return (PAIRS_ORDER.index(pairs) if pairs in PAIRS_ORDER else len(PAIRS_ORDER), pairs)


def _wilson_low(accuracy: Estimate) -> float:
    n, p = accuracy.n, accuracy.value
    if n <= 0:
        return p
    z2 = _Z95**2
    spread = _Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (p + z2 / (2 * n) - spread) / (1 + z2 / n)
