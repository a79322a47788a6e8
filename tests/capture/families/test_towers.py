"""Two towers, each family through its real loading path."""

import pytest
import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor


@pytest.fixture
def clip(loaded, tokenizer_of):
    tokenizer = tokenizer_of(model_max_length=16)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **sizes, "num_hidden_layers": 3, "vocab_size": len(tokenizer),
            "max_position_embeddings": 16, "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**sizes, "num_hidden_layers": 2, "image_size": 28, "patch_size": 14},
        projection_dim=8,
    )  # fmt: skip
    pictures = CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    return loaded(CLIPModel(config), CLIPProcessor(pictures, tokenizer), candidates=("cat", "face"))


def test_clip_states_are_the_librarys_own(clip, emoji_examples, states_of, pooled):
    inputs, states, spans, output = states_of(clip, emoji_examples, output_hidden_states=True)
    vision, text = output.vision_model_output, output.text_model_output
    every = torch.ones(vision.hidden_states[0].shape[:2], dtype=torch.bool)
    for layer in (1, 2):
        expected = pooled(vision.hidden_states[layer], every)
        torch.testing.assert_close(states[f"image/{layer}"], expected, rtol=0, atol=1e-6)
        expected = pooled(text.hidden_states[layer], spans["text"])
        torch.testing.assert_close(states[f"text/{layer}"], expected, rtol=0, atol=1e-6)
    unit = states["image/0"] / states["image/0"].norm(dim=1, keepdim=True)
    torch.testing.assert_close(unit, output.image_embeds, rtol=0, atol=1e-6)
    assert spans["text"].sum(1).tolist() == inputs["attention_mask"].sum(1).tolist()
    assert "fused/1" not in states


def test_clip_answers_by_candidates(clip, emoji_examples, states_of):
    inputs, _, _, output = states_of(clip, emoji_examples)
    answer = clip.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))
    clip.candidates = ()
    assert clip.answer(output, inputs) is None
