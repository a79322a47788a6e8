"""Every recipe: read, and run on rows in its benchmark's schema by a tiny model of its family."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BlipConfig,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipProcessor,
    CLIPImageProcessor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipImageProcessorPil,
)

from modalprism.capture.loading import load_adapter
from modalprism.studies.study import Study

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*/*.yaml"))
BENCHMARKS = ("foil", "gqa", "nlvr2", "pope", "scienceqa", "vqav2")
MODELS = {
    "blip-vqa": "Salesforce/blip-vqa-base",
    "llava-1.5-7b": "llava-hf/llava-1.5-7b-hf",
    "paligemma-3b": "google/paligemma-3b-mix-224",
    "qwen3-vl-2b": "Qwen/Qwen3-VL-2B-Instruct",
    "qwen3-vl-8b": "Qwen/Qwen3-VL-8B-Instruct",
    "smolvlm-256m": "HuggingFaceTB/SmolVLM-256M-Instruct",
}
ROWS = 24
MANY = 56  # fewer are not analysed
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
VISION = SIZES | {"num_hidden_layers": 1, "image_size": 28, "patch_size": 14}
DECODER = SIZES | {"num_hidden_layers": 2, "num_key_value_heads": 2}


def named(path):
    return f"{path.parent.name}/{path.stem}"


each = pytest.mark.parametrize("path", RECIPES, ids=named)


def blip(tokenizer_of):
    tokenizer = tokenizer_of(model_input_names=["input_ids", "attention_mask"])
    text = SIZES | {
        "encoder_hidden_size": 16, "num_hidden_layers": 2, "vocab_size": len(tokenizer),
        "max_position_embeddings": 64, "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "sep_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    vision = VISION | {"initializer_range": 0.2}  # the default tells no pictures apart
    config = BlipConfig(
        text_config=text, vision_config=vision, image_text_hidden_size=8, initializer_range=0.2
    )
    pictures = BlipImageProcessorPil(size={"height": 28, "width": 28})
    return BlipForQuestionAnswering(config), [BlipProcessor(pictures, tokenizer)]


def llava(tokenizer_of):
    tokenizer = tokenizer_of("<image>", padding_side="left")
    config = LlavaConfig(
        vision_config=VISION | {"model_type": "clip_vision_model", "projection_dim": 16},
        text_config=DECODER | {"model_type": "llama", "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    return LlavaForConditionalGeneration(config), [processor]


def paligemma(tokenizer_of):
    tokenizer = tokenizer_of(padding_side="left")
    tokenizer.add_tokens("\n")
    pictures = SiglipImageProcessorPil(size={"height": 28, "width": 28})
    pictures.image_seq_length = 4
    processor = PaliGemmaProcessor(pictures, tokenizer)
    text = {"model_type": "gemma", "vocab_size": len(tokenizer), "head_dim": 8, "pad_token_id": 0}
    config = PaliGemmaConfig(
        vision_config=VISION | {"model_type": "siglip_vision_model", "vision_use_head": False},
        text_config=DECODER | text, projection_dim=16,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    return PaliGemmaForConditionalGeneration(config), [processor]


def qwen3_vl(tokenizer_of):
    marks = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>")
    tokenizer = tokenizer_of(*marks, "<|image_pad|>", "<|video_pad|>", padding_side="left")
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{mark}|>")
        for name, mark in [
            ("image", "image_pad"), ("video", "video_pad"),
            ("vision_start", "vision_start"), ("vision_end", "vision_end"),
        ]
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
        "out_hidden_size": 16, "patch_size": 16, "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }  # fmt: skip
    rows_and_columns = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    text = {"head_dim": 8, "rope_parameters": rows_and_columns, "vocab_size": len(tokenizer)}
    config = Qwen3VLConfig(text_config=DECODER | text, vision_config=vision, **ids)
    pictures = Qwen2VLImageProcessorPil(
        patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": 96 * 96}
    )
    return Qwen3VLForConditionalGeneration(config), [pictures, tokenizer]


def smolvlm(tokenizer_of):
    """The first SmolVLM is of the type of Idefics3."""
    border, end = "<fake_token_around_image>", "<end_of_utterance>"
    tokenizer = tokenizer_of(border, "<image>", end, "<|im_start|>", padding_side="left")
    places = [f"<row_{row}_col_{column}>" for row in (1, 2, 3) for column in (1, 2, 3)]
    tokenizer.add_tokens([*places, "<global-img>", "\n"])
    text = {"model_type": "llama", "vocab_size": len(tokenizer), "pad_token_id": 0}
    config = Idefics3Config(
        vision_config=VISION | {"image_size": 56}, text_config=DECODER | text, scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 112}, max_image_size={"longest_edge": 56}
    )
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4)
    return Idefics3ForConditionalGeneration(config), [processor]


FAMILIES = {
    "blip-vqa": blip, "llava-1.5-7b": llava, "paligemma-3b": paligemma, "qwen3-vl-2b": qwen3_vl,
    "qwen3-vl-8b": qwen3_vl, "smolvlm-256m": smolvlm,
}  # fmt: skip


def examples_of(study):
    (source,) = study.sources
    return list(source.open_examples(source.data, source.candidates, study.seed))


@pytest.fixture(scope="session")
def words(opened):
    """All words of all recipes' texts and candidates."""
    studies = [opened(path, rows=MANY) for path in RECIPES]
    texts = [e.inputs["text"] for study in studies for e in examples_of(study)]
    said = {word for text in texts for word in text.split()}
    return sorted(said.union(*(study.sources[0].candidates for study in studies)))


@pytest.fixture(scope="session")
def models(tokenizer_of, words, tmp_path_factory):
    """A folder a family, as its library saves it; made when it is asked for."""
    root, made = tmp_path_factory.mktemp("models"), {}

    def folder(name):
        family = FAMILIES[name]
        if family not in made:
            torch.manual_seed(0)
            model, processors = family(lambda *a, **k: tokenizer_of(*a, words=words, **k))
            made[family] = root / name
            for one in (model, *processors):
                one.save_pretrained(made[family])
        return str(made[family])

    return folder


def test_the_grid_is_whole():
    assert [named(path) for path in RECIPES] == [f"{m}/{b}" for m in MODELS for b in BENCHMARKS]


def test_the_files_are_what_the_script_writes(recipes_script):
    grid = recipes_script("grid")
    for model in grid.MODELS:
        for benchmark in grid.BENCHMARKS:
            path = RECIPES[0].parents[1] / model.folder / f"{benchmark.file}.yaml"
            assert path.read_text("utf-8") == grid.study(model, benchmark), path


@each
def test_a_recipe_is_read(path):
    study = Study.from_yaml(path)
    (source,) = study.sources
    assert source.model == MODELS[path.parent.name]
    assert (source.model_label, source.dataset_label) == (path.parent.name, path.stem)
    assert set(study.views) == {"answer", "stream", "encoding"}
    assert source.columns["group"]
    runs = path.parents[2] / "runs"
    assert study.out.resolve() == runs / f"{path.parent.name}-{path.stem}"
    if path.stem == "foil":  # nothing is on the hub: it is looked for where it is made
        assert Path(source.data).resolve() == path.parents[1] / "data" / "foil" / "test.jsonl"


TEXTS = {
    "vqav2": "What color is it?",
    "gqa": "Which side is thing 0 on?",
    "nlvr2": "There are 0 faces in all.",
    "scienceqa": "Which of these is pictured?\nA. the thing 0\nB. the thing 1",
    "foil": "A face beside thing 0.",
    "pope": "Is there a thing 0 in the image?",
}
LABELS = {
    "vqav2": {"yes": 6, "no": 6, "white": 3, "black": 3, "red": 3, "blue": 3},
    "gqa": {"left": 6, "yes": 6, "man": 6, "no": 6},
    "nlvr2": {"yes": 12, "no": 12},
    "scienceqa": {"a": 9, "b": 8, "c": 4, "d": 2, "e": 1},
    "foil": {"yes": 12, "no": 12},
    "pope": {"yes": 12, "no": 12},
}
GROUPS = {  # column: how many
    "vqav2": {"image_id": 12},
    "gqa": {"imageId": 12},
    "nlvr2": {"left_image": 12, "right_image": 12, "question": 12},
    "scienceqa": {"image": 12},
    "foil": {"image_id": 12},
    "pope": {"image_source": 6},
}


@each
def test_a_recipe_is_captured(path, opened, models, tmp_path):
    study = opened(path, model=models(path.parent.name))
    (source,) = study.sources
    (study_store,) = source.stores(tmp_path, study.seed)
    store = study_store.store

    label = store.array("label")
    assert set(label.tolist()) <= set(source.candidates)
    assert Counter(word.lower() for word in label.tolist()) == LABELS[path.stem]

    answer = store.array("answer")
    assert answer.shape == (ROWS, len(source.candidates))
    np.testing.assert_allclose(answer.sum(1), 1, rtol=1e-5)
    assert len(np.unique(answer, axis=0)) > ROWS // 4  # it depends on what is asked

    assert store.layers(("image", "text")) == [0, 1, 2]
    for layer in (0, 1, 2):
        for modality in ("image", "text"):
            assert np.isfinite(store.span(modality, layer)).all()  # no span was empty
        if layer:
            assert np.isfinite(store.array(f"fused/{layer}")).all()

    groups = {name: len(set(values.tolist())) for name, values in store.groups().items()}
    assert groups == GROUPS[path.stem]


@each
def test_the_model_is_asked_what_the_recipe_says(path, opened, models):
    study = opened(path)
    example = examples_of(study)[0]
    text = example.inputs["text"]
    assert TEXTS[path.stem] in text
    (source,) = study.sources
    adapter = load_adapter(models(path.parent.name), candidates=source.candidates)
    inputs = adapter.prepare([example])
    ids = inputs["input_ids"][0][adapter.spans(inputs)["text"][0]]
    said = " ".join(adapter.processor.tokenizer.convert_ids_to_tokens(ids))
    assert " ".join(text.split()) in " ".join(said.split())
    if path.stem == "nlvr2":  # two pictures of 72 × 72 and a gap
        assert example.inputs["image"].size == (72 + 2 + 72, 72)


@pytest.mark.parametrize("path", [p for p in RECIPES if p.parent.name == "smolvlm-256m"], ids=named)
def test_a_recipe_of_every_benchmark_goes_to_a_profile(path, opened, models, tmp_path):
    study = opened(path, rows=MANY, model=models(path.parent.name))
    # One view: what the others need of a store is looked at above, for every recipe.
    update = {
        "views": ("answer",), "replicates": 10, "permutations": 1, "workers": 1, "out": tmp_path
    }  # fmt: skip
    profile = study.model_copy(update=update).run(report=False)
    frame = profile.frame
    assert set(frame["dataset"]) == {path.stem}
    assert set(frame["n"]) == {MANY}
    information = frame[frame["quantity"] == "information"]
    assert np.isfinite(information["value"]).all()
    # The right answers were found among the candidates.
    assert 0 <= frame[frame["quantity"] == "accuracy"]["value"].iloc[0] <= 1
