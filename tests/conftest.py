"""What every room's tests may need."""

import json
import resource
import signal
import sys
from contextlib import contextmanager

import pytest
from hypothesis import settings

from modalprism import cli
from modalprism.datasets.dataset import Example
from modalprism.demo.questions import load_emojis

# How long an example takes depends on what else the machine does.
settings.register_profile("modalprism", deadline=None)
settings.load_profile("modalprism")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What needs a cluster is slow, for Ray's workers import torch anew, and shares one cluster."""
    for item in items:
        engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
        if engine == "ray" or "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("cluster"))


@pytest.fixture(scope="session")
def disk_of():
    """Let no file grow beyond some bytes, as on a full disk; the system's own error comes back."""

    @contextmanager
    def limit(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture(scope="session")
def cluster():
    """A Ray cluster of two workers on this machine, and its address."""
    ray = pytest.importorskip("ray")
    from modalprism.engines.ray_cluster import connected

    with connected(None, 2):
        yield ray.get_runtime_context().gcs_address


def _opened(emoji):
    from PIL import Image

    with Image.open(emoji.picture) as picture:
        opaque = Image.new("RGBA", picture.size, "white")
        opaque.alpha_composite(picture.convert("RGBA"))
    return opaque.convert("RGB")


@pytest.fixture(scope="session")
def emoji_examples():
    """Eight real pictures with their names, of unequal length."""
    return [
        Example(emoji.key, {"image": _opened(emoji), "text": emoji.name}, label=0)
        for emoji in load_emojis()[::230][:8]
    ]


@pytest.fixture(scope="session")
def tokenizer_of(emoji_examples):
    """Make a tokenizer that knows the words of the examples, and the marks that a family wants."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def make(*marks, **options):
        named = {
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "bos_token": "<s>",
            "eos_token": "</s>",
        }
        named |= options.pop("names", {})
        words = sorted({w for e in emoji_examples for w in e.inputs["text"].split()})
        words += ["USER", ":", "ASSISTANT", "yes", "no", "A", "B", *options.pop("words", ())]
        vocabulary = dict.fromkeys([*named.values(), *marks, *words])
        vocabulary = {word: number for number, word in enumerate(vocabulary)}
        base = Tokenizer(models.WordLevel(vocabulary, unk_token=named["unk_token"]))
        base.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(
            tokenizer_object=base, additional_special_tokens=list(marks), **named, **options
        )

    return make


@pytest.fixture(scope="session")
def clip_folder(tokenizer_of, tmp_path_factory):
    """A folder with a tiny CLIP, as its library saves one."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    tokenizer = tokenizer_of(model_max_length=16)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **sizes, "num_hidden_layers": 2, "vocab_size": len(tokenizer),
            "max_position_embeddings": 16, "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**sizes, "num_hidden_layers": 2, "image_size": 28, "patch_size": 14},
        projection_dim=8,
    )  # fmt: skip
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    CLIPProcessor(pictures, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture
def emoji_rows(tmp_path):
    """A table of 120 real pictures with names, what they are, and the block that they are of."""
    rows = []
    (tmp_path / "pictures").mkdir()
    for number, emoji in enumerate(load_emojis()[::15][:120]):
        name = f"pictures/{number:03}.png"
        _opened(emoji).resize((28, 28)).save(tmp_path / name)
        rows.append(
            {"picture": name, "name": emoji.name, "answer": "A" if number % 2 else "B",
             "block": number // 4}
        )  # fmt: skip
    path = tmp_path / "emojis.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run the command line in the test's own folder; return exit code, output and error."""
    monkeypatch.chdir(tmp_path)

    def do(*arguments):
        monkeypatch.setattr(sys, "argv", ["modalprism", *map(str, arguments)])
        interrupts = signal.getsignal(signal.SIGINT)
        try:
            cli.main()
        except SystemExit as leaving:
            code = leaving.code
        else:
            code = 0
        finally:
            signal.signal(signal.SIGINT, interrupts)  # a command ends with its process
        captured = capsys.readouterr()
        return code or 0, captured.out, captured.err

    return do
