"""Pictures as tokens of a decoder, each family through its real loading path."""

from dataclasses import replace

import pytest
import torch
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessorPil,
    LlavaOnevisionProcessor,
    LlavaProcessor,
    Qwen2Config,
    SiglipVisionConfig,
)

from modalprism.capture.families.decoders import pictures_only
from modalprism.capture.families.tokens import first_tokens
from modalprism.capture.interventions import exchanged, span_hidden
from modalprism.capture.reading import POOLS, read_batch, read_states
from modalprism.errors import InputError

VISION = CLIPVisionConfig(
    hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
    image_size=28, patch_size=14, projection_dim=16,
)  # fmt: skip
DECODER = LlamaConfig(
    hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
    num_key_value_heads=2, vocab_size=128,
)  # fmt: skip

# Width and height of pictures; the grid that holds most of each, of tiles of 28 by 28 pixels.
TILES = {(72, 72): (2, 2), (144, 72): (2, 1), (72, 144): (1, 2), (108, 72): (2, 2)}
PINPOINTS = [[28, 56], [56, 28], [56, 56]]


@pytest.fixture
def unequal_examples(emoji_examples):
    """The pictures square, wide, tall and not quite so wide, in turn."""
    sizes = [*TILES] * 2
    return [
        replace(e, inputs={**e.inputs, "image": e.inputs["image"].resize(size)})
        for e, size in zip(emoji_examples, sizes, strict=True)
    ]


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


def test_what_llava_hides_moves_nothing_else(llava, emoji_examples):
    def states(examples, hidden):
        inputs = llava.prepare(examples)
        with read_states(llava.model, llava.sites(), POOLS["mean"]) as reading:
            if not hidden:
                return read_batch(llava, inputs, reading)[0]
            with span_hidden(llava, inputs, "image"):
                return read_batch(llava, inputs, reading)[0]

    others = exchanged(emoji_examples, "image")
    for name in ("text/3", "fused/3"):  # the position of the answer sees the picture no more
        assert not torch.allclose(states(others, False)[name], states(emoji_examples, False)[name])
        torch.testing.assert_close(states(others, True)[name], states(emoji_examples, True)[name])
    assert not torch.allclose(
        states(others, True)["image/3"], states(emoji_examples, True)["image/3"]
    )


def test_llava_spans_are_the_picture_and_the_words(llava, emoji_examples, states_of):
    inputs, _, spans, _ = states_of(llava, emoji_examples)
    assert spans["image"].sum(1).tolist() == [4] * 8  # 28 / 14 squared
    words = [len(example.inputs["text"].split()) for example in emoji_examples]
    # With the template's USER : and ASSISTANT : ; these tokens stand for words, too.
    beside = spans["text"].sum(1) - torch.tensor(words)
    assert len(set(beside.tolist())) == 1
    assert not (spans["image"] & spans["text"]).any()
    assert not (spans["text"] & ~inputs["attention_mask"].bool()).any()


def test_candidates_that_begin_alike_are_refused(tokenizer_of):
    with pytest.raises(InputError, match="begin with the same token"):
        first_tokens(tokenizer_of(), ("yes please", "yes"))


def test_the_beginning_that_a_chat_template_brings_is_not_put_twice(
    llava, emoji_examples, states_of
):
    tokenizer = llava.processor.tokenizer
    llava.processor.chat_template = "<s> <image> {{ messages[0].content[1].text }} ASSISTANT"
    tokenizer.add_bos_token = True
    inputs, *_ = states_of(llava, emoji_examples)
    assert (inputs["input_ids"] == tokenizer.bos_token_id).sum(1).tolist() == [1] * 8


@pytest.fixture
def llava_next(loaded, tokenizer_of):
    tokenizer = tokenizer_of("<image>", padding_side="left")
    model = LlavaNextForConditionalGeneration(
        LlavaNextConfig(
            vision_config=VISION, text_config=DECODER, image_grid_pinpoints=PINPOINTS,
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        )
    )  # fmt: skip
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessorPil(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28},
            image_grid_pinpoints=PINPOINTS,
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )  # fmt: skip
    return loaded(model, processor, candidates=("yes", "no"))


@pytest.fixture
def llava_onevision(loaded, tokenizer_of):
    marks = ("<image>", "<video>", "<|im_start|>", "<|im_end|>")
    tokenizer = tokenizer_of(*marks, padding_side="left")
    vision = SiglipVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        image_size=28, patch_size=14, vision_use_head=False,
    )  # fmt: skip
    decoder = Qwen2Config(
        hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=2, vocab_size=128,
    )  # fmt: skip
    image, video = tokenizer.convert_tokens_to_ids(["<image>", "<video>"])
    model = LlavaOnevisionForConditionalGeneration(
        LlavaOnevisionConfig(
            vision_config=vision, text_config=decoder, image_grid_pinpoints=PINPOINTS,
            image_token_index=image, video_token_index=video, vision_aspect_ratio="anyres_max_2",
        )
    )  # fmt: skip
    processor = pictures_only(LlavaOnevisionProcessor)(
        LlavaOnevisionImageProcessorPil(
            size={"height": 28, "width": 28}, image_grid_pinpoints=PINPOINTS
        ),
        tokenizer,
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        vision_aspect_ratio="anyres_max_2",
    )
    return loaded(model, processor, candidates=("yes", "no"))


@pytest.fixture(params=["llava_next", "llava_onevision"])
def tiled(request):
    return request.getfixturevalue(request.param)


def test_states_of_tiles_are_the_librarys_own(tiled, unequal_examples, states_of, pooled):
    inputs, states, spans, output = states_of(tiled, unequal_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:
            assert torch.equal(states[f"fused/{layer}"], hidden[:, -1])
    answer = tiled.answer(output, inputs)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))


@pytest.mark.parametrize(
    ("family", "counts", "after"),
    [
        # The whole picture as 2 by 2, then rows of patches with a line break each: 4 of 4, 2 of 4,
        # 4 of 2; of the last, 2 to 3, a grid of 4 by 4 keeps 2 rows, the others are its margins.
        ("llava_next", (4 + 4 * 5, 4 + 2 * 5, 4 + 4 * 3, 4 + 2 * 5), 1),
        # As many patches as two tiles have at most: 4 by 4 are shrunk by the root of 2.
        ("llava_onevision", (4 + 2 * 3, 4 + 2 * 5, 4 + 4 * 3, 4 + 2 * 5), 3),
    ],
)
def test_spans_of_tiles_follow_the_pictures_shape(request, unequal_examples, family, counts, after):
    adapter = request.getfixturevalue(family)
    inputs = adapter.prepare(unequal_examples)
    spans = adapter.spans(inputs)
    length = inputs["input_ids"].shape[1]
    for row, (example, count) in enumerate(zip(unequal_examples, counts * 2, strict=True)):
        end = length - after  # marks and ASSISTANT: , which is no word that the tokenizer knows
        middle = end - len(example.inputs["text"].split())
        assert spans["text"][row].nonzero().flatten().tolist() == list(range(middle, end))
        image = list(range(middle - count, middle))
        assert spans["image"][row].nonzero().flatten().tolist() == image


def test_attention_weighs_positions_by_what_they_receive(llava, emoji_examples, pooled):
    llava.model.set_attn_implementation("eager")
    inputs = llava.prepare(emoji_examples)
    with read_states(llava.model, llava.sites(), POOLS["attention"], attended=True) as reading:
        states, _ = read_batch(llava, inputs, reading)
        spans = reading.spans
    output = llava.model(**inputs, output_hidden_states=True, output_attentions=True)
    for layer in (1, 2, 3):
        received = output.attentions[layer - 1].mean(1).sum(1)
        for row in range(8):
            weight = received[row] * spans["image"][row]
            expected = weight @ output.hidden_states[layer][row] / weight.sum()
            torch.testing.assert_close(states[f"image/{layer}"][row], expected, rtol=0, atol=1e-5)
    before = pooled(output.hidden_states[0], spans["text"])
    torch.testing.assert_close(states["text/0"], before, rtol=0, atol=1e-6)


def test_attention_that_is_not_handed_out_is_refused(llava, emoji_examples):
    with (
        read_states(llava.model, llava.sites(), POOLS["attention"], attended=True) as reading,
        pytest.raises(InputError, match="hands out no attention weights"),
    ):
        read_batch(llava, llava.prepare(emoji_examples), reading)


def test_single_positions_are_kept_as_they_are(llava, emoji_examples, states_of):
    inputs, _, spans, output = states_of(llava, emoji_examples, output_hidden_states=True)
    with read_states(llava.model, llava.sites(), POOLS["mean"], tokens=6) as reading:
        states, _ = read_batch(llava, inputs, reading)
    for layer, hidden in enumerate(output.hidden_states):
        for row in range(8):
            for modality in ("image", "text"):
                there = hidden[row][spans[modality][row]]
                kept = states[f"tokens/{modality}/{layer}"][row]
                if len(there) <= 6:
                    torch.testing.assert_close(kept[: len(there)], there)
                assert kept[len(there) :].isnan().all()
                assert not kept[: len(there)].isnan().any()


def test_the_prompt_is_what_llava_was_given(llava, emoji_examples, cut_and_prompt):
    counted, prompt = cut_and_prompt(llava, emoji_examples)
    assert counted == (0, 0)
    assert "<image>×" in prompt
    assert prompt.count("<image>") == 1
    assert "<pad>" not in prompt
