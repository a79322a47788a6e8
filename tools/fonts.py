"""Make the fonts of the figures: DejaVu Sans, with the letters and signs that figures use.

    python tools/fonts.py

A PDF carries the glyphs that it uses. To take them from all six thousand of DejaVu Sans, with their
rules, takes about as long as to draw a figure; of six hundred it takes a tenth. What is not among
them is taken from the whole font. Its licence wants another name for what is changed.
"""

import logging
from pathlib import Path

import matplotlib as mpl
from fontTools import subset
from fontTools.ttLib import TTFont

OUT = Path(__file__).parents[1] / "src" / "modalprism" / "plotting" / "fonts"
WHOLE = Path(mpl.get_data_path()) / "fonts" / "ttf"
FAMILY = "Modalprism Sans"
FACES = {"DejaVuSans": "Regular", "DejaVuSans-Bold": "Bold"}
LETTERS = (
    range(0x20, 0x180),  # Latin
    range(0x370, 0x400),  # Greek
    range(0x2000, 0x20D0),  # punctuation, superscripts and subscripts, currencies
    range(0x2190, 0x2300),  # arrows, mathematics
    range(0x2500, 0x2600),  # blocks and shapes
)
_NAMES = {1: FAMILY, 16: FAMILY}


def main() -> None:
    """Write both faces and their licence."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    for whole, face in FACES.items():
        font = TTFont(WHOLE / f"{whole}.ttf", recalcTimestamp=False)
        options = subset.Options(glyph_names=True, layout_features=["*"])
        options.drop_tables += ["FFTM"]  # when its glyphs were drawn
        chosen = subset.Subsetter(options)
        chosen.populate(unicodes={letter for letters in LETTERS for letter in letters})
        chosen.subset(font)
        names = _NAMES | {
            4: f"{FAMILY} {face}",
            6: f"{FAMILY.replace(' ', '')}-{face}",
        }
        for name in font["name"].names:
            if name.nameID in names:
                name.string = names[name.nameID]
        font.save(OUT / f"ModalprismSans-{face}.ttf")
    (OUT / "LICENSE_DEJAVU").write_bytes((WHOLE / "LICENSE_DEJAVU").read_bytes())


if __name__ == "__main__":
    main()
