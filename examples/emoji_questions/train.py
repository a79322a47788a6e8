"""Train the fusion networks of the emoji questions.

    python examples/emoji_questions/train.py            # the demo's, some minutes each on two cores
    python examples/emoji_questions/train.py late       # one of them
    python examples/emoji_questions/train.py --score    # only score the checkpoints there are

Encoders are frozen and their features cached. Only training emojis are seen; the accuracies written
to ``accuracies.json`` beside the checkpoints are those of held-out emojis.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from modalprism.demo.encoders import EncodedEmojis, encode_emojis
from modalprism.demo.fusion_network import (
    ANSWER_SLICES,
    BUNDLED,
    CONFIGS,
    FUSIONS,
    FusionNetwork,
    load_network,
    save_checkpoint,
)
from modalprism.demo.questions import (
    QUESTIONS,
    Emoji,
    Question,
    draw_partners,
    label_pairs,
    load_emojis,
    observed_pairs,
    split,
)
from modalprism.files import write_whole

SEED = 0
EPOCHS = 30
BATCH = 128
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.05
MODALITY_DROPOUT = 0.05
CHECKPOINTS = Path(__file__).parent / "checkpoints"

Batch = tuple[Tensor, Tensor, Tensor]


def epoch_pairs(
    question: Question,
    emojis: tuple[Emoji, ...],
    train: NDArray[np.int64],
    generator: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pair every training picture with one name, as the question asks."""
    others = draw_partners(emojis, train, 1, generator)[0]
    match question.answer:
        case "own":
            names = train
        case "match":
            names = np.where(generator.random(len(train)) < 0.5, train, others)
        case _:
            names = others
    pairs = label_pairs(question, emojis, train, names)
    return pairs.picture, pairs.name, pairs.label


def mean_picture(inputs: EncodedEmojis) -> Tensor:
    """Return the mean of the encoded pictures, which carries no information about a single one."""
    return inputs.image.float().mean(0)


def blank(
    inputs: EncodedEmojis,
    question: Question,
    batch: Batch,
    no_image: Tensor,
    no_text: Tensor,
    mean: Tensor,
) -> Batch:
    """Replace pictures by the mean picture, and names by nothing, where asked."""
    image, text, mask = batch
    image = torch.where(no_image[:, None, None], mean, image)
    text = torch.where(no_text[:, None, None], inputs.text[question.name][-1].float(), text)
    mask = torch.where(no_text[:, None], inputs.text_mask[question.name][-1], mask)
    longest = int(mask.sum(1).max())  # positions that no sentence of the batch has only cost time
    return image, text[:, :longest], mask[:, :longest]


def loss_of(network: nn.Module, question: Question, batch: Batch, label: Tensor) -> Tensor:
    """Cross-entropy over the question's own candidate answers."""
    return functional.cross_entropy(network(*batch)[:, ANSWER_SLICES[question.answer]], label)


def train_one(
    fusion: str,
    emojis: tuple[Emoji, ...],
    train: NDArray[np.int64],
    inputs: EncodedEmojis,
    *,
    seed: int = SEED,
    epochs: int = EPOCHS,
    size: int = BATCH,
) -> FusionNetwork:
    """Train one network on all four questions, `size` examples a batch."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    network = FusionNetwork(CONFIGS[fusion])
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches_an_epoch = len(QUESTIONS) * -(-len(train) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * batches_an_epoch
    )
    mean = mean_picture(inputs)
    with Progress() as progress:
        task = progress.add_task(fusion, total=epochs * batches_an_epoch)
        for _ in range(epochs):
            batches = []
            for question in QUESTIONS.values():
                picture, name, label = epoch_pairs(question, emojis, train, generator)
                order = generator.permutation(len(picture))
                for i in range(0, len(order), size):
                    chosen = order[i : i + size]
                    batches.append((question, picture[chosen], name[chosen], label[chosen]))
            for index in generator.permutation(len(batches)):
                question, picture, name, label = batches[index]
                drop = torch.from_numpy(generator.random((2, len(label))) < MODALITY_DROPOUT)
                batch = inputs.batch(question, picture, name)
                batch = blank(inputs, question, batch, drop[0], drop[1], mean)
                optimizer.zero_grad()
                loss = loss_of(network, question, batch, torch.from_numpy(label))
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                progress.update(task, advance=1, description=f"{fusion}: loss {loss.item():.3f}")
    return network.eval()


@torch.inference_mode()
def accuracies(
    network: FusionNetwork,
    emojis: tuple[Emoji, ...],
    members: NDArray[np.int64],
    inputs: EncodedEmojis,
) -> dict[str, dict[str, float]]:
    """Accuracy on every question with both modalities, one or none, and of the commonest answer."""
    result: dict[str, dict[str, float]] = {}
    mean = mean_picture(inputs)
    for question in QUESTIONS.values():
        pairs = observed_pairs(question, emojis, members)
        right: dict[str, list[float]] = {"both": [], "image": [], "text": [], "none": []}
        for i in range(0, len(pairs.label), 256):
            chosen = slice(i, i + 256)
            batch = inputs.batch(question, pairs.picture[chosen], pairs.name[chosen])
            label = torch.from_numpy(pairs.label[chosen])
            for given, correct in right.items():
                no_image = torch.full(label.shape, given in ("text", "none"))
                no_text = torch.full(label.shape, given in ("image", "none"))
                logits = network(*blank(inputs, question, batch, no_image, no_text, mean))
                answer = logits[:, ANSWER_SLICES[question.answer]].argmax(1)
                correct += (answer == label).tolist()
        commonest = np.bincount(pairs.label).max() / len(pairs.label)
        result[question.name] = {
            given: round(float(np.mean(correct)), 4) for given, correct in right.items()
        } | {"commonest": round(float(commonest), 4)}
    return result


def main() -> None:
    """Train the networks named, or the demo's, and score their checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("fusions", nargs="*", metavar="FUSION", help=f"of {', '.join(FUSIONS)}")
    parser.add_argument("--score", action="store_true", help="only score the checkpoints there are")
    parser.add_argument("--seed", type=int, default=SEED, help="of weights and batches")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--batch", type=int, default=BATCH, help="examples a batch")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS, help="folder of the checkpoints")
    arguments = parser.parse_args()
    chosen = arguments.fusions or list(BUNDLED)
    if unknown := set(chosen) - set(FUSIONS):
        parser.error(f"unknown fusion {sorted(unknown)}; choose from {', '.join(FUSIONS)}")

    emojis = load_emojis()
    train, held_out = split(emojis)
    questions = list(QUESTIONS.values())
    with Progress() as progress:
        unseen = encode_emojis(emojis, held_out, questions, track=progress.track)
        if not arguments.score:
            seen = encode_emojis(emojis, train, questions, track=progress.track)
    for fusion in chosen:
        if not arguments.score:
            start = time.perf_counter()
            trained = train_one(
                fusion,
                emojis,
                train,
                seen,
                seed=arguments.seed,
                epochs=arguments.epochs,
                size=arguments.batch,
            )
            save_checkpoint(arguments.out / f"{fusion}.safetensors", trained)
            print(f"{fusion}: {(time.perf_counter() - start) / 60:.1f} minutes")
        network = load_network(fusion, arguments.out)  # scored as it travels, in float16
        scores = accuracies(network, emojis, held_out, unseen)
        record = arguments.out / "accuracies.json"
        known = json.loads(record.read_text("utf-8")) if record.exists() else {}
        known[fusion] = {
            "parameters": sum(p.numel() for p in network.parameters()),
            "seed": arguments.seed,
            "epochs": arguments.epochs,
            "batch": arguments.batch,
            "accuracy": scores,
        }
        write_whole(record, (json.dumps(known, indent=2) + "\n").encode())
        for question, score in scores.items():
            cells = " | ".join(f"{value:.3f}" for value in score.values())
            print(f"| `{fusion}` | {question} | {cells} |")


if __name__ == "__main__":
    main()
