"""Child processes that read foreign files: how they end, and what they find."""

import pytest

from modalprism import isolation


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Run a program as a child, and return what it wrote and how it ended."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(program, *arguments):
        (tmp_path / "own_program.py").write_text(program)
        with isolation.start("own_program", *arguments) as process:
            written, _ = process.communicate()
        return written.decode().strip(), process.returncode

    return run


def test_a_child_imports_from_where_its_parent_does(child):
    assert child("import sys, modalprism\nprint(sys.argv[1:])", "a", "b") == (
        f"['a', 'b', '{isolation.PATIENCE}']",
        0,
    )


def test_a_child_that_loops_for_ever_ends_itself(child, monkeypatch):
    monkeypatch.setattr(isolation, "PATIENCE", 0.2)
    program = "from modalprism.isolation import alive\nalive()\nwhile True:\n    pass"
    written, code = child(program)
    assert written == ""
    assert code != 0


def test_a_child_that_rests_does_not(child, monkeypatch):
    monkeypatch.setattr(isolation, "PATIENCE", 0.2)
    program = (
        "import time\nfrom modalprism.isolation import alive, resting\n"
        "alive()\nresting()\ntime.sleep(0.5)\nprint('done')"
    )
    assert child(program) == ("done", 0)


def test_a_child_is_refused_more_memory_than_there_is(child):
    pytest.importorskip("resource")
    program = (
        "from modalprism.isolation import limit_memory\nlimit_memory()\n"
        "try:\n    bytearray(2**50)\nexcept MemoryError:\n    print('refused')"
    )
    assert child(program) == ("refused", 0)
