"""`chainrule example`: one of the lectures' examples, trained, judged against what is known, and drawn."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.table import Table

from chainrule.cli.output import ExplainedCommand, console
from chainrule.engines import ENGINES
from chainrule.examples import EXAMPLES, Outcome, page_path, write_page
from chainrule.examples import example as example_named


@click.command(
    cls=ExplainedCommand,
    words="Without NAME the examples are listed. Each ends with a verdict: numbers with their error bars beside what is known of them. "
    "The exit code is 1 if a number does not agree with what is known.",
    examples=(
        "chainrule example",
        "chainrule example convolution",
        "chainrule example convolution --seed 1 --output digits.html",
    ),
)
@click.argument("name", metavar="NAME", required=False)
@click.option("--seed", type=int, default=0, show_default=True, help="Where all random numbers begin.")
@click.option("--engine", type=click.Choice(list(ENGINES)), default="native", show_default=True, help="What runs it.")
@click.option("--output", type=click.Path(path_type=Path), help="The page to be written.  [default: NAME.html]")
@click.pass_context
def example(context: click.Context, name: str | None, seed: int, engine: str, output: Path | None) -> None:
    """Train the example NAME, print its verdict, and write a page with its pictures."""
    screen = console()
    if name is None:
        table = Table("name", "what it is", box=None, pad_edge=False)
        for found in EXAMPLES.values():
            table.add_row(found.name, found.title)
        screen.print(table)
        return
    chosen, started = example_named(name), time.perf_counter()
    path = page_path(chosen, output)
    screen.print(f"{chosen.title}\n\n{chosen.question}\n")
    outcome = chosen.run(seed, engine=engine, watch=lambda part: screen.print(f"training {part} ..."))
    screen.print()
    screen.print(outcome.verdict)
    screen.print()
    screen.print(_facts(outcome))
    if outcome.doubt:
        screen.print(f"\n{outcome.doubt}")
    write_page(chosen, outcome, path)
    screen.print(f"\n{time.perf_counter() - started:.0f} s; pictures: {path}", soft_wrap=True)
    context.exit(0 if outcome.holds else 1)


def _facts(outcome: Outcome) -> Table:
    table = Table("quantity", "found", "held against", "", box=None, pad_edge=False)
    for fact in outcome.facts:
        table.add_row(fact.name, fact.measured, fact.expected, fact.judgement)
    return table
