"""Two towers, each family through its real loading path."""

from string import ascii_lowercase

import numpy as np
import pytest
import torch
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Processor,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
)

from modalprism.capture.run import RunConfig, run_capture
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}


@pytest.fixture
def clip(loaded, tokenizer_of):
    tokenizer = tokenizer_of(model_max_length=16)
    config = CLIPConfig(
        text_config={
            **SIZES, "num_hidden_layers": 3, "vocab_size": len(tokenizer),
            "max_position_embeddings": 16, "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**SIZES, "num_hidden_layers": 2, "image_size": 28, "patch_size": 14},
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


def test_candidates_do_not_stand_where_the_examples_texts_do(clip, emoji_examples, tmp_path):
    settings = RunConfig(dtype="float32")
    clip.candidates = ("yes", "no")
    store = run_capture(clip, emoji_examples, tmp_path / "with", metadata={}, config=settings)
    clip.candidates = ()
    without = run_capture(clip, emoji_examples, tmp_path / "none", metadata={}, config=settings)
    for layer in (0, 1, 2):
        assert np.array_equal(store.span("text", layer), without.span("text", layer))


def siglip_model(kind, tokenizer):
    config, model = (
        (SiglipConfig, SiglipModel) if kind == "siglip" else (Siglip2Config, Siglip2Model)
    )
    vision = {**SIZES, "num_hidden_layers": 2, "patch_size": 14}
    vision |= {"image_size": 28} if kind == "siglip" else {"num_patches": 9}
    text = {
        **SIZES, "num_hidden_layers": 3, "vocab_size": len(tokenizer),
        "max_position_embeddings": 12, "projection_size": 16,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    made = model(config(text_config=text, vision_config=vision))
    made.logit_scale.fill_(2.0)
    made.logit_bias.fill_(-1.0)
    return made


@pytest.fixture
def siglip_of(loaded, tokenizer_of):
    def make(kind, names=("input_ids",), candidates=()):
        if kind == "siglip":
            tokenizer = tokenizer_of(model_input_names=list(names))
            pictures = SiglipImageProcessorPil(size={"height": 28, "width": 28})
            processor = SiglipProcessor(pictures, tokenizer)
        else:  # whatever tokenizer is saved, the library makes it this one, of letters here
            marks = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
            letters = {
                letter: number for number, letter in enumerate([*marks, *"▁", *ascii_lowercase])
            }
            tokenizer = Siglip2Tokenizer(
                letters, model_input_names=list(names), padding_side="right"
            )
            pictures = Siglip2ImageProcessorPil(patch_size=14, max_num_patches=8)
            processor = Siglip2Processor(pictures, tokenizer)
        return loaded(siglip_model(kind, tokenizer), processor, candidates=candidates)

    return make


@pytest.fixture
def wide_examples(emoji_examples):
    """Every other picture twice as wide as it is high."""
    return [
        Example(e.id, e.inputs | {"image": e.inputs["image"].resize((72 * (1 + place % 2), 72))})
        for place, e in enumerate(emoji_examples)
    ]


@pytest.mark.parametrize("names", [("input_ids",), ("input_ids", "attention_mask")])
@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_siglip_states_are_the_librarys_own(
    siglip_of, wide_examples, states_of, pooled, kind, names
):
    siglip = siglip_of(kind, names)
    inputs, states, spans, output = states_of(siglip, wide_examples)
    given = dict(siglip.processor.tokenizer(
        [e.inputs["text"] for e in wide_examples], padding="max_length", max_length=12,
        truncation=True, return_tensors="pt",
    ))  # fmt: skip
    assert set(given) == set(names)
    given |= siglip.processor.image_processor(
        [e.inputs["image"] for e in wide_examples], return_tensors="pt"
    )
    library = siglip.model(**given, output_hidden_states=True)
    assert torch.equal(output.logits_per_image, library.logits_per_image)
    vision, text = library.vision_model_output, library.text_model_output
    patches = torch.ones(vision.hidden_states[0].shape[:2], dtype=torch.bool)
    if kind == "siglip2":  # 8 patches at most: 2 by 2, or 2 by 4
        patches = torch.arange(8) < torch.tensor([[4], [8]] * 4)
        assert torch.equal(spans["image"], patches)
    assert (len(vision.hidden_states), len(text.hidden_states)) == (3, 4)
    for layer in (1, 2):
        expected = pooled(vision.hidden_states[layer], patches)
        torch.testing.assert_close(states[f"image/{layer}"], expected, rtol=0, atol=1e-6)
        expected = pooled(text.hidden_states[layer], spans["text"])
        torch.testing.assert_close(states[f"text/{layer}"], expected, rtol=0, atol=1e-6)
    assert torch.equal(states["image/0"], vision.pooler_output)
    assert torch.equal(states["text/0"], text.pooler_output)
    count = len if kind == "siglip2" else lambda text: len(text.split())
    tokens = torch.tensor([count(e.inputs["text"]) for e in wide_examples])
    assert inputs["input_ids"].shape == (8, 12)
    assert torch.equal(spans["text"], torch.arange(12) < tokens[:, None])


@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_siglip_says_how_probable_a_pair_is(siglip_of, emoji_examples, states_of, kind):
    siglip = siglip_of(kind)
    inputs, _, _, output = states_of(siglip, emoji_examples)
    answer = siglip.answer(output, inputs)
    assert answer.shape == (8, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(8))
    for row in range(8):
        cosine = output.image_embeds[row] @ output.text_embeds[row]
        match = torch.sigmoid(cosine * torch.tensor(2.0).exp() - 1.0)
        torch.testing.assert_close(answer[row, 1], match)


def test_siglip_answers_by_candidates(siglip_of, emoji_examples, states_of):
    names = [example.inputs["text"] for example in emoji_examples]
    siglip = siglip_of("siglip", candidates=names)
    inputs, _, _, output = states_of(siglip, emoji_examples)
    answer = siglip.answer(output, inputs)
    torch.testing.assert_close(answer, torch.softmax(output.logits_per_image, 1))


RATE = 8000
SECONDS = (0.25, 1.0, 0.4, 0.7)


@pytest.fixture
def sounds(emoji_examples):
    """Tones and noise of unequal length, with names."""
    rng = np.random.default_rng(0)
    examples = []
    for place, (seconds, example) in enumerate(zip(SECONDS, emoji_examples, strict=False)):
        time = np.arange(int(seconds * RATE)) / RATE
        wave = np.sin(2 * np.pi * 220 * (1 + place) * time) + 0.1 * rng.standard_normal(len(time))
        inputs = {"audio": wave.astype(np.float32), "text": example.inputs["text"]}
        examples.append(Example(example.id, inputs, label=0))
    return examples


@pytest.fixture(params=["rand_trunc", "fusion"])
def clap(request, loaded, tokenizer_of):
    fusion = request.param == "fusion"
    tokenizer = tokenizer_of(model_max_length=16, model_input_names=["input_ids", "attention_mask"])
    audio = {
        "spec_size": 32, "num_mel_bins": 8, "patch_size": 4, "patch_stride": [4, 4],
        "window_size": 4, "depths": [2, 2], "num_attention_heads": [2, 2],
        "patch_embeds_hidden_size": 16, "hidden_size": 32, "enable_fusion": fusion,
    }  # fmt: skip
    text = {
        **SIZES, "num_hidden_layers": 5, "vocab_size": len(tokenizer),
        "max_position_embeddings": 20, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    ears = ClapFeatureExtractor(
        feature_size=8, sampling_rate=RATE, hop_length=160, max_length_s=1, fft_window_size=256,
        frequency_max=RATE // 2, truncation=request.param,
    )  # fmt: skip
    model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=8))
    return loaded(model, ClapProcessor(ears, tokenizer), candidates=("cat", "face"))


def test_clap_states_are_the_librarys_own(clap, sounds, states_of, pooled):
    inputs, states, spans, output = states_of(clap, sounds, output_hidden_states=True)
    blocks = clap.model.audio_model.audio_encoder(
        inputs["input_features"], is_longer=inputs["is_longer"], output_hidden_states=True,
        output_hidden_states_before_downsampling=True,
    ).hidden_states  # fmt: skip
    assert len(blocks) == 3  # what enters, and what leaves two stages of two blocks each
    for layer, hidden in ((2, blocks[1]), (4, blocks[2])):
        expected = hidden.flatten(2).mean(2)
        torch.testing.assert_close(states[f"audio/{layer}"], expected, rtol=0, atol=1e-6)
    assert torch.equal(blocks[2], output.audio_model_output.hidden_states[-1])
    for layer in (1, 2, 3, 4):
        expected = pooled(output.text_model_output.hidden_states[layer], spans["text"])
        torch.testing.assert_close(states[f"text/{layer}"], expected, rtol=0, atol=1e-6)
    assert {name for name in states if name.endswith("/0")} == {"audio/0", "text/0"}
    for modality, embedded in (("audio", output.audio_embeds), ("text", output.text_embeds)):
        unit = states[f"{modality}/0"] / states[f"{modality}/0"].norm(dim=1, keepdim=True)
        torch.testing.assert_close(unit, embedded, rtol=0, atol=1e-6)
    words = [len(e.inputs["text"].split()) for e in sounds]
    assert spans["text"].sum(1).tolist() == words
    assert "audio" not in spans


def test_clap_answers_by_candidates(clap, sounds, states_of):
    inputs, _, _, output = states_of(clap, sounds)
    answer = clap.answer(output, inputs)
    assert answer.shape == (4, 2)
    torch.testing.assert_close(answer.sum(1), torch.ones(4))
    clap.candidates = ()
    assert clap.answer(output, inputs) is None


@pytest.mark.parametrize("samples", [0, RATE + 1])
def test_a_recording_longer_than_clap_hears_is_refused(clap, sounds, samples):
    inputs = {"audio": np.ones(samples, dtype=np.float32), "text": "a"}
    with pytest.raises(InputError, match="cut it"):
        clap.prepare([*sounds, Example("other", inputs)])


def test_clip_cuts_texts_and_counts_them(clip, emoji_examples, cut_and_prompt):
    assert cut_and_prompt(clip, emoji_examples) == ((1, 16), "<unk>×16")
    assert cut_and_prompt(clip, emoji_examples, "no") == ((0, 0), "no")


@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_siglip_cuts_texts_and_counts_them(siglip_of, emoji_examples, cut_and_prompt, kind):
    adapter = siglip_of(kind)
    counted, _ = cut_and_prompt(adapter, emoji_examples)
    long = sum(adapter.text_length(one.inputs["text"]) > 12 for one in emoji_examples[1:])
    assert counted == (1 + long, 12)


def test_clap_cuts_texts_and_counts_them(clap, sounds, cut_and_prompt):
    assert cut_and_prompt(clap, sounds)[0] == (1, 16)


def test_candidates_that_the_tokenizer_does_not_know_are_named(clip):
    assert clip.unknown_candidates() == ["cat", "face"]
    assert clip.same_candidates() == ["cat", "face"]
    clip.candidates = ("yes", "no", "cat")
    assert clip.unknown_candidates() == ["cat"]
    assert clip.same_candidates() == []
