"""Check the first word of module docstrings.

    python tools/first_words.py src benchmarks tools

A module docstring starts with a noun phrase ("Cross-fitted probes for one modality.") or with
an imperative verb ("Read tables …"). A question word, a pronoun or a preposition there makes the
reader guess what the module is. The exit code is 1 if any module starts so, or has no docstring.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

QUESTIONS = "how what whatever when whenever where wherever which who whoever whose why"
PRONOUNS = "he it its one's our she that their there these they this those we you your"
PREPOSITIONS = "as at beside by for from if in of on out to under with without"
REFUSED = frozenset(f"{QUESTIONS} {PRONOUNS} {PREPOSITIONS}".split())


def faults(folders: Sequence[str]) -> Iterator[str]:
    """Yield ``file: what is wrong`` for every module of `folders` that starts wrongly."""
    for path in sorted(file for folder in folders for file in Path(folder).rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_bytes()))
        if docstring is None:
            yield f"{path}: the module has no docstring"
        elif (first := docstring.split(maxsplit=1)[0].strip(",.:`*")).lower() in REFUSED:
            yield f"{path}: the module docstring starts with {first!r}"


def main(folders: Sequence[str]) -> int:
    """Print every fault, and return the exit code."""
    found = list(faults(folders))
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
