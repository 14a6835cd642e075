"""The command itself: its subcommands, and what becomes of errors and interrupts."""

from __future__ import annotations

import io
import os
import sys
import warnings
from contextlib import suppress
from typing import Any, NoReturn

import click

from chainrule import __version__
from chainrule.cli.evaluate import evaluate
from chainrule.cli.example import example
from chainrule.cli.explain import explain
from chainrule.cli.predict import predict
from chainrule.cli.remedies import as_options
from chainrule.cli.report import report
from chainrule.cli.resume import resume
from chainrule.cli.runs import runs
from chainrule.cli.show import show
from chainrule.cli.spelled import HANDLER
from chainrule.cli.train import train
from chainrule.cli.write import write
from chainrule.data import BUILT_IN
from chainrule.data.catalogue import is_table
from chainrule.errors import ChainruleError, UnsavedRunWarning, command_words
from chainrule.spelling import did_you_mean
from chainrule.views.plain import printable, printable_lines


class Application(click.Group):
    """A group of commands that turns errors of the user, and what the system refuses, into one message and the exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what is neither the user's mistake nor the system's is let through."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnsavedRunWarning)  # the commands say so themselves
                found = super().invoke(ctx)
                if sys.stdout is not None:
                    sys.stdout.flush()  # here, where a full disk can still be told
                return found
        except ChainruleError as error:
            self._refuse(ctx, _message(error, self.commands.get(ctx.invoked_subcommand or "")))
        except BrokenPipeError:
            raise  # whoever read has gone: that ends quietly
        except OSError as trouble:
            self._refuse(ctx, _message_of_system(trouble))
        except MemoryError:
            self._refuse(ctx, "there is not enough memory for this\n  to mend it: choose a smaller network, batch or table")
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(130)

    def _refuse(self, ctx: click.Context, message: str) -> NoReturn:
        _drop_unwritable_output()
        with suppress(OSError):
            click.echo(f"error: {printable_lines(message)}", err=True)
        ctx.exit(2)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; for a misspelt one an error that names the nearest."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            hint = did_you_mean(name, self.commands) or f" the commands are {', '.join(self.commands)}."
            if name in BUILT_IN or is_table(name) or name.endswith((".npz", ".npy")):
                hint = f' to train on these data write "chainrule train {printable(name)}".'
            ctx.fail(f"There is no command {printable(repr(name))};{hint}")
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where to begin."""
        with formatter.section("Begin with"):
            formatter.write("  chainrule train mnist --network 784-16-16-10\n")
        formatter.write_paragraph()
        formatter.write_text('"chainrule COMMAND --help" explains each option of a command, with examples.')

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they are used, not that of the alphabet."""
        return list(self.commands)


@click.group(
    cls=Application,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="chainrule", message="%(prog)s %(version)s", help="Show the version and exit.")
def application() -> None:
    """Trains neural networks, and shows every number in them."""


for command in (train, resume, evaluate, predict, write, explain, report, show, runs, example):
    application.add_command(command)


def _message(error: ChainruleError, command: click.Command | None) -> str:
    """An error as it is told at the command line: its remedy in options."""
    remedy = command_words(error.remedy) if command is None else as_options(error.remedy, command)
    return f"{error.happened}\n  expected: {error.expected}\n  to mend it: {remedy}"


def _message_of_system(trouble: OSError) -> str:
    place = f" of {trouble.filename}" if trouble.filename else ""
    return (
        f"the system refused the reading or writing{place}: {trouble.strerror or trouble}\n"
        "  to mend it: see to the room on the disk and to the permissions, or choose another place"
    )


def _drop_unwritable_output() -> None:
    """Where standard output takes nothing any more, what waits for it is thrown away: Python would try once more at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """What the console script calls."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 gets "sigma" for σ, rather than a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
    application(prog_name="chainrule")
