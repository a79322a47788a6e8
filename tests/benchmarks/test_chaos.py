"""The campaign's own parts: what counts as fine, refused or failed, and whatever hangs or dies."""

import dataclasses
import importlib
import os
import sys
import time
from pathlib import Path

import pytest

from modalprism.errors import InputError

FOLDER = Path(__file__).parents[2] / "benchmarks" / "chaos"
MODULES = (
    "campaign", "damage", "damaged", "hostile_files", "kills", "made_runs", "samples", "serving",
    "surroundings", "tables", "whole_files",
)  # fmt: skip


@pytest.fixture(scope="module")
def chaos():
    """The modules of the campaign by name."""
    pytest.importorskip("h5py")
    pytest.importorskip("zarr")
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(FOLDER))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture
def tried(chaos):
    """Run trials of a function of the seed."""
    module = chaos["campaign"]

    def run(trial, seeds=range(4), seconds=60, **options):
        campaign = module.Campaign("made", trial, len(seeds), 1, **options)
        return module.run(campaign, seeds, seconds)

    return run


def test_trials_are_fine_refused_or_failed_with_their_seed(tried, capsys):
    def trial(seed):
        if seed == 1:
            raise InputError("the file is damaged; write it again")
        if seed == 2:
            raise KeyError("a traceback")

    result = tried(trial)
    assert (result.tried, result.fine, result.refused) == (4, 2, 1)
    ((seed, words),) = result.failures
    assert seed == 2
    assert "KeyError: 'a traceback'" in words
    assert "made, seed 2" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["", "x" * 3_000])
def test_a_refusal_without_a_sentence_is_a_failure(tried, words):
    def trial(_seed):
        raise InputError(words)

    assert len(tried(trial).failures) == 4


def test_a_process_that_dies_costs_one_trial(tried):
    result = tried(lambda seed: os._exit(7) if seed == 1 else None, range(6))
    assert (result.fine, [seed for seed, _ in result.failures]) == (5, [1])


def test_a_trial_that_hangs_costs_one_trial(tried):
    result = tried(lambda seed: time.sleep(600 if seed == 1 else 0), range(6), patience=1)
    assert (result.fine, [seed for seed, _ in result.failures]) == (5, [1])


def test_one_trial_is_made_where_there_is_no_time(tried):
    assert 1 <= tried(lambda _seed: time.sleep(0.2), range(50), seconds=0).tried < 50


def test_the_table_has_a_line_a_campaign(chaos, tried):
    result = tried(lambda _seed: None)
    lines = list(chaos["campaign"].table([result, dataclasses.replace(result, name="other")]))
    assert len(lines) == 4
    assert lines[2].startswith("| made | 4 | 4 | 4 | 0 | 0 |")


@pytest.mark.parametrize("name", ["joint_trial", "marginals_trial", "agreement_trial"])
def test_tables_pass_or_are_refused(chaos, tried, name):
    result = tried(getattr(chaos["tables"], name), range(20))
    assert result.failures == []
    assert result.fine > 5


def test_the_check_of_a_decomposition_can_fail(chaos):
    d = chaos["tables"].decompose([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    chaos["tables"].check(d)
    for wrong in ({"lower": 2.0}, {"upper": float("nan")}, {"marginal_information": (3.0, 3.0)}):
        with pytest.raises(AssertionError):
            chaos["tables"].check(dataclasses.replace(d, **wrong))
