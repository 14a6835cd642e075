"""`chainrule resume`: goes on with a run where it stopped."""

from __future__ import annotations

from dataclasses import replace

import click
from rich.text import Text

from chainrule.cli.locate import data_option, opened, run_folder, step_option
from chainrule.cli.output import ExplainedCommand, console, hush_others, progress, steady
from chainrule.cli.scores import Speech, announce, conclude, shown_folder
from chainrule.errors import OptionError
from chainrule.train import Run
from chainrule.train import resume as go_on
from chainrule.views.standing import ProgressPlan


@click.command(
    cls=ExplainedCommand,
    words="An epoch is one pass over all training examples.",
    examples=("chainrule resume runs/latest", "chainrule resume runs/latest --epochs 20"),
)
@click.argument("run", metavar="RUN")
@click.option("--epochs", type=int, help="How many epochs the run is to have in all.  [default: as many as it was begun with]")
@click.option("--json", "as_json", is_flag=True, help="Print lines of JSON for programs: one for each epoch, then the result.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
@step_option
@data_option
def resume(run: str, epochs: int | None, as_json: bool, quiet: bool, step: int | None, moved: str | None) -> None:
    """Go on with RUN, a run folder or the word latest.

    The result is the same, bit for bit, as if it had never been interrupted. With --epochs a finished run is trained further.
    """
    folder = run_folder(run).path
    found = opened(run, step, moved)
    wanted = found.settings.epochs if epochs is None else epochs
    done = found.trainer.step / found.trainer.steps_per_epoch
    _require_more(found, done, wanted)
    hush_others(found.settings.engine)
    screen = console()
    if not (as_json or quiet):
        announce(screen, found.problem, found.data, replace(found.settings, epochs=wanted))
        screen.print(Text(f"going on after {done:.4g} epochs"))
    plan = ProgressPlan.of(replace(found.settings, epochs=wanted), found.trainer.count)
    with progress(screen, plan, as_json=as_json, quiet=quiet) as told:
        done = go_on(folder, epochs=epochs, data=moved, step=step, callbacks=(steady(told),))
    conclude(screen, done, Speech(as_json, quiet))


def _require_more(found: Run, done: float, wanted: int) -> None:
    if found.stopped == "early stopping":
        raise OptionError(
            f"the run was ended by early stopping, after {done:g} epochs",
            expected="a run that was interrupted, or that has done all its epochs",
            remedy="train anew with a larger --early-stopping, or without it",
        )
    if done >= wanted:
        where = shown_folder(found.folder) if found.folder else "RUN"
        raise OptionError(
            f"the run has done {done:g} epochs, and {wanted} were asked for",
            expected="more epochs than were done",
            remedy=f"write for example chainrule resume {where} --epochs {int(done) * 2}",
        )
