"""The list of quantities: names, symbols, units and meanings of all that an analysis estimates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

QuantityKey = tuple[str, str]
"""A quantity's name, and its modality: empty where the quantity belongs to no single modality."""


@dataclass(frozen=True)
class Quantity:
    """One quantity: its name in tables, files and attributes, and its properties."""

    name: str
    text: str  # what it is, in words
    symbol: str = ""  # in formulas; empty where there is none
    per_modality: bool = False  # whether each modality has its own
    ratio: bool = False  # a number without a unit; others have the unit of the information
    short: bool = False  # whether short tables show it

    def unit(self, information: str) -> str:
        """Return its unit, given that of the information; ``1`` for a number without a unit."""
        return "1" if self.ratio else information


QUANTITIES: Final = (
    Quantity("redundancy", "information that both modalities carry", "R", short=True),
    Quantity("unique", "information that only this modality carries", "U", True, short=True),
    Quantity("synergy", "information that appears only when both are read", "S", short=True),
    Quantity("information", "information that both together carry", "I", short=True),
    Quantity("marginal_information", "information that this modality carries by itself", "I", True),
    Quantity("union_information", "information that the modalities' marginals guarantee", "I∪"),
    Quantity("contribution", "part of the unique information", "C", True, ratio=True, short=True),
    Quantity("imbalance", "difference of the contributions, 0 to 1", ratio=True, short=True),
    Quantity("share", "Shapley share of the information", "", True, ratio=True),
    Quantity("redundancy_fraction", "redundant part of the information", "R/I", ratio=True),
    Quantity("unique_fraction", "unique part of the information", "U/I", True, ratio=True),
    Quantity("synergy_fraction", "synergistic part of the information", "S/I", ratio=True),
)
"""The quantities of every analysis, in the order of its table."""

_ratio = partial(Quantity, ratio=True)

DIAGNOSTICS: Final = (
    Quantity("information_ceiling", "the model's own information about its answer, the most that "
             "probes can read"),
    _ratio("recovered", "fraction of the ceiling that the probes read"),
    Quantity("state_loss", "information lost by merging alike states before coupling them"),
    Quantity("calibration_difference", "largest difference between the information of held-out "
             "rows and that implied by a modality's posteriors"),
    _ratio("matching_distance", "mean total variation between a modality's posteriors before and "
           "after calibration"),
    Quantity("plug_in_information", "plug-in estimate of the information from the table of "
             "codes, with its bias"),
    Quantity("noise_information", "information that the same plug-in estimate finds for a "
             "target of pure noise"),
    _ratio("code_sensitivity", "largest change of a fraction with half or double the codes of the "
           "fused state"),
    Quantity("information_half_codes", "information about half as many codes"),
    Quantity("information_double_codes", "information about twice as many codes"),
    Quantity("solver_gap", "proven bound on the solver's error, if rows were streamed"),
    Quantity("union_lower", "proven lower bound on the union information of all rows"),
    Quantity("union_upper", "proven upper bound on the union information of all rows"),
    _ratio("learnt_rows", "number of rows that the probes were fitted on, if rows were streamed"),
    _ratio("tested_rows", "number of rows behind the p-values"),
    _ratio("repeated_rows", "number of rows that repeat an earlier example and share its fold"),
    _ratio("copied_columns", "1 if all columns of one modality are copies of the other's, up to "
           "order and units: redundant by construction"),
    _ratio("constant_source", "1 if this modality's embedding is the same in every row: no "
           "information by construction", per_modality=True),
    _ratio("dependent_rows", "1 if rows repeat, nearly repeat or continue each other in this "
           "modality, and no group ties them", per_modality=True),
    _ratio("accuracy", "fraction of examples that the model answers correctly"),
    _ratio("chance", "accuracy of a model that always gives the commonest answer"),
)  # fmt: skip
"""The quantities of an analysis to which they apply."""

BY_NAME: Final = {quantity.name: quantity for quantity in (*QUANTITIES, *DIAGNOSTICS)}
ATOMS: Final = ("redundancy", "unique", "synergy")
AMOUNTS: Final = tuple(quantity.name for quantity in QUANTITIES if not quantity.ratio)
"""The atoms, and the informations that they are made of: all in the unit of the information."""


def keys(names: Iterable[str], modalities: Sequence[str]) -> list[QuantityKey]:
    """Return the key of every quantity, one a modality where each modality has its own.

    Examples
    --------
    >>> keys(ATOMS, ("image", "text"))
    [('redundancy', ''), ('unique', 'image'), ('unique', 'text'), ('synergy', '')]
    """
    return [
        (name, modality)
        for name in names
        for modality in (modalities if BY_NAME[name].per_modality else ("",))
    ]


def unit_of(name: str, information: str) -> str:
    """Return a quantity's unit; what is not in the list is an information."""
    return BY_NAME[name].unit(information) if name in BY_NAME else information


def title(key: QuantityKey) -> str:
    """Name a quantity for people.

    Examples
    --------
    >>> title(("unique", "image")), title(("union_information", ""))
    ('unique image', 'union information')
    """
    return f"{key[0].replace('_', ' ')} {key[1]}".rstrip()


def row_title(name: str, modality: str | None) -> str:
    """Name a row of a table.

    Examples
    --------
    >>> row_title("unique", "image"), row_title("union_information", None)
    ('unique (image)', 'union information')
    """
    return name.replace("_", " ") + (f" ({modality})" if modality else "")
