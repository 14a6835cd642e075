"""`chainrule generate`: a network that predicts the next token of a text generates one."""

from __future__ import annotations

import click

from chainrule.cli.locate import opened, step_option
from chainrule.cli.output import ExplainedCommand, say_json
from chainrule.views.plain import printable_lines


@click.command(
    cls=ExplainedCommand,
    words="The network predicts the probability p of each next token; one is drawn and added to the text. Each is drawn with a "
    "probability in proportion to p^(1/T): a temperature T above 1 gives more varied text, below 1 more likely text.",
    examples=(
        "chainrule generate runs/latest",
        "chainrule generate runs/latest 'The cat ' --temperature 0.5",
        "chainrule generate runs/latest 'The cat ' --tokens 500 --seed 3",
    ),
)
@click.argument("run", metavar="RUN")
@click.argument("start", metavar="[START]", default="")
@click.option("--tokens", type=int, default=200, show_default=True, metavar="N", help="How many tokens to generate.")
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    show_default=True,
    metavar="T",
    help="The temperature of sampling; 0: always the likeliest token.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The seed of the sampling.")
@click.option("--replica", type=int, default=0, show_default=True, metavar="K", help="Which of several replicas generates.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
@step_option
def generate(
    run: str, start: str, tokens: int, temperature: float, seed: int, replica: int, as_json: bool, step: int | None
) -> None:
    """Continue the text START with RUN, a network trained on next_character."""
    text = opened(run, step).generate(start, tokens, temperature=temperature, seed=seed, replica=replica)
    if as_json:
        say_json({"kind": "text", "start": start, "temperature": temperature, "seed": seed, "text": text})
    else:
        click.echo(printable_lines(text))
