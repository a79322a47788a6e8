"""A small vision–language network in four versions that differ only in how they fuse.

A layer takes and returns both streams, so that one hook records any version.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from modalprism.demo.encoders import IMAGE_CHANNELS, IMAGE_TOKENS, TEXT_CHANNELS
from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.strict_json import dumps

Fusion = Literal["concat", "cross_attention", "late", "gated"]
Streams = tuple[Tensor, Tensor]
"""Positions of a picture and of a text, or their masks."""
FUSIONS: Final[tuple[str, ...]] = get_args(Fusion)


@dataclass(frozen=True)
class FusionConfig:
    """Size and kind of a fusion network."""

    fusion: Fusion
    image_channels: int
    text_channels: int
    image_tokens: int
    answers: int
    width: int = 128
    depth: int = 4
    heads: int = 4
    expansion: int = 2
    dropout: float = 0.1


class AttentionWeights(nn.Module):
    """Attention weights for hooks; not part of the network's computation."""

    def forward(self, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        """Return weights, (b, heads, q, k), of queries and keys (b, heads, t, channels)."""
        similarity: Tensor = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        return similarity.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(3)


class Attention(nn.Module):
    """Multi-head attention of queries to a context, before normalisation, added to the queries."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.dropout
        self.query_norm = nn.LayerNorm(config.width)
        self.context_norm = nn.LayerNorm(config.width)
        self.query = nn.Linear(config.width, config.width)
        self.key_value = nn.Linear(config.width, 2 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.weights = AttentionWeights()

    def forward(self, queries: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Attend from ``(b, q, width)`` to ``(b, k, width)`` where ``mask (b, k)`` is true."""
        q = self.query(self.query_norm(queries)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key_value = self.key_value(self.context_norm(context))
        k, v = key_value.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if self.weights._forward_hooks:  # the fused kernel below hands out none
            self.weights(q, k, mask)
        attended = functional.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return queries + cast(Tensor, self.out(attended.transpose(1, 2).flatten(2)))


class FeedForward(nn.Module):
    """Two linear maps with a GELU between, before normalisation, added to the input."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        hidden = config.expansion * config.width
        self.body = nn.Sequential(
            nn.LayerNorm(config.width),
            nn.Linear(config.width, hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, config.width),
        )

    def forward(self, state: Tensor) -> Tensor:
        """Transform every position of ``(b, t, width)``."""
        return state + cast(Tensor, self.body(state))


class ConcatLayer(nn.Module):
    """One stream: both spans attend to both."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)

    def forward(self, image: Tensor, text: Tensor, masks: Streams) -> Streams:
        """Transform the two spans."""
        state = torch.cat([image, text], 1)
        state = self.feed_forward(self.attention(state, state, torch.cat(masks, 1)))
        return state[:, : image.shape[1]], state[:, image.shape[1] :]


class LateLayer(nn.Module):
    """Two streams that never meet: each span attends to itself alone."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.image_attention, self.text_attention = Attention(config), Attention(config)
        self.image_feed_forward, self.text_feed_forward = FeedForward(config), FeedForward(config)

    def forward(self, image: Tensor, text: Tensor, masks: Streams) -> Streams:
        """Transform the two spans."""
        image = self.image_feed_forward(self.image_attention(image, image, masks[0]))
        return image, self.text_feed_forward(self.text_attention(text, text, masks[1]))


class CrossAttentionLayer(nn.Module):
    """Two streams: each span attends to itself, then to the other."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.image_attention, self.text_attention = Attention(config), Attention(config)
        self.image_from_text, self.text_from_image = Attention(config), Attention(config)
        self.image_feed_forward, self.text_feed_forward = FeedForward(config), FeedForward(config)

    def forward(self, image: Tensor, text: Tensor, masks: Streams) -> Streams:
        """Transform the two spans."""
        image = self.image_attention(image, image, masks[0])
        text = self.text_attention(text, text, masks[1])
        seen = self.image_from_text(image, text, masks[1])
        read = self.text_from_image(text, image, masks[0])
        return self.image_feed_forward(seen), self.text_feed_forward(read)


class GatedLayer(nn.Module):
    """Two streams: each span attends to itself, then adds the other's mean through a gate.

    The gate reads both means, so that what passes depends on both inputs, a channel at a time.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.streams = LateLayer(config)
        self.image_norm, self.text_norm = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.gate = nn.Linear(2 * config.width, 2 * config.width)
        self.image_from_text = nn.Linear(config.width, config.width)
        self.text_from_image = nn.Linear(config.width, config.width)

    def forward(self, image: Tensor, text: Tensor, masks: Streams) -> Streams:
        """Transform the two spans."""
        image, text = self.streams(image, text, masks)
        seen = self.image_norm(masked_mean(image, masks[0]))
        read = self.text_norm(masked_mean(text, masks[1]))
        to_image, to_text = self.gate(torch.cat([seen, read], -1)).sigmoid().chunk(2, -1)
        image = image + (to_image * self.image_from_text(read))[:, None]
        return image, text + (to_text * self.text_from_image(seen))[:, None]


_LAYERS: Final = {
    "concat": ConcatLayer,
    "cross_attention": CrossAttentionLayer,
    "late": LateLayer,
    "gated": GatedLayer,
}


def masked_mean(state: Tensor, mask: Tensor) -> Tensor:
    """Average ``(b, t, width)`` over the positions where ``mask (b, t)`` is true."""
    weight = mask[..., None].to(state.dtype)
    return (state * weight).sum(1) / weight.sum(1)


class Projections(nn.Module):
    """Project both encoders' tokens to the network's width; its outputs are not fused."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.image = nn.Sequential(
            nn.LayerNorm(config.image_channels), nn.Linear(config.image_channels, config.width)
        )
        self.text = nn.Sequential(
            nn.LayerNorm(config.text_channels), nn.Linear(config.text_channels, config.width)
        )
        self.image_position = nn.Parameter(torch.randn(config.image_tokens, config.width) * 0.02)
        self.text_kind = nn.Parameter(torch.randn(config.width) * 0.02)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Project image tokens and text tokens."""
        return self.image(image) + self.image_position, self.text(text) + self.text_kind


class FusionNetwork(nn.Module):
    """Answer a question about a picture and a name.

    Examples
    --------
    >>> config = FusionConfig("late", 6, 5, image_tokens=4, answers=3, width=8, heads=2)
    >>> network = FusionNetwork(config).eval()
    >>> image, text = torch.zeros(2, 4, 6), torch.zeros(2, 7, 5)
    >>> tuple(network(image, text, torch.ones(2, 7, dtype=torch.bool)).shape)
    (2, 3)
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.projections = Projections(config)
        self.layers = nn.ModuleList(_LAYERS[config.fusion](config) for _ in range(config.depth))
        self.image_norm, self.text_norm = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.join = nn.Sequential(nn.Linear(2 * config.width, 2 * config.width), nn.GELU())
        self.head = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(2 * config.width, config.answers)
        )

    def forward(self, image: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Return one logit an answer, (b, answers).

        The image has shape (b, image_tokens, image_channels), the text (b, t, text_channels), and
        its mask, bool, (b, t).
        """
        image_mask = torch.ones(image.shape[:2], dtype=torch.bool, device=image.device)
        image, text = self.projections(image, text)
        for layer in self.layers:
            image, text = layer(image, text, (image_mask, text_mask))
        seen = self.image_norm(masked_mean(image, image_mask))
        read = self.text_norm(masked_mean(text, text_mask))
        return cast(Tensor, self.head(self.join(torch.cat([seen, read], -1))))


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
