import runpy
from pathlib import Path

import pytest

MODULE = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "first_words.py"))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('"""What is told."""', "'What'"),
        ('"""Of more than 50,000 rows, slices."""', "'Of'"),
        ('"""Whose, then?"""', "'Whose'"),
        ("x = 1", "no docstring"),
        ('"""Cross-fitted probes for one modality."""', ""),
        ('"""Read tables."""', ""),
        ('"""``python -m modalprism``: the command line."""', ""),
    ],
)
def test_a_module_starts_with_a_noun_phrase_or_a_verb(tmp_path, capsys, content, word):
    (tmp_path / "module.py").write_text(content)
    assert MODULE["main"]([str(tmp_path)]) == bool(word)
    assert word in capsys.readouterr().err
