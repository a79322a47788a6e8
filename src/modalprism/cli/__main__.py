"""``python -m modalprism.cli``: the command line without its script."""

from modalprism.cli import main

main()
