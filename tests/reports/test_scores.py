"""Baselines on the page: a figure, tables, what was left out, and nothing where none was asked."""

from dataclasses import replace

import pandas as pd
import pytest

from modalprism.baselines.table import COLUMNS
from modalprism.plotting.scores import scores_of
from modalprism.reports.page import write_report
from modalprism.studies.baselines import write_baselines


@pytest.fixture
def small(make_profile):
    """One network on two questions: a page with all its figures takes seconds for a whole demo."""
    return make_profile(models={"late": ""}, datasets=("kind", "match"))


@pytest.fixture
def frame(small):
    """Shares of one baseline for every model and dataset, and a name that must be escaped."""
    rows = []
    for model, dataset in dict.fromkeys(
        (case.model, case.dataset) for case in small.table.cases("answer")
    ):
        rows += [
            dict(zip(COLUMNS, (
                model, dataset, "mm_shap", "MM-SHAP <b>", "share", modality, True, True,
                value, value - 0.1, value + 0.1, "1", 60, 7200, 0, 12.0, 0,
            ), strict=True))
            for modality, value in zip(small.modalities, (0.8, 0.2), strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_scores_stand_on_the_page_and_in_files(small, frame, tmp_path):
    small.write(tmp_path)
    write_baselines(tmp_path, frame)
    page = write_report(tmp_path).read_text("utf-8")
    assert 'id="scores"' in page
    assert 'id="figure-baselines"' in page
    assert "MM-SHAP &lt;b&gt;" in page
    assert "MM-SHAP <b>" not in page
    assert (tmp_path / "figures" / "baselines.pdf").is_file()
    assert "share" in (tmp_path / "tables" / "baselines.md").read_text("utf-8")


@pytest.mark.slow
def test_without_baselines_there_is_no_such_section(small, tmp_path):
    small.write(tmp_path)
    page = write_report(tmp_path).read_text("utf-8")
    assert 'id="scores"' not in page
    assert "#scores" not in page
    assert not (tmp_path / "figures" / "baselines.pdf").exists()


@pytest.mark.slow
def test_what_was_left_out_is_said(small, frame, tmp_path):
    why = "Attention mass of late on match: it names no attention"
    told = replace(small, manifest=small.manifest | {"baselines": {"left_out": [why]}})
    assert scores_of(told.table, frame, [why]).left_out == [why]
    told.write(tmp_path)
    page = write_report(tmp_path).read_text("utf-8")
    assert why in page
    assert 'id="figure-baselines"' not in page


def test_ours_is_beside_theirs_in_the_short_table(small, frame):
    scores = scores_of(small.table, frame, [])
    methods = {row[2].text for row in scores.short.rows}
    assert "MM-SHAP <b>" in methods
    assert any(method.startswith("Modalprism") for method in methods)
