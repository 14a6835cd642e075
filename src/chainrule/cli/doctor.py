"""`chainrule doctor`: what is the matter with a run, with the evidence and cures, which can be tried."""

from __future__ import annotations

from collections.abc import Callable

import click
from rich.console import Console
from rich.text import Text

from chainrule.cli.locate import data_option, opened, step_option
from chainrule.cli.output import ExplainedCommand, console, say_json
from chainrule.doctor import AILMENTS, diagnose
from chainrule.doctor.diagnosis import USUAL_SEEDS


@click.command(
    cls=ExplainedCommand,
    words="A finding names its evidence and cures as code. Tried cures are trained beside the same training without them, with the same "
    "seeds; a difference that chance explains is said to be none. What cannot be told is said too.",
    examples=(
        "chainrule doctor runs/latest",
        "chainrule doctor runs/latest --try",
        "chainrule doctor runs/latest --only 'dead units' --only 'learning rate' --json",
    ),
)
@click.argument("run", metavar="RUN")
@click.option("--try", "try_cures", is_flag=True, help="Train the cures, and the same training again, and compare them.")
@click.option("--seeds", type=int, default=USUAL_SEEDS, show_default=True, help="With how many seeds cures are tried.")
@click.option(
    "--only", multiple=True, metavar="AILMENT", help=f"Look for this only; can be given several times: {', '.join(AILMENTS)}."
)
@click.option("--replica", type=int, default=0, show_default=True, help="Which of several networks trained at once.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for programs.")
@step_option
@data_option
def doctor(
    run: str,
    try_cures: bool,
    seeds: int,
    only: tuple[str, ...],
    replica: int,
    as_json: bool,
    step: int | None,
    moved: str | None,
) -> None:
    """Look at RUN for what may be the matter with it: the evidence, the cures, and whether they help."""
    found = diagnose(
        opened(run, step, moved), try_cures=seeds if try_cures else False, replica=replica, only=only or None, watch=_watch()
    )
    if as_json:
        say_json({"kind": "diagnosis", **found.to_json()})
    else:
        screen = console()
        screen.print(Text(found.text(screen.width)), soft_wrap=True)


def _watch() -> Callable[[str], object] | None:
    """Says on standard error what is looked for or tried, where somebody sits there: trying takes its time."""
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    return (lambda what: screen.print(Text(f"... {what}", "dim"))) if screen.is_terminal else None
