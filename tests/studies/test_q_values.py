"""q-values over the layers of a study."""

import math

import numpy as np
import pandas as pd
import pytest

from modalprism.studies.profile import FAMILY, with_q_values

# The fifteen p-values of Benjamini and Hochberg (1995), section 3.2; four are found at .05.
P_VALUES = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def rows(p_values, **names):
    same = dict.fromkeys(FAMILY, "same") | names
    return pd.DataFrame([same | {"layer": k, "p_value": p} for k, p in enumerate(p_values)])


def q_values(*frames):
    return with_q_values(pd.concat(frames, ignore_index=True))["q_value"].to_numpy()


def test_the_example_of_benjamini_and_hochberg():
    q = q_values(rows(P_VALUES[::-1]))[::-1]
    assert (q <= 0.05).sum() == 4
    assert q[:4] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625])
    assert (np.diff(q) >= 0).all()
    assert q[-1] == 1


@pytest.mark.parametrize("name", FAMILY)
def test_families_do_not_mix(name):
    one, other = rows(P_VALUES), rows([0.04, 0.9], **{name: "another"})
    mixed = pd.concat([one, other]).sample(frac=1, random_state=0)
    q = with_q_values(mixed).sort_values([name, "layer"], ascending=[False, True])["q_value"]
    assert q.to_numpy() == pytest.approx([*q_values(one), *q_values(other)])


def test_a_family_of_one_layer_keeps_its_p_value():
    assert q_values(rows([0.03]), rows([0.2], modality="text")) == pytest.approx([0.03, 0.2])


def test_a_quantity_of_no_modality_is_a_family_too():
    assert q_values(rows([0.01, 0.04], modality=None)) == pytest.approx([0.02, 0.04])


def test_without_a_p_value_there_is_no_q_value_and_it_counts_for_nothing():
    q = q_values(rows([0.01, math.nan, 0.04]), rows([math.nan], modality="text"))
    assert q[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(q[[1, 3]]).all()


def test_nothing_else_changes():
    frame = rows(P_VALUES).assign(q_value=math.nan)
    found = with_q_values(frame)
    assert list(found.columns) == list(frame.columns)
    pd.testing.assert_frame_equal(found.drop(columns="q_value"), frame.drop(columns="q_value"))
