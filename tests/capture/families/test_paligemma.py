"""A picture and a question in one prefix: PaliGemma and PaliGemma 2, by their real loading."""

from dataclasses import replace

import pytest
import torch
from transformers import (
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    SiglipImageProcessorPil,
)

A_PICTURE = 4  # image tokens: 28 / 14 squared
VISION = {
    "model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
    "vision_use_head": False,
}  # fmt: skip
DECODER = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0,
}  # fmt: skip


@pytest.fixture
def paligemma_of(loaded, tokenizer_of):
    def make(language, side="left"):
        tokenizer = tokenizer_of(padding_side=side)
        tokenizer.add_tokens("\n")  # as that of the models, no special one
        pictures = SiglipImageProcessorPil(size={"height": 28, "width": 28})
        pictures.image_seq_length = A_PICTURE
        processor = PaliGemmaProcessor(pictures, tokenizer)
        # Gemma 2 has layers that see a window, and layers that see all.
        window = {"sliding_window": 64} if language == "gemma2" else {}
        text = DECODER | {"model_type": language, "vocab_size": len(tokenizer)} | window
        config = PaliGemmaConfig(
            vision_config=VISION, text_config=text, projection_dim=16,
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        )  # fmt: skip
        torch.manual_seed(0)
        model = PaliGemmaForConditionalGeneration(config)
        return loaded(model, processor, candidates=("yes", "no"))

    return make


@pytest.fixture(params=[("gemma", "left"), ("gemma", "right"), ("gemma2", "left")])
def paligemma(request, paligemma_of):
    return paligemma_of(*request.param)


def test_states_are_the_librarys_own(paligemma, emoji_examples, states_of, pooled):
    inputs, states, spans, output = states_of(paligemma, emoji_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    ends = [max(row.nonzero().flatten().tolist()) for row in inputs["attention_mask"]]
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:
            assert torch.equal(states[f"fused/{layer}"], hidden[range(8), ends])
    answer = paligemma.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))


def test_spans_are_the_picture_and_the_words(paligemma, emoji_examples):
    inputs = paligemma.prepare(emoji_examples)
    spans = paligemma.spans(inputs)
    assert "labels" not in inputs
    assert not inputs["token_type_ids"].any()  # all is prefix
    for row, example in enumerate(emoji_examples):
        words = example.inputs["text"].split()
        expected = ["<image>"] * A_PICTURE + ["<s>", *words, "\n"]
        real = inputs["attention_mask"][row].nonzero().flatten()
        said = paligemma.processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][row, real])
        assert said == expected
        image = spans["image"][row].nonzero().flatten()
        assert torch.equal(image, real[:A_PICTURE])
        assert torch.equal(spans["text"][row].nonzero().flatten(), real[A_PICTURE + 1 :])


def test_the_picture_sees_the_words_from_layer_1(paligemma, emoji_examples, states_of):
    example = emoji_examples[3]
    assert example.inputs["text"] == "family: man, woman, boy"
    other = replace(example, inputs=example.inputs | {"text": "boy boy boy boy"})
    _, states, _, _ = states_of(paligemma, [example])
    _, others, _, _ = states_of(paligemma, [other])
    assert torch.equal(states["image/0"], others["image/0"])
    for layer in (1, 2, 3):
        assert not torch.allclose(states[f"image/{layer}"], others[f"image/{layer}"], atol=1e-4)
