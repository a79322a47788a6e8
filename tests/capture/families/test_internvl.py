"""Tiles of a picture, then the whole of it: InternVL, by its real loading path."""

from dataclasses import replace

import pytest
import torch
from transformers import (
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
)

from modalprism.capture.families.decoders import pictures_only

# Width and height of pictures → how many of 56 by 56 they are cut into, the whole among them.
TILES = {(72, 72): 1, (144, 72): 2 + 1, (72, 144): 2 + 1, (216, 72): 3 + 1}
A_TILE = 4  # image tokens: 4 by 4 patches, 2 by 2 of which are one
MARKS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
    "start_token": "<|im_start|>",
    "end_token": "<|im_end|>",
}
# As the models bring it, for pictures and texts.
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<IMG_CONTEXT>\n' }}{% else %}{{ content['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def unequal_examples(emoji_examples):
    """The pictures square, wide, tall and very wide, in turn."""
    sizes = [*TILES] * 2
    return [
        replace(e, inputs={**e.inputs, "image": e.inputs["image"].resize(size)})
        for e, size in zip(emoji_examples, sizes, strict=True)
    ]


@pytest.fixture(params=["qwen2", "llama"])
def internvl(request, loaded, tokenizer_of):
    tokenizer = tokenizer_of(extra_special_tokens=MARKS)
    # The vision tower comes with either norm.
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 56, "patch_size": 14,
        "norm_type": "layer_norm" if request.param == "qwen2" else "rms_norm",
    }  # fmt: skip
    text = {
        "model_type": request.param, "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
    }  # fmt: skip
    torch.manual_seed(0)
    model = InternVLForConditionalGeneration(
        InternVLConfig(
            vision_config=vision, text_config=text, image_seq_length=A_TILE,
            image_token_id=tokenizer.context_image_token_id,
        )
    )  # fmt: skip
    pictures = GotOcr2ImageProcessorPil(size={"height": 56, "width": 56})
    processor = pictures_only(InternVLProcessor)(pictures, tokenizer, image_seq_length=A_TILE)
    return loaded(model, processor, candidates=("yes", "no"))


def test_states_are_the_librarys_own(internvl, unequal_examples, states_of, pooled):
    inputs, states, spans, output = states_of(internvl, unequal_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:  # the processor pads on the left: the last position is the last
            assert torch.equal(states[f"fused/{layer}"], hidden[:, -1])
    answer = internvl.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))


def test_spans_follow_the_pictures_shape(internvl, unequal_examples):
    inputs = internvl.prepare(unequal_examples)
    spans = internvl.spans(inputs)
    assert len(inputs["pixel_values"]) == 2 * sum(TILES.values())
    for row, example in enumerate(unequal_examples):
        count = A_TILE * TILES[example.inputs["image"].size]
        words = example.inputs["text"].split()
        # user and assistant are no words that the tokenizer knows.
        before, behind = ["<|im_start|>", "<unk>", "<img>"], ["<|im_end|>", "<|im_start|>", "<unk>"]
        real = inputs["attention_mask"][row].nonzero().flatten()
        said = internvl.processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][row, real])
        assert said == [*before, *["<IMG_CONTEXT>"] * count, "</img>", *words, *behind]
        image = real[len(before) :][:count]
        assert torch.equal(spans["image"][row].nonzero().flatten(), image)
        text = real[len(before) + count + 1 :][: len(words)]
        assert torch.equal(spans["text"][row].nonzero().flatten(), text)


def test_the_chat_template_of_the_model_says_the_same(internvl):
    own = internvl.prompt("camera")
    internvl.processor.chat_template = CHAT
    assert internvl.prompt("camera") == own
