"""Write the study files of the grid, six models × six benchmarks, with what they may cost.

    python recipes/grid.py

The files are what is run and what is read; this script only keeps what they share the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

HERE = Path(__file__).parent
# What the estimates assume of the card and of the machine beside it.
PEAK = {"bfloat16": 312e12, "float16": 312e12, "float32": 19.5e12}
REACHED = 0.4
PICTURES_A_SECOND = 10


@dataclass(frozen=True)
class Model:
    """A model, how it is asked, and its size.

    Attributes
    ----------
    folder, title, hub : str
    style : {"chat", "plain", "prefix"}
        How it is asked: in sentences, by the bare question, or behind PaliGemma's own words.
    vision, decoder : float
        Parameters of the vision tower, and of what reads the text.
    vision_width, width, vocabulary, layers : int
        Of the vision tower; of what reads the text.
    photo, pair : (int, int)
        Patches, and tokens among the text's, of a photograph of 640 × 480, and of two side by side.
    weights : {"bfloat16", "float16", "float32"}
        What the hub holds.
    dtype : {"bfloat16", "float32"}
        Of the store.
    batch : int
    remarks : tuple of str
        What else there is to know.
    revision : str
        A branch of the hub's repository, where not the main one.
    """

    folder: str
    title: str
    hub: str
    style: str
    vision: float
    vision_width: int
    decoder: float
    width: int
    vocabulary: int
    layers: int
    photo: tuple[int, int]
    pair: tuple[int, int]
    weights: str
    dtype: str
    batch: int
    remarks: tuple[str, ...] = ()
    revision: str = ""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, where it is, and how its rows become questions and answers.

    Attributes
    ----------
    file, title : str
    question, answers, data : str
        In words, for the heading.
    rows, words : int
        How many are taken, and how many tokens a text is thought to have.
    pair : bool
        Whether a picture is two side by side.
    where : str
        Lines of YAML: the dataset, and which column is what.
    prompts, candidates : mapping of style to str, to words
    reading : str
        Lines of YAML: how labels become candidates.
    """

    file: str
    title: str
    question: str
    answers: str
    data: str
    rows: int
    words: int
    where: str
    prompts: dict[str, str]
    candidates: tuple[str, ...]
    reading: str = ""
    pair: bool = False


MODELS = (
    Model(
        "smolvlm-256m", "SmolVLM-256M-Instruct", "HuggingFaceTB/SmolVLM-256M-Instruct", "chat",
        93e6, 768, 135e6, 576, 49_280, 30, (13 * 1_024, 13 * 67), (9 * 1_024, 9 * 67),
        "bfloat16", "float32", 16,
    ),
    Model(
        "qwen3-vl-2b", "Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-2B-Instruct", "chat",
        407e6, 1_024, 1.72e9, 2_048, 151_936, 28, (1_200, 300), (2_400, 600),
        "bfloat16", "bfloat16", 16,
    ),
    Model(
        "qwen3-vl-8b", "Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-8B-Instruct", "chat",
        576e6, 1_152, 8.19e9, 4_096, 151_936, 36, (1_200, 300), (2_400, 600),
        "bfloat16", "bfloat16", 8,
    ),
    Model(
        "blip-vqa", "BLIP-VQA", "Salesforce/blip-vqa-base", "plain",
        86e6, 768, 299e6, 768, 30_524, 12, (577, 0), (577, 0), "float32", "float32", 64,
        ("BLIP was trained on bare questions: instructions are left out, and candidates are in "
         "lower case.",),
    ),
    Model(
        "llava-1.5-7b", "LLaVA-1.5-7B", "llava-hf/llava-1.5-7b-hf", "chat",
        304e6, 1_024, 6.76e9, 4_096, 32_064, 32, (577, 576), (577, 576),
        "float16", "bfloat16", 8,
    ),
    Model(
        "paligemma-3b", "PaliGemma-3B-mix-224", "google/paligemma-3b-mix-224", "prefix",
        412e6, 1_152, 2.51e9, 2_048, 257_216, 18, (256, 256), (256, 256),
        "bfloat16", "bfloat16", 16,
        ("Its licence is to be accepted on the hub, and a token of the hub set (HF_TOKEN).",
         "From layer 1 on its picture sees the text: in the stream view only layer 0 is of one "
         "modality."),
        "bfloat16",
    ),
)  # fmt: skip

BENCHMARKS = (
    Benchmark(
        "vqav2", "VQAv2",
        "A person's question about a photograph of COCO, answered in a word.",
        "The answer that most of ten people gave (multiple_choice_answer). Rows are kept where it "
        "is one of the candidates: yes, no and the commonest colours. Numbers are left out, since "
        "some tokenizers begin all of them alike.",
        "Streamed, for the whole is 45 GB: the first rows with such an answer, not a draw.",
        5_000, 25,
        """\
    data: lmms-lab/VQAv2
    split: validation
    streaming: true
    columns: {image: image, label: multiple_choice_answer, id: question_id, group: [image_id]}
""",
        {"chat": "{question}\\nAnswer with one word.", "plain": "{question}",
         "prefix": "answer en {question}"},
        ("yes", "no", "white", "black", "red", "blue", "green", "brown", "gray", "yellow"),
        "    only: candidates\n",
    ),
    Benchmark(
        "gqa", "GQA",
        "A generated question about objects, properties and places in a photograph.",
        "The short answer. Rows are kept where it is one of ten of the commonest.",
        "The balanced test-dev questions. Their pictures are another configuration, joined by the "
        "picture's id.",
        5_000, 25,
        """\
    data: lmms-lab/GQA:testdev_balanced_instructions
    split: testdev
    join: {data: "lmms-lab/GQA:testdev_balanced_images", by: {imageId: id}}
    columns: {image: image, label: answer, id: id, group: [imageId]}
""",
        {"chat": "{question}\\nAnswer with one word.", "plain": "{question}",
         "prefix": "answer en {question}"},
        ("yes", "no", "left", "right", "man", "woman", "black", "white", "brown", "blue"),
        "    only: candidates\n",
    ),
    Benchmark(
        "nlvr2", "NLVR2",
        "Is a sentence true of two photographs? They are put side by side into one picture.",
        "True and False become yes and no.",
        "The public test set. A picture and a sentence come several times: rows that share one "
        "stay together in the folds.",
        5_000, 60,
        """\
    data: lmms-lab/NLVR2
    split: unbalanced_test_public
    columns:
      image: [left_image, right_image]
      label: answer
      id: null
      group: [left_image, right_image, question]
""",
        {"chat": "The picture shows two photographs side by side. Is this true of them? {question}"
         "\\nAnswer with one word, Yes or No.",
         "plain": "is this true of the two photos? {question}",
         "prefix": "answer en is this true of the two photos? {question}"},
        ("yes", "no"),
        "    answers: {true: %yes, false: %no}\n",
        pair=True,
    ),
    Benchmark(
        "scienceqa", "ScienceQA",
        "A school question with two to five choices, some with a hint, about a picture.",
        "The right choice's place in the list becomes its letter.",
        "The test questions that have a picture, 2,017: all are taken. Pictures have no id; equal "
        "ones are told by their bytes.",
        2_017, 150,
        """\
    data: lmms-lab/ScienceQA:ScienceQA-IMG
    split: test
    columns: {image: image, label: answer, id: null, group: [image]}
""",
        {"chat": "{hint?}\\n{question}\\n{choices}\\nAnswer with the letter of the right choice.",
         "plain": "{hint?}\\n{question}\\n{choices}",
         "prefix": "answer en {question}\\n{choices}"},
        ("A", "B", "C", "D", "E"),
        "    answers: letters\n    only: candidates\n",
    ),
    Benchmark(
        "foil", "FOIL",
        "Does a caption describe a photograph of COCO, or is one word of it wrong?",
        "A caption as it was written is a yes, one with a wrong word (foil: true) is a no.",
        "Not on the hub in this form: recipes/foil.py makes the table from the authors' file and "
        "COCO's pictures, see recipes/README.md.",
        5_000, 45,
        """\
    data: ../data/foil/test.jsonl
    columns: {image: image, label: foil, id: null, group: [image_id]}
""",
        {"chat": "Does this caption describe the picture without a mistake? {caption}"
         "\\nAnswer with one word, Yes or No.",
         "plain": "is this caption right? {caption}",
         "prefix": "answer en is this caption right? {caption}"},
        ("yes", "no"),
        "    answers: {false: %yes, true: %no}\n",
    ),
    Benchmark(
        "pope", "POPE",
        "Is an object in a photograph of COCO? Half of the objects asked for are not.",
        "Yes or no, as it stands.",
        "All three kinds of objects asked for: at random, common ones, and ones that often stand "
        "beside what is there. The 500 pictures are the groups.",
        5_000, 30,
        """\
    data: lmms-lab/POPE
    split: test
    columns: {image: image, label: answer, id: null, group: [image_source]}
""",
        {"chat": "{question}\\nAnswer with one word, Yes or No.", "plain": "{question}",
         "prefix": "answer en {question}"},
        ("yes", "no"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What a recipe is thought to take; nothing of it was measured.

    Attributes
    ----------
    weights, memory, store : float
        GB: of the weights, of the card in all, of the store on disk.
    passes, pictures : float
        Hours: of the model, and of reading and preparing pictures.
    """

    weights: float
    memory: float
    store: float
    passes: float
    pictures: float


def cost(model: Model, benchmark: Benchmark) -> Cost:
    """Estimate from parameters, tokens and passes, as README.md says."""
    patches, tokens = model.pair if benchmark.pair else model.photo
    tokens += benchmark.words
    size = 4 if model.weights == "float32" else 2
    weights = (model.vision + model.decoder) * size
    # Logits of all positions, and a layer's states, eight times as wide, of both towers.
    states = tokens * (model.vocabulary + 8 * model.width) + patches * 8 * model.vision_width
    flops = 2 * (model.vision * patches + model.decoder * tokens)
    # Both spans before fusion and at every layer, and the fused state of every layer: BLIP's is
    # both spans side by side.
    fused = 2 if model.style == "plain" else 1
    kept = 2 * (model.layers + 1) + fused * model.layers
    kept *= model.width * (4 if model.dtype == "float32" else 2)
    return Cost(
        weights=weights / 1e9,
        memory=(weights + model.batch * states * size) / 1e9,
        store=benchmark.rows * kept / 1e9,
        passes=benchmark.rows * flops / (REACHED * PEAK[model.weights]) / 3600,
        pictures=benchmark.rows / PICTURES_A_SECOND / 3600,
    )


def spelled(model: Model, candidate: str) -> str:
    """Spell a candidate as the model begins its answers."""
    return candidate.capitalize() if model.style == "chat" else candidate


def heading(model: Model, benchmark: Benchmark) -> str:
    """Say what is asked, and what it is thought to take."""
    price = cost(model, benchmark)
    lines = [
        ("Question", benchmark.question),
        ("Answers", benchmark.answers),
        ("Data", benchmark.data),
        (
            "Memory",
            f"about {price.memory:.1f} GB on the GPU, {price.weights:.1f} GB of it weights "
            f"({model.weights}); the store takes {price.store:.1f} GB of disk.",
        ),
        (
            "Time",
            f"about {price.passes + price.pictures:.2f} hours on one A100: {price.passes:.2f} for "
            f"{benchmark.rows:,} passes, {price.pictures:.2f} for preparing the pictures; the "
            "analysis comes after it, on the processor.",
        ),
        ("", "Memory and time are estimates (recipes/README.md has the sums), not measured."),
        *(("Remark", remark) for remark in model.remarks),
    ]
    said = [
        fill(text, 96, initial_indent=f"# {name:<9} ", subsequent_indent=f"# {'':<9} ")
        for name, text in lines
    ]
    return "\n".join([f"# {model.title} on {benchmark.title}", "#", *said])


def study(model: Model, benchmark: Benchmark) -> str:
    """Return a study file."""
    named = [spelled(model, candidate) for candidate in benchmark.candidates]
    quoted = ", ".join(f'"{candidate}"' for candidate in named)
    reading = benchmark.reading
    for word in ("yes", "no"):
        reading = reading.replace(f"%{word}", f'"{spelled(model, word)}"')
    revision = f"    revision: {model.revision}\n" if model.revision else ""
    return f"""\
{heading(model, benchmark)}
title: {model.title} on {benchmark.title}
sources:
  - model: {model.hub}
{revision}    name: {model.folder}
    dataset: {benchmark.file}
{benchmark.where}    prompt: "{benchmark.prompts[model.style]}"
    candidates: [{quoted}]
{reading}    limit: 5000
    dtype: {model.dtype}
    batch_size: {model.batch}
modalities: [image, text]
views: [answer, stream, encoding]
replicates: 200
out: ../../runs/{model.folder}-{benchmark.file}
"""


def main() -> None:
    """Write all of them."""
    for model in MODELS:
        folder = HERE / model.folder
        folder.mkdir(exist_ok=True)
        for benchmark in BENCHMARKS:
            (folder / f"{benchmark.file}.yaml").write_text(study(model, benchmark), "utf-8")


if __name__ == "__main__":
    main()
