"""`chainrule generate`: a network that predicts the next token of a text writes one."""

from __future__ import annotations

import click

from chainrule.cli.locate import opened, step_option
from chainrule.cli.output import ExplainedCommand, say_json
from chainrule.views.plain import printable_lines


@click.command(
    cls=ExplainedCommand,
    words="The network says how probable each character is to come next; one is drawn, and becomes part of the text. The temperature T "
    "makes the choice bolder (above 1) or more careful (below 1): each is drawn with a probability in proportion to p^(1/T).",
    examples=(
        "chainrule generate runs/latest",
        "chainrule generate runs/latest 'The cat ' --temperature 0.5",
        "chainrule generate runs/latest 'The cat ' --tokens 500 --seed 3",
    ),
)
@click.argument("run", metavar="RUN")
@click.argument("start", metavar="[START]", default="")
@click.option("--tokens", type=int, default=200, show_default=True, metavar="N", help="How many characters to write.")
@click.option(
    "--temperature", type=float, default=1.0, show_default=True, metavar="T", help="How bold it is; 0: always the likeliest."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The number that fixes what is drawn.")
@click.option("--replica", type=int, default=0, show_default=True, metavar="K", help="Which of several replicas writes.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
@step_option
def write(
    run: str, start: str, tokens: int, temperature: float, seed: int, replica: int, as_json: bool, step: int | None
) -> None:
    """Let RUN, trained on next_character, go on with the text START."""
    text = opened(run, step).generate(start, tokens, temperature=temperature, seed=seed, replica=replica)
    if as_json:
        say_json({"kind": "text", "start": start, "temperature": temperature, "seed": seed, "text": text})
    else:
        click.echo(printable_lines(text))
