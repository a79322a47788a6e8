"""The posterior estimator: laws that hold for every sample, and samples whose atoms are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import modalprism as mp
from modalprism.errors import DataWarning

LAWS = settings(derandomize=True, deadline=None, max_examples=6)
FEW_LAWS = settings(LAWS, max_examples=3)  # each analyses twice
seeds = st.integers(0, 2**31)


def assert_adds_up(a):
    first, second = (unique.value for unique in a.unique)
    total = a.redundancy.value + first + second + a.synergy.value
    assert total == pytest.approx(a.information.value, abs=1e-9)
    for unique, marginal in zip(a.unique, a.marginal_information, strict=True):
        assert a.redundancy.value + unique.value == pytest.approx(marginal.value, abs=1e-9)
    assert a.information.value - a.synergy.value == pytest.approx(
        a.union_information.value, abs=1e-9
    )
    for _, _, estimate in a.quantities():
        assert math.isnan(estimate.low) or estimate.low <= estimate.high


def assert_undetermined(a):
    assert not any(part.determined for part in a.contribution)
    assert [str(part) for part in a.contribution] == ["undetermined"] * 2


@LAWS
@given(seeds, st.integers(50, 120), st.integers(2, 4), st.booleans(), st.sampled_from([3, 5]))
def test_atoms_add_up(random_sample, seed, n, classes, soft, folds):
    embeddings, y = random_sample(seed, n, classes, soft=soft)
    a = mp.analyze(embeddings, y, folds=folds, replicates=20, permutations=9, effort="fast")
    assert_adds_up(a)
    assert a.n == n
    assert a.gap >= 0
    if a.contribution[0].determined:
        assert a.contribution[0].value + a.contribution[1].value == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("effort", ["fats", None])
def test_an_unknown_effort_is_refused_before_anything_is_read(effort):
    with pytest.raises(mp.InputError, match=r"effort is .*: pass one of 'fast', 'default', 'thor"):
        mp.analyze({}, [], effort=effort)


@pytest.mark.slow
@FEW_LAWS
@given(seeds, st.booleans())
def test_swapping_the_modalities_swaps_the_labels_and_nothing_else(
    random_sample, spell, seed, soft
):
    embeddings, y = random_sample(seed, soft=soft)
    a = mp.analyze(embeddings, y, replicates=20, permutations=9, effort="fast")
    b = mp.analyze(
        dict(reversed(embeddings.items())), y, replicates=20, permutations=9, effort="fast"
    )
    assert a.modalities == ("image", "text")
    assert b.modalities == ("text", "image")
    assert spell(a) == spell(b)


@pytest.mark.slow
@FEW_LAWS
@given(seeds)
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(random_sample, spell, seed):
    embeddings, y = random_sample(seed, 120)
    spelled = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with threadpool_limits(threads):
                spelled.append(
                    spell(mp.analyze(embeddings, y, replicates=20, permutations=9, effort="fast"))
                )
                assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert spelled[0] == spelled[1]


@pytest.mark.slow
def test_another_seed_gives_another_bootstrap(written, spell):
    embeddings, y = written("and", 200)
    a, b = (
        mp.analyze(embeddings, y, replicates=50, permutations=9, effort="fast", seed=seed)
        for seed in (0, 1)
    )
    assert spell(a) != spell(b)
    assert a.information.value == pytest.approx(b.information.value, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("base", "unit"), [(math.e, "nat"), (10, "base-10")])
def test_base_only_rescales(written, base, unit):
    embeddings, y = written("and", 200)
    bits = mp.analyze(embeddings, y, replicates=50, permutations=9, effort="fast")
    other = mp.analyze(embeddings, y, replicates=50, permutations=9, effort="fast", base=base)
    assert (bits.unit, other.unit) == ("bit", unit)
    assert other.gap * math.log2(base) == pytest.approx(bits.gap)
    for mine, theirs in zip(bits.quantities(), other.quantities(), strict=True):
        factor = 1 if mine[2].unit == "1" else math.log2(base)
        for edge in ("value", "low", "high"):
            expected = pytest.approx(getattr(mine[2], edge), rel=1e-9, abs=1e-12, nan_ok=True)
            assert getattr(theirs[2], edge) * factor == expected


@pytest.mark.parametrize("seed", range(3))
def test_independent_noise_reads_as_nothing(seed):
    rng = np.random.default_rng(seed)
    embeddings = {"image": rng.normal(size=(1000, 24)), "text": rng.normal(size=(1000, 24))}
    a = mp.analyze(embeddings, rng.integers(3, size=1000), replicates=200)
    atoms = [a.redundancy, *a.unique, a.synergy, a.information, *a.marginal_information]
    assert [atom.value for atom in atoms] == pytest.approx([0] * 7, abs=0.02)
    assert_undetermined(a)
    assert not a.share[0].determined


@pytest.mark.parametrize(
    ("gate", "atoms"),
    [("rdn", (1, 0, 0, 0)), ("unq", (0, 1, 0, 0)), ("and", (0.311, 0, 0, 0.5))],
)
def test_gates_come_out(written, gate, atoms):
    embeddings, y = written(gate)
    a = mp.analyze(embeddings, y, replicates=200)
    found = (a.redundancy.value, a.unique[0].value, a.unique[1].value, a.synergy.value)
    assert found == pytest.approx(atoms, abs=0.06)
    if gate == "unq":
        assert a.contribution[0].value == pytest.approx(1, abs=0.02)
        assert a.share[0].value == pytest.approx(1, abs=0.02)
    else:
        assert_undetermined(a)


def test_exclusive_or_is_found_through_products(written):
    embeddings, y = written("xor")
    a = mp.analyze(embeddings, y, replicates=200)
    assert a.synergy.value > 0.8
    rest = (a.redundancy.value, a.unique[0].value, a.unique[1].value)
    assert rest == pytest.approx((0, 0, 0), abs=0.05)
    assert_undetermined(a)
    assert [part.value for part in a.share] == pytest.approx([0.5, 0.5], abs=0.05)


@pytest.mark.slow
def test_the_gap_is_within_what_was_asked_and_the_intervals_hold_the_values(written):
    for gate in ("rdn", "unq", "xor", "and"):
        a = mp.analyze(*written(gate, 300), replicates=200)
        assert a.gap <= 2e-3 / math.log(2) + 1e-12
        # A resample's H(Y) is too small by about half of this, and the probes are not fitted again.
        bias = 1 / 300 / math.log(2)
        for name in ("redundancy", "synergy", "information", "union_information"):
            estimate = getattr(a, name)
            assert estimate.low <= estimate.value <= estimate.high + bias


# scikit-learn's PCA divides by the total variance, which is zero here.
@pytest.mark.filterwarnings("ignore:the embedding of:modalprism.errors.DataWarning")
def test_a_constant_embedding_has_exactly_nothing(written):
    embeddings, y = written("unq", 300)
    a = mp.analyze(embeddings | {"text": np.full((300, 5), 7.0)}, y, replicates=50, permutations=39)
    assert a.marginal_information[1].value == pytest.approx(0, abs=1e-12)
    assert a.redundancy.value == pytest.approx(0, abs=a.gap + 1e-6)
    assert a.unique[1].value == pytest.approx(0, abs=a.gap + 1e-6)
    assert a.contribution[0].value == pytest.approx(1, abs=0.02)


# scikit-learn's PCA divides by the total variance, which is zero here.
@pytest.mark.filterwarnings("ignore:the embedding of:modalprism.errors.DataWarning")
def test_two_constant_embeddings_have_exactly_nothing():
    y = np.arange(100) % 2
    a = mp.analyze(
        {"image": np.ones((100, 3)), "text": np.zeros((100, 1))},
        y,
        replicates=50,
        permutations=9,
        effort="fast",
    )
    values = [a.redundancy, *a.unique, a.synergy, a.information, *a.marginal_information]
    assert [estimate.value for estimate in values] == pytest.approx([0] * 7, abs=1e-12)
    assert_undetermined(a)


def test_whole_distributions_are_targets(random_sample):
    embeddings, p = random_sample(3, 400, soft=True)
    a = mp.analyze(embeddings, p, replicates=50, permutations=9, effort="fast")
    entropy = -(p.mean(0) * np.log2(p.mean(0))).sum()
    ceiling = entropy + (p * np.log2(p)).sum(1).mean()
    assert a.diagnostics["information_ceiling"].value == pytest.approx(ceiling)
    assert 0.3 < a.diagnostics["recovered"].value <= 1
    recovered = a.information.value / ceiling
    assert a.diagnostics["recovered"].value == pytest.approx(recovered)
    assert a.information.value > max(part.value for part in a.marginal_information) - 0.05


@pytest.mark.slow
def test_sure_distributions_and_labels_say_the_same(written):
    embeddings, y = written("and", 300)
    hard = mp.analyze(embeddings, y, replicates=50, permutations=9, effort="fast")
    sure = mp.analyze(embeddings, np.eye(2)[y], replicates=50, permutations=9, effort="fast")
    for name in ("redundancy", "synergy", "information", "union_information"):
        assert getattr(sure, name).value == pytest.approx(getattr(hard, name).value, abs=1e-3)
    assert "information_ceiling" not in hard.diagnostics
    ceiling = sure.diagnostics["information_ceiling"].value
    assert ceiling == pytest.approx(-sum(p * math.log2(p) for p in np.bincount(y) / 300))


def test_an_answer_that_is_given_once_takes_nothing_from_the_others(written):
    # No probe that may read row 7 has seen its answer; one row must not cost all confidence.
    embeddings, y = written("unq", 120)
    p = np.eye(3)[np.where(np.arange(120) == 7, 2, y)]
    a = mp.analyze(embeddings, p, replicates=20, permutations=9, effort="fast")
    assert_adds_up(a)
    assert a.unique[0].value > 0.95


def test_answers_that_never_change_have_no_ceiling():
    rng = np.random.default_rng(0)
    embeddings = {name: rng.normal(size=(60, 3)) for name in ("image", "text")}
    a = mp.analyze(
        embeddings, np.tile([0.3, 0.7], (60, 1)), replicates=20, permutations=9, effort="fast"
    )
    assert a.information.value == pytest.approx(0, abs=1e-9)
    assert "recovered" not in a.diagnostics


@pytest.mark.slow
def test_groups_keep_what_belongs_together_apart():
    """Each picture is shown eight times; its label is random, but the same every time."""
    rng = np.random.default_rng(0)
    picture = np.repeat(np.arange(60), 8)
    looks, label = rng.normal(size=(60, 6)) * 3, rng.permutation(60) % 2
    embeddings = {
        "image": looks[picture] + 0.1 * rng.normal(size=(480, 6)),
        "text": rng.normal(size=(480, 4)),
    }
    few = {"replicates": 50, "permutations": 9, "effort": "fast"}
    with pytest.warns(DataWarning):
        leaking = mp.analyze(embeddings, label[picture], **few)
    assert "'image' that nearly equals that of another row" in leaking.cautions[0]
    honest = mp.analyze(embeddings, label[picture], groups={"picture": picture}, **few)
    assert leaking.information.value > 0.3
    assert honest.information.value < 0.1


@pytest.mark.slow
def test_labels_of_any_kind_and_embeddings_of_any_dtype_are_read(written, spell):
    embeddings, y = written("unq", 120)
    single = {name: x.astype(np.float32) for name, x in embeddings.items()}
    a = spell(mp.analyze(single, y, replicates=20, permutations=9, effort="fast"))
    tensors = {name: torch.from_numpy(x) for name, x in single.items()}
    assert (
        spell(
            mp.analyze(tensors, torch.from_numpy(y), replicates=20, permutations=9, effort="fast")
        )
        == a
    )
    words = np.array(["no", "yes"])[y]
    assert (
        spell(mp.analyze(single, words.tolist(), replicates=20, permutations=9, effort="fast")) == a
    )
    assert (
        spell(mp.analyze(single, y.astype(bool), replicates=20, permutations=9, effort="fast")) == a
    )


def test_input_is_left_alone(written):
    embeddings, y = written("unq", 60)
    before = {name: x.copy() for name, x in embeddings.items()}
    mp.analyze(embeddings, y, replicates=5, permutations=9)
    for name, x in embeddings.items():
        np.testing.assert_array_equal(x, before[name])


@pytest.mark.slow
def test_a_bit_that_a_source_does_not_know_leaks_no_synergy():
    rng = np.random.default_rng(0)
    bits = rng.integers(2, size=(2, 1000))
    one, other = (np.outer(bit, np.eye(60)[0]) * 8 + rng.normal(size=(1000, 60)) for bit in bits)
    a = mp.analyze(
        {"image": one, "text": other},
        2 * bits[0] + bits[1],
        replicates=50,
        permutations=9,
        effort="fast",
    )
    found = (a.redundancy.value, a.unique[0].value, a.unique[1].value, a.synergy.value)
    assert found == pytest.approx((0, 1, 1, 0), abs=0.05)


@pytest.mark.slow
def test_sources_read_side_by_side_give_the_same_bits(written, monkeypatch):
    embeddings, y = written("and", 200)
    one = mp.analyze(embeddings, y, replicates=5, permutations=1)
    monkeypatch.setattr("modalprism.estimation.nested.MANY_ROWS", 100)
    assert mp.analyze(embeddings, y, replicates=5, permutations=1) == one
