"""One stream of words and pieces of a picture, each family through its real loading path."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import processors
from transformers import (
    FlavaConfig,
    FlavaForPreTraining,
    FlavaImageProcessorPil,
    FlavaModel,
    FlavaProcessor,
    ViltConfig,
    ViltForImageAndTextRetrieval,
    ViltForQuestionAnswering,
    ViltImageProcessorPil,
    ViltProcessor,
    VisualBertConfig,
    VisualBertForQuestionAnswering,
)

from modalprism.capture.interventions import blanked
from modalprism.capture.run import run_capture
from modalprism.errors import InputError

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
ANSWERS = {0: "no", 1: "maybe", 2: "yes"}
# Of pictures, width and height in patches of 14 pixels: square, and one side twice the other.
GRIDS = ((2, 2), (3, 2), (2, 3), (2, 2))


@pytest.fixture
def bert(tokenizer_of):
    """A tokenizer that puts BERT's marks around every text."""
    tokenizer = tokenizer_of(names={"cls_token": "[CLS]", "sep_token": "[SEP]"})
    marks = [(mark, tokenizer.convert_tokens_to_ids(mark)) for mark in ("[CLS]", "[SEP]")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=marks
    )
    return tokenizer


def lengths(examples):
    """Of texts with the marks around them."""
    return torch.tensor([len(example.inputs["text"].split()) + 2 for example in examples])


@pytest.fixture
def unequal_examples(emoji_examples):
    """Square, wide and tall pictures, in turn."""
    return [
        replace(e, inputs=e.inputs | {"image": e.inputs["image"].resize((36 * width, 36 * height))})
        for e, (width, height) in zip(emoji_examples, GRIDS * 2, strict=True)
    ]


@pytest.fixture
def region_examples(emoji_examples):
    """Three to six regions of 5 features."""
    rng = np.random.default_rng(0)
    return [
        replace(e, inputs=e.inputs | {"image": rng.standard_normal((3 + place % 4, 5))})
        for place, e in enumerate(emoji_examples)
    ]


@pytest.fixture
def vilt_of(loaded, bert):
    def make(model=ViltForQuestionAnswering, candidates=()):
        torch.manual_seed(0)
        config = ViltConfig(
            **SIZES, num_hidden_layers=3, vocab_size=len(bert), image_size=42, patch_size=14,
            max_position_embeddings=12, id2label=ANSWERS,
        )  # fmt: skip
        network = model(config)
        torch.nn.init.normal_(network.vilt.embeddings.position_embeddings)  # zeros hide an order
        pictures = ViltImageProcessorPil(size={"shortest_edge": 28}, size_divisor=14)
        return loaded(network, ViltProcessor(pictures, bert), candidates=candidates)

    return make


def test_vilt_states_are_the_librarys_own(vilt_of, unequal_examples, states_of, pooled):
    vilt = vilt_of()
    _, states, spans, output = states_of(vilt, unequal_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)


def test_vilt_spans_are_the_words_and_then_the_patches(vilt_of, unequal_examples, states_of):
    _, _, spans, _ = states_of(vilt_of(), unequal_examples)
    words = lengths(unequal_examples)
    longest = int(words.max())
    for row, (count, (width, height)) in enumerate(zip(words, GRIDS * 2, strict=True)):
        image = list(range(longest, longest + 1 + width * height))  # with its class token
        assert spans["text"][row].nonzero().flatten().tolist() == list(range(count))
        assert spans["image"][row].nonzero().flatten().tolist() == image
    assert spans["image"].shape == (8, longest + 1 + 6)


def test_vilt_draws_nothing(vilt_of, unequal_examples, states_of):
    vilt = vilt_of()
    before = torch.get_rng_state()
    _, states, _, output = states_of(vilt, unequal_examples, output_hidden_states=True)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    _, again, _, other = states_of(vilt, unequal_examples, output_hidden_states=True)
    assert all(torch.equal(states[name], again[name]) for name in states)
    assert torch.equal(output.hidden_states[-1], other.hidden_states[-1])
    _, alone, _, _ = states_of(vilt, unequal_examples[:1])
    for name, state in alone.items():
        torch.testing.assert_close(states[name][:1], state, rtol=0, atol=1e-5)


def test_the_answer_is_one_of_the_models_classes(vilt_of, unequal_examples, states_of):
    vilt = vilt_of()
    assert vilt.candidates == ("no", "maybe", "yes")
    inputs, _, _, output = states_of(vilt, unequal_examples)
    answer = vilt.answer(output, inputs)
    torch.testing.assert_close(answer, torch.softmax(output.logits, 1))


def test_candidates_choose_among_the_models_classes(vilt_of, unequal_examples, states_of):
    vilt = vilt_of(candidates=("yes", "no"))
    inputs, _, _, output = states_of(vilt, unequal_examples)
    answer = vilt.answer(output, inputs)
    torch.testing.assert_close(answer, torch.softmax(output.logits[:, [2, 0]], 1))


def test_a_candidate_that_is_no_class_is_refused(vilt_of):
    with pytest.raises(InputError, match="no class 'perhaps'"):
        vilt_of(candidates=("perhaps",))


def test_weights_without_answers_are_refused(vilt_of):
    with pytest.raises(InputError, match="those of ViltForImageAndTextRetrieval"):
        vilt_of(ViltForImageAndTextRetrieval)


@pytest.fixture
def visual_bert(loaded, bert):
    torch.manual_seed(0)
    config = VisualBertConfig(
        **SIZES, num_hidden_layers=3, vocab_size=len(bert), visual_embedding_dim=5,
        max_position_embeddings=12, pad_token_id=bert.pad_token_id, id2label=ANSWERS,
    )  # fmt: skip
    return loaded(VisualBertForQuestionAnswering(config), bert)


def test_visual_bert_states_are_the_librarys_own(visual_bert, region_examples, states_of, pooled):
    _, states, spans, output = states_of(visual_bert, region_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)


def test_visual_bert_spans_are_the_words_and_then_the_regions(
    visual_bert, region_examples, states_of
):
    inputs, _, spans, output = states_of(visual_bert, region_examples)
    words = lengths(region_examples)
    longest = int(words.max())
    for row, count in enumerate(words):
        regions = list(range(longest, longest + 3 + row % 4))
        assert spans["text"][row].nonzero().flatten().tolist() == list(range(count))
        assert spans["image"][row].nonzero().flatten().tolist() == regions
    answer = visual_bert.answer(output, inputs)
    torch.testing.assert_close(answer, torch.softmax(output.logits, 1))


def test_a_text_of_nothing_is_captured(visual_bert, region_examples, tmp_path):
    store = run_capture(
        visual_bert, blanked(region_examples, "text"), tmp_path / "store", metadata={}
    )
    assert store.span("text", 0).shape == (8, 16)
    assert len(np.unique(store.span("text", 0), axis=0)) == 1  # two marks, the same for all
    assert len(np.unique(store.span("image", 3), axis=0)) == 8


@pytest.mark.parametrize("shape", [(5,), (0, 5), (4, 6)])
def test_an_image_that_is_no_regions_is_refused(visual_bert, region_examples, shape):
    broken = replace(region_examples[0], inputs={"image": np.zeros(shape), "text": "a"})
    with pytest.raises(InputError, match=r"give an array of shape \(regions, 5\)"):
        visual_bert.prepare([broken, *region_examples])


@pytest.fixture(params=[True, False], ids=["mark", "no mark"])
def flava_of(request, loaded, bert):
    def make(model=FlavaForPreTraining, **options):
        torch.manual_seed(0)
        tower = {**SIZES, "num_hidden_layers": 2}
        config = FlavaConfig(
            text_config={
                **tower, "vocab_size": len(bert), "max_position_embeddings": 12,
                "pad_token_id": bert.pad_token_id,
            },
            image_config={**tower, "image_size": 28, "patch_size": 14},
            multimodal_config={
                **SIZES, "num_hidden_layers": 3, "use_cls_token": request.param,
                "output_hidden_states": True,  # the only way to the library's own
            },
            image_codebook_config={"hidden_size": 8, "vocab_size": 8, "num_blocks_per_group": 1},
            projection_dim=8, hidden_size=16, init_codebook=False,
        )  # fmt: skip
        pictures = FlavaImageProcessorPil(
            size={"height": 28, "width": 28}, crop_size={"height": 28, "width": 28}
        )
        return loaded(model(config), FlavaProcessor(pictures, bert), **options)

    return make


def test_flava_states_are_the_librarys_own(flava_of, emoji_examples, states_of, pooled):
    flava = flava_of()
    _, states, spans, output = states_of(flava, emoji_examples)
    hidden_states = output.multimodal_output.hidden_states
    assert len(hidden_states) == 4
    for layer, hidden in enumerate(hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
    # What enters is what the towers made, without their final norms.
    image = flava.model.flava.image_to_mm_projection(output.image_output.hidden_states[-1])
    torch.testing.assert_close(states["image/0"], image.mean(1), rtol=0, atol=1e-6)
    text = flava.model.flava.text_to_mm_projection(output.text_output.hidden_states[-1])
    length = text.shape[1]
    expected = pooled(text, spans["text"][:, -length:])
    torch.testing.assert_close(states["text/0"], expected, rtol=0, atol=1e-6)


def test_flava_spans_are_the_picture_and_then_the_words(flava_of, emoji_examples, states_of):
    flava = flava_of()
    _, _, spans, output = states_of(flava, emoji_examples)
    begin = int(flava.model.config.multimodal_config.use_cls_token)
    for row, count in enumerate(lengths(emoji_examples)):
        image = list(range(begin, begin + 5))  # a class token, and 2 by 2 patches
        text = list(range(begin + 5, begin + 5 + count))
        assert spans["image"][row].nonzero().flatten().tolist() == image
        assert spans["text"][row].nonzero().flatten().tolist() == text
    assert spans["text"].shape == output.multimodal_embeddings.shape[:2]


def test_flava_says_whether_a_pair_matches(flava_of, emoji_examples, states_of):
    flava = flava_of()
    assert flava.candidates == ("no match", "match")
    inputs, _, _, output = states_of(flava, emoji_examples)
    whole = flava.model(**inputs, input_ids_masked=inputs["input_ids"], return_loss=False)
    answer = flava.answer(output, inputs)
    torch.testing.assert_close(answer, torch.softmax(whole.itm_logits, 1))
    assert answer.shape == (8, 2)


def test_flava_without_its_head_does_not_answer(flava_of, emoji_examples, states_of):
    flava = flava_of(FlavaModel)
    inputs, states, _, output = states_of(flava, emoji_examples)
    assert flava.answer(output, inputs) is None
    assert states["text/3"].shape == (8, 16)


def test_flava_takes_no_candidates(flava_of):
    with pytest.raises(InputError, match="give no candidates"):
        flava_of(candidates=("cat",))


def test_one_stream_cuts_texts_and_counts_them(
    vilt_of, unequal_examples, region_examples, emoji_examples, visual_bert, flava_of,
    cut_and_prompt,
):  # fmt: skip
    for adapter, examples in (
        (vilt_of(), unequal_examples), (visual_bert, region_examples), (flava_of(), emoji_examples),
    ):  # fmt: skip
        assert cut_and_prompt(adapter, examples)[0] == (1, 12)
        assert cut_and_prompt(adapter, examples, "a cat")[0] == (0, 0)
