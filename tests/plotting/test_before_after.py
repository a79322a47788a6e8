"""Before and after: what is drawn, what is marked, and what is left out."""

import math

import matplotlib.text
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from modalprism.plotting.figures.before_after import before_after_figure, changes
from modalprism.plotting.figures.canvas import save
from modalprism.plotting.figures.difference import MOST_ROWS
from modalprism.plotting.style import atom_styles, drawing
from modalprism.results.quantities import ATOMS, keys
from modalprism.results.table import Table

MODALITIES = ("image", "text")
KEYS = [*keys(ATOMS, MODALITIES), ("contribution", "image")]


def compared(results, told=(), paired=True):
    """Compare every two runs as `studies.comparison.compare` does, but with q-values as told."""
    rows, names = [], list(results)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            for case in results[one].cases("answer"):
                ends = [
                    [results[run].get(case, "answer", *key) for run in (one, other)] for key in KEYS
                ]
                for key, (first, second) in zip(KEYS, ends, strict=True):
                    if None in (first, second) or not (first.determined and second.determined):
                        continue
                    moved = second.value - first.value
                    rows.append(
                        {
                            "run_1": one, "model_1": case.model, "dataset_1": case.dataset,
                            "run_2": other, "model_2": case.model, "dataset_2": case.dataset,
                            "view": "answer", "pairs": case.pairs, "quantity": key[0],
                            "modality": key[1], "difference": moved, "low": moved - 0.03,
                            "high": moved + 0.03, "q_value": 0.001 if key in told else 0.4,
                            "unit": first.unit, "n_1": first.n, "n_2": second.n, "paired": paired,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def make(make_profile):
    """Two runs or more; every run after the first takes more from the picture."""

    def runs(*names, more=0.5, **options):
        found = {}
        for step, name in enumerate(names):
            profile = make_profile(views=("answer",), **options)
            frame = profile.frame
            moved = (frame["quantity"] == "unique") & (frame["modality"] == "image")
            frame.loc[moved, ["value", "low", "high"]] += more * step
            found[name] = profile.table
        return found

    return runs


@pytest.fixture(scope="module")
def pair(make):
    """One model on two datasets, of which one determines no contribution."""
    return make("before", "after", models={"late": ""}, datasets=("kind", "match"))


def draw(results, *, pairs="observed", **options):
    frame = changes(compared(results, **options))
    with drawing():
        return before_after_figure(frame[frame["pairs"] == pairs], results)


def texts(artist):
    return [text.get_text() for text in artist.findobj(matplotlib.text.Text) if text.get_text()]


def markers(panel, face):
    """Return where a panel has markers with this face, one an end of a dumbbell."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in panel.get_lines()
        if line.get_marker() not in ("None", "<", ">")
        and to_rgba(line.get_markerfacecolor()) == to_rgba(face)
    ]


def test_every_atom_has_both_ends_hollow_before_and_filled_after(pair):
    figure = draw(pair)
    for panel, key, style in zip(figure.axes[:4], KEYS, atom_styles(MODALITIES), strict=False):
        before, after = markers(panel, "white"), markers(panel, style.colour)
        cases = [case for case in pair["before"].cases("answer") if case.pairs == "observed"]
        for run, ends in (("before", before), ("after", after)):
            values = [pair[run].get(case, "answer", *key).value for case in cases]
            assert [x for x, _ in ends] == values
        assert all(above < below for (_, above), (_, below) in zip(before, after, strict=True))


def test_both_intervals_are_whiskers_of_their_own(pair):
    panel = draw(pair).axes[1]
    for run in pair:
        for case in pair[run].cases("answer"):
            atom = pair[run].get(case, "answer", "unique", "image")
            if case.pairs == "observed":
                assert [atom.low, atom.high] in [list(line.get_xdata()) for line in panel.lines]


def test_only_what_is_told_apart_is_thick_and_has_its_number(pair):
    told = ("unique", "image")
    figure = draw(pair, told=[told])
    for panel, key, style in zip(figure.axes[:4], KEYS, atom_styles(MODALITIES), strict=False):
        lines = [line for line in panel.lines if line.get_color() == style.colour]
        widths = {line.get_linewidth() for line in lines if len(line.get_xdata()) == 2}
        assert widths == ({3.0} if key == told else {1.2})
        assert texts(panel).count("+0.50") == (2 if key == told else 0)


def test_a_contribution_that_nobody_knows_has_a_band_and_no_marker(pair):
    panel = draw(pair).axes[-1]
    bands = [one for one in panel.patches if isinstance(one, Rectangle) and one.get_hatch()]
    undetermined = [
        estimate
        for run in pair.values()
        for case in run.cases("answer")
        if case.pairs == "observed"
        and not (estimate := run.get(case, "answer", "contribution", "image")).determined
    ]
    assert len(undetermined) == 2  # of one dataset, before and after: one band for both
    assert len(bands) == texts(panel).count("undetermined") == 1
    assert len(markers(panel, "white")) == 1
    assert all(math.isfinite(x) for line in panel.lines for x in line.get_xdata())


def test_where_one_end_is_unknown_the_other_keeps_its_marker(make):
    results = make("before", "after", models={"concat": ""}, datasets=("kind",))
    before = results["before"]
    key = (before.cases("answer")[0], "answer", -1, "contribution", "image")
    before.columns["value"][before._rows[key]] = math.nan
    panel = draw(results).axes[-1]
    assert texts(panel).count("undetermined") == 1
    assert markers(panel, "white") == []
    assert sum(line.get_marker() == "s" for line in panel.lines) == 1
    assert not any(len(set(line.get_ydata())) == 2 for line in panel.lines)  # nothing to connect


def test_axes_have_units_and_words_say_what_it_is_about(pair):
    figure = draw(pair, told=[("synergy", "")])
    assert [panel.get_xlabel() for panel in figure.axes[:4]] == ["bit"] * 4
    assert figure.axes[-1].get_xlabel() == "U image / (U image + U text)"
    said = texts(figure)
    assert "late, before and after: information about the model's answer, observed pairs" in said
    for words in ("before: before", "after: after", "unique image", "contribution of image"):
        assert words in said
    assert {"kind", "match\n(not learnt before and after)"} <= set(said)
    facts = next(text for text in said if text.startswith("n = 2,000"))
    for words in ("seed 0", "the same examples", "95 % intervals", "q ≤ .05"):
        assert words in facts


def test_other_examples_and_other_seeds_are_said(pair):
    other = Table(pair["after"].columns, pair["after"].modalities, {"seed": 1})
    said = " ".join(texts(draw({"before": pair["before"], "after": other}, paired=False)))
    assert "other examples, compared as independent" in said
    assert "seed" not in said


def test_the_first_of_several_runs_is_before_and_every_other_after(make):
    results = make("a", "b", "c", models={"concat": "", "late": ""}, datasets=("kind",))
    frame = changes(compared(results))
    assert set(zip(frame["run_1"], frame["run_2"], strict=True)) == {("a", "b"), ("a", "c")}
    said = texts(draw(results))
    assert {"concat\non kind\n→ b", "late\non kind\n→ c"} <= set(said)
    assert {"before: a", "after"} <= set(said)


def test_before_is_the_first_run_that_holds_the_model(make):
    results = make("b", "c", models={"concat": "", "late": ""}, datasets=("kind",))
    results = make("a", models={"late": ""}, datasets=("kind",)) | results
    frame = compared(make("b", "c", models={"concat": ""}, datasets=("kind",)))
    whole = {name: results[name] for name in ("a", "b", "c")}
    of_late = compared({"a": results["a"], **make("b", "c", models={"late": ""})})
    frame = pd.concat([frame, of_late[of_late["dataset_1"] == "kind"]])
    with drawing():
        figure = before_after_figure(changes(frame).query("pairs == 'observed'"), whole)
    rows = ["late\non kind\na → b", "late\non kind\na → c", "concat\non kind\nb → c"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == rows


def test_a_small_difference_keeps_its_first_digit(make):
    results = make("before", "after", more=0.0004, models={"late": ""}, datasets=("kind",))
    assert "+0.0004" in texts(draw(results, told=[("unique", "image")]))


def test_nothing_changes_between_other_models_datasets_views_or_in_one_run(pair):
    frame = compared(pair)
    for column, other in (("model_2", "m"), ("dataset_2", "d"), ("run_2", "before")):
        assert changes(frame.assign(**{column: other})).empty
    assert changes(frame.assign(view="stream")).empty
    assert not changes(frame).empty


def test_the_rows_that_differ_most_are_drawn_and_the_rest_is_said(make):
    models = {f"model {number}": "" for number in range(MOST_ROWS + 3)}
    figure = draw(make("before", "after", models=models, datasets=("kind",)))
    assert len(figure.axes[0].get_yticks()) == MOST_ROWS
    assert f"the {MOST_ROWS} of {MOST_ROWS + 3} rows that differ most" in " ".join(texts(figure))


@pytest.mark.parametrize("pairs", ["observed", "redrawn"])
def test_no_words_leave_the_figure_or_lie_on_each_other(make, pairs):
    models = {"HuggingFaceTB/SmolVLM-256M-Instruct": "", "llava-hf/llava-v1.6-mistral-7b-hf": ""}
    results = make("runs/before-fine-tuning", "runs/after-fine-tuning", models=models, half=0.2)
    figure = draw(results, told=KEYS, pairs=pairs)
    figure.draw_without_rendering()
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_text().strip() and text.get_visible()
    ]
    for words, box in boxes:
        assert box.x0 >= 0, words
        assert box.x1 <= figure.bbox.x1, words
    for place, (words, box) in enumerate(boxes):
        for others, other in boxes[place + 1 :]:
            assert not box.overlaps(other), (words, others)


def test_a_pointer_is_told_both_values_and_the_difference(pair, tmp_path):
    with drawing():
        svg = save(draw(pair, told=[("unique", "image")]), tmp_path / "figure")
    assert svg.count('class="tooltip"') == 10  # two rows of five panels
    for words in (
        "late on kind",
        "before (before): 0.1",
        "after (after): 0.6",
        "difference: +0.50 bit [0.47, 0.53], told apart from zero",
        "percentage points",
        "after (after): undetermined",
    ):
        assert words in svg
