"""Progress: what callers of public functions ask for, and what they see."""

import io

import numpy as np
import pytest
from rich.console import Console

import modalprism as mp
from modalprism.bars import Bars
from modalprism.errors import InputError
from modalprism.progress import ProgressEvent, counted_steps, forwarding, tracking
from modalprism.validation import validate

N = 600
RNG = np.random.default_rng(0)
LABEL = RNG.integers(2, size=N)
SAMPLE = {"image": RNG.normal(size=(N, 3)) + LABEL[:, None], "text": RNG.normal(size=(N, 2))}
FEW = {"folds": 3, "replicates": 20, "permutations": 19, "effort": "fast"}


def analysed(**options):
    return mp.analyze(SAMPLE, LABEL, **FEW, **options)


@pytest.fixture
def study(tmp_path):
    np.savez(tmp_path / "store.npz", label=LABEL, **SAMPLE)
    return mp.Study(
        sources=[{"path": tmp_path / "store.npz"}],
        modalities=("image", "text"),
        replicates=20,
        permutations=19,
        workers=1,
        out=tmp_path / "run",
    )


def stages(events):
    """The stages in order, each with the events it had."""
    assert all(isinstance(event, ProgressEvent) for event in events)
    found = []
    for event in events:
        found += [[]] if event.done == 0 else []
        found[-1].append(event)
    return found


def assert_complete(events):
    """Each stage counts from 0 to its total, one by one."""
    assert events
    for stage in stages(events):
        (total,), (words,) = {e.total for e in stage}, {e.description for e in stage}
        assert [event.done for event in stage] == list(range(total + 1))
        assert words


@pytest.mark.parametrize("estimator", ["posterior", "codebook"])
@pytest.mark.parametrize("above", [50_000, 500])
def test_an_analysis_counts_to_its_end(estimator, above):
    events = []
    streaming = mp.estimation.streaming.Streaming(above=above)
    told = analysed(estimator=estimator, streaming=streaming, progress=events.append)
    assert_complete(events)
    assert {event.description for event in events} == {"analysing image and text"}
    silent = analysed(estimator=estimator, streaming=streaming)
    assert str(told) == str(silent)


@pytest.mark.slow
def test_runs_checks_and_pages_count_to_their_end(study):
    events = []
    study.run(progress=events.append)
    assert_complete(events)
    assert {"analysing", "drawing figures"} < {event.description for event in events}
    events.clear()
    mp.write_report(study.out, progress=events.append)
    assert_complete(events)
    events.clear()
    validate(study, examples=100, runs=2, progress=events.append)
    assert_complete(events)


def test_true_is_a_bar_on_standard_error_and_false_is_nothing(capsys):
    analysed(progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "analysing image and text" in err
    analysed(progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [None, 1, "yes", [True]])
def test_anything_else_is_refused_before_work_begins(wrong, study):
    for call in (
        lambda: analysed(progress=wrong),
        lambda: study.run(progress=wrong),
        lambda: validate(study, progress=wrong),
    ):
        with pytest.raises(InputError, match="pass True for a bar") as caught:
            call()
        assert caught.value.parameter == "progress"
    assert not study.out.exists()


def test_an_error_of_the_callable_ends_the_work():
    def stop(_event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analysed(progress=stop)


def test_events_inside_are_passed_on():
    events = []
    with tracking(events.append) as track, tracking(forwarding(track)) as inner:
        assert list(inner("abc", total=3, description="known")) == ["a", "b", "c"]
        assert list(inner("ab", total=0, description="unknown")) == ["a", "b"]
    assert [event.done for event in events] == [0, 1, 2, 3, 0, 1, 2]


def test_more_steps_than_were_said_do_no_harm():
    events = []
    with tracking(events.append) as track, counted_steps(track, 1, "baking") as step:
        step()
        step()
    assert [event.done for event in events] == [0, 1]


def test_names_are_shown_as_they_are():
    screen = io.StringIO()
    with Bars(console=Console(file=screen, width=100)) as bars:
        bars.show(ProgressEvent("reading [bold]x\x1b[2J", 0, 0))
        bars.show(ProgressEvent("reading [bold]x\x1b[2J", 1, 0))
    assert "reading [bold]x\\x1b[2J" in screen.getvalue()
