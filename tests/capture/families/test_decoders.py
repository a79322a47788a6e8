"""Pictures as tokens of a decoder, each family through its real loading path."""

import pytest
import torch
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from modalprism.capture.families.decoders import first_tokens
from modalprism.errors import InputError

VISION = CLIPVisionConfig(
    hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
    image_size=28, patch_size=14, projection_dim=16,
)  # fmt: skip
DECODER = LlamaConfig(
    hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
    num_key_value_heads=2, vocab_size=128,
)  # fmt: skip


@pytest.fixture
def llava(loaded, tokenizer_of):
    tokenizer = tokenizer_of("<image>", padding_side="left")
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    model = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=VISION, text_config=DECODER, image_token_index=image_token)
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    return loaded(model, processor, candidates=("yes", "no"))


def test_llava_states_are_the_librarys_own(llava, emoji_examples, states_of, pooled):
    _, states, spans, output = states_of(llava, emoji_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:  # padding is on the left: the last position is the last
            assert torch.equal(states[f"fused/{layer}"], hidden[:, -1])


def test_llava_spans_are_the_picture_and_the_words(llava, emoji_examples, states_of):
    inputs, _, spans, _ = states_of(llava, emoji_examples)
    assert spans["image"].sum(1).tolist() == [4] * 8  # 28 / 14 squared
    words = [len(example.inputs["text"].split()) for example in emoji_examples]
    # With the template's USER : and ASSISTANT : ; these tokens stand for words, too.
    beside = spans["text"].sum(1) - torch.tensor(words)
    assert len(set(beside.tolist())) == 1
    assert not (spans["image"] & spans["text"]).any()
    assert not (spans["text"] & ~inputs["attention_mask"].bool()).any()


def test_the_answer_is_a_distribution_over_the_candidates(llava, emoji_examples, states_of):
    inputs, _, _, output = states_of(llava, emoji_examples)
    answer = llava.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))


def test_candidates_that_begin_alike_are_refused(tokenizer_of):
    with pytest.raises(InputError, match="begin with the same token"):
        first_tokens(tokenizer_of(), ("yes please", "yes"))
