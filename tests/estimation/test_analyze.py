import math

import numpy as np
import pandas as pd
import pytest

import modalprism as mp
from modalprism.estimation.codebook.codebook import CodebookEstimator
from modalprism.estimation.sample import check_sample
from modalprism.estimation.streaming import Streaming
from modalprism.estimation.validation import seed_number

ASKED = {"estimator": "codebook", "replicates": 50, "permutations": 39, "target": "label"}


def test_codes_find_what_one_modality_alone_tells_and_say_how_sure_they_are(written):
    embeddings, y = written("unq", 300)
    a = mp.analyze(embeddings, y, **ASKED)
    assert (a.estimator, a.target) == ("codebook", "label")
    assert a.unique[0].value == pytest.approx(1, abs=0.1)
    assert a.unique[0].p_value == pytest.approx(1 / 40)
    assert a.unique[1].p_value > 0.05
    assert a.contribution[0].value == pytest.approx(1, abs=0.03)
    assert a.contribution[0].p_value <= 0.05
    assert "p = 0.025" in str(a)
    sum_of_atoms = a.redundancy.value + a.unique[0].value + a.unique[1].value + a.synergy.value
    assert sum_of_atoms == pytest.approx(a.information.value)


def test_codes_leave_the_contribution_open_where_the_target_is_noise():
    rng = np.random.default_rng(1)
    embeddings = {"image": rng.normal(size=(300, 8)), "text": rng.normal(size=(300, 8))}
    a = mp.analyze(embeddings, rng.integers(3, size=300), **ASKED)
    assert not a.contribution[0].determined
    assert not math.isnan(a.contribution[0].p_value)
    assert a.diagnostics["plug_in_information"].value > 0.1 > abs(a.information.value)


def test_symbols_are_used_as_they_are():
    one, other = np.random.default_rng(0).integers(2, size=(2, 400, 1))
    a = mp.analyze({"image": one, "text": other}, (one ^ other).ravel(), **ASKED)
    assert a.synergy.value == pytest.approx(1, abs=0.05)
    assert a.families == {"image": ("2 codes",), "text": ("2 codes",)}


def test_the_order_of_the_modalities_decides_nothing(written, spell):
    embeddings, y = written("unq", 120)
    a = mp.analyze(embeddings, y, **ASKED)
    b = mp.analyze(dict(reversed(embeddings.items())), y, **ASKED)
    assert b.modalities == ("text", "image")
    assert spell(a) == spell(b)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"estimator": "neural"}, "choose one of 'posterior', 'codebook'"),
        ({"permutations": 0}, "at least"),
    ],
)
def test_what_cannot_be_asked_is_said(written, asked, words):
    with pytest.raises(mp.InputError, match=words):
        mp.analyze(*written("and", 60), **asked)


Y = np.arange(60) % 2
SOURCES = {"image": np.random.default_rng(0).normal(size=(60, 2)), "text": np.eye(2)[Y]}


@pytest.mark.parametrize("seed", [None, np.random.default_rng(3), np.random.SeedSequence(3)])
def test_a_seed_is_recorded_and_gives_the_same_result_again(seed):
    few = {"estimator": "codebook", "replicates": 5, "permutations": 5}
    drawn = mp.analyze(SOURCES, Y, seed=seed, **few)
    assert 0 <= drawn.seed < 2**32
    assert mp.analyze(SOURCES, Y, seed=drawn.seed, **few) == drawn


def test_seeds_that_are_no_numbers_draw_them():
    assert seed_number(np.int64(7)) == 7
    assert seed_number(None) != seed_number(None)
    generator = np.random.default_rng(3)
    assert seed_number(generator) != seed_number(generator)
    assert seed_number(np.random.default_rng(3)) == seed_number(np.random.default_rng(3))
    assert seed_number(np.random.SeedSequence(3)) == seed_number(np.random.SeedSequence(3))


@pytest.mark.parametrize("above", [50_000, 1])
def test_indices_that_disagree_are_refused(above):
    sources = SOURCES | {"image": pd.DataFrame(SOURCES["image"])}
    shuffled = pd.Series(Y, index=np.arange(60)[::-1])
    for options in ({"y": shuffled}, {"y": Y, "groups": {"patient": shuffled}}):
        with pytest.raises(mp.InputError, match=r"'image' and the (target|group column 'patient')"):
            mp.analyze(sources, **options, streaming=Streaming(above=above))


@pytest.mark.parametrize("make", [list, np.array, lambda ids: ids[:, None], pd.Series])
def test_groups_are_one_array_or_several_by_name(make):
    ids = np.arange(60) // 2
    for groups in (make(ids), {"patient": make(ids)}, pd.DataFrame({"patient": ids})):
        (column,) = check_sample(SOURCES, Y, groups, 5).groups.values()
        assert column.tolist() == ids.tolist()


def test_an_estimator_may_be_any_callable(written):
    sources, y = written("unq", 120)
    seen = []

    def estimator(sample):
        seen.append(sample)
        return CodebookEstimator(replicates=50, permutations=39, seed=5)(sample)

    a = mp.analyze(dict(reversed(sources.items())), y, estimator=estimator, target="label")
    assert seen[0].modalities == ("image", "text")
    assert (a.modalities, a.target) == (("text", "image"), "label")
    by_name = mp.analyze(dict(reversed(sources.items())), y, seed=5, **ASKED)
    assert a.unique == by_name.unique
    assert a.seed == 5
    for wrong in (3, CodebookEstimator):
        with pytest.raises(mp.InputError, match="one of 'posterior', 'codebook', or an object"):
            mp.analyze(sources, y, estimator=wrong)
    with pytest.raises(mp.InputError, match="returned float, not an Analysis"):
        mp.analyze(sources, y, estimator=lambda sample: float(len(sample)))


def test_a_package_may_register_an_estimator(written, tmp_path, monkeypatch):
    (tmp_path / "outside_estimator.py").write_text(
        "from modalprism.estimation.codebook.codebook import CodebookEstimator\n"
        "def make(replicates, seed=0):\n"
        "    return CodebookEstimator(replicates, permutations=19, seed=seed)\n"
    )
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[modalprism.estimators]\nmine = outside_estimator:make\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    a = mp.analyze(*written("unq", 120), estimator="mine", replicates=20)
    assert a.evidence.resampled.shape[1] == 20
    assert a.information.p_value == pytest.approx(1 / 20)
