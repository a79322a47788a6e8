"""Whisper: an encoder of audio, and a decoder of text that attends to it in every layer.

Layer 0 is the encoder's output after its layer norm, which is also the audio's state at every other
layer, and the embedded words with their positions. The audio's span leaves out the silence that
fills a recording up to thirty seconds, which the encoder, having no mask, sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import BEFORE_FUSION, Site, stream
from modalprism.capture.families.tokens import FirstTokenAdapter, check_recordings
from modalprism.datasets.dataset import Example

_FRAMES_A_POSITION = 2  # the stride of the encoder's second convolution


class WhisperAdapter(FirstTokenAdapter):
    """Whisper: a recording, and what was said before; the answer is the next word's first token.

    A multilingual model transcribes in the language of its generation config, or in English.
    """

    modalities: ClassVar[tuple[str, str]] = ("audio", "text")
    auto_class: ClassVar[str] = "AutoModelForSpeechSeq2Seq"
    fusion: ClassVar[str] = (
        "in the text's span and at the last position, from decoder layer 1; the audio is the "
        "encoder's output at every layer and never sees the text"
    )
    fused = "last"
    before_candidates: ClassVar[str] = " "  # as in a transcript

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        super().__init__(model, processor, candidates)
        generation: Any = self.model.generation_config
        options: dict[str, Any] = {}
        if getattr(generation, "is_multilingual", False):
            language = getattr(generation, "language", None) or "english"
            options = {"language": language, "task": "transcribe"}
        processor.tokenizer.set_prefix_tokens(**options, predict_timestamps=False)
        self._prefix = list(processor.tokenizer.prefix_tokens)

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return spectrograms with the mask of the recordings, and prompts with theirs."""
        config: Any = self.model.config
        most = config.max_target_positions // 2 - 1
        prompts = []
        for example in examples:
            mark, *words = self.processor.tokenizer.get_prompt_ids(example.inputs["text"]).tolist()
            # Of a long text the end is kept, as Whisper's own prompts do.
            prompts.append([mark, *words[-most:], *self._prefix])
        longest = max(len(prompt) for prompt in prompts)
        padding = self.processor.tokenizer.eos_token_id
        # On the right, where a causal decoder's other positions never see it.
        ids = [prompt + [padding] * (longest - len(prompt)) for prompt in prompts]
        mask = [[1] * len(prompt) + [0] * (longest - len(prompt)) for prompt in prompts]
        return {
            **self._spectrograms([example.inputs["audio"] for example in examples]),
            "decoder_input_ids": torch.tensor(ids),
            "decoder_attention_mask": torch.tensor(mask),
        }

    def _spectrograms(self, recordings: Sequence[Any]) -> dict[str, Tensor]:
        extractor = self.processor.feature_extractor
        rate = extractor.sampling_rate
        check_recordings(recordings, rate, extractor.n_samples, extractor.chunk_length, "Whisper")
        features = extractor(
            list(recordings),
            sampling_rate=rate,
            return_attention_mask=True,
            return_tensors="pt",
        )
        # The model takes the mask, and uses it in training only.
        return {
            "input_features": features["input_features"].to(self.model.dtype),
            "attention_mask": features["attention_mask"],
        }

    def text_length(self, text: str) -> int:
        """Return the number of tokens of a prompt before it is cut."""
        return len(self.processor.tokenizer.get_prompt_ids(text)) + len(self._prefix)

    def sites(self) -> tuple[Site, ...]:
        """The encoder's output at every layer, what enters the decoder, and what leaves layers."""
        audio, text = self.modalities
        layers = self.layers_under("model.decoder.layers")
        return (
            *(
                Site(layer, "model.encoder.layer_norm", (audio,))
                for layer in range(BEFORE_FUSION, len(layers) + 1)
            ),
            *stream(layers, (text,), final="model.decoder.layer_norm"),
        )

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Spans of the recording, and of the words between their two marks."""
        ids = inputs["decoder_input_ids"]
        places = torch.arange(ids.shape[1], device=ids.device)
        end = (ids == self._prefix[0]).int().argmax(1, keepdim=True)
        return {
            "audio": inputs["attention_mask"][:, ::_FRAMES_A_POSITION].bool(),
            "text": (places > 0) & (places < end),
        }

    def last_position(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return where the first token of the transcript is read."""
        return inputs["decoder_attention_mask"].sum(1) - 1

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Run encoder and decoder once, keeping nothing for a next token."""
        return self.model(**inputs, use_cache=False)
