"""`chainrule lab`: a live page on this machine, for one's own network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from chainrule.cli.locate import load_data, opened, origin, parsed_options, target_option
from chainrule.cli.output import ExplainedCommand, console
from chainrule.cli.reading import table_options
from chainrule.cli.saved import network_text
from chainrule.data import BUILT_IN
from chainrule.errors import ChainruleError, MissingFileError, OptionError
from chainrule.lab.desk import Desk
from chainrule.lab.server import Lab
from chainrule.lab.session import Session
from chainrule.lab.usual import usual_network
from chainrule.nn import parse_network
from chainrule.train import Adam, Run, Training


@click.command(
    cls=ExplainedCommand,
    words="The page shows a network while it learns: what each neuron answers, each weight, the loss. Weights can be set by hand, settings "
    "changed at any step, every step taken back. Only this machine can open it, by the link that is printed. Ctrl-C ends it.",
    examples=(
        "chainrule lab",
        "chainrule lab spirals --network 2-16-16-2",
        "chainrule lab mnist",
        "chainrule lab plants.csv --target species",
        "chainrule lab runs/latest",
    ),
)
@click.argument("what", metavar="[DATA | RUN]", default="moons")
@click.option("--network", metavar="TEXT", help="The network, as for chainrule train.  [default: two small hidden layers]")
@target_option
@click.option(
    "--missing", metavar="RULE", help="For a table: what to do where a cell is empty: refuse, drop, mean or most_frequent."
)
@click.option("--option", multiple=True, metavar="KEY=VALUE", help="An option of the data, such as n=200 or noise=0.1.")
@click.option("--state", metavar="LINK", help="The state that the page's Copy link gave; in place of DATA or RUN.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port to listen on.  [default: a free one]")
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option("--hall", is_flag=True, help="Print a second link, for a screen that only looks on, in large type.")
@table_options
def lab(
    what: str, network: str | None, target: str | None, missing: str | None, form: Mapping[str, Any], option: tuple[str, ...],
    state: str | None, port: int, no_browser: bool, hall: bool,
) -> None:  # fmt: skip
    """Open a live page for a network on DATA (a built-in set, or a file as for train), or for a saved RUN."""
    if state is not None:
        session = Session.opened(state.rpartition("#")[2])
    else:
        session = Session(_training(what, network, target, missing, {**form, **parsed_options(option)}))
    try:
        served = Lab(Desk(session), port)
    except OSError as trouble:
        raise OptionError(
            f"--port {port}: {trouble.strerror}", expected="a port that is free", remedy="leave --port out"
        ) from trouble
    console().print(f"The lab is open: {served.link}\nCtrl-C ends it.", soft_wrap=True)
    if hall:
        console().print(f"For the hall: {served.hall_link}", soft_wrap=True)
    if not no_browser:
        served.open_browser()
    served.serve()


def _training(what: str, network: str | None, target: str | None, missing: str | None, options: dict[str, Any]) -> Training:
    run = None if what in BUILT_IN or target or options else _run(what)
    if run is not None:
        return _of_run(run)
    data = load_data(origin(what, target, missing, options), None)
    return Training(network or usual_network(data), data, optimizer=Adam(0.01), batch_size=min(10, len(data.train)))


def _run(what: str) -> Run | None:
    """The saved run of that name, if it is one."""
    try:
        return opened(what, None)
    except MissingFileError:
        return None


def _of_run(run: Run) -> Training:
    """The training that goes on where a run stands."""
    text = network_text(run.problem.network)
    try:
        network: Any = text if parse_network(text) == run.problem.network else run.problem.network
    except ChainruleError:
        network = run.problem.network
    settings = run.settings
    optimizer = Adam(0.01) if settings.optimizer.search else settings.optimizer
    return Training(
        network, run.data, loss=run.problem.objective, optimizer=optimizer, batch_size=min(settings.batch_size, len(run.data.train)),
        seed=settings.seed, dtype=settings.dtype, initial=run.model().values,
    )  # fmt: skip
