"""`chainrule sweep`: many settings of a training, with several networks each, and which of them are better than chance explains."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import product
from multiprocessing import get_context
from typing import Any, cast

import click
from rich.console import Console
from rich.text import Text

from chainrule.cli.locate import load_data, origin, parsed_options, target_option
from chainrule.cli.output import ExplainedCommand, console, say_json
from chainrule.cli.reading import table_options
from chainrule.cli.scores import shown_folder
from chainrule.data import Dataset
from chainrule.engines import ENGINES
from chainrule.errors import OptionError
from chainrule.nn import L2
from chainrule.sweeps import Between, Grid, Halving, Random, Sobol, Sweep, Trial
from chainrule.sweeps import sweep as tried_all
from chainrule.train import Training, with_error
from chainrule.views.plain import duration, printable
from chainrule.views.report.sweep import write_sweep_page

WHOLE = {"batch_size", "epochs"}
"""Fields whose numbers are whole."""


@click.command(
    cls=ExplainedCommand,
    words="A setting is one choice of everything that is tried. Replicas are networks that differ only in their seed; all settings "
    "have the same seeds, so that pairs of them can be compared. Two settings cannot be told apart where chance explains their "
    "difference; the more are compared, the more there must be between two of them.",
    examples=(
        "chainrule sweep mnist --network 784-{16,64}-10 --learning-rate 0.01:1:log5 --folder sweeps/digits",
        "chainrule sweep moons --network 2-{4,16}-2 --optimizer sgd,adam --batch-size 8,32 --epochs 20",
        "chainrule sweep plants.csv --target species --network 4-{8,16}-3 --random 20 --learning-rate 0.01:1:log",
        "chainrule sweep moons --network 2-{4,16}-2 --learning-rate 0.001:1:log5 --halving 2,6,18 --workers 2",
    ),
)
@click.argument("data", metavar="DATA")
@click.option(
    "--network",
    required=True,
    metavar="TEXT",
    help='The network as for train; what stands in braces is tried in turn: "784-{16,32}-10".',
)
@click.option("--learning-rate", metavar="VALUES", help="Rates: 0.01,0.1; or low:high:points, as 0.01:1:log5.")
@click.option("--optimizer", metavar="NAMES", help="Optimizers by their names: sgd,adam.")
@click.option("--batch-size", metavar="VALUES", help="Batch sizes: 16,32; or 16:64:4.")
@click.option("--l2", metavar="VALUES", help="Factors of the sum of all squared weights in the loss: 0,0.0001,0.001.")
@click.option("--epochs", metavar="VALUES", help="How many times to go over all training examples; also several: 5,10.")
@click.option(
    "--set",
    "others",
    multiple=True,
    metavar="FIELD=VALUES",
    help="Any other field of the training, or of its optimizer: optimizer.momentum=0,0.9. Can be given several times.",
)
@click.option("--loss", metavar="NAME", help="What is made small.  [default: what goes with data and last layer]")
@click.option("--random", "by_chance", type=int, metavar="N", help="Try N settings by chance, in place of all.")
@click.option("--sobol", type=int, metavar="N", help="Try N settings that fill the space evenly.")
@click.option(
    "--halving", metavar="EPOCHS", help="Train all for the first number of epochs, the best third for the next: 1,3,9."
)
@click.option("--replicas", type=int, default=8, show_default=True, help="How many networks each setting is trained with.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The seed of the first replica, and of settings by chance."
)
@click.option("--score", metavar="NAME", help="What is compared: accuracy, R² or loss.  [default: the usual one]")
@click.option("--engine", type=click.Choice(list(ENGINES)), default="native", show_default=True, help="What computes.")
@click.option("--workers", type=int, default=1, show_default=True, help="How many processes train, each with one thread.")
@click.option(
    "--together",
    type=int,
    metavar="N",
    help="How many trials a process takes at once; those that differ in numbers only are one program.  [default: by their work]",
)
@click.option("--validation", metavar="AMOUNT", help="Hold out a part of the data to compare on, as for train.")
@target_option
@click.option("--missing", metavar="RULE", help="For a table: what to do where a cell is empty, as for train.")
@click.option("--option", multiple=True, metavar="KEY=VALUE", help="An option of the data, as for train.")
@click.option(
    "--folder",
    metavar="FOLDER",
    help="Where trials are kept: what is done there is not done again, whatever ended it; several sweeps may work there at once.",
)
@click.option("--output", metavar="FILE.html", help="Write the result as one page, with its picture.")
@click.option("--json", is_flag=True, help="Print lines of JSON for programs: one for each trial, then one with the verdict.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
@table_options
def sweep(
    data: str, network: str, target: str | None, missing: str | None, form: Mapping[str, Any], option: tuple[str, ...],
    validation: str | None, folder: str | None, output: str | None, json: bool, quiet: bool, workers: int, replicas: int,
    score: str | None, together: int | None, **asked: Any,
) -> None:  # fmt: skip
    """Train many settings of a network on DATA, and say which are better and which cannot be told apart."""
    dataset = load_data(origin(data, target, missing, {**form, **parsed_options(option)}), validation)
    training, space = _described(network, dataset, asked)
    screen = console()
    with ExitStack() as stack:
        # Started anew, since a copy of this process would hold its threads' locks.
        pool = ProcessPoolExecutor(workers, get_context("spawn")) if workers > 1 else None
        executor = stack.enter_context(pool) if pool else None
        found = tried_all(
            training.changed(threads=1) if pool and training.engine == "native" else training,
            space,
            replicas=replicas,
            search=_search(asked),
            folder=folder,
            executor=executor,
            score=score,
            watch=_watch(screen, as_json=json, quiet=quiet),
            together=together,
        )
    if json:
        say_json(_row(found))
    else:
        screen.print(Text(f"\n{found}" if not quiet else str(found)), soft_wrap=True)
        if not quiet and (best := found.ranked[0].run) is not None:
            screen.print(Text("To look at the best:"))
            screen.print(Text(f"  chainrule show {shown_folder(best)}", style="bold"), soft_wrap=True)
    if output is not None:
        write_sweep_page(found, output)


def _described(network: str, data: Dataset, asked: Mapping[str, Any]) -> tuple[Training, dict[str, Any]]:
    """The training with what is the same for all, and the space of what is tried."""
    networks, space = expanded(network), dict[str, Any]()
    tried: dict[str, Any] = {"network": networks, "optimizer": _words(asked["optimizer"])}
    rest = {"batch_size": asked["batch_size"], "epochs": asked["epochs"], "optimizer.learning_rate": asked["learning_rate"]}
    for text in asked["others"]:
        name, equals, values = text.partition("=")
        if not equals or name in tried or name in rest:
            raise OptionError(
                f"--set {text}",
                expected="a field that has no option of its own, and values",
                remedy="write --set optimizer.momentum=0,0.9",
            )
        rest[name] = values
    tried |= {name: _values(name, text) for name, text in rest.items() if text is not None}
    training = Training(networks[0], data, loss=asked["loss"], seed=asked["seed"], engine=asked["engine"])
    if asked["l2"] is not None:
        usual = training.problem.objective
        factors = _values("l2", asked["l2"])
        numbers = factors.values if isinstance(factors, Between) else factors
        tried["loss"] = {f"L2 {factor:g}": usual + L2(factor) if factor else usual for factor in numbers}
    for name, values in tried.items():
        if _has_several(values) or (name == "network" and not any(map(_has_several, tried.values()))):
            space[name] = values
        elif values:
            only: list[Any] = list(cast("dict[str, Any]", values).values()) if isinstance(values, dict) else values
            training = training.changed(**{name: only[0]})
    return training, space


def _has_several(values: Any) -> bool:
    return isinstance(values, Between) or len(values) > 1


def expanded(text: str) -> list[str]:
    """What a text with braces stands for.

    >>> expanded("784-{16,32}-10"), expanded("2-{4,8}-{1,2}")
    (['784-16-10', '784-32-10'], ['2-4-1', '2-4-2', '2-8-1', '2-8-2'])
    """
    pieces = re.split(r"\{([^{}]*)\}", text)
    choices = [piece.split(",") if place % 2 else [piece] for place, piece in enumerate(pieces)]
    return ["".join(parts) for parts in product(*choices)]


def _words(text: str | None) -> list[str]:
    return [] if text is None else [word.strip() for word in text.split(",")]


def _values(name: str, text: str) -> Any:
    """Numbers, or words, with commas between; or an interval."""
    if ":" in text:
        return Between.parse(text, whole=name in WHOLE)
    return [_value(name, word) for word in _words(text)]


def _value(name: str, word: str) -> Any:
    try:
        return int(word) if name in WHOLE or word.lstrip("+-").isdecimal() else float(word)
    except ValueError:
        if name in WHOLE or name in {"optimizer.learning_rate", "l2"}:
            raise OptionError(
                f"{word!r} as {name}",
                expected="numbers with commas between, or low:high:points",
                remedy="write for example 16,32",
            ) from None
    return {"true": True, "false": False, "none": None}.get(word, word)


def _search(asked: Mapping[str, Any]) -> Grid | Random | Sobol | Halving:
    chosen = [name for name in ("by_chance", "sobol") if asked[name] is not None]
    if len(chosen) > 1:
        raise OptionError("--random with --sobol", expected="one of the two", remedy="leave one out")
    by_chance, sobol, seed = asked["by_chance"], asked["sobol"], asked["seed"]
    inner = Random(by_chance, seed) if by_chance is not None else Sobol(sobol, seed) if sobol is not None else Grid()
    if asked["halving"] is None:
        return inner
    return Halving(tuple(_value("epochs", word) for word in _words(asked["halving"])), inner)


def _watch(screen: Console, *, as_json: bool, quiet: bool) -> Callable[[Trial], None]:
    def told(trial: Trial) -> None:
        if as_json:
            say_json(trial.to_json())
        elif not quiet:
            came = trial.trouble or f"{trial.score} {with_error(trial.scores)}"
            screen.print(
                Text(f"{printable(trial.name)}: {printable(came, most=200)}, {duration(trial.seconds)}"), soft_wrap=True
            )

    return told


def _row(found: Sweep) -> dict[str, Any]:
    best = None if found.ranked[0].trouble else found.best
    return {
        "best": None if best is None else dict(best.setting),
        "run": None if best is None or best.run is None else str(best.run),
        "verdict": found.verdict,
        "beside": {
            name: {
                "difference": -each.comparison.difference,
                "error": each.comparison.error,
                "probability": each.probability,
                "told_apart": each.told_apart,
                "needed": each.needed,
            }
            for name, each in (found.beside.items() if best else ())
        },
        "seconds": found.seconds,
    }
