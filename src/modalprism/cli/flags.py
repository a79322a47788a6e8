"""Flags of commands for the parameters that errors name."""

from __future__ import annotations

import sys

from typer.main import get_command

from modalprism.cli.app import app
from modalprism.errors import InputError


def with_flag(error: InputError) -> str:
    """Return an error's message, and the option that sets the parameter that was wrong.

    The library names parameters. Where the command that runs has an option for one, people read
    its name as well: ``… give another out (--out)``.
    """
    if error.parameter:
        return f"{error}{_flag(error.parameter)}"
    return str(getattr(error, "for_shell", error))  # a command to copy


def _flag(parameter: str) -> str:
    commands = getattr(get_command(app), "commands", {})
    running = next((commands[word] for word in sys.argv[1:] if word in commands), None)
    # An option that is given several times is named in the singular.
    names = {parameter, parameter.removesuffix("s"), f"{parameter.removesuffix('ies')}y"}
    options = (one for one in getattr(running, "params", ()) if names & {one.name})
    return next((f" ({one.opts[0]})" for one in options if one.opts[0].startswith("--")), "")
