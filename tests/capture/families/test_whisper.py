"""Whisper through its real loading path: tones of unequal length, and words before them."""

import numpy as np
import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from modalprism.capture.reading import last
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

LANGUAGES = ("en", "zh", "de", "es", "ru", "ko", "fr")  # in Whisper's own order
MARKS = (
    "<|endoftext|>", "<|startoftranscript|>", *(f"<|{language}|>" for language in LANGUAGES),
    "<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|notimestamps|>",
)  # fmt: skip
SAMPLES = (1600, 8000, 16000, 3201)  # of a second of 16,000
TEXTS = ("a", "he said", "a number is", " twelve men ")


def tokenizer():
    """Letters are tokens, and so are " y" and " n"."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*letters, "Ġy", "Ġn"])}
    vocabulary |= {mark: len(vocabulary) + number for number, mark in enumerate(MARKS)}
    return WhisperTokenizer(
        vocabulary, [("Ġ", "y"), ("Ġ", "n")], additional_special_tokens=list(MARKS)
    )


@pytest.fixture
def whisper_of(loaded):
    def make(candidates=("yes", "no"), **generation):
        words = tokenizer()
        start, end = words.convert_tokens_to_ids(["<|startoftranscript|>", "<|endoftext|>"])
        config = WhisperConfig(
            vocab_size=len(words), d_model=16, num_mel_bins=8, max_source_positions=50,
            max_target_positions=32, encoder_layers=2, decoder_layers=3,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32,
            decoder_ffn_dim=32, decoder_start_token_id=start, pad_token_id=end,
            bos_token_id=end, eos_token_id=end,
        )  # fmt: skip
        torch.manual_seed(0)
        model = WhisperForConditionalGeneration(config)
        model.generation_config = GenerationConfig(**generation)
        ears = WhisperFeatureExtractor(feature_size=8, chunk_length=1)
        return loaded(model, WhisperProcessor(ears, words), candidates=candidates)

    return make


@pytest.fixture
def whisper(whisper_of):
    return whisper_of()


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    return [
        Example(str(number), {"audio": tone(rng, samples), "text": text}, label=0)
        for number, (samples, text) in enumerate(zip(SAMPLES, TEXTS, strict=True))
    ]


def tone(rng, samples):
    times = np.arange(samples) / 16000
    noise = 0.01 * rng.standard_normal(samples)
    return (np.sin(2 * np.pi * rng.uniform(200, 2000) * times) + noise).astype(np.float32)


def test_decoder_states_are_the_librarys_own(whisper, examples, states_of, pooled):
    inputs, states, spans, output = states_of(whisper, examples, output_hidden_states=True)
    assert len(output.decoder_hidden_states) == 4
    positions = inputs["decoder_attention_mask"].sum(1) - 1
    for layer, hidden in enumerate(output.decoder_hidden_states):
        expected = pooled(hidden, spans["text"])
        torch.testing.assert_close(states[f"text/{layer}"], expected, rtol=0, atol=1e-6)
        if layer:
            assert torch.equal(states[f"fused/{layer}"], hidden[torch.arange(4), positions])
    assert "fused/0" not in states


def test_the_audio_is_what_the_encoder_gives_at_every_layer(whisper, examples, states_of, pooled):
    _, states, spans, output = states_of(whisper, examples)
    expected = pooled(output.encoder_last_hidden_state, spans["audio"])
    for layer in range(4):
        torch.testing.assert_close(states[f"audio/{layer}"], expected, rtol=0, atol=1e-6)


def test_spans_are_the_recording_and_the_words_before(whisper, examples, states_of):
    inputs, _, spans, _ = states_of(whisper, examples)
    # A frame each 160 samples, a position each two frames.
    assert spans["audio"].sum(1).tolist() == [5, 25, 50, 11]
    assert spans["audio"].shape == (4, 50)
    for row, text in zip(range(4), TEXTS, strict=True):
        words = inputs["decoder_input_ids"][row][spans["text"][row]]
        # " a number is" has the token " n".
        letters = len(" " + text.strip()) - (" n" in text)
        assert len(words) == letters
        assert whisper.processor.tokenizer.decode(words) == " " + text.strip()
        assert spans["text"][row, 1:].any()
        assert not spans["text"][row, 0]


@pytest.mark.parametrize(
    ("generation", "after"),
    [
        ({}, []),
        ({"is_multilingual": True}, ["<|en|>", "<|transcribe|>"]),
        ({"is_multilingual": True, "language": "fr"}, ["<|fr|>", "<|transcribe|>"]),
    ],
)
def test_the_prompt_has_whispers_own_marks(whisper_of, examples, generation, after):
    whisper = whisper_of(**generation)
    inputs = whisper.prepare(examples[:1])
    tokens = whisper.processor.tokenizer.convert_ids_to_tokens(inputs["decoder_input_ids"][0])
    assert tokens == [
        "<|startofprev|>", "Ġ", "a", "<|startoftranscript|>", *after, "<|notimestamps|>"
    ]  # fmt: skip


def test_the_answer_is_a_distribution_read_where_the_transcript_begins(
    whisper, examples, states_of
):
    inputs, _, _, output = states_of(whisper, examples)
    answer = whisper.answer(output, inputs)
    torch.testing.assert_close(answer.sum(1), torch.ones(4))
    tokens = whisper.processor.tokenizer.convert_tokens_to_ids(["Ġy", "Ġn"])
    for row, length in enumerate(inputs["decoder_attention_mask"].sum(1)):
        logits = output.logits[row, length - 1, tokens]
        torch.testing.assert_close(answer[row], torch.softmax(logits, 0))
    whisper.candidates = ()
    assert whisper.answer(output, inputs) is None


def test_other_pooling_reads_the_last_word(whisper, examples, states_of):
    _, states, spans, output = states_of(whisper, examples, pool=last, output_hidden_states=True)
    place = int(spans["text"][0].nonzero()[-1])
    assert torch.equal(states["text/2"][0], output.decoder_hidden_states[2][0, place])


def test_a_long_text_keeps_its_end(whisper, examples):
    long = Example("long", {"audio": examples[0].inputs["audio"], "text": "abcd" * 20 + "wxyz"})
    inputs = whisper.prepare([long])
    span = whisper.spans(inputs)["text"]
    assert int(span.sum()) == 15  # half of 32 positions, less a mark
    words = whisper.processor.tokenizer.decode(inputs["decoder_input_ids"][span])
    assert words == "bcdabcdabcdwxyz"[-15:]


@pytest.mark.parametrize("samples", [0, 16001])
def test_recordings_that_whisper_cannot_hear_whole_are_refused(whisper, samples):
    example = Example("long", {"audio": np.zeros(samples, np.float32), "text": "a"})
    with pytest.raises(InputError, match="up to 1: cut it"):
        whisper.prepare([example])


def test_whisper_cuts_prompts_and_counts_them(whisper, examples, cut_and_prompt):
    counted, prompt = cut_and_prompt(whisper, examples, "so " * 10 + "he said")
    assert counted == (1, 1 + 15 + 2)
    assert prompt == "<|startofprev|>o so so he said<|startoftranscript|><|notimestamps|>"
