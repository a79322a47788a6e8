import matplotlib as mpl

from modalprism.plotting.settings import drawing


def test_drawing_ignores_and_restores_the_caller_s_settings():
    with mpl.rc_context({"font.size": 31.0}):
        with drawing():
            assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["font.size"] == 31.0
