"""The list of quantities: the documentation, decompositions and analyses agree with it."""

import re
from pathlib import Path

from modalprism import pid
from modalprism.estimation.atoms import ATOMS
from modalprism.results.quantities import BY_NAME, DIAGNOSTICS, QUANTITIES, unit_of

DOCS = Path(__file__).parents[2] / "docs" / "studies.md"


def test_the_documentation_has_the_same_list():
    lines = re.findall(
        r"(?m)^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", DOCS.read_text("utf-8")
    )
    assert lines == [
        (q.name, q.symbol, "yes" if q.per_modality else "", q.unit("information"), q.text)
        for q in (*QUANTITIES, *DIAGNOSTICS)
    ]


def test_a_decomposition_has_quantities_of_the_list_with_their_units():
    d = pid.decompose([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    for name, source, *_, unit in d.frame_rows(("image", "text")):
        assert BY_NAME[name].per_modality == (source is not None)
        assert BY_NAME[name].unit("bit") == (unit or "1")


def test_every_name_is_once_in_the_list():
    assert len(BY_NAME) == len(QUANTITIES) + len(DIAGNOSTICS)
    assert unit_of("anything_else", "nat") == "nat"
    assert ATOMS == (
        "redundancy", "unique_1", "unique_2", "synergy", "information",
        "marginal_information_1", "marginal_information_2", "union_information",
    )  # fmt: skip
