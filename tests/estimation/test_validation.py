"""Every sample that cannot be used is refused with a sentence that says what to do."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import modalprism as mp

N = 60
RNG = np.random.default_rng(0)
GOOD = {"image": RNG.normal(size=(N, 3)), "text": RNG.normal(size=(N, 2))}
Y = np.arange(N) % 2


def with_nan(row, value=math.nan):
    array = GOOD["image"].copy()
    array[row, 1] = value
    return array


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (with_nan(7), "the embedding of 'image' has NaN or infinite values in 1 rows.*row 7"),
        (with_nan(9, math.inf), "first of them row 9; remove those rows, or capture in float32"),
        (with_nan(7, 1e200), "'image' holds values as large as 1e.200; scale it down"),
        (np.zeros((N, 0)), r"the modality 'image' is empty \(shape \(60, 0\)\)"),
        (np.zeros((0, 3)), r"the modality 'image' is empty \(shape \(0, 3\)\)"),
        (np.zeros(N), r"'image' has shape \(60,\); give one row per example.*reshape\(-1, 1\)"),
        (np.zeros((N, 4, 3)), r"'image' has shape \(60, 4, 3\)"),
        (np.full((N, 2), "a"), "the embedding of 'image' holds <U1, not numbers"),
        (np.ones((N, 2)) * 1j, "holds complex128, not numbers"),
        (np.zeros((N + 1, 3)), "'image' has 61 rows but 'text' has 60"),
        (
            [[1.0, 2.0], [3.0]],
            "'image' cannot be read as an array: row 0 has 2 values and row 1 has 1",
        ),
        (torch.ones(N, 3, dtype=torch.complex64), "'image' holds complex64, not numbers"),
        (torch.ones(N, 3).to_sparse(), "'image' is a sparse matrix; convert it with toarray"),
        (
            sparse.csr_array(np.eye(N)),
            "'image' is a sparse matrix.* reduce embeddings to dense columns",
        ),
        (torch.ones(N, 3, device="meta"), "'image' is a tensor without values"),
        ([torch.ones(3), *[torch.ones(2)] * (N - 1)], "'image' cannot be read as an array"),
        (pd.Series([np.ones(3), *[np.ones(2)] * (N - 1)]), r"row 1 of .*shape \(2,\).* one length"),
        (pd.DataFrame({"a": np.ones(N), "id": ["x"] * N}), "column 'id' of .*'image' holds str"),
        (None, "the embedding of 'image' is None, not an array"),
        ("image.npy", "'image' is of type str, not an array"),
        (3.5, r"'image' has shape \(\)"),
    ],
)
def test_embeddings_are_refused(image, message):
    with pytest.raises(mp.InputError, match=message):
        mp.analyze(GOOD | {"image": image}, Y)


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (GOOD | {"audio": GOOD["text"]}, "two modalities.*got image, text, audio"),
        ({"image": GOOD["image"]}, "two modalities.*got image"),
        ({}, "a decomposition has two modalities"),
        ([GOOD["image"], GOOD["text"]], "two modalities.*got no mapping"),
        ({name: x[:49] for name, x in GOOD.items()}, "49 rows are too few.*at least 50"),
    ],
)
def test_modalities_are_refused(embeddings, message):
    with pytest.raises(mp.InputError, match=message):
        mp.analyze(embeddings, Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(N), "the target has one class only"),
        (np.ones((N, 1)), "the target has one class only"),
        (np.tile([0.0, 1.0], (N, 1)), "the target has one class only"),
        (Y[:-1], r"the target has shape \(59,\), but the embeddings have 60 rows"),
        (np.zeros((N, 2, 2)), r"the target has shape \(60, 2, 2\)"),
        (np.where(np.arange(N) == 4, np.nan, Y), "the target is missing in row 4"),
        (np.where(np.arange(N) == 4, np.inf, Y), "the target is infinite in row 4"),
        ([None, *"ab" * 29, "a"], "the target is missing in row 0; remove such rows"),
        (pd.Series([*"ab" * 29, "a", math.nan]), "the target is missing in row 59"),
        (np.array([1, "b"] * 30, dtype=object), "the target mixes values that cannot be ordered"),
        (np.eye(2)[Y] * 2, "row 0 of the target sums to 2, not 1; give probabilities .softmax"),
        (np.eye(2)[Y] - 0.5, "the target's probabilities must be finite and not negative"),
        (np.full((N, 2), np.nan), "the target's probabilities must be finite and not negative"),
        (np.where(np.arange(N) < 4, 5, Y), "class 5 has too few rows, 4 for 5 folds"),
        (np.linspace(0, 1, N), "60 different values in 60 rows; code a continuous target"),
        (np.eye(3, dtype=int)[Y] + [0, 0, 1], "multi-label: row 0 has 2 of the 3 labels, not 1"),
        (np.eye(3)[Y] * (np.arange(N) != 7)[:, None], "row 7 has 0 of the 3 labels.*y.:, k."),
        (np.c_[Y, 1 - Y, Y, Y] == 1, "the target is multi-label: row 1 has 3 of the 4 labels"),
        (np.full((N, 2), "a"), "probabilities are <U1, not numbers; .* one label per row"),
        (pd.Series([["a", "b"], *[["c"]] * (N - 1)]), "type list in row 0; give one label per row"),
        ("label", "the target is of type str, not an array"),
        (None, "the target is None, not an array"),
        ((label for label in Y), "the target is of type generator, which is no array"),
        ([["a"], ["a", "b"]] * 30, "row 0 has 1 values and row 1 has 2; .* or one value per row"),
        (Y * 1j, "the target holds complex128, which are not labels"),
    ],
)
def test_targets_are_refused(y, message):
    with pytest.raises(mp.InputError, match=message):
        mp.analyze(GOOD, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": 1}, "base is 1: pass a number above 1"),
        ({"base": 0.5}, "base is 0.5: pass a number above 1"),
        ({"base": math.nan}, "base is nan: pass a number above 1"),
        ({"base": math.inf}, "base is inf: pass a number above 1"),
        ({"base": "2"}, "base is '2'"),
        ({"folds": 2}, "folds, .* is 2: pass a whole number of at least 3"),
        ({"folds": "5"}, "folds, .* is '5'"),
        ({"folds": 5.0}, "folds, .* is 5.0"),
        ({"replicates": 1.5}, "replicates, .* is 1.5: pass a whole number"),
        ({"replicates": True}, "replicates, .* is True"),
        ({"permutations": None}, "permutations, .* is None"),
        ({"folds": 31}, r"folds is 31, more than the rows of any class \(30 at most\)"),
        ({"replicates": 0}, "replicates, .* is 0"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, not -1"),
        ({"seed": 1.5}, "seed must be a whole number from 0 to 4294967295, not 1.5; None, a numpy"),
        ({"seed": "7"}, "seed must be a whole number from 0 to 4294967295, not '7'"),
        ({"seed": 2**32}, "seed must be a whole number from 0 to 4294967295, not 4294967296"),
        ({"estimator": "paper"}, "there is no estimator 'paper': choose one of 'posterior'"),
    ],
)
def test_options_are_refused(options, message):
    with pytest.raises(mp.InputError, match=message):
        mp.analyze(GOOD, Y, **options)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.arange(N - 1), r"the group column 'patient' has shape \(59,\)"),
        (np.zeros((N, 2)), r"the group column 'patient' has shape \(60, 2\)"),
        (np.zeros(N), "into 1 connected set, too few for 5 folds"),
        (np.where(np.arange(N) == 3, np.nan, Y), "the group column 'patient' is missing in row 3"),
        ([None, *"ab" * 29, "a"], "the group column 'patient' is missing in row 0"),
        ([*"ab" * 29, "a", math.nan], "the group column 'patient' is missing in row 59"),
        ([*"ab" * 29, "a", " "], "the group column 'patient' is missing in row 59"),
    ],
)
def test_groups_are_refused(column, message):
    with pytest.raises(mp.InputError, match=message):
        mp.analyze(GOOD, Y, groups={"patient": column})
