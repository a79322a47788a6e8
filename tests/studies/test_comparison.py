"""Differences between analyses: none of the same, an interval of any, and only of what can be."""

import numpy as np
import pandas as pd
import pytest

from modalprism.errors import InputError
from modalprism.studies.comparison import COLUMNS, FinishedRun, compare
from modalprism.studies.evidence_store import AnalysisKey
from modalprism.studies.profile import Profile
from modalprism.studies.study import Study

QUANTITIES = ["redundancy", "unique", "unique", "synergy", "information"]


@pytest.fixture(scope="module")
def runs(make_study, arrays):
    """A run of a model that follows the picture, and of one that follows the text instead."""
    first = make_study(out="run", pairs=["observed"])
    rng = np.random.default_rng(1)
    words = (arrays["text/0"] @ rng.normal(size=(5, 3))).argmax(1)
    second = make_study({"answer": np.eye(3)[words] * 0.97 + 0.01}, pairs=["observed"])
    found = {}
    for name, path in (("picture", first), ("word", second)):
        study = Study.from_yaml(path)
        study.run()
        found[name] = FinishedRun.read(study.out)
    return found


def test_what_differs_is_told_and_its_interval_holds_the_difference(runs):
    frame = compare(runs)
    assert list(frame.columns) == list(COLUMNS)
    assert frame["paired"].all()
    assert ((frame["low"] <= frame["difference"]) & (frame["difference"] <= frame["high"])).all()
    unique = frame[frame["quantity"] == "unique"].set_index("modality")
    assert unique.loc["image", "high"] < 0
    assert unique.loc["text", "low"] > 0
    assert (unique["q_value"] < 0.1).all()
    contribution = frame[frame["quantity"] == "contribution"].iloc[0]
    assert contribution["difference"] == pytest.approx(-1, abs=0.2)
    assert contribution["unit"] == "1"


def test_a_run_does_not_differ_from_itself(runs):
    frame = compare({"one": runs["picture"], "other": runs["picture"]})
    assert (frame["difference"] == 0).all()
    assert (frame["low"] <= 0).all()
    assert (frame["high"] >= 0).all()
    assert (frame["p_value"] > 0.5).all()


def test_one_run_alone_is_refused_by_name(runs):
    with pytest.raises(InputError, match="one run alone, picture, and a run that is named twice"):
        compare({"picture": runs["picture"]})


def test_the_other_order_turns_the_sign(runs):
    there = compare(runs)
    back = compare(dict(reversed(runs.items())))
    np.testing.assert_allclose(there["difference"], -back["difference"])
    # What probes of other rows would read is drawn for each by itself: nearly the same.
    np.testing.assert_allclose(there["low"], -back["high"], atol=0.1)


def test_other_examples_are_compared_as_independent_ones(runs):
    picture = runs["picture"]
    elsewhere = {
        place: type(one)(one.evidence, "other examples") for place, one in picture.evidence.items()
    }
    frame = compare({"one": picture, "other": FinishedRun(picture.profile, elsewhere)})
    assert not frame["paired"].any()
    same = compare({"one": picture, "other": picture})
    width = (frame["high"] - frame["low"]).sum()
    assert width > (same["high"] - same["low"]).sum()


def test_what_cannot_be_compared_is_refused(runs):
    picture, word = runs["picture"], runs["word"]
    manifest = picture.profile.manifest | {"modalities": ["audio", "text"]}
    other = FinishedRun(Profile(picture.profile.frame, manifest), picture.evidence)
    with pytest.raises(InputError, match="compare runs of the same modalities"):
        compare({"one": word, "other": other})
    nats = FinishedRun(
        Profile(picture.profile.frame.assign(unit="nat"), picture.profile.manifest), {}
    )
    with pytest.raises(InputError, match="one in bits, other in nats; run them in the same base"):
        compare({"one": word, "other": nats})
    renamed = FinishedRun(
        Profile(word.profile.frame.assign(model="m", dataset="d"), word.profile.manifest),
        {AnalysisKey("m", "d", *place[2:]): one for place, one in word.evidence.items()},
    )
    with pytest.raises(InputError, match="no two analyses share a view"):
        compare({"one": picture, "other": renamed})


def test_rows_are_of_every_quantity_once(runs):
    frame = compare(runs)
    assert isinstance(frame, pd.DataFrame)
    assert frame["quantity"].tolist() == [*QUANTITIES, "contribution"]
