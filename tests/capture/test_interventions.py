import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import LlamaConfig, LlamaModel

from modalprism.capture.interventions import attention_cut, blanked, exchanged, lorem_ipsum, noisy
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError


def examples(n=5):
    rng = np.random.default_rng(0)
    return [
        Example(
            str(i),
            {
                "image": Image.fromarray(rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)),
                "audio": rng.normal(size=900).astype(np.float32),
                "text": " ".join(["word"] * (i + 1)),
            },
            label=i,
            groups={"patient": str(i)},
        )
        for i in range(n)
    ]


@given(n=st.integers(2, 12), seed=st.integers(0, 100))
def test_every_text_is_used_once_and_none_keeps_its_own(n, seed):
    made = exchanged(examples(n), "text", seed=seed)
    lengths = [len(example.inputs["text"].split()) for example in made]
    assert sorted(lengths) == list(range(1, n + 1))
    assert all(length != place + 1 for place, length in enumerate(lengths))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: exchanged(e, "image"),
        lambda e: blanked(e, "image"),
        lambda e: noisy(e, "image"),
        lambda e: noisy(e, "image", sigma=0.5),
    ],
)
def test_only_the_modality_changes(change):
    before, after = examples(), change(examples())
    for one, other in zip(before, after, strict=True):
        assert (other.id, other.label, other.groups) == (one.id, one.label, one.groups)
        assert other.inputs["text"] == one.inputs["text"]
        assert other.inputs["image"].size == one.inputs["image"].size
        assert not np.array_equal(np.asarray(other.inputs["image"]), one.inputs["image"])


def test_noise_keeps_mean_and_deviation():
    before, after = examples(1)[0], noisy(examples(1), "audio")[0]
    was, is_now = before.inputs["audio"], after.inputs["audio"]
    assert is_now.dtype == was.dtype
    assert is_now.mean() == pytest.approx(was.mean(), abs=0.15)
    assert is_now.std() == pytest.approx(was.std(), rel=0.1)
    assert abs(np.corrcoef(was, is_now)[0, 1]) < 0.15


def test_more_noise_leaves_less():
    was = examples(1)[0].inputs["audio"]
    left = [
        np.corrcoef(was, noisy(examples(1), "audio", sigma=sigma)[0].inputs["audio"])[0, 1]
        for sigma in (0.0, 0.5, 2.0, 8.0)
    ]
    assert left[0] == pytest.approx(1.0)
    assert left == sorted(left, reverse=True)


def test_blanks_and_lorem_ipsum():
    assert blanked(examples(), "text")[3].inputs["text"] == ""
    assert not blanked(examples(), "audio")[0].inputs["audio"].any()
    assert len(set(np.asarray(blanked(examples(), "image")[0].inputs["image"]).ravel())) == 1
    assert lorem_ipsum(examples(), "text")[2].inputs["text"] == "lorem ipsum dolor"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: noisy(examples(), "text"), "a text has no noise"),
        (lambda: lorem_ipsum(examples(), "image"), "stands for a text"),
        (lambda: blanked(examples(), "smell"), "no modality 'smell'; it has image, audio, text"),
        (lambda: exchanged(examples(1), "text"), "no other to take"),
        (lambda: noisy(examples(), "image", sigma=-1), "sigma is -1"),
    ],
)
def test_what_cannot_be_done_is_said(change, words):
    with pytest.raises(InputError, match=words):
        change()


def decoder(attention):
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, vocab_size=20, attn_implementation=attention,
    )  # fmt: skip
    return LlamaModel(config).eval()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("padded", [False, True])
def test_what_is_cut_is_not_seen(attention, padded):
    """Change what stands in the cut span: the other span must not move, and did without the cut."""
    model = decoder(attention)
    ids = torch.randint(1, 20, (2, 6))
    changed = ids.clone()
    changed[:, :2] = (ids[:, :2] % 18) + 1
    mask = torch.ones_like(ids)
    if padded:
        mask[0, -1] = 0
    image = torch.arange(6).expand(2, -1) < 2
    text = ~image
    modules = ["layers.0.self_attn", "layers.1.self_attn"]

    def text_states(values):
        with torch.inference_mode():
            return model(values, attention_mask=mask).last_hidden_state[text & mask.bool()]

    assert not torch.allclose(text_states(ids), text_states(changed))
    plain = text_states(ids)
    with attention_cut(model, modules, text, image, causal=True):
        torch.testing.assert_close(text_states(ids), text_states(changed))
    assert torch.equal(text_states(ids), plain)  # and afterwards all is as it was


def test_a_cut_of_nothing_changes_nothing():
    model, ids = decoder("sdpa"), torch.arange(1, 7)[None]
    nothing = torch.zeros(1, 6, dtype=torch.bool)
    with torch.inference_mode():
        plain = model(ids).last_hidden_state
        with attention_cut(model, ["layers.0.self_attn"], nothing, nothing, causal=True):
            torch.testing.assert_close(model(ids).last_hidden_state, plain)


def test_an_attention_that_is_not_there_is_named():
    nothing = torch.zeros(1, 6, dtype=torch.bool)
    with (
        pytest.raises(InputError, match=r"no module 'layers\.9'"),
        attention_cut(decoder("sdpa"), ["layers.9"], nothing, nothing, causal=True),
    ):
        pass
