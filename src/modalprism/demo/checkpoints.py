"""Checkpoints of the demo's fusion networks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from modalprism.demo.encoders import IMAGE_CHANNELS, IMAGE_TOKENS, TEXT_CHANNELS
from modalprism.demo.fusion_network import FUSIONS, Fusion, FusionConfig, FusionNetwork
from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.strict_json import dumps

# The fusions whose checkpoints travel with the example; others are trained by who studies them.
BUNDLED: Final[tuple[Fusion, ...]] = ("concat", "cross_attention", "late")
# The head has one output a category, then one for "no" and one for "yes".
CATEGORIES: Final = 9
ANSWER_SLICES: Final = {
    "own": slice(0, CATEGORIES),
    "picture": slice(0, CATEGORIES),
    "name": slice(0, CATEGORIES),
    "match": slice(CATEGORIES, CATEGORIES + 2),
}
CONFIGS: Final = {
    fusion: FusionConfig(
        fusion=cast(Fusion, fusion),
        image_channels=IMAGE_CHANNELS,
        text_channels=TEXT_CHANNELS,
        image_tokens=IMAGE_TOKENS,
        answers=CATEGORIES + 2,
    )
    for fusion in FUSIONS
}


def checkpoint_folder() -> Path:
    """Return the folder of the checkpoints: in the installed package, or in ``examples/``."""
    installed = Path(__file__).parents[1] / "_checkpoints"
    cloned = Path(__file__).parents[3] / "examples" / "emoji_questions" / "checkpoints"
    return installed if installed.is_dir() else cloned


def checkpoint_path(fusion: str, folder: Path | None = None) -> Path:
    """Return the file of a network's weights; `folder` is by default the demo's own."""
    return (folder or checkpoint_folder()) / f"{fusion}.safetensors"


def save_checkpoint(path: Path, network: FusionNetwork) -> None:
    """Write a network's weights in float16, with its configuration in the file's header."""
    weights = {name: value.to(torch.float16) for name, value in network.state_dict().items()}
    write_whole(path, save(weights, {"config": dumps(asdict(network.config))}))


def load_network(fusion: str, folder: Path | None = None) -> FusionNetwork:
    """Load a trained fusion network, in inference mode; `folder` is by default that of the demo.

    Raises InputError if the fusion is unknown, or the checkpoint is missing, damaged or of another
    shape.
    """
    if fusion not in CONFIGS:
        raise InputError(f"there is no fusion {fusion!r}; choose from {', '.join(CONFIGS)}")
    path = checkpoint_path(fusion, folder)
    if not path.is_file():
        raise InputError(
            f"the checkpoint {path} is missing; "
            f"'python examples/emoji_questions/train.py {fusion}' makes it anew"
        )
    network = FusionNetwork(CONFIGS[fusion])
    try:
        with safe_open(path, framework="pt") as file:
            network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"the checkpoint {path} cannot be read: {error}") from error
    except RuntimeError as error:
        raise InputError(
            f"the checkpoint {path} cannot be used: it holds other weights than a {fusion} network"
        ) from error
    return network.eval()
