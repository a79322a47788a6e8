"""Both estimators answer awkward samples with finite numbers, or refuse them in one sentence."""

import math
import re
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import modalprism as mp
from modalprism.errors import DataWarning
from modalprism.estimation.inputs import check_index
from modalprism.estimation.sample import check_sample
from modalprism.estimation.significance import calibrate_states
from modalprism.estimation.streaming import Streaming

N = 60
Y = np.arange(N) % 3
FEW = {"replicates": 10, "permutations": 5, "folds": 3, "effort": "fast"}
ROWS = np.arange(N)


def embeddings(y=Y, widths=(4, 3), seed=1):
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=(3, width))[y] + rng.normal(size=(len(y), width))
        for name, width in zip(("image", "text"), widths, strict=True)
    }


GOOD = embeddings()
IMAGE = GOOD["image"]
SOFT = np.exp(IMAGE[:, :3]) / np.exp(IMAGE[:, :3]).sum(1, keepdims=True)


@pytest.fixture(params=["posterior", "codebook"])
def ask(request):
    """Analyse by either estimator."""

    def analyze(sources, y=Y, **options):
        return mp.analyze(sources, y, estimator=request.param, **FEW, **options)

    return analyze


@pytest.fixture(scope="module")
def as_it_is():
    """What either estimator says of the sample without anything awkward."""
    return {name: mp.analyze(GOOD, Y, estimator=name, **FEW) for name in ("posterior", "codebook")}


def atoms(analysis):
    return [analysis.redundancy, *analysis.unique, analysis.synergy, analysis.information]


def values(analysis):
    return [atom.value for atom in atoms(analysis)]


def is_sane(analysis):
    """Finite numbers and intervals; p-values where there are any."""
    return all(
        math.isfinite(atom.value) and -math.inf < atom.low <= atom.high < math.inf
        for atom in atoms(analysis)
    ) and all(0 < atom.p_value <= 1 for atom in atoms(analysis) if not math.isnan(atom.p_value))


RARE = np.where(ROWS < 2, 2, ROWS % 2)
AWKWARD = {
    "a constant column": np.c_[IMAGE, np.ones(N)],
    "a constant embedding": np.ones((N, 4)),
    "one constant number": np.ones((N, 1)),
    "columns twice": np.c_[IMAGE, IMAGE],
    "a symbol that some fits never see": np.eye(3)[RARE],
    "one row far off": np.where(ROWS[:, None] == 3, 1e30, IMAGE),
    "columns of all scales": IMAGE * [1e-30, 1, 1e30, 1e5],
}


CONSTANT = ("a constant embedding", "one constant number")
CONSTANT_SAID = "the embedding of 'image' is the same in every row"


@pytest.mark.parametrize("case", list(AWKWARD))
def test_awkward_embeddings_are_answered(ask, case):
    constant = case in CONSTANT
    with pytest.warns(DataWarning, match=CONSTANT_SAID) if constant else nullcontext():
        found = ask(GOOD | {"image": AWKWARD[case]})
    assert is_sane(found)
    assert all(-0.2 < value < math.log2(3) + 0.2 for value in values(found))


COPIES = {
    "the same array": GOOD["text"],
    "a copy": GOOD["text"].copy(),
    "a copy in float32": GOOD["text"].astype(np.float32),
    "a scaled copy": 7 - 0.1 * GOOD["text"],
    "other units, another order": (GOOD["text"] * [1, 10, -100])[:, [2, 0, 1]],
    "some of its columns": GOOD["text"][:, :2],
    "its columns and a constant": np.c_[np.ones(N), GOOD["text"]],
}


@pytest.mark.parametrize("case", list(COPIES))
def test_a_copy_of_the_other_modality_is_redundant_and_warned_of(ask, case):
    with pytest.warns(UserWarning, match="so '(image|text)' has no unique information by"):
        found = ask(GOOD | {"image": COPIES[case]})
    assert is_sane(found)
    assert min(unique.low for unique in found.unique) <= 0
    assert found.diagnostics["copied_columns"].value == 1
    assert "caution: all columns of" in str(found)
    assert "check that each modality was given its own array" in found._repr_html_()


def test_no_caution_without_a_copy(ask):
    assert ask(GOOD).cautions == ()
    assert ask(GOOD | {"image": np.c_[IMAGE[:, :1], GOOD["text"][:, :1]]}).cautions == ()


def test_constant_embeddings_tell_nothing(ask):
    with pytest.warns(DataWarning, match="the same in every row"):
        found = ask({"image": np.ones((N, 4)), "text": np.zeros((N, 3))})
    assert is_sane(found)
    assert np.allclose(values(found), 0, atol=1e-6)
    assert [caution[:24] for caution in found.cautions] == [
        "the embedding of 'image'",
        "the embedding of 'text' ",
    ]


def test_the_frame_names_the_modality_of_a_constant_embedding(ask):
    with pytest.warns(DataWarning, match=CONSTANT_SAID):
        found = ask({"text": GOOD["text"], "image": np.full((N, 2), 0.1, np.float16)})
    (row,) = [row for row in found.table().rows() if row["quantity"] == "constant_source"]
    assert (row["modality"], row["value"], row["unit"]) == ("image", 1.0, "1")
    assert "caution: the embedding of 'image' is the same in every row, so" in str(found)


def rounded(dtype):
    """One row, as a model gives it in different batches."""
    row = np.random.default_rng(5).normal(size=8)
    noise = np.random.default_rng(6).uniform(-2, 2, size=(N, 8)) * np.finfo(dtype).eps
    return (row * (1 + noise)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_that_differ_by_rounding_are_warned_of(ask, dtype):
    with pytest.warns(DataWarning, match="the same in every row up to rounding"):
        ask(GOOD | {"image": rounded(dtype)})


DIFFERENT = {
    "small beside a constant": np.c_[np.full(N, 1e4), IMAGE],
    "small numbers": IMAGE * 1e-30,
    "whole numbers far from zero": 2**50 + Y[:, None],
    "one row is another": np.where(ROWS[:, None] == 3, 2.0, np.ones((N, 3))),
}


@pytest.mark.parametrize("case", list(DIFFERENT))
def test_rows_that_differ_by_more_are_not_warned_of(ask, case):
    assert ask(GOOD | {"image": DIFFERENT[case]}).cautions == ()


SCALES = {"large": 2.0**100, "small": 2.0**-100, "too small to square": 2.0**-990}


@pytest.mark.parametrize("scale", list(SCALES))
def test_the_scale_of_an_embedding_changes_nothing(ask, as_it_is, scale):
    found = ask(GOOD | {"image": IMAGE * SCALES[scale]})
    assert np.allclose(values(found), values(as_it_is[found.estimator]), atol=1e-6)


# What is the same sample to the door is the same to both estimators.
FORMS = {
    "a masked array without a mask": np.ma.masked_array(IMAGE),
    "Fortran's order": np.asfortranarray(IMAGE),
    "every other column": np.repeat(IMAGE, 2, 1)[:, ::2],
    "a read-only array": np.frombuffer(IMAGE.tobytes()).reshape(IMAGE.shape),
    "a reversed view": IMAGE[::-1].copy()[::-1],
    "the other byte order": IMAGE.astype(">f8"),
    "objects": IMAGE.astype(object),
    "rows as arrays": pd.Series(list(IMAGE)),
    "an Arrow table": pa.table({str(k): column for k, column in enumerate(IMAGE.T)}),
    "Arrow lists": pa.array(IMAGE.tolist()),
    "a tensor": torch.from_numpy(IMAGE),
    "a tensor with gradients": torch.from_numpy(IMAGE).requires_grad_(),
    "tensors with gradients": list(torch.from_numpy(IMAGE).requires_grad_()),
    "a conjugate view": torch.complex(torch.zeros(N, 4).double(), -torch.from_numpy(IMAGE))
    .conj()
    .imag,
    "a frame": pd.DataFrame(IMAGE),
    "a frame that could have missing values": pd.DataFrame(IMAGE).astype("Float64"),
    "lists": IMAGE.tolist(),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_the_same_numbers_in_another_form_are_the_same_sample(form):
    read = check_sample(GOOD | {"image": FORMS[form]}, Y, None, 5).sources[0].whole()
    assert type(read) is np.ndarray
    assert read.flags.c_contiguous
    assert (read == IMAGE).all()


def test_a_memory_map_is_the_same_sample(tmp_path):
    np.save(tmp_path / "image.npy", IMAGE)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    assert (check_sample(GOOD | {"image": mapped}, Y, None, 5).sources[0].whole() == IMAGE).all()


def test_float16_is_read_exactly():
    narrow = IMAGE.astype(np.float16)
    read = check_sample(GOOD | {"image": narrow}, Y, None, 5).sources[0].whole()
    assert read.dtype == np.float64
    assert (read == narrow).all()


LABELS = {
    "words": np.array(["a", "b", "c"])[Y],
    "objects": np.array(["a", "b", "c"], dtype=object)[Y],
    "floats": Y + 0.5,
    "half floats": Y.astype(np.float16),
    "a tensor": torch.from_numpy(Y),
    "tensors": list(torch.from_numpy(Y)),
    "a column": Y[:, None],
    "a column of lists": [[label] for label in np.array(["a", "b", "c"])[Y]],
    "a frame of one column": pd.DataFrame({"label": np.array(["a", "b", "c"])[Y]}),
    "integers that may be missing": pd.Series(Y, dtype="Int64"),
    "text of variable width": np.array(["a", "b", "c"], dtype=np.dtypes.StringDType())[Y],
    "an Arrow array": pa.array(np.array(["a", "b", "c"])[Y].tolist()),
    "a mask that masks nothing": np.ma.masked_array(Y, np.zeros(N)),
    "one-hot integers": np.eye(3, dtype=np.int8)[Y],
    "one-hot with gradients": torch.eye(3)[Y].requires_grad_(),
    "a column of words": pd.Series(np.array(["a", "b", "c"])[Y]),
    "categories": pd.Series(np.array(["a", "b", "c"])[Y], dtype="category"),
    "a column with an index of its own": pd.Series(Y, index=ROWS[::-1]),
    "one-hot": np.eye(3)[Y],
    "one-hot truth values": np.eye(3, dtype=bool)[Y],
    "a class without mass": np.c_[np.eye(3)[Y], np.zeros(N)],
}


@pytest.mark.parametrize("kind", list(LABELS))
def test_labels_of_any_kind_are_the_same_sample(kind):
    assert (check_sample(GOOD, LABELS[kind], None, 5).target.whole == np.eye(3)[Y]).all()


def test_truth_values_are_two_classes(ask):
    assert is_sane(ask(GOOD, Y == 1))


def test_answers_are_answered(ask):
    assert is_sane(ask(GOOD, SOFT.astype(np.float16)))


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_a_class_without_mass_is_left_out(dtype):
    p = SOFT.astype(dtype)
    found, same = (
        check_sample(GOOD, y, None, 5).target.whole for y in (np.c_[p, np.zeros(N, dtype)], p)
    )
    assert (found == same).all()


def test_a_class_that_one_answer_has_is_answered(ask):
    only = (ROWS == 7).astype(float)[:, None]
    assert is_sane(ask(GOOD, np.c_[SOFT * (1 - only), only]))


def test_answers_that_are_all_the_same_have_nothing_to_tell(ask):
    found = ask(GOOD, np.tile([0.2, 0.3, 0.5], (N, 1)))
    assert is_sane(found)
    assert np.allclose(values(found), 0, atol=1e-6)


def test_many_more_dimensions_than_rows_are_answered(ask):
    y = np.arange(60) % 3
    assert is_sane(ask(embeddings(y, (5000, 4000)), y))


CROSSING = {"picture": ROWS // 3, "name": np.r_[ROWS[:45], ROWS[:15]]}


def test_groups_that_cross_are_answered(ask):
    assert is_sane(ask(GOOD, groups=CROSSING))


with np.errstate(over="ignore"):
    OVERFLOWN = np.where(ROWS[:, None] == 4, 1e6, IMAGE).astype(np.float16)
MISSING = pd.DataFrame(IMAGE).astype("Float64").mask(IMAGE[5, 1] == IMAGE)
HELD = np.where(Y == 2, 1000, ROWS // 3)
REFUSED = {
    "one class": ({}, {"y": np.zeros(N)}, "one class only; give at least two"),
    "one class of many": ({}, {"y": np.tile([0.0, 1.0], (N, 1))}, "one class only"),
    "a rare class": (
        {},
        {"y": np.where(ROWS < 2, 7, Y)},
        "class 7 has too few rows, 2 for 3 folds; merge it",
    ),
    "NaN": ({"image": np.where(ROWS[:, None] == 6, math.nan, IMAGE)}, {}, "row 6; remove"),
    "infinity": ({"image": np.where(ROWS[:, None] == 6, -math.inf, IMAGE)}, {}, "row 6; remove"),
    "float16's overflow": ({"image": OVERFLOWN}, {}, "row 4; remove .* capture in float32"),
    "a missing value": (
        {"image": MISSING},
        {},
        "infinite values in 1 rows, the first of them row 5",
    ),
    "a target whose name is a number": ({}, {"target": 5}, "target is 5: pass a name of y"),
    "a mask": ({"image": np.ma.masked_array(IMAGE, IMAGE > 2)}, {}, "masked values; fill them"),
    "a masked target": (
        {},
        {"y": np.ma.masked_array(Y, ROWS == 3)},
        "the target has masked values",
    ),
    "words for probabilities": ({}, {"y": np.full((N, 2), "a")}, "probabilities are <U1"),
    "groups of another shape": (
        {},
        {"groups": [ROWS]},
        r"'group' has shape \(1, 60\); give one value per row, \(60,\), and several columns by",
    ),
    "a group that is a class": (
        {},
        {"groups": {"patient": HELD}},
        "all rows of class 2 are in one group, 1000 of 'patient', .*; remove the class",
    ),
    "a group that is a class of answers": (
        {},
        {"y": np.eye(3)[Y], "groups": {"patient": HELD}},
        "all rows of class 2 are in one group, 1000 of 'patient'",
    ),
    "a class of one example": (
        {name: np.where(Y[:, None] == 2, 1.0, array) for name, array in GOOD.items()},
        {},
        "all rows of class 2 are the same example",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_be_answered_is_refused_with_a_reason(ask, case):
    sources, options, message = REFUSED[case]
    with pytest.raises(mp.InputError, match=message):
        ask(GOOD | sources, **options)


def test_fewer_than_fifty_rows_are_refused(ask):
    with pytest.raises(mp.InputError, match="49 rows are too few"):
        ask({name: array[:49] for name, array in GOOD.items()}, Y[:49])


def test_a_class_in_two_groups_is_too_little_for_nested_cross_fitting():
    groups = {"patient": np.where(Y == 2, 1000 + ROWS % 2, ROWS // 3)}
    with pytest.raises(mp.InputError, match=r"class number 3 of 3 .* need three"):
        mp.analyze(GOOD, Y, groups=groups, **FEW)
    assert is_sane(mp.analyze(GOOD, Y, groups=groups, estimator="codebook", **FEW))


def test_repeated_examples_are_not_read_from_each_other(ask):
    half = np.r_[ROWS, ROWS]
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(size=(N, 60))[half] for name in GOOD}
    found = ask(noise, Y[half])
    assert is_sane(found)
    assert found.information.value < 0.3
    assert found.information.p_value > 0.16  # of at least 1/6
    assert found.diagnostics["repeated_rows"].value == N
    assert "repeated_rows" not in ask(GOOD).diagnostics


def test_repeated_examples_share_a_group():
    half = np.r_[ROWS, ROWS[:30]]
    sources = {name: array[half] for name, array in GOOD.items()}
    sample = check_sample(sources, Y[half], None, 5)
    assert sample.repeated == 30
    assert sample.groups["repeated example"].tolist() == half.tolist()
    assert check_sample(GOOD, Y, None, 5).groups == {}


def test_a_repeated_example_joins_the_groups_that_have_it():
    half = np.r_[ROWS, 0]
    sources = {name: array[half] for name, array in GOOD.items()}
    apart = np.r_[ROWS // 3, 100]
    sample = check_sample(sources, Y[half], {"patient": apart}, 5)
    assert list(sample.groups) == ["patient"]
    joined = sample.groups["patient"]
    assert joined[-1] == joined[0]
    assert len(np.unique(joined)) == len(np.unique(apart)) - 1
    within = np.r_[ROWS // 3, 0]
    kept = check_sample(sources, Y[half], {"patient": within}, 5).groups["patient"]
    assert kept.tolist() == within.tolist()


def test_an_embedding_that_is_shared_is_no_repeated_example():
    shared = {"image": IMAGE[ROWS // 2], "text": GOOD["text"]}
    assert check_sample(shared, Y, None, 5).repeated == 0


def test_symbols_that_meet_again_are_no_repeated_examples():
    symbols = {"image": np.eye(8)[ROWS % 8], "text": np.eye(9)[ROWS**2 % 9]}
    assert check_sample(symbols, Y, None, 5).repeated == 0


def test_states_that_tell_the_target_surely_are_calibrated():
    counts = np.array([[[0.6, -0.1], [-0.1, 0.6]]])
    scores = np.array([[3.0, -3.0], [-3.0, 3.0]])
    assert np.allclose(calibrate_states(scores, counts)[0], np.eye(2) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"folds": 1000}, "folds is 1000, more than the rows of any class (30 at most)"),
        (
            {"groups": np.zeros(60, int)},
            "tie all 60 rows into 1 connected set, too few for 5 folds; give fewer folds",
        ),
        ({"streaming": Streaming(above=10)}, "60 rows are too few to be streamed"),
        (
            {"streaming": Streaming(above=10), "groups": np.arange(60) // 2},
            "60 rows, which the groups tie into 30 connected sets, are too few to be streamed",
        ),
        (
            {"y": [*["a"] * 30, *[1] * 30]},
            "give values of one type, such as all of them as strings",
        ),
    ],
)
def test_what_to_do_about_too_few_rows_is_said(changes, words):
    rng = np.random.default_rng(0)
    given = {"y": np.arange(60) % 2} | changes
    embeddings = {"image": rng.normal(size=(60, 2)), "text": rng.normal(size=(60, 2))}
    with pytest.raises(mp.InputError, match=re.escape(words)):
        mp.analyze(embeddings, given.pop("y"), **given)


def test_the_axes_between_rows_and_columns_are_named():
    embeddings = {"image": np.ones((60, 7, 4)), "text": np.ones((60, 2))}
    words = "average over the axes between, such as tokens, or keep all values by reshape(60, -1)"
    with pytest.raises(mp.InputError, match=re.escape(words)):
        mp.analyze(embeddings, np.arange(60) % 2)


def test_an_index_of_numbers_is_shown_as_numbers():
    tables = {"X": pd.DataFrame({"a": [1, 2]}, index=[7, 54]), "y": pd.Series([0, 1])}
    with pytest.raises(mp.InputError, match=r"row 0 is 7 in one and 0 in the other"):
        check_index(tables)
