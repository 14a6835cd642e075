"""The command itself: its subcommands, and what becomes of errors and interrupts."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

import click

from chainrule import __version__
from chainrule.errors import ChainruleError, SlowerEngineWarning, UnsavedRunWarning
from chainrule.spelled import HANDLER

COMMANDS = {
    "train": "Train a network on data.",
    "sweep": "Train many settings, and say which are better.",
    "resume": "Go on with a run where it stopped.",
    "evaluate": "Scores and confusion matrix of a run.",
    "predict": "Predictions of a run for new inputs.",
    "generate": "Text that a run generates, token by token.",
    "explain": "One example forward and backward, number by number.",
    "export": "A run as a file for other programs.",
    "doctor": "What is the matter with a run, and whether cures help.",
    "report": "One page with curves, pictures and explanations.",
    "show": "A run or a network as table, graph, training step or code.",
    "runs": "The list of runs.",
    "lab": "A live page: a network while it learns, to be looked at and changed.",
    "example": "Train one of the lectures' examples.",
}
"""The commands in the order in which they are used. Each stands in the module of its name, which is loaded when it is asked for."""


class Application(click.Group):
    """A group of commands that turns errors of the user, and what the system refuses, into one message and the exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what is neither the user's mistake nor the system's is let through."""
        try:
            with warnings.catch_warnings():
                for said in (UnsavedRunWarning, SlowerEngineWarning):  # the commands say so themselves
                    warnings.simplefilter("ignore", said)
                found = super().invoke(ctx)
                if sys.stdout is not None:
                    sys.stdout.flush()  # here, where a full disk can still be told
                return found
        except ChainruleError as error:
            self._refuse(ctx, _told().message(error, self.get_command(ctx, ctx.invoked_subcommand or "")))
        except BrokenPipeError:
            raise  # whoever read has gone: that ends quietly
        except OSError as trouble:
            self._refuse(ctx, _told().message_of_system(trouble))
        except MemoryError:
            self._refuse(ctx, "there is not enough memory for this\n  fix: choose a smaller network, batch or table")
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(130)

    def _refuse(self, ctx: click.Context, message: str) -> NoReturn:
        _told().refusal(message)
        ctx.exit(2)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; for a misspelt one an error that names the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(_told().no_such_command(args[0], tuple(COMMANDS)))
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where to begin."""
        with formatter.section("Begin with"):
            formatter.write("  chainrule train mnist --network 784-16-16-10\n")
        formatter.write_paragraph()
        formatter.write_text('"chainrule COMMAND --help" explains each option of a command, with examples.')

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they are used, not that of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, None if there is none."""
        return getattr(import_module(f"chainrule.cli.{cmd_name}"), cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What each command is for, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Application,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="chainrule", message="%(prog)s %(version)s", help="Show the version and exit.")
def application() -> None:
    """Trains neural networks, and shows every number in them."""


def _told() -> ModuleType:
    # Loaded when something is wrong: help and success do not wait for it.
    return import_module("chainrule.cli.told")


def main() -> None:
    """What the console script calls."""
    # A command makes many objects that stay: looking for cycles among them took 3 % of its time, and once more, when it ends and gives back
    # all memory anyway, 80 ms.
    gc.set_threshold(100_000, 20, 20)
    atexit.register(gc.freeze)
    # NumPy's other threads ask for work again and again, some 30 ms from when they are made, before they sleep: 80 ms of a processor.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 gets "sigma" for σ, rather than a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
    application(prog_name="chainrule")
