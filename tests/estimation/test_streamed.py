"""The front door with many rows: few here, and a threshold that is lower still."""

import math
import tracemalloc

import numpy as np
import pytest

import modalprism as mp
from modalprism.errors import DataWarning, InputError
from modalprism.estimation import target as target_module
from modalprism.estimation.nested import Nested
from modalprism.estimation.posterior import PosteriorEstimator
from modalprism.estimation.split import Split
from modalprism.estimation.streaming import Streaming

FEW = {"replicates": 100, "permutations": 39, "folds": 3, "effort": "fast"}
SOON = Streaming(above=1000, states=100, looked_at=500)
ATOMS = ("redundancy", "synergy", "information", "union_information")


def atoms_of(analysis):
    return [*(getattr(analysis, name) for name in ATOMS), *analysis.unique]


@pytest.fixture(scope="module")
def mapped(written, tmp_path_factory):
    """Make a gate's embeddings, mapped from disk, and its labels."""

    def make(gate, n=3000, dimensions=12):
        sources, y = written(gate, n, dimensions=dimensions)
        folder = tmp_path_factory.mktemp("mapped")
        for name, rows in sources.items():
            np.save(folder / f"{name}.npy", rows.astype(np.float16))
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in sources}, y

    return make


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["rdn", "xor", "and"])
def test_streaming_reads_what_memory_does(mapped, gate):
    sources, y = mapped(gate)
    streamed = mp.analyze(sources, y, streaming=SOON, **FEW)
    in_memory = mp.analyze(sources, y, replicates=100, permutations=1, folds=3)
    assert "learnt_rows" in streamed.diagnostics
    assert "learnt_rows" not in in_memory.diagnostics
    for ours, theirs in zip(atoms_of(streamed), atoms_of(in_memory), strict=True):
        assert theirs.low - 0.02 <= ours.value <= theirs.high + 0.02
        assert ours.low - 0.02 <= theirs.value <= ours.high + 0.02
    assert streamed.information.p_value <= 0.05


@pytest.mark.slow
def test_the_gap_holds_what_merging_may_have_lost(mapped):
    sources, y = mapped("and")
    few = mp.analyze(sources, y, streaming=Streaming(above=1000, states=2), **FEW)
    many = mp.analyze(sources, y, streaming=SOON, **FEW)
    said = {name: estimate.value for name, estimate in few.diagnostics.items()}
    assert few.gap == pytest.approx(said["solver_gap"] + said["state_loss"])
    assert few.gap > many.gap
    assert said["union_lower"] <= many.diagnostics["union_upper"].value
    assert said["union_upper"] >= many.diagnostics["union_lower"].value


def test_noise_reads_as_nothing():
    rng = np.random.default_rng(0)
    sources = {name: rng.normal(size=(3000, 20)) for name in ("image", "text")}
    analysis = mp.analyze(sources, rng.integers(4, size=3000), streaming=SOON, **FEW)
    assert all(abs(atom.value) < 0.01 for atom in atoms_of(analysis))
    assert not analysis.contribution[0].determined


@pytest.mark.slow
def test_the_same_bytes_twice_in_either_order(mapped, spell):
    sources, y = mapped("unq")
    one, other = (mp.analyze(sources, y, streaming=SOON, seed=3, **FEW) for _ in "ab")
    assert spell(one) == spell(other)
    assert one.evidence.rows.tobytes() == other.evidence.rows.tobytes()
    turned = mp.analyze(dict(reversed(sources.items())), y, streaming=SOON, seed=3, **FEW)
    assert spell(turned)[0] == spell(one)[0]


@pytest.mark.slow
def test_blocks_decide_no_more_than_rounding(mapped, monkeypatch):
    sources, y = mapped("xor")
    one = mp.analyze(sources, y, streaming=SOON, **FEW)
    monkeypatch.setattr(target_module, "BLOCK_ROWS", 333)
    small = Streaming(above=1000, states=100, looked_at=500, block_numbers=12 * 100)
    other = mp.analyze(sources, y, streaming=small, **FEW)
    for ours, theirs in zip(atoms_of(one), atoms_of(other), strict=True):
        assert ours.value == pytest.approx(theirs.value, abs=1e-4)


@pytest.mark.slow
def test_groups_and_distributions_are_streamed_as_well(random_sample):
    sources, p = random_sample(0, n=2000, soft=True)
    group = np.arange(2000) // 4
    analysis = mp.analyze(sources, p, groups={"who": group}, streaming=SOON, **FEW)
    in_memory = mp.analyze(sources, p, groups={"who": group}, **FEW)
    ceiling = analysis.diagnostics["information_ceiling"].value
    assert ceiling == pytest.approx(in_memory.diagnostics["information_ceiling"].value)
    assert 0 < analysis.information.value < ceiling
    assert analysis.information.value == pytest.approx(in_memory.information.value, abs=0.05)


def test_a_plan_may_be_chosen(written):
    sources, y = written("unq", 1500)
    estimators = [PosteriorEstimator(3, 50, 19, plan=plan) for plan in (Nested(3), Split(3, SOON))]
    nested, split = (mp.analyze(sources, y, folds=3, estimator=each) for each in estimators)
    assert "learnt_rows" not in nested.diagnostics
    assert "learnt_rows" in split.diagnostics
    assert split.unique[0].value == pytest.approx(nested.unique[0].value, abs=0.05)


def test_repeated_rows_are_told(mapped):
    sources, y = mapped("rdn")
    sources = {name: np.asarray(rows).copy() for name, rows in sources.items()}
    for rows in sources.values():
        rows[1000:1100] = rows[:100]
    y = y.copy()
    y[1000:1100] = y[:100]
    analysis = mp.analyze(sources, y, streaming=SOON, **FEW)
    assert analysis.diagnostics["repeated_rows"].value == 100


class Slices:
    """Rows of which only slices can be had; it remembers the largest."""

    def __init__(self, rows):
        self._rows, self.shape, self.dtype, self.most = rows, rows.shape, rows.dtype, 0

    def __getitem__(self, key):
        assert isinstance(key, slice)
        found = self._rows[key]
        self.most = max(self.most, len(found))
        return found


@pytest.mark.slow
def test_no_more_than_a_block_is_ever_read(mapped):
    sources, y = mapped("and", n=16_000, dimensions=256)
    sources = {name: Slices(rows) for name, rows in sources.items()}
    streaming = Streaming(
        above=1000, learning_rows=1000, looked_at=500, states=100, block_numbers=256 * 500
    )
    tracemalloc.start()
    mp.analyze(dict(sources), y, replicates=1, permutations=1, folds=3, streaming=streaming)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(rows.most for rows in sources.values()) == 500
    assert peak < 16_000 * 256 * 4  # float32 of one source


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_the_first_row_that_is_not_finite_is_named(dtype):
    rng = np.random.default_rng(0)
    sources = {name: rng.normal(size=(3000, 8)).astype(dtype) for name in ("image", "text")}
    sources["text"][2741, 3] = np.nan
    sources["text"][2900, 3] = np.inf
    streaming = Streaming(above=1000, block_numbers=800)
    with pytest.raises(InputError, match=r"'text' has NaN or infinite values.*row 2741; remove"):
        mp.analyze(sources, rng.integers(2, size=3000), streaming=streaming)


def test_a_truncated_map_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "image"
    rows = np.memmap(path, np.float16, "w+", shape=(3000, 8))
    rows[:] = np.random.default_rng(0).normal(size=rows.shape)
    rows.flush()
    with path.open("r+b") as file:
        file.truncate(40_000)
    with pytest.raises(InputError, match="40,000 bytes instead of 48,000: the file is truncated"):
        mp.analyze({"image": rows, "text": rows[:]}, np.arange(3000) % 2, streaming=SOON)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.zeros(3000, dtype=int), "one class only"),
        (
            np.arange(3000) % 2 + np.where(np.arange(3000) == 7, np.nan, 0),
            "the target is missing in row",
        ),
        (np.full((3000, 2), 0.4), "row 0 of the target sums to 0.8"),
        (np.arange(2999) % 2, "give labels"),
        (np.append(np.zeros(2998), [1, 1]), "too few rows, 2 for 5"),
    ],
)
def test_targets_that_cannot_be_used(y, said):
    rows = np.random.default_rng(0).normal(size=(3000, 4))
    with pytest.raises(InputError, match=said):
        mp.analyze({"image": rows, "text": rows}, y, streaming=SOON)


def test_embeddings_that_cannot_be_used():
    rows, y = np.ones((3000, 4)), np.arange(3000) % 2
    with pytest.raises(InputError, match="'text' has 2999"):
        mp.analyze({"image": rows, "text": rows[1:]}, y, streaming=SOON)
    with pytest.raises(InputError, match="as large as 1e"):
        mp.analyze({"image": rows, "text": rows * 1e200}, y, streaming=SOON)


def test_a_constant_embedding_has_nothing_to_read(mapped):
    sources, y = mapped("unq")
    sources["text"] = np.full_like(sources["text"], 3)
    with pytest.warns(DataWarning, match="'text' is the same in every row"):
        analysis = mp.analyze(sources, y, streaming=SOON, **FEW)
    assert analysis.marginal_information[1].value == pytest.approx(0, abs=1e-6)
    assert analysis.unique[0].value > 0.95
    assert not math.isnan(analysis.gap)


def test_a_full_disk_is_said(mapped, disk_of, tmp_path):
    sources, y = mapped("rdn")
    streaming = Streaming(above=1000, states=100, looked_at=300, folder=tmp_path)
    with disk_of(4096), pytest.raises(InputError, match="no more can be written"):
        mp.analyze(sources, y, streaming=streaming, **FEW)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="name another one"):
        mp.analyze(sources, y, streaming=Streaming(above=1000, folder=tmp_path / "none"), **FEW)
