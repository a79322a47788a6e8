"""Where streams fuse, told by whole intervals."""

import math

import pytest

from modalprism.plotting.courses import FusionSpan, fusion_span
from modalprism.studies.profile import Profile


def spanned(make_profile, redundancy, half=0.03):
    profile = make_profile(
        models={"m": ""}, datasets=("kind",), views=("stream",), depths=len(redundancy)
    )
    frame = profile.frame.copy()
    for layer, value in enumerate(redundancy):
        at = (frame["quantity"] == "redundancy") & (frame["layer"] == layer)
        frame.loc[at, ["value", "low", "high"]] = [value, value - half, value + half]
    results = Profile(frame, profile.manifest).table
    (case,) = results.cases("stream")
    return fusion_span(results, case)


@pytest.mark.parametrize(
    ("course", "span"),
    [
        ([0.0, 1.0, 1.0], (1, 1)),
        ([0.0, 0.0, 0.5, 1.0, 1.02], (2, 3)),
        ([0.0, 0.5, 1.0, 0.2], (1, 2)),  # what falls again has fused before
    ],
)
def test_it_begins_above_the_start_and_ends_at_the_highest(make_profile, course, span):
    assert spanned(make_profile, course) == span


@pytest.mark.parametrize("course", [[0.0, 0.01, 0.05], [1.0, 0.5, 0.0], [1.0]])
def test_no_rise_beyond_intervals_is_no_fusion(make_profile, course):
    assert spanned(make_profile, course) is None


def test_depths_without_an_interval_tell_nothing(make_profile):
    assert spanned(make_profile, [0.0, 1.0], half=math.nan) is None


def test_a_span_in_words():
    assert (str(FusionSpan(3, 3)), str(FusionSpan(14, 18))) == ("layer 3", "layers 14–18")
