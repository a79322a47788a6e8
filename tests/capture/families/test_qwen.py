"""Pictures of any size as tokens of a decoder: each family through its real loading path."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

FAMILIES = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]
MARKS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>")
SIZES = [(72, 72), (144, 72), (72, 144), (216, 72)]  # width, height
# As the models bring it.
CHAT = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>"
    "system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}<|vision_start|>"
    "<|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% endif %}"
)


class Settings:
    """A file of settings that a model brings beside its weights."""

    def __init__(self, name, content):
        self.name, self.content = name, content

    def save_pretrained(self, folder):
        (folder / self.name).write_text(json.dumps(self.content))


@pytest.fixture
def unequal_examples(emoji_examples):
    """The pictures square, wide, tall and very wide, in turn."""
    return [
        replace(e, inputs={**e.inputs, "image": e.inputs["image"].resize(size)})
        for e, size in zip(emoji_examples, SIZES * 2, strict=True)
    ]


@pytest.fixture
def tokens(tokenizer_of):
    tokenizer = tokenizer_of(*MARKS, "<|image_pad|>", "<|video_pad|>", padding_side="left")
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{mark}|>")
        for name, mark in [
            ("image", "image_pad"), ("video", "video_pad"),
            ("vision_start", "vision_start"), ("vision_end", "vision_end"),
        ]
    }  # fmt: skip
    return tokenizer, ids


DECODER = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "num_key_value_heads": 2, "vocab_size": 128,
}  # fmt: skip
ROWS_AND_COLUMNS = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}


@pytest.fixture
def qwen2_vl(loaded, tokens):
    tokenizer, ids = tokens
    vision = {"depth": 2, "embed_dim": 16, "num_heads": 2, "hidden_size": 16, "mlp_ratio": 2}
    config = Qwen2VLConfig(
        text_config=DECODER | {"rope_parameters": ROWS_AND_COLUMNS}, vision_config=vision, **ids
    )
    model = Qwen2VLForConditionalGeneration(config)
    chat = Settings("chat_template.json", {"chat_template": CHAT})
    pictures = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=140 * 140)
    return loaded(model, pictures, tokenizer, chat, candidates=("yes", "no"))


@pytest.fixture
def qwen2_5_vl(loaded, tokens):
    tokenizer, ids = tokens
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
        "out_hidden_size": 16, "window_size": 56, "fullatt_block_indexes": [1],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config=DECODER | {"rope_parameters": ROWS_AND_COLUMNS}, vision_config=vision, **ids
    )
    model = Qwen2_5_VLForConditionalGeneration(config)
    # Newer models keep all settings in one file, those for videos, too.
    settings = {
        "processor_class": "Qwen2_5_VLProcessor",
        "image_processor": Qwen2VLImageProcessorPil(
            min_pixels=28 * 28, max_pixels=140 * 140
        ).to_dict(),
        "video_processor": {"video_processor_type": "Qwen2VLVideoProcessor"},
    }
    settings = Settings("processor_config.json", settings)
    return loaded(model, tokenizer, settings, candidates=("yes", "no"))


@pytest.fixture
def qwen3_vl(loaded, tokens):
    tokenizer, ids = tokens
    vision = {
        "depth": 3, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
        "out_hidden_size": 16, "patch_size": 16, "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0, 1],
    }  # fmt: skip
    text = DECODER | {"head_dim": 8, "rope_parameters": ROWS_AND_COLUMNS}
    model = Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
    )
    pictures = Qwen2VLImageProcessorPil(
        patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": 160 * 160}
    )
    return loaded(model, pictures, tokenizer, candidates=("yes", "no"))


@pytest.fixture(params=FAMILIES)
def qwen(request):
    return request.getfixturevalue(request.param)


def test_states_are_the_librarys_own(qwen, unequal_examples, states_of, pooled):
    inputs, states, spans, output = states_of(qwen, unequal_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:
            assert torch.equal(states[f"fused/{layer}"], hidden[:, -1])
    answer = qwen.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))
    assert torch.equal(inputs["mm_token_type_ids"].bool(), spans["image"])


@pytest.mark.parametrize(
    ("family", "counts"),
    [
        # Sides to the nearest multiple of 28: 84 by 84, 140 by 84, 84 by 140, 224 by 84; a token
        # has 28 by 28.
        ("qwen2_vl", (3 * 3, 5 * 3, 3 * 5, 8 * 3)),
        ("qwen2_5_vl", (3 * 3, 5 * 3, 3 * 5, 8 * 3)),
        # To that of 32, and 144, which lies halfway, to the even: 64 by 64, 128 by 64, 64 by 128
        # and 224 by 64; a token has 32 by 32.
        ("qwen3_vl", (2 * 2, 4 * 2, 2 * 4, 7 * 2)),
    ],
)
def test_spans_follow_the_pictures_size(request, unequal_examples, family, counts):
    adapter = request.getfixturevalue(family)
    inputs = adapter.prepare(unequal_examples)
    spans = adapter.spans(inputs)
    # <|im_end|>, <|im_start|> and assistant, which is no word that the tokenizer knows.
    end = inputs["input_ids"].shape[1] - 3
    for row, (example, count) in enumerate(zip(unequal_examples, counts * 2, strict=True)):
        start = end - len(example.inputs["text"].split())
        assert spans["text"][row].nonzero().flatten().tolist() == list(range(start, end))
        image = list(range(start - 1 - count, start - 1))  # <|vision_end|> stands between
        assert spans["image"][row].nonzero().flatten().tolist() == image


def test_the_chat_template_of_the_model_is_used(qwen2_vl, qwen3_vl):
    said = qwen2_vl.prompt("camera")
    assert said.startswith("<|im_start|>system\nYou are a helpful assistant.")
    # Beside what it says to begin with, it is what stands in where there is none.
    assert said.endswith(qwen3_vl.prompt("camera"))


def test_deeper_features_of_the_picture_are_in_the_state_of_the_next_layer(
    qwen3_vl, unequal_examples, states_of
):
    _, states, _, _ = states_of(qwen3_vl, unequal_examples)
    merger = qwen3_vl.model.model.visual.deepstack_merger_list[0]  # added behind layer 1
    handle = merger.register_forward_hook(lambda _module, _given, output: output * 0)
    _, without, _, _ = states_of(qwen3_vl, unequal_examples)
    handle.remove()
    for modality in ("image", "text"):
        for layer in (0, 1):
            assert torch.equal(states[f"{modality}/{layer}"], without[f"{modality}/{layer}"])
        assert not torch.allclose(states[f"{modality}/2"], without[f"{modality}/2"], atol=1e-4)
