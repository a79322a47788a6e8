"""Pictures cut into crops between marks: each family through its real loading path."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
)

BORDER, END = "<fake_token_around_image>", "<end_of_utterance>"
# Width and height → rows and columns of crops of 56 by 56, the longer side being 168 pixels.
CROPS = {(72, 72): (3, 3), (144, 72): (2, 3), (72, 144): (3, 2), (216, 72): (1, 3)}
A_CROP = 4  # image tokens: 4 by 4 patches, 2 by 2 of which are one
PICTURES = {"size": {"longest_edge": 168}, "max_image_size": {"longest_edge": 56}}
CONFIG = {
    "vision_config": {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 56, "patch_size": 14,
    },
    "text_config": {
        "model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3,
        "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 128, "pad_token_id": 0,
    },
    "scale_factor": 2,
}  # fmt: skip


@pytest.fixture
def unequal_examples(emoji_examples):
    """The pictures square, wide, tall and very wide, in turn."""
    sizes = [*CROPS] * 2
    return [
        replace(e, inputs={**e.inputs, "image": e.inputs["image"].resize(size)})
        for e, size in zip(emoji_examples, sizes, strict=True)
    ]


@pytest.fixture
def cropping_tokenizer(tokenizer_of):
    """As those of the models: marks of rows and columns, and line breaks, are not special."""

    def make(**options):
        tokenizer = tokenizer_of(BORDER, "<image>", END, "<|im_start|>", **options)
        places = [f"<row_{row}_col_{column}>" for row in (1, 2, 3) for column in (1, 2, 3)]
        tokenizer.add_tokens([*places, "<global-img>", "\n"])
        return tokenizer

    return make


@pytest.fixture
def idefics3(loaded, cropping_tokenizer):
    tokenizer = cropping_tokenizer(padding_side="left")
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    model = Idefics3ForConditionalGeneration(Idefics3Config(**CONFIG, image_token_id=image_token))
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(**PICTURES), tokenizer, image_seq_len=A_CROP
    )
    return loaded(model, processor, candidates=("yes", "no"))


@pytest.fixture
def smolvlm(loaded, cropping_tokenizer):
    tokenizer = cropping_tokenizer(padding_side="right")
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    model = SmolVLMForConditionalGeneration(SmolVLMConfig(**CONFIG, image_token_id=image_token))
    # Its own processor cannot be made without torchvision; the file that it writes is this.
    settings = json.dumps({"processor_class": "SmolVLMProcessor", "image_seq_len": A_CROP})
    processor = SimpleNamespace(
        save_pretrained=lambda folder: (folder / "processor_config.json").write_text(settings)
    )
    pictures = SmolVLMImageProcessorPil(**PICTURES)
    return loaded(model, pictures, tokenizer, processor, candidates=("yes", "no"))


@pytest.fixture(params=["idefics3", "smolvlm"])
def cropping(request):
    return request.getfixturevalue(request.param)


def test_states_are_the_librarys_own(cropping, unequal_examples, states_of, pooled):
    inputs, states, spans, output = states_of(cropping, unequal_examples, output_hidden_states=True)
    assert len(output.hidden_states) == 4
    ends = [max(row.nonzero().flatten().tolist()) for row in inputs["attention_mask"]]
    for layer, hidden in enumerate(output.hidden_states):
        for modality in ("image", "text"):
            expected = pooled(hidden, spans[modality])
            torch.testing.assert_close(states[f"{modality}/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:
            assert torch.equal(states[f"fused/{layer}"], hidden[range(8), ends])
    answer = cropping.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))


def sequence(example, *, split=True):
    """Write down the tokens of an example, from the picture on, and whose each is."""
    rows, columns = CROPS[example.inputs["image"].size] if split else (0, 0)
    tokens = []
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            tokens += [(BORDER, ""), (f"<row_{row}_col_{column}>", "")]
            tokens += [("<image>", "image")] * A_CROP
        tokens += [("\n", "")]
    if split:
        tokens += [("\n", "")]
    tokens += [(BORDER, ""), ("<global-img>", "")]
    tokens += [("<image>", "image")] * A_CROP + [(BORDER, "")]
    tokens += [(word, "text") for word in example.inputs["text"].split()]
    # The tokenizer does not know Assistant: , but the line break is a token of the prompt.
    return [*tokens, (END, ""), ("\n", "text"), ("<unk>", "")]


@pytest.mark.parametrize("split", [True, False])
def test_spans_are_the_crops_and_the_words(cropping, unequal_examples, split):
    cropping.processor.image_processor.do_image_splitting = split
    inputs = cropping.prepare(unequal_examples)
    spans = cropping.spans(inputs)
    for row, example in enumerate(unequal_examples):
        expected = sequence(example, split=split)
        real = inputs["attention_mask"][row].nonzero().flatten()[-len(expected) :]
        said = cropping.processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][row, real])
        assert said == [token for token, _ in expected]
        for modality in ("image", "text"):
            kept = spans[modality][row, real].tolist()
            assert kept == [whose == modality for _, whose in expected]
            assert spans[modality][row].sum() == sum(kept)  # before the picture there is nothing


def test_candidates_follow_the_prompt_with_a_space(cropping):
    vocabulary = {"yes": 1, " yes": 2, "no": 3, " no": 4, "<unk>": 0}
    whole = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - no password
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, unk_token="<unk>")  # noqa: S106
    processor = SimpleNamespace(tokenizer=tokenizer)
    assert cropping.prompt("camera").endswith("Assistant:")
    adapter = type(cropping)(cropping.model, processor, ("yes", "no"))
    assert adapter._first_tokens == [2, 4]
    assert adapter.candidates == ("yes", "no")
