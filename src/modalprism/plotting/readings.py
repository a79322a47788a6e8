"""A profile's rows as readings: one value with its interval, found by what it measures.

The tidy table is made for storing; figures, tables and sentences ask "what is the synergy of this
model on this dataset at this depth?". `Readings` answers that, in the order of the study.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from modalprism.plotting.notation import shortened
from modalprism.plotting.reading import Reading

if TYPE_CHECKING:
    import pandas as pd

ATOM_QUANTITIES: Final = ("redundancy", "unique", "unique", "synergy")
PAIRS_ORDER: Final = ("observed", "redrawn")
_COLUMNS: Final = (
    *("model", "dataset", "pairs", "view", "layer", "quantity", "modality"),
    *("layer_name", "target", "value", "low", "high", "p_value", "q_value", "unit", "n", "gap"),
)
_Z95: Final = 1.959964


class Measured(Protocol):
    """What is read here: a profile, or whatever else has a profile's table and modalities."""

    @property
    def frame(self) -> pd.DataFrame:
        """The tidy table."""

    @property
    def manifest(self) -> dict[str, Any]:
        """What the run recorded."""

    @property
    def modalities(self) -> tuple[str, str]:
        """The two modalities, in order."""


class Case(NamedTuple):
    """What one answer bar or one layer panel is about."""

    model: str
    dataset: str
    pairs: str

    @property
    def name(self) -> str:
        """The case in words: ``late on match``."""
        return f"{self.model} on {self.dataset}"


@dataclass(frozen=True)
class Skill:
    """How well a model answers a dataset, against always giving the commonest answer."""

    accuracy: Reading
    chance: Reading

    @property
    def above_chance(self) -> bool:
        """Whether the lower end of the accuracy's interval is above chance.

        An accuracy that comes without an interval gets Wilson's, from its number of examples.
        """
        low = self.accuracy.low if self.accuracy.bounded else _wilson_low(self.accuracy)
        return low > self.chance.value


class Readings:
    """The readings of a profile.

    Parameters
    ----------
    profile : Measured
        The profile; models, datasets and layers keep the order in which it lists them.
    """

    def __init__(self, profile: Measured) -> None:
        self.modalities = profile.modalities
        first, second = self.modalities
        self.shown = (shortened(first), shortened(second))
        """The modalities as figures write them."""
        self._readings: dict[tuple[Case, str, int, str, str], Reading] = {}
        self._names: dict[tuple[Case, str, int], str] = {}
        self._cases: dict[str, dict[Case, None]] = {}
        self._targets: dict[str, dict[str, None]] = {}
        # By column: a row at a time, a profile of many layers takes most of a report's time.
        columns = [profile.frame[name].tolist() for name in _COLUMNS]
        for model, dataset, pairs, view, depth, quantity, modality, name, target, *numbers in zip(
            *columns, strict=True
        ):
            case = Case(_text(model), _text(dataset), _text(pairs))
            view, layer = _text(view), int(depth)
            key = (case, view, layer, _text(quantity), _text(modality))
            self._readings.setdefault(key, _reading(*numbers))
            if key[3] == "redundancy":  # only what was decomposed has a bar or a panel
                self._names.setdefault((case, view, layer), _text(name))
                self._cases.setdefault(view, {})[case] = None
                self._targets.setdefault(view, {})[_text(target)] = None

    def cases(self, view: str) -> list[Case]:
        """Return the decomposed cases: by model, dataset, and observed before redrawn."""
        found = list(self._cases.get(view, ()))
        models, datasets = self.models(view), self.datasets(view)
        return sorted(
            found, key=lambda c: (models.index(c.model), datasets.index(c.dataset), _rank(c.pairs))
        )

    def models(self, view: str) -> list[str]:
        """Return the models of a view."""
        return list(dict.fromkeys(case.model for case in self._cases.get(view, ())))

    def datasets(self, view: str) -> list[str]:
        """Return the datasets of a view."""
        return list(dict.fromkeys(case.dataset for case in self._cases.get(view, ())))

    def pairs(self, view: str) -> list[str]:
        """Return the kinds of pairs of a view, observed before redrawn."""
        found = dict.fromkeys(case.pairs for case in self._cases.get(view, ()))
        return sorted(found, key=_rank)

    def target(self, view: str) -> str:
        """Say what the sources of a view are informative about, in words."""
        return " / ".join(name for name in self._targets.get(view, ()) if name) or "the target"

    def layers(self, case: Case, view: str) -> list[int]:
        """Return the depths at which a case was decomposed, in rising order."""
        return sorted(layer for (c, v, layer) in self._names if c == case and v == view)

    def layer_name(self, case: Case, view: str, layer: int) -> str:
        """Return the name of a depth."""
        return self._names.get((case, view, layer), "") or f"depth {layer}"

    def get(
        self, case: Case, view: str, quantity: str, modality: str = "", layer: int | None = None
    ) -> Reading | None:
        """One reading, or None where the study has none; `layer` defaults to the only one."""
        if layer is None:
            layers = self.layers(case, view)
            layer = layers[0] if layers else -1
        return self._readings.get((case, view, layer, quantity, modality))

    def atoms(self, case: Case, view: str, layer: int | None = None) -> list[Reading | None]:
        """R, U of the first modality, U of the second, S: always in this order."""
        owners = ("", *self.modalities, "")
        return [
            self.get(case, view, quantity, modality, layer)
            for quantity, modality in zip(ATOM_QUANTITIES, owners, strict=True)
        ]

    def copied(self, case: Case, view: str) -> bool:
        """Whether all columns of one modality are copies of the other's, at any depth."""
        found = (self.get(case, view, "copied_columns", "", k) for k in self.layers(case, view))
        return any(one is not None and one.value > 0 for one in found)

    def skill(self, model: str, dataset: str) -> Skill | None:
        """Accuracy and chance of a model on a dataset, if the study measured them."""
        found: dict[str, Reading] = {}
        for (case, _, _, quantity, _), reading in self._readings.items():
            named = case.model == model and case.dataset == dataset
            if named and quantity in ("accuracy", "chance") and reading.determined:
                found.setdefault(quantity, reading)
        return Skill(found["accuracy"], found["chance"]) if len(found) == 2 else None

    def unit(self, view: str | None = None) -> str:
        """Return the unit of the atoms."""
        for (_, v, _, quantity, _), reading in self._readings.items():
            if quantity == "redundancy" and view in (None, v):
                return reading.unit
        return "bit"

    def sizes(self, view: str | None = None) -> tuple[int, int]:
        """Return the smallest and the largest number of examples behind an atom."""
        counts = [
            reading.n
            for (_, v, _, quantity, _), reading in self._readings.items()
            if quantity == "redundancy" and view in (None, v)
        ]
        return (min(counts), max(counts)) if counts else (0, 0)


def _reading(
    value: float, low: float, high: float, p_value: float, q_value: float, unit: object, n: int,
    gap: float,
) -> Reading:  # fmt: skip
    corrected = q_value if math.isfinite(q_value) else p_value
    return Reading(
        float(value), float(low), float(high), float(corrected), _text(unit), int(n), float(gap)
    )


def _text(cell: object) -> str:
    """Text of a cell; empty where the cell is null, which pandas writes as nan or None."""
    return cell if isinstance(cell, str) else ""


def _rank(pairs: str) -> tuple[int, str]:
    return (PAIRS_ORDER.index(pairs) if pairs in PAIRS_ORDER else len(PAIRS_ORDER), pairs)


def _wilson_low(accuracy: Reading) -> float:
    n, p = accuracy.n, accuracy.value
    if n <= 0:
        return p
    z2 = _Z95**2
    spread = _Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (p + z2 / (2 * n) - spread) / (1 + z2 / n)
