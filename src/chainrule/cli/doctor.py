"""`chainrule doctor`: what is the matter with a run, with the evidence and cures, which can be tried."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

import click
from rich.text import Text

from chainrule.cli.locate import data_option, opened, step_option
from chainrule.cli.output import ExplainedCommand, console, say_json
from chainrule.doctor import AILMENTS, diagnose
from chainrule.doctor.diagnosis import USUAL_SEEDS
from chainrule.errors import OptionError


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
@click.option("--seeds", type=int, help=f"With how many seeds cures are tried: {USUAL_SEEDS} unless it is said. Implies --try.")
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
    seeds: int | None,
    only: tuple[str, ...],
    replica: int,
    as_json: bool,
    step: int | None,
    moved: str | None,
) -> None:
    """Look at RUN for what may be the matter with it: the evidence, the cures, and whether they help."""
    wanted = seeds if seeds is not None else USUAL_SEEDS if try_cures else 0
    if seeds is not None and seeds < 2:
        raise OptionError(f"--seeds {seeds}", expected="two seeds or more: one has no error bar", remedy="write --seeds 8")
    with _watching() as watch:
        found = diagnose(opened(run, step, moved), try_cures=wanted, replica=replica, only=only or None, watch=watch)
    if as_json:
        say_json({"kind": "diagnosis", **found.to_json()})
    else:
        screen = console()
        for line in _styled(found.text(screen.width).split("\n")):
            screen.print(line, soft_wrap=True)


_STYLES = {"✗": "bold red", "·": "bold yellow", "✓": "dim", "?": "dim"}
"""How a sentence looks where the screen has colours, by its mark."""


def _styled(lines: Iterable[str]) -> Iterator[Text]:
    """The lines, each sentence that begins with a mark in its style to its end."""
    style, deep = "", 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if (mark := line.strip()[:1]) in _STYLES:
            style, deep = _STYLES[mark], indent + 2
        elif indent != deep:
            style = ""
        yield Text(line, style)


@contextmanager
def _watching() -> Generator[Callable[[str], object] | None]:
    """Says in a line that goes again what is looked for or tried, where somebody sits there: trying takes its time."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield None
        return
    with screen.status("") as line:
        yield lambda what: line.update(Text(f"{what} ...", "dim"))
