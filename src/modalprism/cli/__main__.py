"""``python -m modalprism.cli``: the command line without its script."""

from modalprism.cli import main

if __name__ == "__main__":
    main()
