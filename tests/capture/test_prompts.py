"""What a model was sent: the generic way, with a tokenizer and without."""

import torch
from torch import nn

from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.notices import LONGEST_PROMPT, cut_texts, prompt_of
from modalprism.datasets.dataset import Example

EXAMPLES = [Example("0", {"image": 1.0, "text": "yes no yes"}), Example("1", {"text": "no"})]


def adapter_with(tokenizer, prepare):
    layers = {"image": ["0"], "text": ["1"]}
    model = nn.Sequential(nn.Identity(), nn.Identity())
    return ModuleAdapter(model, prepare, layers, tokenizer=tokenizer)


def test_a_module_of_ones_own_shows_its_prompt_and_counts_what_prepare_cut(tokenizer_of):
    tokenizer = tokenizer_of(padding_side="left")
    adapter = adapter_with(tokenizer, lambda examples: dict(tokenizer(
        [f"A {e.inputs['text']}" for e in examples], padding=True, truncation=True, max_length=2,
        return_tensors="pt",
    )))  # fmt: skip
    inputs = adapter.prepare(EXAMPLES)
    assert prompt_of(adapter, EXAMPLES[0], inputs) == "A yes"
    assert cut_texts(adapter, EXAMPLES, inputs) == (1, 2)


def test_without_a_tokenizer_the_text_is_that_of_the_example():
    adapter = adapter_with(None, None)
    inputs = {"input_ids": torch.zeros(2, 3, dtype=torch.long)}
    assert prompt_of(adapter, EXAMPLES[0], inputs) == "yes no yes"
    assert cut_texts(adapter, EXAMPLES, inputs) == (0, 0)
    assert prompt_of(adapter, Example("0", {"image": 1.0}), {}) == ""


def test_a_long_prompt_is_clipped_with_its_length():
    long = Example("0", {"text": "x" * 5000})
    prompt = prompt_of(adapter_with(None, None), long, {})
    assert prompt == "x" * LONGEST_PROMPT + "… (5,000 characters)"
