"""Make a table of FOIL (Shekhar et al. 2017) from its authors' file and COCO's pictures.

    python recipes/foil.py foilv1.0_test_2017.json val2014

writes recipes/data/foil/test.jsonl, a caption a line, and a link to the pictures beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def write_table(annotations: Path, pictures: Path, out: Path) -> Path:
    """Write the table.

    Parameters
    ----------
    annotations : Path
        ``foilv1.0_test_2017.json``, of foilunitn.github.io: ``images`` with ``id`` and
        ``file_name``, ``annotations`` with ``image_id``, ``caption``, ``foil``, ``target_word`` and
        ``foil_word``.
    pictures : Path
        The folder with COCO's pictures of 2014 of the same part; it is linked to, not copied.
    out : Path
        The folder that the table is written to.
    """
    content = json.loads(annotations.read_text("utf-8"))
    names = {picture["id"]: picture["file_name"] for picture in content["images"]}
    out.mkdir(parents=True, exist_ok=True)
    beside = out / pictures.name
    if not beside.exists():
        beside.symlink_to(pictures.resolve(), target_is_directory=True)
    table = out / "test.jsonl"
    with table.open("w", encoding="utf-8") as file:
        for one in content["annotations"]:
            row = {
                "image": f"{pictures.name}/{names[one['image_id']]}",
                "image_id": one["image_id"],
                "caption": one["caption"].strip(),
                # Some copies of the file have words in place of truth values.
                "foil": str(one["foil"]).lower() == "true",
                "target_word": one["target_word"],
                "foil_word": one["foil_word"],
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "foil")
    given = parser.parse_args()
    if not given.annotations.is_file():
        parser.error(f"{given.annotations} is no file; take it from foilunitn.github.io")
    if not given.pictures.is_dir():
        parser.error(f"{given.pictures} is no folder; it holds COCO's pictures, val2014")
    write_table(given.annotations, given.pictures, given.out)
