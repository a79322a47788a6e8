from modalprism.plotting.views import view_grid


def test_the_grid_holds_every_case_with_intervals_and_units(demo):
    grid = view_grid(demo.table, "answer")
    assert len(grid.rows) == 24
    assert "in bit" in grid.title
    assert "the model's answer" in grid.title
    assert grid.columns[3:9] == ["R", "U image", "U text", "S", "I", "C image"]
    for row in grid.rows:
        assert all(cell.aside.startswith("[") for cell in row[3:8])
    by_name = {tuple(cell.text for cell in row[:3]): row for row in grid.rows}
    row = by_name["late", "match", "redrawn"]
    assert str(row[8]) == "undetermined"
    assert str(row[9]) == "0.51 (0.50) not learnt"
    assert str(by_name["concat", "match", "redrawn"][9]) == "0.75 (0.50)"


def test_noise_is_marked_and_the_mark_explained(demo):
    grid = view_grid(demo.table, "answer")
    marked = [row for row in grid.rows if row[6].text.endswith("°")]
    assert {row[1].text for row in marked} == {"named", "match"}
    assert any(note.startswith("°") for note in grid.notes)


def test_what_was_not_measured_is_not_called_undetermined(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("kind",))
    kept = profile.frame[~profile.frame.quantity.isin(["contribution", "accuracy", "synergy"])]
    grid = view_grid(type(profile)(kept, profile.manifest).table, "answer")
    assert [grid.rows[0][k].text for k in (6, 8, 9)] == ["–", "–", "–"]
    assert not any(note.startswith("undetermined") for note in grid.notes)


def test_the_layer_grid_names_every_depth(demo):
    grid = view_grid(demo.table, "encoding")
    assert len(grid.rows) == 3 * 4 * 5
    assert [row[2].text for row in grid.rows[:5]] == [*(f"layer {k}" for k in range(1, 5)), "head"]
    assert (grid.columns[-1], grid.rows[0][-1].text) == ("moved by codes", "0.04")
    assert "moved by codes" not in view_grid(demo.table, "stream").columns


def test_p_values_stand_beside_what_was_tested_where_they_are_asked_for(demo):
    plain, tested = view_grid(demo.table, "answer"), view_grid(demo.table, "answer", p_values=True)
    assert not any("p =" in str(cell) for row in plain.rows for cell in row)
    assert all("p = " in str(row[6]) for row in tested.rows)  # synergy
    assert [[cell.text for cell in row] for row in plain.rows] == [
        [cell.text for cell in row] for row in tested.rows
    ]
