"""Errors of the library name parameters; the command line adds its options."""

import ast
import pickle
import re
import sys
from pathlib import Path

import pytest

import modalprism
from modalprism.cli.app import with_flag
from modalprism.errors import InputError

SOURCE = Path(modalprism.__file__).parent
# Options of other programs, and the one message that is a command to copy.
OTHERS = re.compile(r"pip install|ray start|--head|--allow-code|install --")


def messages():
    """Every text of the library that has an option in it, outside docstrings and the CLI."""
    for path in sorted(SOURCE.rglob("*.py")):
        if "cli" in path.relative_to(SOURCE).parts:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in bare else None
            if isinstance(text, str) and re.search(r"(^|[\s('])--[a-z]", text):
                yield path.name, text


def test_no_message_of_the_library_names_an_option():
    assert [found for found in messages() if not OTHERS.search(found[1])] == []


@pytest.mark.parametrize(
    ("command", "parameter", "option"),
    [
        ("capture", "out", " (--out)"),
        ("capture", "on_error", " (--on-error)"),
        ("capture", "candidates", " (--candidate)"),
        ("analyze", "modalities", " (--modality)"),
        ("decompose", "sources", " (--source)"),
        ("run", "out", ""),  # a study has it
        ("analyze", "embeddings", ""),  # no option
        ("", "out", ""),
    ],
)
def test_the_command_line_adds_its_option(monkeypatch, command, parameter, option):
    monkeypatch.setattr(sys, "argv", ["modalprism", command, "x"])
    assert with_flag(InputError("wrong", parameter=parameter)) == f"wrong{option}"


def test_the_parameter_travels_with_the_error():
    again = pickle.loads(pickle.dumps(InputError("wrong", parameter="out")))  # noqa: S301
    assert (str(again), again.parameter) == ("wrong", "out")
