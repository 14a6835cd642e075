"""The spread of final losses against width: whether wide networks all end equally well."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.examples.example import Example, Outcome, Runs, Training
from chainrule.examples.fact import Fact
from chainrule.examples.few_digits import few_digits
from chainrule.examples.replicated import Comparison, Measured, PowerLaw, compare, deviation, fit_power_law, measured
from chainrule.graph import Array
from chainrule.train import SGD
from chainrule.views import pictures

WIDTHS = (8, 16, 32, 64, 128, 256)
SOURCE = "Choromanska and others, AISTATS 2015"


def trainings(
    seed: int, *, widths: tuple[int, ...] = WIDTHS, replicas: int = 32, count: int = 1000, epochs: int = 30
) -> Mapping[str, Training]:
    """A training for each width: many networks that differ in their seeds only, on the same digits."""
    data = few_digits(count, seed=seed)
    options = {"optimizer": SGD(0.1), "batch_size": 25, "replicas": replicas, "epochs": epochs, "evaluate_every": 0}
    # Seeds of different widths are apart, so that the widths are independent measurements.
    return {
        f"width {width}": Training(f"196-{width}-10 relu", data, {**options, "seed": 10_000 * seed + 100 * place})
        for place, width in enumerate(widths)
    }


def conclude(runs: Runs, seed: int) -> Outcome:
    """The facts: power laws of the spread and of the mean."""
    widths = np.array([int(name.split()[1]) for name in runs])
    losses = {part: np.array([run.evaluate(part).loss for run in runs.values()], np.float64) for part in ("test", "training")}
    spread = {part: _spread_law(widths, rows) for part, rows in losses.items()}
    relative = _spread_law(widths, losses["test"] / losses["test"].mean(axis=1, keepdims=True))
    mean = _mean_law(widths, losses["test"])
    ends = compare(losses["test"][-1], losses["test"][0])
    shares = [deviation(row) for row in losses["test"]]
    facts = (
        *(
            Fact(f"spread of the test loss, width {width}", *share, unit="nats")
            for width, share in ((widths[0], shares[0]), (widths[-1], shares[-1]))
        ),
        Fact("exponent of the test loss's spread", spread["test"].exponent, spread["test"].error, most=0.0, source=SOURCE),
        Fact("exponent of the training loss's spread", spread["training"].exponent, spread["training"].error),
        Fact("exponent of the spread beside the mean", relative.exponent, relative.error),
        Fact("exponent of the mean test loss", mean.exponent, mean.error),
        Fact(f"mean test loss, width {widths[-1]} less width {widths[0]}", ends.difference, ends.error, unit="nats"),
    )
    shown = tuple(picture(widths, losses[part], part, spread[part]) for part in ("test", "training"))
    return Outcome(verdict_of(spread["test"], relative, ends), facts, shown)


def verdict_of(spread: PowerLaw, relative: PowerLaw, ends: Comparison) -> str:
    """What follows from the fitted laws."""
    found = f"width^({Measured(spread.exponent, spread.error, 2)})"
    first = {
        "falls": f"Wide networks end more alike: the spread of their test losses falls as {found}",
        "rises": f"Wide networks end less alike: the spread of their test losses rises as {found}",
        "cannot be told from a constant": f"That the spread of the test losses depends on width cannot be told ({found})",
    }[spread.verdict]
    second = {
        "falls": "also in proportion to the mean loss",
        "rises": "though in proportion to the mean loss it rises",
        "cannot be told from a constant": "though in proportion to the mean loss it cannot be told from a constant",
    }[relative.verdict]
    third = {
        "smaller": "and they end better",
        "larger": "and they end worse",
        "cannot be told apart": "and whether they end better cannot be told",
    }[ends.verdict]
    bent = (
        ""
        if spread.holds
        else " The points scatter about one law by more than their errors, which the error of the exponent includes."
    )
    return f"{first}, {second}; {third}: the widest's mean test loss differs from the narrowest's by {ends}.{bent}"


def _spread_law(widths: Array, losses: Array) -> PowerLaw:
    return fit_power_law(widths, *np.array([deviation(row) for row in losses]).T)


def _mean_law(widths: Array, losses: Array) -> PowerLaw:
    means = [measured(row) for row in losses]
    return fit_power_law(widths, [mean.value for mean in means], [mean.error for mean in means])


def picture(widths: Array, losses: Array, part: str, law: PowerLaw) -> pictures.LossesAgainstWidth:
    """Every loss, and their spread with its law."""
    values, errors = np.array([deviation(row) for row in losses]).T
    words = f"∝ width^({Measured(law.exponent, law.error, 2)})"
    spread = pictures.PowerLawPicture(
        "Spread", widths, values, errors, None, law.exponent, law.factor, words, "width (neurons of the hidden layer)",
        f"standard deviation of the {part} loss (nats)", points="standard deviation ± its error",
    )  # fmt: skip
    return pictures.LossesAgainstWidth(widths, losses, part, spread)


LOSS_SURFACES = Example(
    "loss-surfaces",
    "Wide networks end equally well",
    "Does it matter where a training begins? Thirty-two networks of each width learn the same thousand digits of 14 × 14 pixels for 30 "
    "epochs; they differ in their seed only: where they begin, and in which order they see the digits. The paper says that with width "
    "the losses where they end lie closer and closer together. A power law is fitted to the standard deviation of the losses.",
    "125",
    trainings,
    conclude,
)
