"""How errors are told at the command line: one message, with the remedy in options."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from chainrule.cli.remedies import as_options
from chainrule.data import BUILT_IN
from chainrule.data.catalogue import is_table
from chainrule.errors import ChainruleError, command_words
from chainrule.spelling import did_you_mean
from chainrule.views.plain import printable, printable_lines


def message(error: ChainruleError, command: click.Command | None) -> str:
    """An error as it is told at the command line: its remedy in options."""
    remedy = command_words(error.remedy) if command is None else as_options(error.remedy, command)
    return f"{error.happened}\n  expected: {error.expected}\n  fix: {remedy}"


def message_of_system(trouble: OSError) -> str:
    """What the system answered, and what to look at."""
    place = f" of {trouble.filename}" if trouble.filename else ""
    return (
        f"the system refused the reading or writing{place}: {trouble.strerror or trouble}\n"
        "  fix: see to the room on the disk and to the permissions, or choose another place"
    )


def no_such_command(name: str, commands: Sequence[str]) -> str:
    """That there is no such command, and which is meant."""
    hint = did_you_mean(name, commands) or f" the commands are {', '.join(commands)}."
    if name in BUILT_IN or is_table(name) or name.endswith((".npz", ".npy")):
        hint = f' to train on these data write "chainrule train {printable(name)}".'
    return f"There is no command {printable(repr(name))};{hint}"


def refusal(text: str) -> None:
    """Writes a message to standard error, if anybody can be reached there."""
    _drop_unwritable_output()
    with suppress(OSError):
        click.echo(f"error: {printable_lines(text)}", err=True)


def _drop_unwritable_output() -> None:
    """Where standard output takes nothing any more, what waits for it is thrown away: Python would try once more at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
