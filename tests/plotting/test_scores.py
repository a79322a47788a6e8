"""Scores of baselines beside our own: in one table, in one figure, with what they cost."""

import numpy as np
import pandas as pd
import pytest

from modalprism.plotting.figures.beside import beside_figure
from modalprism.plotting.scores import OURS, cost_grid, score_grid, scorings
from modalprism.plotting.style import drawing


@pytest.fixture
def scores(demo):
    """Make scores of two baselines for every model and dataset of a profile."""
    rows = []
    cases = {(c.model, c.dataset) for c in demo.table.cases("answer")}
    for model, dataset in sorted(cases):
        for title, quantity, values, headline, share in (
            ("Gradient", "share", (0.7, 0.3), True, True),
            ("Gradient", "error", (0.1, np.nan), False, False),
            ("Interaction", "interaction", (42.0,), True, False),
        ):
            names = demo.modalities if len(values) == 2 else ("",)
            rows += [
                {
                    "model": model, "dataset": dataset, "baseline": title.lower(), "title": title,
                    "quantity": quantity, "modality": name, "headline": headline, "share": share,
                    "value": value, "low": value - 0.05, "high": value + 0.05,
                    "unit": "%" if title == "Interaction" else "1", "n": 50,
                    "forward_passes": 500, "backward_passes": 50, "seconds": 2.0, "seed": 0,
                }
                for name, value in zip(names, values, strict=True)
            ]  # fmt: skip
    return pd.DataFrame(rows)


def texts(grid):
    return [[str(cell) for cell in row] for row in grid.rows]


def test_ours_stands_above_theirs_case_by_case(demo, scores):
    scored = scorings(scores, demo.table)
    for case in {(one.model, one.dataset) for one in scored}:
        methods = [one.method for one in scored if (one.model, one.dataset) == case]
        ours = [method.startswith(OURS) for method in methods]
        assert ours == sorted(ours, reverse=True)
        assert any(ours)


def test_short_tables_hold_headlines_alone(demo, scores):
    scored = scorings(scores, demo.table)
    short, full = (
        score_grid(scored, demo.modalities, headlines=wanted) for wanted in (True, False)
    )
    assert not any("error" in row for row in texts(short))
    errors = [row for row in texts(full) if "error" in row]
    assert errors
    assert all(row[4:] == ["0.10 [0.05, 0.15]", "undetermined", "–", "1"] for row in errors)
    interaction = next(row for row in texts(short) if "interaction" in row)
    assert interaction[4:] == ["–", "–", "42.00 [41.95, 42.05]", "%"]


def test_passes_are_told_an_example(demo, scores):
    rows = texts(cost_grid(scores, demo.table))
    assert rows[0][0].startswith(OURS)
    assert rows[0][2:4] == ["1", "0"]
    assert rows[1] == ["Gradient", "50", "10", "1", "40"]


def test_the_figure_has_a_row_a_method_that_shares_out(demo, scores):
    results = demo.table
    with drawing():
        figure = beside_figure(scorings(scores, results), results)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == len(results.datasets("answer"))
    names = [text.get_text() for text in shown[0].get_yticklabels()]
    assert "Gradient" in names
    assert "Interaction" not in names
    assert "baselines n = 50" in figure.get_supxlabel()


def test_a_share_beyond_its_range_is_an_arrow_at_the_edge(demo, scores):
    results = demo.table
    scores.loc[scores["quantity"] == "share", "value"] = [3.0, -2.0] * (len(scores) // 5)
    with drawing():
        figure = beside_figure(scorings(scores, results), results)
    marks = [line for axes in figure.axes for line in axes.lines if line.get_marker() == ">"]
    assert marks
    assert all(line.get_xdata()[0] <= 1.2 for line in marks)
