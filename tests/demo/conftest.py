"""Three real pictures with their names, encoded by the real encoders, cached for the session."""

import os

import numpy as np
import pytest

from modalprism.demo.encoders import encode_emojis
from modalprism.demo.questions import QUESTIONS, load_emojis, split


@pytest.fixture(scope="session")
def encoded(tmp_path_factory):
    """(emojis, members, inputs) of the first three held-out emojis, for two questions."""
    before = os.environ.get("MODALPRISM_CACHE")
    os.environ["MODALPRISM_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    try:
        emojis = load_emojis()
        members = split(emojis)[1][np.array([0, 300, 700])]
        questions = [QUESTIONS["pictured"], QUESTIONS["match"]]
        yield emojis, members, encode_emojis(emojis, members, questions)
    finally:
        del os.environ["MODALPRISM_CACHE"]
        if before is not None:
            os.environ["MODALPRISM_CACHE"] = before
