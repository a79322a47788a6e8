import matplotlib as mpl

from modalprism.plotting.style import atom_styles, drawing


def test_drawing_ignores_and_restores_the_caller_s_settings():
    with mpl.rc_context({"font.size": 31.0}):
        with drawing():
            assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["font.size"] == 31.0


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_atoms_differ_without_colour():
    styles = atom_styles(("audio", "text"))
    assert len({style.hatch for style in styles}) == 4
    assert len({style.marker for style in styles}) == 4
    assert len({style.colour for style in styles}) == 4
    unique = [luminance(style.colour) for style in styles[1:3]]
    assert max(unique) > 2 * min(unique)  # the two modalities differ in grey too


def test_atoms_are_named_after_the_modalities_in_order():
    assert [s.symbol for s in atom_styles(("text", "image"))] == ["R", "U text", "U image", "S"]
