"""Two streams that look at each other, each family through its real loading path."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import processors
from transformers import (
    BridgeTowerConfig,
    BridgeTowerForImageAndTextRetrieval,
    BridgeTowerImageProcessorPil,
    BridgeTowerModel,
    BridgeTowerProcessor,
    LxmertConfig,
    LxmertForQuestionAnswering,
)

from modalprism.errors import InputError

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}


@pytest.fixture
def bert(tokenizer_of):
    """A tokenizer that puts BERT's marks around every text."""
    tokenizer = tokenizer_of(
        names={"cls_token": "[CLS]", "sep_token": "[SEP]"},
        model_input_names=["input_ids", "attention_mask"],
    )
    marks = [(mark, tokenizer.convert_tokens_to_ids(mark)) for mark in ("[CLS]", "[SEP]")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=marks
    )
    return tokenizer


def lengths(examples):
    """Of texts with the marks around them."""
    return torch.tensor([len(example.inputs["text"].split()) + 2 for example in examples])


@pytest.fixture
def region_examples(emoji_examples):
    """Three to six regions of 5 features and a box."""
    rng = np.random.default_rng(0)
    return [
        replace(e, inputs=e.inputs | {"image": rng.random((3 + place % 4, 9))})
        for place, e in enumerate(emoji_examples)
    ]


@pytest.fixture
def lxmert_of(loaded, bert):
    def make(candidates=()):
        torch.manual_seed(0)
        config = LxmertConfig(
            **SIZES, vocab_size=len(bert), l_layers=3, r_layers=2, x_layers=2, num_qa_labels=3,
            visual_feat_dim=5, max_position_embeddings=12,
        )  # fmt: skip
        return loaded(LxmertForQuestionAnswering(config), bert, candidates=candidates)

    return make


def test_lxmert_states_are_the_librarys_own(lxmert_of, region_examples, states_of, pooled):
    _, states, spans, output = states_of(lxmert_of(), region_examples, output_hidden_states=True)
    language, vision = output.language_hidden_states, output.vision_hidden_states
    assert (len(language), len(vision)) == (3 + 2, 2 + 2)
    for layer in (0, 1, 2):  # layer 0 is what leaves the last layer of a tower
        expected = pooled(language[2 + layer], spans["text"])
        torch.testing.assert_close(states[f"text/{layer}"], expected, rtol=0, atol=1e-6)
        expected = pooled(vision[1 + layer], spans["image"])
        torch.testing.assert_close(states[f"image/{layer}"], expected, rtol=0, atol=1e-6)
    assert len(states) == 6


def test_lxmert_spans_are_words_and_regions(lxmert_of, region_examples, states_of):
    lxmert = lxmert_of()
    inputs, _, spans, output = states_of(lxmert, region_examples)
    words = lengths(region_examples)
    assert torch.equal(spans["text"], torch.arange(int(words.max())) < words[:, None])
    assert torch.equal(spans["image"], torch.arange(6) < torch.tensor([[3], [4], [5], [6]] * 2))
    for row, example in enumerate(region_examples):
        regions = torch.from_numpy(example.inputs["image"]).float()
        assert torch.equal(inputs["visual_feats"][row][spans["image"][row]], regions[:, :5])
        assert torch.equal(inputs["visual_pos"][row][spans["image"][row]], regions[:, 5:])
    answer = lxmert.answer(output, inputs)
    torch.testing.assert_close(answer, torch.softmax(output.question_answering_score, 1))
    assert answer.shape == (8, 3)


def test_lxmert_takes_no_candidates(lxmert_of):
    with pytest.raises(InputError, match="give no candidates"):
        lxmert_of(candidates=("cat",))


@pytest.fixture
def bridgetower_of(loaded, bert):
    def make(model=BridgeTowerForImageAndTextRetrieval, **options):
        torch.manual_seed(0)
        config = BridgeTowerConfig(
            hidden_size=16, num_attention_heads=2, num_hidden_layers=2,
            text_config={
                **SIZES, "num_hidden_layers": 3, "vocab_size": len(bert),
                "max_position_embeddings": 16, "pad_token_id": bert.pad_token_id,
            },
            vision_config={
                "hidden_size": 64, "num_hidden_layers": 3, "image_size": 32, "patch_size": 16,
            },
        )  # fmt: skip
        pictures = BridgeTowerImageProcessorPil(
            size={"shortest_edge": 32}, crop_size={"shortest_edge": 32}
        )
        return loaded(model(config), BridgeTowerProcessor(pictures, bert), **options)

    return make


def test_bridgetower_states_are_the_librarys_own(bridgetower_of, emoji_examples, states_of, pooled):
    bridgetower = bridgetower_of()
    _, states, spans, output = states_of(bridgetower, emoji_examples, output_hidden_states=True)
    text, image, cross = output.hidden_states
    assert (len(text), len(image), len(cross)) == (4, 4, 2)
    every = torch.ones(cross[0][1].shape[:2], dtype=torch.bool)
    for layer, (words, patches) in enumerate(cross, start=1):
        expected = pooled(words, spans["text"])
        torch.testing.assert_close(states[f"text/{layer}"], expected, rtol=0, atol=1e-6)
        expected = pooled(patches, every)
        torch.testing.assert_close(states[f"image/{layer}"], expected, rtol=0, atol=1e-6)
    # Layer 0, which the library keeps to itself: two layers of each tower, projected and normed.
    model = bridgetower.model.bridgetower
    kinds = model.token_type_embeddings.weight
    words = model.cross_modal_text_layernorm(model.cross_modal_text_transform(text[2]) + kinds[0])
    expected = pooled(words, spans["text"])
    torch.testing.assert_close(states["text/0"], expected, rtol=0, atol=1e-6)
    seen = model.cross_modal_image_transform(model.vision_model.visual.forward_post(image[2]))
    expected = pooled(model.cross_modal_image_layernorm(seen + kinds[1]), every)
    torch.testing.assert_close(states["image/0"], expected, rtol=0, atol=1e-6)
    assert len(states) == 6


def test_bridgetower_spans_are_the_words_and_the_whole_picture(
    bridgetower_of, emoji_examples, states_of
):
    bridgetower = bridgetower_of()
    inputs, _, spans, output = states_of(bridgetower, emoji_examples, output_hidden_states=True)
    words = lengths(emoji_examples)
    assert torch.equal(spans["text"], torch.arange(int(words.max())) < words[:, None])
    assert "image" not in spans
    assert output.hidden_states[2][0][1].shape[1] == 1 + 2 * 2  # a class token, and the patches
    answer = bridgetower.answer(output, inputs)
    torch.testing.assert_close(answer, torch.softmax(output.logits, 1))
    assert answer.shape == (8, 2)


def test_bridgetower_without_its_head_is_refused(bridgetower_of):
    with pytest.raises(InputError, match="those of BridgeTowerModel"):
        bridgetower_of(BridgeTowerModel)


def test_two_streams_cut_texts_and_count_them(
    lxmert_of, bridgetower_of, region_examples, emoji_examples, cut_and_prompt
):
    assert cut_and_prompt(lxmert_of(), region_examples)[0] == (1, 12)
    assert cut_and_prompt(bridgetower_of(), emoji_examples)[0] == (1, 15)
