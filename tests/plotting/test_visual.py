"""Every kind of figure beside its reference image, pixel by pixel.

The references are ``tests/plotting/baseline/``. After an intended change, redraw them, look at
each, and commit them with the change::

    pytest tests/plotting/test_visual.py --mpl-generate-path=tests/plotting/baseline

A word is drawn as a bar of its size and colour. So words that move, grow or lie over marks are seen
here, while the edges of letters, which every FreeType draws in its own way, are not; what the words
are is tested elsewhere.
"""

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from PIL import Image

from modalprism.plotting.bar import atoms_axes
from modalprism.plotting.figures import FIGURES
from modalprism.plotting.figures.before_after import before_after_figure
from modalprism.plotting.figures.beside import beside_figure
from modalprism.plotting.figures.difference import difference_figure
from modalprism.plotting.figures.examples import examples_figure
from modalprism.plotting.figures.heat import heat_figure
from modalprism.plotting.figures.scatter import scatter_figure
from modalprism.plotting.scores import Scoring
from modalprism.plotting.style import drawing
from modalprism.results.estimate import Estimate
from modalprism.results.examples import ShownExample
from modalprism.results.quantities import ATOMS, keys
from modalprism.results.table import Case

# The root of the mean square of the difference, of 255. One atom's colour makes 2.5 to 24, points
# that move by a tenth of an axis 4.5 to 15, and numbers that grow by two points 9 to 22.
TOLERANCE = 1.5
DPI = 60


def as_bar(text: Text, renderer: RendererBase) -> None:
    """Draw the box of a text, on whole pixels, in place of its letters."""
    if not (text.get_visible() and text.get_text().strip()):
        return
    box = text.get_window_extent(renderer)
    (left, bottom), (right, top) = box.get_points().round()
    place = Affine2D().scale(right - left, top - bottom).translate(left, bottom)
    pen = renderer.new_gc()
    pen.set_linewidth(0)
    renderer.draw_path(pen, Path.unit_rectangle(), place, to_rgba(text.get_color(), 0.4))
    pen.restore()


@dataclass(frozen=True)
class Drawn:
    """A figure that is saved under the house's settings, which the plugin's do not replace."""

    figure: Figure

    def savefig(self, path: FilePath | str, **options: Any) -> None:
        with drawing(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(Text, "draw", as_bar)
            self.figure.savefig(path, dpi=DPI, **options)


@pytest.fixture(scope="module")
def profile(make_profile):
    """Two models, three datasets: atoms below zero, undetermined, noise, fusion, one not learnt."""
    models = {"cross_attention": "", "late": ""}
    return make_profile(models=models, datasets=("kind", "pictured", "match"))


@pytest.fixture(scope="module")
def results(profile):
    return profile.table


def one_bar(results):
    case = Case("cross_attention", "pictured", "observed")
    axes = atoms_axes(
        results.atoms(case, "answer"),
        results.get(case, "answer", "information"),
        modalities=results.modalities,
        title="One decomposition",
        quantity="information (bit)",
    )
    pyplot.close(axes.figure)  # of pyplot's own list; the figure is still there
    return axes.figure


def two_differences(results):
    rows = []
    for place, (quantity, modality) in enumerate(keys(ATOMS, results.modalities)):
        for dataset, value in (("pictured", 0.4 - 0.3 * place), ("match", 0.05)):
            row = {f"{name}_{side}": dataset for side in "12" for name in ("run", "dataset")}
            row |= {"model_1": "late", "model_2": "cross_attention", "n_1": 2000, "unit": "bit"}
            row |= {"quantity": quantity, "modality": modality, "difference": value}
            row |= {"low": value - 0.1, "high": value + 0.1, "q_value": float(abs(value) < 0.1)}
            rows.append(row)
    return difference_figure(pd.DataFrame(rows), results.modalities)


def every_method(results):
    """Shares of one baseline beside ours; one lies beyond its range, one is undetermined."""
    scored = [
        Scoring(case.model, case.dataset, f"Modalprism, {case.pairs} pairs", "contribution",
                {"image": results.get(case, "answer", "contribution", "image")}, True, True)
        for case in results.cases("answer")
        if case.pairs == "observed"
    ]  # fmt: skip
    values = iter((0.7, 0.2, math.nan, 0.5, 1.4, 0.9))
    for ours in list(scored):
        value = next(values)
        estimate = Estimate(value, value - 0.1, value + 0.1, n=200)
        scored.append(ours._replace(method="MM-SHAP", estimates={"image": estimate}))
    return beside_figure(scored, results)


def two_runs(results):
    """The same run twice, of which the unique atoms are said to differ."""
    runs = {"before": results, "after": results}
    rows = []
    for case in results.cases("answer"):
        if case.pairs != "observed":
            continue
        for quantity, modality in keys(ATOMS, results.modalities):
            told = quantity == "unique"
            row = {f"{name}_{side}": getattr(case, name) for side in "12"
                   for name in ("model", "dataset")}  # fmt: skip
            row |= {"run_1": "before", "run_2": "after", "view": "answer", "pairs": case.pairs}
            row |= {"quantity": quantity, "modality": modality, "difference": 0.3 * told}
            row |= {"low": -0.1, "high": 0.4, "q_value": 0.5 - 0.499 * told, "unit": "bit"}
            rows.append(row | {"n_1": 2000, "n_2": 2000, "paired": True})
    return before_after_figure(pd.DataFrame(rows), runs)


def two_examples(results):
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32), "teal").save(buffer, "WEBP", lossless=True)
    case = Case("late", "pictured", "observed")
    example = ShownExample(
        case.model, case.dataset, "unique", "image", 0, 7, "", results.modalities,
        (0.1, 2.0, -0.5, 0.2), "bit", "cat", "dog", 0.93, (buffer.getvalue(), None), (None, "cat"),
    )  # fmt: skip
    other = replace(example, rank=1, atoms=(1.0, 0.2, 0.0, 0.1), answer="cat")
    return examples_figure(results, case, {("unique", "image"): [example, other]})


ACROSS = {
    "baselines": every_method,
    "before-after": two_runs,
    "examples": two_examples,
    "map": heat_figure,
    "accuracy": scatter_figure,
    "difference": two_differences,
    "bar": one_bar,
}


@pytest.mark.mpl_image_compare(tolerance=TOLERANCE)
@pytest.mark.parametrize("name", FIGURES)
def test_profile(results, name):
    with drawing():
        return Drawn(FIGURES[name].draw(results))


@pytest.mark.mpl_image_compare(tolerance=TOLERANCE)
@pytest.mark.parametrize("name", ACROSS)
def test_readings(results, name):
    with drawing():
        return Drawn(ACROSS[name](results))
