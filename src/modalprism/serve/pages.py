"""Templates of the pages; text from a run is always escaped."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from modalprism.reports.shell import style_sheet as report_style
from modalprism.serve.live import ago


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("modalprism.serve"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ago"] = lambda moment: ago(time.time() - moment)
    environment.filters["by_stem"] = by_stem
    environment.filters["sentence"] = sentence
    environment.filters["day"] = lambda moment: _written(moment, "%Y-%m-%d %H:%M")
    environment.filters["iso"] = lambda moment: _written(moment, "%Y-%m-%dT%H:%M:%S%z")
    return environment


def render(template: str, **words: Any) -> str:
    """Fill in a template."""
    return _environment().get_template(template).render(**words)


def sentence(words: str) -> str:
    """Write an error message as a sentence.

    Examples
    --------
    >>> sentence("a is not b; do c")
    'A is not b; do c.'
    """
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def by_stem(files: Iterable[str]) -> dict[str, list[str]]:
    """Group the formats of each figure and each table.

    Examples
    --------
    >>> by_stem(["report.html", "figures/map.pdf", "figures/map.svg"])
    {'figures/map': ['figures/map.pdf', 'figures/map.svg']}
    """
    found: dict[str, list[str]] = {}
    for name in files:
        if "/" in name:
            found.setdefault(name.partition(".")[0], []).append(name)
    return found


@cache
def asset(name: str) -> str:
    """Return a file of the pages; the style sheet begins with the report's."""
    text = resources.files(__package__).joinpath("templates", name).read_text("utf-8")
    return f"{report_style()}\n{text}" if name == "serve.css" else text


def _written(moment: float, form: str) -> str:
    return time.strftime(form, time.localtime(moment))
