"""Tiny models of real families, saved, and loaded again by the path that real ones take."""

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from modalprism.capture.loading import load_adapter
from modalprism.capture.pooling import mean
from modalprism.capture.reading import read_states
from modalprism.datasets.emoji import load_emojis
from modalprism.datasets.example import Example

logging.set_verbosity_error()
logging.disable_progress_bar()


@pytest.fixture(scope="session")
def emoji_examples():
    """Eight real pictures with their names, of unequal length."""
    emojis = load_emojis()[::230][:8]
    examples = []
    for emoji in emojis:
        with Image.open(emoji.picture) as picture:
            opaque = Image.new("RGBA", picture.size, "white")
            opaque.alpha_composite(picture.convert("RGBA"))
        examples.append(
            Example(emoji.key, {"image": opaque.convert("RGB"), "text": emoji.name}, label=0)
        )
    return examples


@pytest.fixture(scope="session")
def tokenizer_of(emoji_examples):
    """Make a tokenizer that knows the words of the examples, and the marks that a family wants."""

    def make(*marks, **options):
        named = {
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "bos_token": "<s>",
            "eos_token": "</s>",
        }
        named |= options.pop("names", {})
        words = sorted({w for e in emoji_examples for w in e.inputs["text"].split()})
        words += ["USER", ":", "ASSISTANT", "yes", "no", "A", "B"]
        vocabulary = dict.fromkeys([*named.values(), *marks, *words])
        vocabulary = {word: number for number, word in enumerate(vocabulary)}
        base = Tokenizer(models.WordLevel(vocabulary, unk_token=named["unk_token"]))
        base.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(
            tokenizer_object=base, additional_special_tokens=list(marks), **named, **options
        )

    return make


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
def pooled():
    """Average hidden states over a span, the plain way, one example at a time."""

    def average(hidden, mask):
        return torch.stack(
            [state[kept].float().mean(0) for state, kept in zip(hidden, mask, strict=True)]
        )

    return average
