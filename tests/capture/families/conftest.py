"""Tiny models of real families, saved, and loaded again by the path that real ones take."""

from dataclasses import replace

import pytest
import torch
from transformers.utils import logging

from modalprism.capture.loading import load_adapter
from modalprism.capture.notices import cut_texts, prompt_of
from modalprism.capture.reading import mean, read_states

logging.set_verbosity_error()
logging.disable_progress_bar()


@pytest.fixture
def loaded(tmp_path):
    """Save a model and its processor, and load them by the real path."""

    def load(model, *processors, candidates=(), **options):
        torch.manual_seed(0)
        folder = tmp_path / "model"
        model.save_pretrained(folder)
        for processor in processors:
            processor.save_pretrained(folder)
        return load_adapter(folder, candidates=candidates, **options)

    return load


@pytest.fixture(autouse=True)
def inference():
    """Nothing here is trained."""
    with torch.inference_mode():
        yield


@pytest.fixture
def states_of():
    """Run an adapter on examples: prepared inputs, pooled states, spans, and the output."""

    def run(adapter, examples, pool=mean, **options):
        inputs = adapter.prepare(examples)
        with read_states(adapter.model, adapter.sites(), pool) as reading:
            reading.spans = adapter.spans(inputs)
            if adapter.fused == "last":
                reading.positions = adapter.last_position(inputs)
            output = adapter.forward(inputs | options)
        return inputs, dict(reading.states), reading.spans, output

    return run


@pytest.fixture
def cut_and_prompt():
    """Prepare a long text before short ones; return the counts of cut texts, and the prompt."""

    def run(adapter, examples, long="a " * 40):
        first = replace(examples[0], inputs={**examples[0].inputs, "text": long})
        examples = [first, *examples[1:]]
        inputs = adapter.prepare(examples)
        return cut_texts(adapter, examples, inputs), prompt_of(adapter, first, inputs)

    return run


@pytest.fixture
def pooled():
    """Average hidden states over a span, the plain way, one example at a time."""

    def average(hidden, mask):
        return torch.stack(
            [state[kept].float().mean(0) for state, kept in zip(hidden, mask, strict=True)]
        )

    return average
