"""Where the commands' words go: a console for people, lines of JSON for programs, and commands whose help has examples."""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from typing import Any

import click
from rich.console import Console

from chainrule.data.progress import listening
from chainrule.engines import HostAddress, engine_named
from chainrule.errors import OptionError
from chainrule.numerals import plain_json
from chainrule.train import Callback, TrainingProgress
from chainrule.train.trainer import READS_NO_FOLDER
from chainrule.views.progress import ReadingBar, progress_on
from chainrule.views.standing import EpochLines, ProgressPlan


class ExplainedCommand(click.Command):
    """A command whose help ends with examples, shown as they are to be typed."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), words: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples, self.words = examples, words

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; where it reads for more than a second, it shows how far it is, on standard error."""
        bar = ReadingBar(console(stderr=True))
        try:
            with listening(bar):
                return super().invoke(ctx)
        finally:
            bar.stop()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The words that the options use, then the examples."""
        if self.words:
            with formatter.section("Words"):
                formatter.write_text(self.words)
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"  {line}\n")


def console(*, stderr: bool = False) -> Console:
    """A console on standard output, or standard error, that takes every text as it stands: no markup, no guesses at what is a number."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def hush_others(engine: str) -> None:
    """Of several hosts that train together the first speaks: what the others would print goes nowhere, their errors still come."""
    if HostAddress.wanted() and not engine_named(engine).hosts.is_first:
        sys.stdout = io.StringIO()


def say_json(row: dict[str, Any]) -> None:
    """One object on one line of standard output, at once."""
    spelled = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "") != "utf8"
    click.echo(json.dumps(plain_json(row), ensure_ascii=spelled, allow_nan=False))
    sys.stdout.flush()


def say_csv(text: str) -> None:
    """A table for programs: every letter as it is, or an error where standard output cannot take it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError as trouble:
        raise OptionError(
            f"{trouble.object[trouble.start : trouble.end]!r} on standard output, which is {encoding}",
            expected="an output in UTF-8",
            remedy="write --output FILE, or set PYTHONIOENCODING=utf-8 before the command",
        ) from None
    click.echo(text, nl=False)


def steady(told: Callback) -> Callback:
    """A callback that loses its voice where its output takes nothing any more, a full disk say: the training goes on.

    What keeps the run's folder from being brought up to date is told once, on standard error.
    """
    mute, troubles = False, set[str]()

    def tell(moment: TrainingProgress) -> None:
        nonlocal mute
        if moment.unsaved and not troubles:
            troubles.add(moment.unsaved)
            with suppress(OSError):
                click.echo(f"not saved: {moment.unsaved}; the training goes on, and saving is tried again", err=True)
        if not mute:
            try:
                told(moment)
            except BrokenPipeError:
                raise
            except OSError:
                mute = True

    setattr(tell, READS_NO_FOLDER, True)
    return tell


class EpochJson(EpochLines):
    """A callback that says each evaluated epoch as a line of JSON."""

    def __call__(self, moment: TrainingProgress) -> None:
        """Scores are lists with one number to a replica."""
        if self.is_new(moment):
            head = {"kind": "epoch", "epoch": moment.epoch, "step": moment.step, "seconds": round(moment.seconds, 6)}
            say_json({**head, **{part: dict(scores) for part, scores in moment.scores.items()}})


class Silent(EpochLines):
    """A callback that says nothing."""

    def __call__(self, moment: TrainingProgress) -> None:
        """Nothing, whatever happens."""


def progress(screen: Console, plan: ProgressPlan, *, as_json: bool, quiet: bool) -> EpochLines:
    """The callback that suits where the output goes."""
    if as_json:
        return EpochJson(screen, plan)
    if quiet:
        return Silent(screen, plan)
    return progress_on(screen, plan)
