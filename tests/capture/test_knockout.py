"""Attention knock-out by modality, of families that name no attention."""

import pytest
from torch import nn

from modalprism.capture.adapter import Site
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.interventions import Cuts, span_hidden
from modalprism.errors import InputError


def test_a_family_without_attention_says_so():
    adapter = ModuleAdapter(
        nn.Linear(2, 2), lambda _e: {}, {"image": [Site(0, "", ("image",))], "text": [""]}
    )
    assert not isinstance(adapter, Cuts)
    with pytest.raises(InputError, match="ModuleAdapter names no attention"):
        span_hidden(adapter, {}, "image")
