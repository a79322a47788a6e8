"""Rows of six benchmarks in their real schemas, and tiny models of six families, on disk."""

import importlib.util
import io
import json
import sys
from functools import cache
from pathlib import Path

import pytest

from modalprism.datasets.media import picture_of
from modalprism.demo.questions import load_emojis
from modalprism.studies.study import Study

RECIPES = Path(__file__).parents[2] / "recipes"
COLOURS = ("white", "black", "red", "blue")


def script(name):
    """Import a script that stands beside the recipes."""
    spec = importlib.util.spec_from_file_location(f"recipes_{name}", RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def recipes_script():
    """Import a script that stands beside the recipes, by its name."""
    return script


@pytest.fixture(scope="session", autouse=True)
def _quiet():
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


@pytest.fixture(scope="session")
def shots():
    """Real pictures as JPEG bytes, square and wide in turn; a dataset has twice as many rows."""
    encoded = []
    for number, emoji in enumerate(load_emojis()[::60][:28]):
        shot = picture_of(emoji.picture.read_bytes()).resize((72 + 24 * (number % 2), 72))
        content = io.BytesIO()
        shot.save(content, "JPEG")
        encoded.append(content.getvalue())
    return encoded


def vqav2(shots):
    """Two questions a picture, and two more whose answers are numbers."""
    rows = []
    last = 2 * len(shots)
    for number in range(last + 2):
        picture = number // 2 % len(shots)
        if number >= last:
            question, answer, kind = "How many are there?", "2", "number"
        elif number % 2:
            question, answer, kind = "Is it a face?", ("no", "yes")[number // 2 % 2], "yes/no"
        else:
            question, answer, kind = "What color is it?", COLOURS[number // 2 % 4], "other"
        answers = [
            {"answer": answer, "answer_confidence": "yes", "answer_id": one} for one in range(1, 11)
        ]
        rows.append(
            {"question_type": "what", "multiple_choice_answer": answer, "answers": answers,
             "image_id": 262148 + picture, "answer_type": kind, "question_id": 262148000 + number,
             "question": question, "image": shots[picture]}
        )  # fmt: skip
    return {"validation": rows}


def gqa(shots):
    """Questions that name pictures, which stand in another folder."""
    rows = []
    last = 2 * len(shots)
    for number in range(last + 2):
        answer = "table" if number >= last else ("left", "Yes", "man", "no")[number % 4]
        rows.append(
            {"id": f"2013{number:05}", "imageId": f"n{number // 2 % len(shots)}",
             "question": f"Which side is thing {number % 3} on?", "answer": answer,
             "fullAnswer": f"It is {answer}.", "isBalanced": True,
             "groups": {"global": "", "local": "13-side"}, "entailed": "['1']",
             "equivalent": "['1']", "semanticStr": "select: thing"}
        )  # fmt: skip
    pictures = [{"id": f"n{number}", "image": shot} for number, shot in enumerate(shots)]
    return {"testdev": rows}, {"testdev": pictures[::-1]}


def nlvr2(shots):
    """A sentence of two pairs of pictures, of one of which it is true."""
    rows = []
    for number in range(2 * len(shots)):
        pair = number // 2
        rows.append(
            {"question_id": f"test1-{pair}-{number % 2}-0",
             "question": f"There are {pair} faces in all.", "answer": str(number % 2 == 0),
             "left_image": shots[pair], "right_image": shots[pair ^ number % 2],
             "identifier": f"test1-{pair}-{number % 2}-0", "synset": "face", "query": "faces0"}
        )  # fmt: skip
    return {"unbalanced_test_public": rows}


def scienceqa(shots):
    """Two to five choices; every second question has a hint."""
    rows = []
    for number in range(2 * len(shots)):
        choices = [f"the thing {choice}" for choice in range(2 + number % 4)]
        rows.append(
            {"image": shots[number // 2], "question": "Which of these is pictured?",
             "choices": choices, "answer": number // 4 % len(choices),
             "hint": "Look at the shape." if number % 2 else "", "task": "closed choice",
             "grade": "grade2", "subject": "natural science", "topic": "biology",
             "category": "Animals", "skill": "Look", "lecture": "", "solution": "Because."}
        )  # fmt: skip
    return {"test": rows}


def pope(shots):
    """Objects that are there, and that are not."""
    rows = [
        {"id": str(number), "question_id": str(number), "answer": ("yes", "no")[number % 2],
         "question": f"Is there a thing {number % 3} in the image?",
         "image_source": f"COCO_val2014_{number // 4:012}", "image": shots[number // 4],
         "category": "adversarial"}
        for number in range(2 * len(shots))
    ]  # fmt: skip
    return {"test": rows}


def write(folder, splits):
    """Write splits as the library does for the hub, and return the folder."""
    datasets = pytest.importorskip("datasets")
    kinds = {"image": datasets.Image(), "left_image": datasets.Image()}
    kinds |= {"right_image": datasets.Image()}
    for split, rows in splits.items():
        pictures = [name for name in rows[0] if name in kinds]
        cells = [
            row | {name: {"bytes": row[name], "path": f"{name}.jpg"} for name in pictures}
            for row in rows
        ]
        made = datasets.Dataset.from_list(cells)
        for name in pictures:
            made = made.cast_column(name, kinds[name])
        if "choices" in rows[0]:
            made = made.cast_column("answer", datasets.Value("int8"))
        made.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.fixture(scope="session")
def data(shots, tmp_path_factory):
    """Make folders and files of the six benchmarks; GQA's pictures beside its questions."""

    @cache
    def made(rows):
        root, some = tmp_path_factory.mktemp("data"), shots[: rows // 2]
        questions, pictures = gqa(some)
        return {
            "vqav2": write(root / "vqav2", vqav2(some)),
            "gqa": write(root / "gqa", questions),
            "gqa pictures": write(root / "gqa-pictures", pictures),
            "nlvr2": write(root / "nlvr2", nlvr2(some)),
            "scienceqa": write(root / "scienceqa", scienceqa(some)),
            "pope": write(root / "pope", pope(some)),
            "foil": foil(root, some),
        }

    return made


def foil(root, shots):
    """Make the table from a file as the authors have it, and a folder of pictures."""
    (root / "coco" / "val2014").mkdir(parents=True)
    images, annotations = [], []
    for number, shot in enumerate(shots):
        name = f"COCO_val2014_{number:012}.jpg"
        (root / "coco" / "val2014" / name).write_bytes(shot)
        images.append({"id": number, "file_name": name, "height": 72, "width": 72})
        for wrong in (False, True):
            annotations.append(
                {"id": number, "foil_id": number, "image_id": number, "foil": wrong,
                 "caption": f"A face beside thing {number % 3}{' no.' if wrong else '.'} ",
                 "target_word": "face" if wrong else "ORIG",
                 "foil_word": "foot" if wrong else "ORIG"}
            )  # fmt: skip
    written = root / "foilv1.0_test_2017.json"
    written.write_text(json.dumps({"info": {}, "images": images, "annotations": annotations}))
    return script("foil").write_table(written, root / "coco" / "val2014", root / "foil")


@pytest.fixture(scope="session")
def opened(data):
    """Read a recipe, and put the rows here in place of those of the hub."""

    def read(path, rows=24, **changes):
        study = Study.from_yaml(path)
        (source,) = study.sources
        update = {"data": str(data(rows)[path.stem]), "limit": rows} | changes
        if source.join is not None:
            pictures = str(data(rows)["gqa pictures"])
            update["join"] = source.join.model_copy(update={"data": pictures})
        return study.model_copy(update={"sources": (source.model_copy(update=update),)})

    return read
