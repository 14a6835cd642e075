"""`chainrule train`: says what will be trained, trains it with live progress, and says what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from chainrule.cli.locate import RUNS, load_data, origin, parsed_options, target_option
from chainrule.cli.output import ExplainedCommand, console, hush_others, progress, steady
from chainrule.cli.reading import table_options
from chainrule.cli.scores import Speech, announce, conclude
from chainrule.data import KINDS, Dataset
from chainrule.engines import ENGINES, load_ahead
from chainrule.nn import L1, L2, LOSSES
from chainrule.train import OPTIMIZERS, EarlyStopping, Settings, Training
from chainrule.views.standing import ProgressPlan

USUAL = Settings()

WORDS = (
    "An example is one element of the data: an input and what should come out. A batch is a handful of examples that are looked at "
    "together; after each batch the network's numbers are improved once, which is one step. An epoch is one pass over all "
    "training examples. The seed fixes everything that is random: the first weights and the order of the examples, so that the "
    "same seed gives the same network again. Replicas are networks that differ only in their seed; their spread says how "
    "far a result can be trusted."
)


_SETS = "; ".join(f"{', '.join(sets)} ({kind})" for kind, sets in KINDS.items())
HELP = (
    "Train a network on DATA: a built-in set, or the path of a table (.csv, .tsv, .txt, .dat, .data; .gz), of a .parquet or .xlsx file, of "
    "an .npz file, of a folder with a folder of images to each class, or of one with x.npy and y.npy, which may be larger than "
    "the memory.\n\n"
    f"Built in are {_SETS}. Ctrl-C ends the training at any time and keeps what was learned."
)


@click.command(
    cls=ExplainedCommand,
    help=HELP,
    words=WORDS,
    examples=(
        "chainrule train mnist --network 784-16-16-10 --epochs 5",
        "chainrule train mnist --network 784-28x28x1-conv5x5x16-pool2-conv5x5x32-pool2-flatten-10 --epochs 3",
        "chainrule train moons --network 2-16-2 --optimizer adam --epochs 50 --replicas 8 --option noise=0.2",
        "chainrule train plants.csv --target species --network 4-10-3 --validation 0.2 --early-stopping 5",
        "chainrule train curve --network 1-20-20-1 --optimizer lbfgs --option function=sin",
    ),
)
@click.argument("data", metavar="DATA")
@click.option(
    "--network",
    metavar="TEXT",
    help='The sizes of the layers from input to output, joined by dashes, and perhaps activations: "784-16-10 relu softmax". '
    'Hidden layers are relu unless said otherwise. Further forms: "28x28-flatten-16:tanh-dropout(0.2)-10"; '
    "of pictures 784-28x28x1-conv5x5x16:same-pool2-flatten-10: 5 × 5 kernels, 16 filters.  [default: one hidden layer of 100]",
)
@target_option
@click.option(
    "--missing",
    metavar="RULE",
    help="For a table: what to do where a cell is empty: refuse (the default), drop such rows, or fill in mean or most_frequent.",
)
@click.option(
    "--option",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the data, such as n=200 or noise=0.1 for made-up data, task=regression or drop=name,date for a table. "
    "Can be given several times.",
)
@click.option(
    "--validation",
    metavar="AMOUNT",
    help="Hold out a part of the data that is not trained on and shows when to stop: a fraction (0.1) or a number of examples (10000).",
)
@click.option(
    "--epochs",
    type=int,
    help="How many times to go over all training examples; with lbfgs and levenberg_marquardt the most iterations.  "
    "[default: as network and data need]",
)
@click.option(
    "--batch-size",
    type=int,
    help="How many examples are looked at before each update of the weights.  [default: 32, or all if fewer]",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    help=f"The rule that turns gradients into updates: {', '.join(OPTIMIZERS)}; or lbfgs or levenberg_marquardt, which take all "
    "examples at once.  [default: adam at a rate that goes by network and data]",
)
@click.option(
    "--learning-rate", type=float, metavar="R", help="The size η of the updates.  [default: the optimizer's usual one]"
)
@click.option(
    "--loss",
    metavar="NAME",
    help=f"What is made small. [default: what goes with data and last layer] One of {', '.join(LOSSES)}.",
)
@click.option(
    "--l2", type=float, metavar="F", help="Add F times the sum of all squared weights to the loss: keeps weights small."
)
@click.option("--l1", type=float, metavar="F", help="Add F times the sum of all |weights| to the loss: drives weights to zero.")
@click.option("--seed", type=int, default=USUAL.seed, show_default=True, help="The number that fixes all that is random.")
@click.option(
    "--replicas",
    type=int,
    default=USUAL.replicas,
    show_default=True,
    help="How many networks to train at once, with seeds SEED, SEED + 1, ...; results then come as mean ± standard error.",
)
@click.option(
    "--dtype",
    metavar="TYPE",
    help="The precision of the numbers: float32 or float64.  [default: float32; with lbfgs and levenberg_marquardt float64]",
)
@click.option(
    "--engine",
    default=USUAL.engine,
    show_default=True,
    metavar="NAME",
    help=f"What computes: {', '.join(ENGINES)}. All give the same numbers; xla is for GPUs and TPUs, native the fastest on a CPU.",
)
@click.option("--threads", type=int, metavar="N", help="How many threads to use; results do not depend on it.  [default: all]")
@click.option(
    "--devices",
    type=int,
    metavar="N",
    help="With the xla engine: on how many devices to compute; replicas are shared out first, then the rows of batches.  [default: 1]",
)
@click.option(
    "--early-stopping",
    type=int,
    metavar="PATIENCE",
    help="Stop when the loss on the validation part has not improved for this many epochs, and keep the best weights.",
)
@click.option(
    "--evaluate-every",
    type=int,
    metavar="N",
    help="Take the scores after every N epochs; 0: only at the end.  [default: 1, or about 50 times where --epochs is not given]",
)
@click.option("--runs", default=RUNS, show_default=True, metavar="FOLDER", help="Where the run's own folder is made.")
@click.option("--no-save", is_flag=True, help="Write nothing to disk.")
@click.option("--json", is_flag=True, help="Print lines of JSON for programs: one for each epoch, then one with the result.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
@table_options
def train(
    data: str, network: str | None, target: str | None, missing: str | None, form: Mapping[str, Any], option: tuple[str, ...],
    validation: str | None, runs: str, no_save: bool, json: bool, quiet: bool, **asked: Any,
) -> None:  # fmt: skip
    """Trains and saves, and says what came out."""
    load_ahead(asked["engine"])
    dataset = load_data(origin(data, target, missing, {**form, **parsed_options(option)}), validation)
    training = _training(network, dataset, **asked)
    settings = training.settings
    hush_others(settings.engine)
    screen = console()
    if not (json or quiet):
        announce(screen, training.problem, training.dataset, settings, training.reasons)
    with progress(screen, ProgressPlan.of(settings, len(dataset.train)), as_json=json, quiet=quiet) as told:
        run = training.fit(callbacks=(steady(told),), folder=None if no_save else runs)
    conclude(screen, run, Speech(json, quiet))


def _training(
    network: str | None, data: Dataset, *, learning_rate: float | None, l1: float | None, l2: float | None, early_stopping: int | None,
    **asked: Any,
) -> Training:  # fmt: skip
    """What is asked for: an option is a field of the training that is called so, or a part of one."""
    stopping = None if early_stopping is None else EarlyStopping(early_stopping)
    training = Training(network, data, early_stopping=stopping, **asked)
    if learning_rate is not None:
        training = training.changed(**{"optimizer.learning_rate": learning_rate})
    penalties = [penalty(factor) for penalty, factor in ((L2, l2), (L1, l1)) if factor is not None]
    return training.changed(loss=sum(penalties, training.problem.objective)) if penalties else training
