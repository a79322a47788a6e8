"""The frame of every page: style, script, templates, and what a browser may load."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def style_sheet() -> str:
    """Return the pages' style sheet."""
    return _text("page.css")


@cache
def policy() -> str:
    """Return the pages' content security policy: no network, and no script but our own."""
    digest = base64.b64encode(hashlib.sha256(_text("page.js").encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'"
    )


@cache
def _environment() -> Environment:
    # Autoescape: names and notes are the user's, and the page shows them letter by letter.
    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(template: str, **words: Any) -> str:
    """Fill in a template of this room."""
    words |= {"style": style_sheet(), "script": _text("page.js"), "policy": policy()}
    return _environment().get_template(template).render(words)
