"""Words that look at a picture, and a picture in words: each family through its real loading."""

import pytest
import torch
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipProcessor,
)

from modalprism.errors import InputError

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
# A trained tower tells pictures apart; the default range of its first weights, 1e-10, does not.
VISION = SIZES | {
    "num_hidden_layers": 2, "image_size": 28, "patch_size": 14, "initializer_range": 0.2
}  # fmt: skip
PATCHES = 1 + 4  # the class token, and 28 / 14 squared


@pytest.fixture
def blip_of(loaded, tokenizer_of):
    def make(kind, **options):
        tokenizer = tokenizer_of(model_input_names=["input_ids", "attention_mask"])
        text = SIZES | {
            "encoder_hidden_size": 16, "num_hidden_layers": 3, "vocab_size": len(tokenizer),
            "max_position_embeddings": 16, "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "sep_token_id": tokenizer.eos_token_id,
        }  # fmt: skip
        torch.manual_seed(0)
        config = BlipConfig(
            text_config=text, vision_config=VISION, image_text_hidden_size=8,
            initializer_range=0.2,
        )  # fmt: skip
        pictures = BlipImageProcessorPil(size={"height": 28, "width": 28})
        return loaded(kind(config), BlipProcessor(pictures, tokenizer), **options)

    return make


@pytest.fixture(params=[BlipForImageTextRetrieval, BlipForQuestionAnswering])
def blip(request, blip_of):
    return blip_of(request.param, candidates=("yes", "no"))


def test_blip_states_are_the_librarys_own(blip, emoji_examples, states_of):
    inputs, states, spans, _ = states_of(blip, emoji_examples)
    words = [len(example.inputs["text"].split()) for example in emoji_examples]
    assert spans["text"].sum(1).tolist() == words
    assert "image" not in spans
    model = blip.model
    image = model.vision_model(inputs["pixel_values"]).last_hidden_state
    assert image.shape[1] == PATCHES
    text = model.text_encoder(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
        encoder_hidden_states=image, output_hidden_states=True,
    )  # fmt: skip
    assert len(text.hidden_states) == 4
    assert torch.equal(text.hidden_states[-1], text.last_hidden_state)
    for layer, hidden in enumerate(text.hidden_states):
        expected = torch.stack(
            [state[:count].mean(0) for state, count in zip(hidden, words, strict=True)]
        )
        torch.testing.assert_close(states[f"text/{layer}"], expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(states[f"image/{layer}"], image.mean(1), rtol=0, atol=1e-6)
        if layer and blip.fused == "last":
            assert torch.equal(states[f"fused/{layer}"], hidden[:, 0])


def test_blip_says_whether_a_pair_matches(blip_of, emoji_examples, states_of):
    blip = blip_of(BlipForImageTextRetrieval)
    inputs, states, _, output = states_of(blip, emoji_examples)
    head = blip.model.itm_head
    expected = torch.sigmoid(states["fused/3"] @ (head.weight[1] - head.weight[0]))
    torch.testing.assert_close(blip.answer(output, inputs)[:, 1], expected)


def test_blip_answers_as_the_library_begins_its_answer(blip_of, emoji_examples, states_of):
    blip = blip_of(BlipForQuestionAnswering, candidates=("yes", "no"))
    ids = blip.processor.tokenizer.convert_tokens_to_ids(["yes", "no"])
    for example in emoji_examples[:3]:  # one by one: there the decoder sees all padding
        inputs, _, _, output = states_of(blip, [example])
        begun = blip.model.generate(
            **inputs, max_new_tokens=1, output_logits=True, return_dict_in_generate=True
        )
        assert torch.equal(output, begun.logits[0])
        expected = torch.softmax(begun.logits[0][:, ids], 1)
        torch.testing.assert_close(blip.answer(output, inputs), expected)
    blip.candidates = ()
    assert blip.answer(output, inputs) is None


def test_blip_without_a_head_that_answers_is_refused(blip_of):
    with pytest.raises(InputError, match=r"'blip' \(BlipForConditionalGeneration\)"):
        blip_of(BlipForConditionalGeneration)


QUERIES = 6


@pytest.fixture
def blip2_of(loaded, tokenizer_of):
    def make(side="left", **text):
        tokenizer = tokenizer_of("<image>", padding_side=side)
        processor = Blip2Processor(
            BlipImageProcessorPil(size={"height": 28, "width": 28}), tokenizer, QUERIES
        )
        text = {
            "model_type": "opt", "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 3,
            "num_attention_heads": 2, "word_embed_proj_dim": 16, "max_position_embeddings": 64,
            "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        } | text  # fmt: skip
        qformer = SIZES | {"num_hidden_layers": 2, "vocab_size": 8, "encoder_hidden_size": 16}
        config = Blip2Config(
            vision_config=VISION, qformer_config=qformer, text_config=text,
            num_query_tokens=QUERIES, image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        )  # fmt: skip
        torch.manual_seed(0)
        model = Blip2ForConditionalGeneration(config)
        model.query_tokens.normal_()  # trained, they differ from each other
        return loaded(model, processor, candidates=("yes", "no"))

    return make


@pytest.fixture(params=["left", "right"])
def blip2(request, blip2_of):
    return blip2_of(request.param)


def test_blip2_states_are_the_librarys_own(blip2, emoji_examples, states_of, pooled):
    inputs, states, spans, output = states_of(blip2, emoji_examples, output_hidden_states=True)
    hidden_states = output.language_model_outputs.hidden_states
    assert len(hidden_states) == 4
    ends = [max(row.nonzero().flatten().tolist()) for row in inputs["attention_mask"]]
    for layer, hidden in enumerate(hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:
            assert torch.equal(states[f"fused/{layer}"], hidden[range(8), ends])
    answer = blip2.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))


def test_blip2_spans_are_the_queries_and_the_words(blip2, emoji_examples):
    inputs = blip2.prepare(emoji_examples)
    spans = blip2.spans(inputs)
    length = inputs["input_ids"].shape[1]
    most = max(len(example.inputs["text"].split()) for example in emoji_examples)
    assert length == QUERIES + 1 + most + 1  # Question: and Answer: , unknown to the tokenizer
    for row, example in enumerate(emoji_examples):
        words = len(example.inputs["text"].split())
        # Queries always stand first; padding on the left stands behind them.
        padding = most - words if blip2.processor.tokenizer.padding_side == "left" else 0
        start = QUERIES + padding + 1
        assert spans["image"][row].nonzero().flatten().tolist() == list(range(QUERIES))
        assert spans["text"][row].nonzero().flatten().tolist() == list(range(start, start + words))


def test_blip2_with_another_language_model_is_refused(blip2_of):
    with pytest.raises(InputError, match="with OPT as its language model; this one has 't5'"):
        blip2_of(model_type="t5", d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)


def test_blip_cuts_texts_and_counts_them(blip, emoji_examples, cut_and_prompt):
    counted, prompt = cut_and_prompt(blip, emoji_examples)
    assert counted == (1, 16)
    assert prompt == "<unk>×16"
