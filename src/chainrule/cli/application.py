"""The command itself: its subcommands, and what becomes of errors and interrupts."""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from chainrule import __version__
from chainrule.cli.evaluate import evaluate
from chainrule.cli.example import example
from chainrule.cli.explain import explain
from chainrule.cli.predict import predict
from chainrule.cli.report import report
from chainrule.cli.resume import resume
from chainrule.cli.runs import runs
from chainrule.cli.show import show
from chainrule.cli.train import train
from chainrule.cli.write import write
from chainrule.data import BUILT_IN
from chainrule.errors import ChainruleError
from chainrule.spelling import did_you_mean
from chainrule.views.plain import printable, printable_lines


class Application(click.Group):
    """A group of commands that turns errors of the user into one message and the exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; errors that are not the user's are let through."""
        try:
            return super().invoke(ctx)
        except ChainruleError as error:
            click.echo(f"error: {printable_lines(error.at_command_line)}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(130)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; for a misspelt one an error that names the nearest."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            hint = did_you_mean(name, self.commands) or f" the commands are {', '.join(self.commands)}."
            if name in BUILT_IN or name.endswith((".csv", ".npz")):
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


def main() -> None:
    """What the console script calls."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 gets "?" for σ, rather than a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    application(prog_name="chainrule")
