"""Sentences over all cases: true of each case they name, and silent where intervals are."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest

from modalprism.reports import headlines, summary_sentences
from modalprism.reports.groups import groups, where
from modalprism.results.table import COLUMNS
from modalprism.studies.profile import Profile

IMAGE, TEXT = (0.1, 2.0, 0.1, 0.1), (0.1, 0.1, 2.0, 0.1)  # R, U image, U text, S
BOTH, SAME, NOTHING = (0.1, 0.0, 0.0, 1.0), (2.0, 0.5, 0.1, 0.1), (0.0, 0.01, 0.0, 0.0)
UNTOLD = (0.50, 0.02, 0.52, 0.1)
LEANS_IMAGE = "The answer leans on the image (unique image is the largest atom): "
LEANS_TEXT = "The answer leans on the text (unique text is the largest atom): "
NEEDS_BOTH = "The answer needs both image and text (synergy is the largest atom): "
TELL_SAME = "The image and the text tell the same (redundancy is the largest atom): "


def decomposition(atoms, modalities=("image", "text"), half=0.05, **where):
    """Rows of one decomposition, with intervals of the same width."""
    total, unique = sum(atoms), atoms[1] + atoms[2]
    owners = (None, *modalities, None)
    names = ("redundancy", "unique", "unique", "synergy")
    found = [(name, owner, a, half) for name, owner, a in zip(names, owners, atoms, strict=True)]
    found += [(f"{name}_fraction", owner, a / total if total else math.nan, half / (total or 1))
              for name, owner, a, _ in found]  # fmt: skip
    for modality, amount in zip(modalities, atoms[1:3], strict=True):
        told = unique > 2 * half
        found.append(("contribution", modality, amount / unique if told else math.nan,
                      half / unique if told else math.nan))  # fmt: skip
    place = {
        "model": "m",
        "dataset": "d",
        "view": "answer",
        "layer": -1,
        "pairs": "redrawn",
    } | where
    return [
        {**place, "quantity": quantity, "modality": owner, "value": value, "low": value - around,
         "high": value + around, "unit": "bit", "n": 2000, "target": "answer"}
        for quantity, owner, value, around in found
    ]  # fmt: skip


def accuracy(value, chance=0.5, half=0.02, **where):
    place = {
        "model": "m",
        "dataset": "d",
        "view": "answer",
        "layer": -1,
        "pairs": "redrawn",
    } | where
    row = {**place, "unit": "1", "n": 2000}
    return [
        {**row, "quantity": "accuracy", "value": value, "low": value - half, "high": value + half},
        {**row, "quantity": "chance", "value": chance},
    ]


def said(rows, modalities=("image", "text")):
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return headlines(Profile(frame, {"modalities": list(modalities)}).table)


def of(table, **more):
    """Headlines of atoms by model and dataset."""
    return said(
        [
            row
            for model, found in table.items()
            for dataset, atoms in found.items()
            for row in decomposition(atoms, model=model, dataset=dataset, **more)
        ]
    )


def stream(redundancy, unique, **where):
    return [
        row
        for layer, (r, u) in enumerate(zip(redundancy, unique, strict=True))
        for row in decomposition((r, u, 0.1, 0.1), **{"view": "stream", "layer": layer, **where})
    ]


def test_where_models_agree_every_model_is_said():
    lines = of({m: {"pictured": IMAGE, "named": TEXT, "match": BOTH} for m in "abc"})
    contributed = "with 95 % [93, 98] of the unique information (redrawn pairs)."
    assert lines == [
        f"{LEANS_IMAGE}on pictured in every model, {contributed}",
        f"{LEANS_TEXT}on named in every model, {contributed}",
        f"{NEEDS_BOTH}on match in every model, 91 % [86, 95] of the information, "
        "the contribution undetermined (redrawn pairs).",
    ]


def test_where_models_disagree_they_are_named_and_so_are_those_of_which_it_is_false():
    text, both = of({"a": {"kind": TEXT}, "b": {"kind": TEXT}, "c": {"kind": BOTH}})
    assert text.startswith(f"{LEANS_TEXT}on kind in a and b (not in c), with 95 %")
    assert both.startswith(f"{NEEDS_BOTH}on kind in c (not in a and b), 91 %")


def test_what_is_not_told_of_a_model_is_not_denied_of_it():
    text, untold, _ = of({"a": {"kind": TEXT}, "b": {"kind": UNTOLD}})
    assert text.startswith(f"{LEANS_TEXT}on kind in a, with")
    assert untold.startswith("No atom can be told to be the largest: on kind in b, the text")


def test_datasets_on_which_the_same_is_said_are_put_together():
    (line, _) = of({m: {"x": TEXT, "y": TEXT} for m in "ab"})
    assert line.startswith(f"{LEANS_TEXT}on every dataset in every model, with")
    (line, _) = of({"one": dict.fromkeys("xyz", TEXT)})
    assert line.startswith(f"{LEANS_TEXT}on every dataset in one, with")


def test_numbers_of_a_group_span_the_intervals_of_all():
    (line, *_) = of({"a": {"x": (0.1, 0.0, 0.0, 1.0)}, "b": {"x": (0.3, 0.0, 0.0, 1.0)}})
    assert "on x in every model, 77 to 91 % [73, 95] of the information" in line


def test_one_case_alone_is_named():
    assert of({"m": {"d": SAME}}) == [
        f"{TELL_SAME}on d in m, 74 % [72, 76] of the information, the image contributing "
        "83 % [75, 92] of the unique information (redrawn pairs).",
        "Synergy is not the largest atom: on d in m, 4 % [2, 6] of the information "
        "(redrawn pairs).",
    ]


@pytest.mark.parametrize("kept", [None, "contribution", "fraction"])
def test_numbers_that_were_not_measured_leave_no_hole(kept):
    rows = decomposition(IMAGE)
    if kept != "contribution":
        rows = [row for row in rows if row["quantity"] != "contribution"]
    if kept != "fraction":
        rows = [row for row in rows if not row["quantity"].endswith("fraction")]
    line, _ = said(rows)
    number = {
        None: "2.00 bit [1.95, 2.05]",
        "contribution": "95 % [93, 98] of the unique information",
        "fraction": "87 % [85, 89] of the information",
    }[kept]
    assert line == f"{LEANS_IMAGE}on d in m, with {number} (redrawn pairs)."


def test_more_than_all_is_called_no_part():
    (line,) = of({"m": {"d": (-0.2, 0.0, 0.0, 1.0)}})
    assert line.startswith(f"{NEEDS_BOTH}on d in m, 1.00 bit [0.95, 1.05], the contribution")


def test_nothing_is_claimed_where_intervals_overlap_or_hold_zero():
    assert of({"m": {"d": (0.5, 0.3, 0.32, 0.1)}}, half=0.25) == [
        "No atom can be told to be the largest: on d in m, neither modality contributing more "
        "within the interval (redrawn pairs)."
    ]
    (line,) = of({"m": {"d": UNTOLD}}, half=0.22)
    assert line.endswith("on d in m, the text contributing 96 % [56, 137] of the unique "
                         "information (redrawn pairs).")  # fmt: skip
    assert of({"m": {"d": NOTHING}}) == [
        "No atom is above zero within its interval: on d in m (redrawn pairs)."
    ]


def test_without_intervals_nothing_is_compared():
    rows = [{**row, "low": math.nan, "high": math.nan} for row in decomposition(TEXT)]
    assert said(rows) == ["Without intervals nothing can be compared: on d in m (redrawn pairs)."]
    rows = stream([0.1, 2.0], [2.0, 0.1])
    rows = [{**row, "low": math.nan, "high": math.nan} for row in rows]
    assert said(rows) == ["Depths without intervals cannot be compared: on d in m."]


def test_what_was_not_learnt_is_said_first_and_counts_nowhere_else():
    fuses = {"redundancy": [0.1, 2.0], "unique": [2.0, 0.1]}
    rows = []
    for model, right in (("a", 0.9), ("b", 0.9), ("late", 0.51)):
        rows += decomposition(BOTH, model=model) + accuracy(right, model=model)
        rows += stream(**fuses, model=model, pairs="observed")
    lost, both, fused = said(rows)
    assert lost == (
        "Accuracy is not above chance: on d in late. "
        "Nothing shows that this was learnt, so it is left out of what follows."
    )
    assert both.startswith(f"{NEEDS_BOTH}on d in a and b, 91 %")
    assert fused.endswith("on d in a and b, in layer 1.")
    only = decomposition(BOTH) + accuracy(0.51)
    assert said(only) == [
        "Accuracy is not above chance: on d in m. Nothing shows that this was learnt."
    ]


def test_redrawn_pairs_speak_and_observed_ones_only_where_they_say_otherwise():
    rows = []
    for model in "ab":
        rows += decomposition(TEXT, model=model, dataset="named", pairs="observed")
        rows += decomposition(SAME, model=model, dataset="kind", pairs="observed")
        rows += decomposition(TEXT, model=model, dataset="named")
        rows += decomposition(TEXT, model=model, dataset="kind")
    text, _, other = said(rows)
    assert text.startswith(f"{LEANS_TEXT}on every dataset in every model, ")
    assert text.endswith("(redrawn pairs).")
    assert other == (
        "With observed pairs (the examples as they are) the largest atom is another: "
        "redundancy on kind in every model."
    )


def test_where_pairs_differ_each_phrase_names_its_own():
    rows = decomposition(TEXT, dataset="x", pairs="observed")
    rows += decomposition(TEXT, dataset="y", pairs="redrawn")
    line, _ = said(rows)
    assert "on x in m (observed pairs), with" in line
    assert "on y in m (redrawn pairs), with" in line
    assert all("pairs" not in line for line in of({"m": {"d": TEXT}}, pairs=None))


def test_streams_fuse_within_the_layers_of_all_datasets():
    rows = []
    for dataset, redundancy in (("x", [0.1, 1.2, 1.2, 1.2]), ("y", [0.1, 0.1, 0.6, 1.2])):
        for model in ("concat", "cross"):
            rows += stream(redundancy, [1.2, 0.8, 0.4, 0.1], model=model, dataset=dataset)
        rows += stream([0.1] * 4, [1.2] * 4, model="late", dataset=dataset)
    assert said(rows) == [
        "The streams fuse (redundancy rises as another atom falls): on every dataset in concat "
        "and cross, within layers 1–3; no exchange is seen on any dataset in late."
    ]
    alone = [row for row in rows if row["model"] == "late"]
    assert said(alone) == ["No exchange between the streams is seen: on any dataset in late."]
    assert said([row for row in rows if row["layer"] == 0]) == []


def test_swapping_the_modalities_swaps_their_names_and_nothing_else():
    table = {
        "a": {"x": IMAGE, "y": BOTH},
        "b": {"x": TEXT, "y": SAME},
        "c": {"x": IMAGE, "y": SAME},
    }
    rows = [
        row
        for model, found in table.items()
        for dataset, atoms in found.items()
        for row in decomposition(atoms, model=model, dataset=dataset)
    ]
    names = {"image": "audio", "text": "video"}
    renamed = [{**row, "modality": names.get(row["modality"])} for row in rows]
    expected = [re.sub("image|text", lambda m: names[m.group()], line) for line in said(rows)]
    assert said(renamed, ("audio", "video")) == expected
    # The other order of the same modalities: each keeps what is said of it.
    swapped = said(rows, ("text", "image"))
    claims = {line for line in said(rows) if line.startswith("The answer leans")}
    assert claims == {line for line in swapped if line.startswith("The answer leans")}


def test_every_case_is_spoken_of_once_whatever_its_atoms():
    kinds = (IMAGE, TEXT, BOTH, SAME, NOTHING, UNTOLD)
    for chosen in itertools.islice(itertools.product(kinds, repeat=4), 0, None, 17):
        places = itertools.product("ab", "xy")
        table = {"a": {}, "b": {}}
        for (model, dataset), atoms in zip(places, chosen, strict=True):
            table[model][dataset] = atoms
        lines = [line for line in of(table) if not line.startswith("Synergy is not")]
        assert len(lines) == len(set(chosen))
        text = " ".join(lines)
        assert "nan" not in text
        for kind in set(chosen) & {IMAGE, TEXT, BOTH, SAME}:
            claim = {IMAGE: LEANS_IMAGE, TEXT: LEANS_TEXT, BOTH: NEEDS_BOTH, SAME: TELL_SAME}[kind]
            true_of = [p for p, k in zip(itertools.product("ab", "xy"), chosen, strict=True)
                       if k == kind]  # fmt: skip
            (line,) = [line for line in lines if line.startswith(claim)]
            assert ("every dataset in every model" in line) == (len(true_of) == 4)


def test_many_cases_stay_few_sentences():
    kinds = np.random.default_rng(0).integers(4, size=(11, 9))
    atoms = (IMAGE, TEXT, BOTH, SAME)
    lines = of({f"m{i}": {f"d{j}": atoms[k] for j, k in enumerate(row)}
                for i, row in enumerate(kinds)})  # fmt: skip
    assert len(lines) == 4
    assert all(len(line) < 700 for line in lines)
    assert re.search(r"; and in \d+ more cases \(redrawn pairs\)\.$", lines[0])
    assert all("not in" not in line for line in lines)


def test_groups_take_the_way_that_needs_fewer():
    marks = dict.fromkeys([("a", "x"), ("b", "y"), ("c", "x"), ("c", "y")])
    assert len(groups(marks)) == 2
    turned = dict.fromkeys([(dataset, model) for model, dataset in marks])
    assert len(groups(turned)) == 2
    found = groups({("a", "x"): 0, ("b", "x"): 0, ("a", "y"): 0, ("b", "z"): 1})
    assert sorted(place for group in found for place in group.places) == [
        ("a", "x"), ("a", "y"), ("b", "x"), ("b", "z")]  # fmt: skip
    everything = [("a", "x"), ("b", "x"), ("a", "y"), ("b", "z")]
    assert where(found[0], everything) == "on x in every model"


def test_the_words_of_a_run_begin_with_its_headlines(demo):
    lines = headlines(demo.table)
    everything = summary_sentences(demo.table)
    assert everything[: len(lines)] == lines
    assert len(everything) > len(lines)
    assert summary_sentences(demo.table, most=len(everything)) == everything
    assert summary_sentences(demo.table, most=len(lines)) == lines
    assert lines[0] == (
        "Accuracy is not above chance: on match in late. "
        "Nothing shows that this was learnt, so it is left out of what follows."
    )
    assert "on every dataset in concat" not in lines[-1]
    assert "on kind, pictured and named in cross_attention, within layers 1–4" in lines[-1]


def fault(quantity="copied_columns", **where):
    place = {"model": "m", "dataset": "d", "view": "answer", "layer": -1, "pairs": "redrawn"}
    return [{**place, **where, "quantity": quantity, "value": 1.0, "unit": "1", "n": 2000}]


COPIES = "The image and the text are copies of each other: "


@pytest.mark.parametrize("atoms", [IMAGE, BOTH, SAME, UNTOLD])
def test_of_copies_nothing_is_said_but_that_they_are_copies(atoms):
    (line,) = said(decomposition(atoms) + fault())
    assert line.startswith(f"{COPIES}on d in m (answer view). They have the same columns")


def test_streams_that_are_copies_at_some_depth_do_not_fuse():
    rows = stream([0.1, 1.0, 1.0], [1.0, 0.1, 0.1], pairs="observed")
    assert "The streams fuse" in said(rows)[0]
    (line,) = said(rows + fault(view="stream", layer=2, pairs="observed"))
    assert line.startswith(f"{COPIES}on d in m (stream view).")


def test_only_copies_are_left_out():
    rows = [row for m in "ab" for row in decomposition(SAME, model=m) + fault(model="b")]
    copies, same, *_ = said(rows)
    assert copies.startswith(f"{COPIES}on d in b (answer view)")
    assert same.startswith(f"{TELL_SAME}on d in a, ")


def test_observed_copies_leave_redrawn_pairs_their_word():
    rows = decomposition(IMAGE) + decomposition(SAME, pairs="observed") + fault(pairs="observed")
    copies, leans, *_ = said(rows)
    assert copies.startswith(f"{COPIES}on d in m (answer view of observed pairs)")
    assert leans.startswith(LEANS_IMAGE)
