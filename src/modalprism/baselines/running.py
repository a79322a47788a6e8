"""Run a model over batches of examples, and count the passes."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.baselines.interface import Baseline, Cost, Result, Score, Subject
from modalprism.baselines.intervals import average, sample_weights, scored
from modalprism.capture.run import device_named
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError
from modalprism.progress import Track, silent


@dataclass(frozen=True)
class Batch:
    """Examples, by their places among the subject's, and their inputs on the model's device."""

    places: range
    inputs: dict[str, Tensor]


Change = Callable[[int, Example], Example]
"""From an example and its place to what the model is given instead."""

Around = Callable[[Batch], AbstractContextManager[None]]
"""Context of a batch's pass, such as hooks that replace states."""


def nothing_around(_batch: Batch) -> AbstractContextManager[None]:
    """Run a batch as it is."""
    return nullcontext()


@contextmanager
def enough_memory(batch: Batch) -> Iterator[None]:
    """Refuse a batch for which memory does not suffice."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(
            f"memory does not suffice for a batch of {len(batch.places)}; give a smaller batch "
            "size, or another device"
        ) from error


@dataclass
class Runner:
    """A subject's model on its device, with seconds and passes of one example each counted.

    `labels` and `groups` are those of the examples that were run, by their places. An `InputError`
    refuses fewer than two examples, a batch size below 1, and a device that is not there.
    """

    subject: Subject
    track: Track = silent
    forward: int = 0
    backward: int = 0
    labels: dict[int, int | str | None] = field(default_factory=dict)
    groups: dict[int, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begin = time.perf_counter()
        if self.subject.batch_size < 1:
            raise InputError(f"the batch size is {self.subject.batch_size}; give 1 or more")
        if (n := len(self.subject.examples)) < 2:
            raise InputError(
                f"there {'is one example' if n else 'are no examples'}, from which no score of a "
                "dataset follows; give two or more"
            )
        self.device = device_named(self.subject.device)
        self.subject.adapter.model.to(self.device).eval()

    @property
    def cost(self) -> Cost:
        """Passes up to now."""
        return Cost(self.forward, self.backward)

    def result(
        self,
        baseline: Baseline,
        scores: Sequence[Score],
        per_example: Mapping[str, NDArray[Any]],
        seed: int,
    ) -> Result:
        """Return the result of a baseline, with the cost up to now."""
        return Result(
            baseline.name,
            self.subject.model,
            self.subject.dataset,
            tuple(scores),
            len(self.subject.examples),
            self.cost,
            time.perf_counter() - self.begin,
            seed,
            per_example,
        )

    def batches(self, description: str, change: Change | None = None) -> Iterator[Batch]:
        """Prepare all examples, a batch at a time; `change` replaces an example."""
        examples, size = self.subject.examples, self.subject.batch_size
        starts = range(0, len(examples), size)
        for start in self.track(starts, total=len(starts), description=description):
            places = range(start, min(start + size, len(examples)))
            given = [examples[place] for place in places]
            for place, example in zip(places, given, strict=True):
                self.labels[place], self.groups[place] = example.label, example.groups
            if change is not None:
                given = [change(place, one) for place, one in zip(places, given, strict=True)]
            yield Batch(places, self._prepared(given))

    def _prepared(self, examples: list[Example]) -> dict[str, Tensor]:
        try:
            inputs = self.subject.adapter.prepare(examples)
        except (OSError, ValueError, TypeError, KeyError) as error:
            why = str(error) or type(error).__name__
            raise InputError(
                f"the examples {examples[0].id!r} to {examples[-1].id!r} cannot be prepared: {why}"
            ) from error
        return {name: value.to(self.device) for name, value in inputs.items()}

    def probabilities(self, batch: Batch) -> Tensor:
        """Run the model on a batch, and return its answer, (b, C), of two candidates or more."""
        adapter = self.subject.adapter
        answer = adapter.answer(self.output(batch), batch.inputs)
        if answer is None:
            raise InputError(
                f"the model {self.subject.model!r} gives no answer that could be scored; its "
                "family may need candidates"
            )
        if answer.shape[1] < 2:
            raise InputError(
                f"the model {self.subject.model!r} has one answer to choose from; give two "
                "candidates or more"
            )
        return answer

    def output(self, batch: Batch) -> Any:
        """Run the model on a batch; return its own output, or raise if memory runs out."""
        self.forward += len(batch.places)
        with enough_memory(batch):
            return self.subject.adapter.forward(batch.inputs)

    def answers(
        self,
        description: str,
        *,
        change: Change | None = None,
        around: Around = nothing_around,
    ) -> NDArray[np.float64]:
        """Run the model on all examples, in inference mode; return its answers, (n, C).

        `change` replaces examples, and `around` is a context of every batch's pass.
        """
        found = []
        with torch.inference_mode():
            for batch in self.batches(description, change):
                with around(batch):
                    found.append(self.probabilities(batch).double().cpu().numpy())
        return np.concatenate(found)


class Measured(NamedTuple):
    """Values of every example, shape (n,), of which a score is the average."""

    quantity: str
    modality: str | None
    values: NDArray[np.float64]
    unit: str = "1"


class AverageBaseline(Baseline):
    """A baseline whose scores are averages over examples."""

    @abstractmethod
    def measured(self, runner: Runner, seed: int) -> Iterable[Measured]:
        """Run the model, and yield what is averaged; the first example is that of place 0."""

    def score(
        self, subject: Subject, *, seed: int = 0, replicates: int = 1000, track: Track = silent
    ) -> Result:
        """Score the modalities; see `Baseline.score`."""
        runner = Runner(subject, track)
        measured = list(self.measured(runner, seed))
        weights = sample_weights(runner.groups, replicates, seed)
        scores = [
            scored(quantity, modality, average(weights, values), unit)
            for quantity, modality, values, unit in measured
        ]
        rows = {
            one.quantity + (f" ({one.modality})" if one.modality else ""): one.values
            for one in measured
        }
        return runner.result(self, scores, rows, seed)


def drawn_rows(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """Draw at most `most` of `count` rows, in their order; all where there are no more.

    Examples
    --------
    >>> drawn_rows(3, 5, seed=0).tolist()
    [0, 1, 2]
    """
    if most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def with_inputs_of(examples: Sequence[Example], modality: str, given: NDArray[np.int64]) -> Change:
    """Give example i the modality of example ``given[i]``, fetched only when it is run."""

    def change(place: int, example: Example) -> Example:
        other = examples[int(given[place])].inputs[modality]
        return replace(example, inputs={**example.inputs, modality: other})

    return change


@contextmanager
def frozen(model: torch.nn.Module) -> Iterator[None]:
    """Let gradients flow to states, and not to a model's weights."""
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    try:
        for weight in trainable:
            weight.requires_grad_(False)
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for weight in trainable:
            weight.requires_grad_(True)
