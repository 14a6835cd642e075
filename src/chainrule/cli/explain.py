"""`chainrule explain`: the forward and backward pass of one example in the terminal, each number beside its check."""

from __future__ import annotations

import re
import textwrap

import click
from rich.text import Text

from chainrule.cli.locate import data_option, opened, step_option
from chainrule.cli.output import ExplainedCommand, console
from chainrule.errors import OptionError
from chainrule.trace import LEVELS, NOTATIONS, Explanation, Index
from chainrule.views.explanation import KINK, RIGHT, WRONG, backward_text, explanation_text, forward_text, node_text
from chainrule.views.plain import printable

STYLES = {
    r"^(FORWARD|BACKWARD|CHECKS|NODE)\b.*": "bold",
    rf"{RIGHT} .*$": "green",
    rf"{KINK} at a kink.*$": "yellow",
    rf"{WRONG} .*$": "bold red",
    r"^ *\d+  ": "dim",
}
"""What stands out in the terminal; the marks say the same without colours."""


@click.command(
    cls=ExplainedCommand,
    words=(
        "∂C/∂w, a derivative, says how much the cost C changes when w grows a little. The backward pass computes all of them by the "
        "chain rule: incoming derivative times local derivative. A finite difference computes C twice, with w moved a little either way."
    ),
    examples=(
        "chainrule explain runs/latest --example 7",
        "chainrule explain runs/latest --example 7 --level picture",
        "chainrule explain runs/latest --example 7 --node dense2.z --notation layers",
        "chainrule explain runs/latest --example 7 --backward --entry dense3.W:5,9",
        "chainrule explain runs/latest --example 7 --instead-of 9",
    ),
)
@click.argument("run", metavar="RUN")
@click.option("--example", type=int, default=0, show_default=True, help="The example's number in its part, counted from 0.")
@click.option("--part", help="The part of the data: training, validation or test.  [default: test if there is one]")
@click.option("--replica", type=int, default=0, show_default=True, help="Which of several networks trained at once.")
@click.option(
    "--node", help="Only this quantity, such as dense2.z: what it is computed from, and each path that reaches it backward."
)
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="mathematics",
    show_default=True,
    help="picture: who pushes whom; numbers: factors as bars; mathematics: formulas and rules.",
)
@click.option(
    "--notation",
    type=click.Choice(NOTATIONS),
    default="names",
    show_default=True,
    help="names: dense1.z; layers: z⁽¹⁾; delta: layers, with δ⁽¹⁾ for ∂C/∂z⁽¹⁾; code: Python.",
)
@click.option("--forward", is_flag=True, help="Only the forward pass.")
@click.option("--backward", is_flag=True, help="Only the backward pass.")
@click.option("--every", is_flag=True, help="Node by node, also those without a name.")
@click.option(
    "--entry", "entries", multiple=True, help="A parameter's entry to be checked, such as dense3.W:5,9; may be repeated."
)
@click.option("--why", "asks_why", is_flag=True, help="Why this answer: what each input did for it, beside the next best one.")
@click.option("--instead-of", metavar="ANSWER", help="The same, beside the answer of this name.")
@step_option
@data_option
def explain(
    run: str,
    example: int,
    part: str | None,
    replica: int,
    node: str | None,
    level: str,
    notation: str,
    *,
    forward: bool,
    backward: bool,
    every: bool,
    entries: tuple[str, ...],
    asks_why: bool,
    instead_of: str | None,
    step: int | None,
    moved: str | None,
) -> None:
    """Print how RUN computes one example: forward, backward, and each derivative beside a finite difference."""
    found = opened(run, step, moved)
    parts = found.dataset_info.parts
    part = part or ("test" if "test" in parts else list(parts)[-1])
    if asks_why or instead_of is not None:
        told = found.why(example, instead_of, part=part, replica=replica)
        console().print(Text(hanging(str(told), console().width)), soft_wrap=True)
        return
    explanation = found.explain(
        example,
        part,
        replica,
        level=level,
        notation=notation,
        every=every,
        entries=[_entry(text) for text in entries] or None,
    )
    screen = console()
    text = _chosen(explanation, node, forward=forward, backward=backward)
    screen.print(coloured(hanging(text, screen.width)), soft_wrap=True)


def _chosen(explanation: Explanation, node: str | None, *, forward: bool, backward: bool) -> str:
    if node is not None:
        return node_text(explanation, node)
    if forward == backward:
        return explanation_text(explanation)
    return forward_text(explanation) if forward else backward_text(explanation)


def hanging(text: str, width: int) -> str:
    """The text in lines of the terminal's width; what continues a line stands further in than its beginning.

    >>> print(hanging("  one two three four five six seven eight nine ten", 40))
      one two three four five six seven
          eight nine ten
    """
    wrapped: list[str] = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        wrapped += textwrap.wrap(line, max(width, 40), subsequent_indent=indent, break_on_hyphens=False) or [""]
    return "\n".join(wrapped)


def coloured(text: str) -> Text:
    """The text with verdicts and headings in colour."""
    found = Text(text)
    for pattern, style in STYLES.items():
        for match in re.finditer(pattern, text, re.MULTILINE):
            found.stylize(style, *match.span())
    return found


def _entry(text: str) -> tuple[str, Index]:
    """A parameter's name and an entry's place, from NAME:3,5."""
    name, colon, place = text.rpartition(":")
    numbers = place.split(",") if place else []
    if not colon or not name or not all(number.strip().isdigit() for number in numbers):
        raise OptionError(
            f"--entry {printable(text)}",
            expected="a parameter and a place, such as dense3.W:5,9",
            remedy="write for example --entry dense1.W:0,2",
        )
    return name, tuple(int(number) for number in numbers)
