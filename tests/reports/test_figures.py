import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import joblib
import matplotlib.text
import pandas as pd
import pytest

from modalprism.plotting.courses import fusion_span
from modalprism.plotting.figures.answers import contribution_figure, prism_figure
from modalprism.plotting.figures.canvas import inline_svg
from modalprism.plotting.figures.depth import course_figure, depth_figure
from modalprism.plotting.figures.heat import heat_figure
from modalprism.plotting.figures.scatter import accurate, scatter_figure
from modalprism.plotting.style import drawing
from modalprism.reports.figures import write_figures
from modalprism.studies.profile import Profile


def texts(figure):
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def draw(function, profile, *arguments):
    with drawing():
        figure = function(profile.table, *arguments)
        figure.draw_without_rendering()
    return figure


def seen(panel):
    """The patches of a panel without the invisible ones that answer a pointer."""
    return [patch for patch in panel.patches if patch.get_alpha() != 0]


def panels(figure):
    return [axes for axes in figure.axes if axes.axison]


def test_prism_shows_every_case_atom_unit_and_what_is_not_learnt(demo):
    figure = draw(prism_figure, demo)
    said = texts(figure)
    for words in ("redundant", "unique image", "unique text", "synergy", "observed pairs"):
        assert words in said
    for dataset, question in demo.manifest["datasets"].items():
        assert f"{dataset}: {question}" in said
    assert said.count("concat") >= 4
    assert {text for text in said if "not learnt" in text} == {
        "late\nnot learnt: 0.51, chance 0.50"
    }
    assert any(text.endswith("(bit)") for text in said)
    assert any("n = 2,000 · seed 0" in text for text in said)
    bars = [patch for axes in panels(figure) for patch in seen(axes)]
    assert len(bars) == 3 * 4 * 2 * 4


def test_prism_draws_negative_atoms_left_of_zero_and_loses_no_length(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("pictured",), views=("answer",))
    observed, _ = panels(draw(prism_figure, profile))
    boxes = [patch.get_bbox() for patch in seen(observed)]
    values = [a.value for a in profile.table.atoms(("m", "pictured", "observed"), "answer")]
    assert [box.x1 - box.x0 for box in boxes] == pytest.approx(values)
    assert values[2] < 0
    assert (boxes[2].x0, boxes[2].x1) == pytest.approx((0, values[2]))
    assert observed.get_xlim()[0] < values[2]


def test_contribution_marks_the_undetermined_and_draws_no_point_for_it(demo):
    figure = draw(contribution_figure, demo)
    said = texts(figure)
    assert said.count("undetermined") == 6
    assert not any("nan" in text or text.startswith("50 %") for text in said)
    assert "1\nonly image" in said
    for axes in panels(figure):
        points = [line for line in axes.lines if len(line.get_xdata()) == 1]
        assert len(points) == 9


def test_an_endless_interval_leaves_the_axis_readable(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",), views=("answer",))
    wide = profile.frame.quantity == "contribution"
    profile.frame.loc[wide, ["low", "high"]] = [-40.0, 40.0]
    for axes in panels(draw(contribution_figure, profile)):
        assert axes.get_xlim()[0] > -1
        assert {line.get_marker() for line in axes.lines} >= {"<", ">", "o"}


@pytest.mark.parametrize("view", ["stream", "encoding"])
def test_depth_has_a_panel_per_case_one_scale_and_ribbons(demo, view):
    figure = draw(depth_figure, demo, view)
    assert len(panels(figure)) == 12
    assert len({axes.get_ylim() for axes in panels(figure)}) == 1
    for axes in panels(figure):
        assert sum(not ribbon.get_hatch() for ribbon in axes.collections) == 4
    said = texts(figure)
    for words in ("kind", "pictured", "named", "match", "concat", "cross_attention", "late"):
        assert words in said
    target = {"stream": "label", "encoding": "fused state, 14 codes"}[view]
    assert f"information about {target} (bit)" in " ".join(said).replace("\n", " ")
    assert any("seed 0" in text for text in said)
    assert ("before\nfusion" if view == "stream" else "head") in said


def test_depth_of_thirty_layers_in_another_unit_and_modality(make_profile):
    profile = make_profile(("audio", "text"), {"m": ""}, ("match",), depths=30, unit="nat")
    figure = draw(depth_figure, profile, "stream")
    (axes,) = panels(figure)
    assert len(axes.lines[1].get_xdata()) == 30
    shown = [tick.get_text() for tick in axes.get_xticklabels()]
    assert len(shown) <= 9
    assert shown[-1] == "29"
    assert "unique audio" in texts(figure)
    assert any("(nat)" in text for text in texts(figure))


def test_depths_far_apart_keep_their_labels_apart(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("match",), views=("stream",))
    layer = profile.frame.layer
    profile.frame["layer"] = layer.where(layer < 4, 40)
    (axes,) = panels(draw(depth_figure, profile, "stream"))
    assert list(axes.get_xticks()) == [0, 40]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "4"]


def test_many_datasets_wrap_and_each_panel_names_its_case(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("match",), views=("stream",), depths=2)
    frames = [profile.frame.assign(dataset=f"d{k}") for k in range(9)]
    profile = Profile(pd.concat(frames, ignore_index=True), profile.manifest)
    figure = draw(depth_figure, profile, "stream")
    assert len(panels(figure)) == 9
    assert {f"m\nd{k}" for k in range(9)} <= set(texts(figure))
    assert figure.get_figwidth() < 12


def test_swapping_the_modalities_swaps_the_labels(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("pictured",), views=("answer",))
    before = draw(contribution_figure, profile)
    profile.manifest["modalities"] = ["text", "image"]
    after = draw(contribution_figure, profile)
    assert "1\nonly image" in texts(before)
    assert "1\nonly text" in texts(after)
    assert any(text.startswith("100 %") for text in texts(before))
    assert any(text.startswith("0 %") for text in texts(after))


@pytest.mark.slow
def test_no_text_is_clipped_or_overlaps_a_neighbour(demo):
    for figure in (
        draw(prism_figure, demo),
        draw(contribution_figure, demo),
        draw(depth_figure, demo, "stream"),
    ):
        edge = figure.bbox
        for artist in figure.findobj(matplotlib.text.Text):
            if artist.get_visible() and artist.get_text().strip():
                box = artist.get_window_extent()
                if box.width:
                    assert box.x0 >= edge.x0 - 1, artist
                    assert box.x1 <= edge.x1 + 1, artist
        for axes in panels(figure):
            boxes = [t.get_window_extent() for t in axes.texts]
            for index, one in enumerate(boxes):
                assert not any(one.overlaps(other) for other in boxes[index + 1 :])


def test_files_are_whole_and_the_same_profile_gives_the_same_bytes(demo, demo_run, tmp_path):
    answers = Profile(demo.frame[demo.frame["view"] == "answer"], demo.manifest)
    drawn = write_figures(answers.table, tmp_path)
    again = sorted(path.name for path in tmp_path.iterdir())
    assert again == sorted(f"{n}.{e}" for n in drawn for e in ("svg", "png", "pdf"))
    for name in again:
        assert (tmp_path / name).read_bytes() == (demo_run / "figures" / name).read_bytes()
    png = (tmp_path / "prism.png").read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert width > height > 200
    assert (tmp_path / "prism.pdf").read_bytes().startswith(b"%PDF")
    assert "date" not in drawn["prism"].svg.lower()


@pytest.mark.slow
def test_names_that_fonts_and_formulas_trip_over(make_profile, tmp_path):
    name = "$\\frac{名前}</svg><script>😀--!>"
    profile = make_profile(models={name: ""}, datasets=("match",), views=("answer",))
    for drawing_ in write_figures(profile.table, tmp_path).values():
        ElementTree.fromstring(drawing_.svg)  # noqa: S314  our own file
        assert "<script" not in inline_svg(drawing_.svg, "x")


def test_a_missing_view_has_no_figure(make_profile, tmp_path):
    profile = make_profile(models={"m": ""}, datasets=("match",), views=("stream",), depths=2)
    assert set(write_figures(profile.table, tmp_path)) == {"stream", "stream-contribution"}


def test_inline_svg_keeps_every_reference_and_prefixes_it(demo_run):
    svg = inline_svg((demo_run / "figures" / "prism.svg").read_text("utf-8"), "prism")
    ids = re.findall(r'\bid="([^"]+)"', svg)
    used = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert ids
    assert used
    assert all(name.startswith("prism-") for name in ids)
    assert set(used) <= set(ids)
    assert "<!--" not in svg
    assert "<metadata" not in svg


def test_what_is_not_told_apart_from_noise_is_hollow(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",), views=("stream",), depths=3)
    atoms = profile.frame["quantity"].isin(["redundancy", "unique", "synergy"])
    noise = atoms & (profile.frame["layer"] == 1)
    profile.frame.loc[atoms, "q_value"] = 0.001
    profile.frame.loc[noise, "q_value"] = 0.5
    (panel,) = panels(draw(depth_figure, profile, "stream"))
    points = [line for line in panel.lines if line.get_marker() in "o^vD" and len(line.get_xdata())]
    for line in points:
        hollow = line.get_markerfacecolor() == "white"
        assert line.get_xdata().tolist() == ([1] if hollow else [0, 2])
    assert len(points) == 2 * 4
    # A ribbon an atom, and on it the hatch of what is not told apart.
    assert sum(ribbon.get_hatch() == "////" for ribbon in panel.collections) == 4
    assert len(panel.collections) == 2 * 4


def test_fusion_is_marked_where_redundancy_rises_beyond_intervals(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",), views=("stream",), depths=4)
    rows = profile.frame["quantity"] == "redundancy"
    for layer, value in enumerate((0.1, 0.2, 1.5, 1.6)):
        at = rows & (profile.frame["layer"] == layer)
        profile.frame.loc[at, ["value", "low", "high"]] = [value, value - 0.06, value + 0.06]
    results = profile.table
    (case,) = results.cases("stream")
    assert fusion_span(results, case) == (2, 2)
    said = " ".join(" ".join(texts(draw(depth_figure, profile, "stream"))).split())
    assert "between the dashed lines: fusion, redundancy rises" in said
    profile.frame.loc[rows, ["low", "high"]] = [-5.0, 5.0]
    assert fusion_span(profile.table, case) is None


def test_contribution_over_depth_shades_what_nobody_can_tell(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",), views=("stream",), depths=3)
    contribution = profile.frame["quantity"] == "contribution"
    profile.frame.loc[contribution, ["value", "low", "high"]] = [0.9, 0.8, 1.0]
    unknown = contribution & (profile.frame["layer"] == 2)
    profile.frame.loc[unknown, ["value", "low", "high"]] = float("nan")
    (panel,) = panels(draw(course_figure, profile, "stream"))
    (shade,) = seen(panel)
    assert shade.get_x() == pytest.approx(1.5)
    (points,) = [line for line in panel.lines if line.get_marker() in "o^v"]
    assert points.get_xdata().tolist() == [0, 1]


def test_the_map_hatches_the_undetermined_and_names_all(demo):
    figure = draw(heat_figure, demo)
    axes = panels(figure)
    kinds = len(demo.table.pairs("answer"))
    assert len(axes) == 3 * kinds
    hatched = sum(patch.get_hatch() == "////" for panel in axes for patch in seen(panel))
    undetermined = demo.frame.query(
        "view == 'answer' and modality == 'image' and quantity == 'contribution'"
    )["value"].isna()
    assert hatched >= undetermined.sum() > 0
    said = texts(figure)
    for words in ("kind", "pictured", "late", "concat"):
        assert words in said


def test_accuracy_is_set_beside_synergy_where_enough_answers_have_one(demo, make_profile):
    results = demo.table
    assert accurate(results)
    figure = draw(scatter_figure, demo)
    synergy, contribution = panels(figure)
    models = [text.get_text() for text in synergy.texts]
    assert sorted(models) == sorted(["1", "2", "3"] * 4)
    determined = demo.frame.query(
        "view == 'answer' and pairs == 'observed' and modality == 'image' "
        "and quantity == 'contribution'"
    )["value"].notna()
    assert len(contribution.texts) == determined.sum()
    assert not accurate(make_profile(models={"m": ""}, datasets=("kind",)).table)


@pytest.mark.slow
def test_figures_go_where_the_caller_stands_now(small, tmp_path, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)  # with processes, wherever this runs
    for name in ("first", "second"):  # processes that draw are kept, and began in the first folder
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        drawn = write_figures(small.table, Path("figures"))
        for figure in drawn:
            assert (tmp_path / name / "figures" / f"{figure}.svg").is_file()
