"""A picture whose tokens see each other: Gemma 3, by its real loading path."""

from dataclasses import replace

import pytest
import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
)

A_PICTURE = 4  # image tokens: 4 by 4 patches, 2 by 2 of which are one
MARKS = {
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
    "sot_token": "<start_of_turn>",
    "eot_token": "<end_of_turn>",
}
CHAT = (
    "{{ bos_token }}<start_of_turn>user\n{% for item in messages[0]['content'] %}"
    "{% if item['type'] == 'image' %}<start_of_image>{% else %}{{ item['text'] | trim }}"
    "{% endif %}{% endfor %}<end_of_turn>\n{{ '<start_of_turn>model\n' }}"
)


@pytest.fixture
def gemma3_of(loaded, tokenizer_of):
    def make(side):
        tokenizer = tokenizer_of(
            names={"bos_token": "<bos>", "eos_token": "<eos>"}, padding_side=side,
            extra_special_tokens=MARKS,
        )  # fmt: skip
        tokenizer.add_tokens(["\n\n\n", "\n\n", "\n"])  # as that of the models, no special ones
        processor = Gemma3Processor(
            Gemma3ImageProcessorPil(size={"height": 56, "width": 56}), tokenizer,
            image_seq_length=A_PICTURE,
        )  # fmt: skip
        vision = {
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 56, "patch_size": 14, "vision_use_head": False,
        }  # fmt: skip
        text = {
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0,
            "vocab_size": len(tokenizer), "sliding_window": 64,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        }  # fmt: skip
        config = Gemma3Config(
            vision_config=vision, text_config=text, mm_tokens_per_image=A_PICTURE,
            image_token_index=tokenizer.image_token_id, boi_token_index=tokenizer.boi_token_id,
            eoi_token_index=tokenizer.eoi_token_id,
        )  # fmt: skip
        torch.manual_seed(0)
        model = Gemma3ForConditionalGeneration(config)
        model.model.multi_modal_projector.mm_input_projection_weight.normal_(std=0.2)
        return loaded(model, processor, candidates=("yes", "no"))

    return make


@pytest.fixture(params=["left", "right"])
def gemma3(request, gemma3_of):
    return gemma3_of(request.param)


def test_states_are_the_librarys_own(gemma3, emoji_examples, states_of, pooled):
    inputs, states, spans, output = states_of(gemma3, emoji_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    ends = [max(row.nonzero().flatten().tolist()) for row in inputs["attention_mask"]]
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:
            assert torch.equal(states[f"fused/{layer}"], hidden[range(8), ends])
    answer = gemma3.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))
    assert torch.equal(inputs["token_type_ids"].bool(), spans["image"])


def sequence(example):
    """Write down the tokens of an example and whose each is."""
    return [
        ("<bos>", ""), ("<start_of_turn>", ""), ("<unk>", ""),  # user, unknown to the tokenizer
        ("\n\n\n", ""), ("<start_of_image>", ""), *[("<image_soft_token>", "image")] * A_PICTURE,
        ("<end_of_image>", ""), ("\n\n", ""),
        *[(word, "text") for word in example.inputs["text"].split()],
        ("<end_of_turn>", ""), ("\n", "text"), ("<start_of_turn>", ""), ("<unk>", ""),
        ("\n", "text"),
    ]  # fmt: skip


def test_spans_are_the_picture_and_the_words(gemma3, emoji_examples):
    # Wide ones, too: a picture is never cut, however wide.
    examples = [
        replace(e, inputs=e.inputs | {"image": e.inputs["image"].resize((72 * (1 + row % 3), 72))})
        for row, e in enumerate(emoji_examples)
    ]
    inputs = gemma3.prepare(examples)
    spans = gemma3.spans(inputs)
    for row, example in enumerate(examples):
        expected = sequence(example)
        real = inputs["attention_mask"][row].nonzero().flatten()
        said = gemma3.processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][row, real])
        assert said == [token for token, _ in expected]
        for modality in ("image", "text"):
            kept = spans[modality][row, real].tolist()
            assert kept == [whose == modality for _, whose in expected]
            assert spans[modality][row].sum() == sum(kept)


def test_the_chat_template_of_the_model_says_the_same(gemma3, emoji_examples):
    own = gemma3.prepare(emoji_examples)
    gemma3.processor.chat_template = CHAT
    assert gemma3.prompt("camera").startswith("<bos><start_of_turn>user\n<start_of_image>camera")
    said = gemma3.prepare(emoji_examples)
    assert torch.equal(said["input_ids"], own["input_ids"])


def test_the_first_image_token_sees_the_last(gemma3, emoji_examples, states_of):
    def first(state, mask):
        return state[torch.arange(len(mask)), mask.int().argmax(1)]

    def change_last(_module, _given, output):
        return torch.cat([output[:, :-1], -output[:, -1:]], 1)

    _, states, _, _ = states_of(gemma3, emoji_examples, first)
    projector = gemma3.model.model.multi_modal_projector
    handle = projector.register_forward_hook(change_last)
    _, changed, _, _ = states_of(gemma3, emoji_examples, first)
    handle.remove()
    assert torch.equal(states["image/0"], changed["image/0"])
    assert not torch.allclose(states["image/1"], changed["image/1"], atol=1e-4)
