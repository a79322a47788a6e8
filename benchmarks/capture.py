"""Cost of capture beside the bare forward pass, and its memory as rows grow.

    python benchmarks/capture.py            the ratio of times, and the peak memory at two sizes

The model is a LLaVA with random weights (8 decoder layers of 512 channels, pictures of 49 tokens):
the cost does not depend on the values of the weights. Both runs prepare the same examples and run
the same batches; only one reads states and writes them. Times are processor seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from modalprism.capture.families.decoders import LlavaAdapter
from modalprism.capture.run import RunConfig, run_capture
from modalprism.datasets.dataset import Example

BATCH = 16
MARKS = ("<pad>", "<unk>", "<s>", "</s>", "<image>")


def adapter_of(width: int, layers: int) -> LlavaAdapter:
    """Build a LLaVA of a size."""
    vocabulary = {word: i for i, word in enumerate([*MARKS, "USER:", "ASSISTANT:", "yes", "no"])}
    names = dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), MARKS, strict=False))
    base = Tokenizer(models.WordLevel(vocabulary, unk_token=names["unk_token"]))
    base.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=base, additional_special_tokens=["<image>"], **names
    )
    sizes = {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": 8}
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**sizes, num_hidden_layers=2, image_size=98,
                                           patch_size=14),
            text_config=LlamaConfig(**sizes, num_hidden_layers=layers, num_key_value_heads=8,
                                    vocab_size=64),
            image_token_index=vocabulary["<image>"],
        )
    )  # fmt: skip
    pictures = CLIPImageProcessor(size={"shortest_edge": 98}, crop_size={"height": 98, "width": 98})
    processor = LlavaProcessor(
        pictures, tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )  # fmt: skip
    return LlavaAdapter(model.eval(), processor, ("yes", "no"))


def examples(n: int) -> Iterator[Example]:
    """Draw pictures and questions, one after another."""
    for i in range(n):
        rng = np.random.default_rng(i)
        picture = Image.fromarray(rng.integers(0, 255, (98, 98, 3), dtype=np.uint8))
        yield Example(str(i), {"image": picture, "text": "yes no " * int(rng.integers(3, 9))})


def capture_seconds(adapter: LlavaAdapter, n: int) -> float:
    """Capture into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        run_capture(
            adapter, examples(n), Path(folder) / "store", metadata={},
            config=RunConfig(batch_size=BATCH),
        )  # fmt: skip
        return time.process_time() - start


@torch.inference_mode()
def bare_seconds(adapter: LlavaAdapter, n: int) -> float:
    """Prepare and run the same batches, and keep nothing."""
    start = time.process_time()
    chunk: list[Example] = []
    for example in examples(n):
        chunk.append(example)
        if len(chunk) == BATCH:
            adapter.forward(adapter.prepare(chunk))
            chunk = []
    if chunk:
        adapter.forward(adapter.prepare(chunk))
    return time.process_time() - start


def main() -> None:
    """Measure, and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=256, help="examples of the ratio")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="*", default=[1_000, 20_000])
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.peak_of:
        capture_seconds(adapter_of(64, 2), options.peak_of)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"rows": options.peak_of, "peak_mib": round(peak)}))
        return
    adapter = adapter_of(512, 8)
    bare_seconds(adapter, BATCH)
    pairs = [
        (bare_seconds(adapter, options.rows), capture_seconds(adapter, options.rows))
        for _ in range(options.rounds)
    ]
    ratios = sorted(captured / bare for bare, captured in pairs)
    print(
        f"torch {torch.__version__}, one thread, {options.rows} examples, {options.rounds} rounds"
    )
    print(f"bare {min(b for b, _ in pairs):.1f} s, captured {min(c for _, c in pairs):.1f} s")
    print("captured / bare: " + ", ".join(f"{ratio:.3f}" for ratio in ratios))
    for rows in options.memory:
        command = [sys.executable, __file__, "--peak-of", str(rows)]
        said = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        print(said.stdout.strip())


if __name__ == "__main__":
    main()
