"""The spread of final losses against width: whether wide networks all end equally well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.few_digits import few_digits
from chainrule.graph import Array
from chainrule.train import SGD, Training
from chainrule.train.replicated import (
    Comparison,
    Measured,
    PowerLaw,
    compare,
    compare_spreads,
    deviation,
    fit_power_law,
    measured,
)
from chainrule.views import pictures
from chainrule.views.view import View

WIDTHS = (8, 16, 32, 64, 128, 256)
SOURCE = "Choromanska and others, AISTATS 2015"


def trainings(
    seed: int, *, widths: tuple[int, ...] = WIDTHS, replicas: int = 64, count: int = 1000, epochs: int = 30
) -> Mapping[str, Training]:
    """A training for each width: many networks that differ in their seeds only, on the same digits."""
    data = few_digits(count, seed=seed)
    options: dict[str, Any] = {
        "optimizer": SGD(0.1),
        "batch_size": 25,
        "replicas": replicas,
        "epochs": epochs,
        "evaluate_every": 0,
    }
    # Seeds of different widths are apart, so that the widths are independent measurements.
    return {
        f"width {width}": Training(f"196-{width}-10 relu", data, **options, seed=10_000 * seed + 100 * place)
        for place, width in enumerate(widths)
    }


def conclude(runs: Runs, seed: int) -> Outcome:
    """The facts: power laws of the spread and of the mean."""
    widths = np.array([int(name.split()[1]) for name in runs])
    losses = {part: np.array([run.evaluate(part).loss for run in runs.values()], np.float64) for part in ("test", "training")}
    spread = {part: _spread_law(widths, rows) for part, rows in losses.items()}
    scaled = losses["test"] / losses["test"].mean(axis=1, keepdims=True)
    relative = _spread_law(widths, scaled)
    alike = [compare_spreads(rows[-1], rows[0], among=2) for rows in (losses["test"], scaled)]
    mean = _mean_law(widths, losses["test"])
    ends = compare(losses["test"][-1], losses["test"][0])
    shares = [deviation(row) for row in losses["test"]]
    facts = (
        *(
            Fact(f"spread of the test loss, width {width}", *share, unit="nats")
            for width, share in ((widths[0], shares[0]), (widths[-1], shares[-1]))
        ),
        Fact(
            f"mean distance from the median, width {widths[-1]} less width {widths[0]}",
            alike[0].difference,
            alike[0].error,
            maximum=0.0,
            unit="nats",
            source=SOURCE,
        ),
        Fact("the same beside the mean loss", alike[1].difference, alike[1].error),
        Fact("exponent of the test loss's spread", spread["test"].exponent, spread["test"].error),
        Fact("exponent of the training loss's spread", spread["training"].exponent, spread["training"].error),
        Fact("exponent of the spread beside the mean", relative.exponent, relative.error),
        Fact("exponent of the mean test loss", mean.exponent, mean.error),
        Fact(f"mean test loss, width {widths[-1]} less width {widths[0]}", ends.difference, ends.error, unit="nats"),
    )
    shown = tuple(picture(widths, losses[part], part, spread[part]) for part in ("test", "training"))
    return Outcome(verdict_of(alike[0], alike[1], spread["test"], ends), facts, shown)


def verdict_of(alike: Comparison, relative: Comparison, law: PowerLaw, ends: Comparison) -> str:
    """What follows: the spread of the widest beside that of the narrowest, also in fractions of the mean; its law; the mean losses."""
    first = {
        "smaller": "Wide networks end more alike: their test losses scatter less than those of narrow ones",
        "larger": "Wide networks end less alike: their test losses scatter more than those of narrow ones",
        "cannot be told apart": "Whether the test losses of wide networks scatter less than those of narrow ones cannot be told",
    }[alike.verdict]
    second = {
        "smaller": "in proportion to the mean loss they scatter less",
        "larger": "in proportion to the mean loss they scatter more",
        "cannot be told apart": "in proportion to the mean loss no difference can be told",
    }[relative.verdict]
    third = {
        "smaller": "They also end better",
        "larger": "They end worse",
        "cannot be told apart": "Whether they end better cannot be told",
    }[ends.verdict]
    found = f"width^({Measured(law.exponent, law.error, 2)})"
    fitted = f"the standard deviation goes as {found}" if law.holds else (
        f"no one power law describes the standard deviation at all widths (the nearest is {found})"
    )  # fmt: skip
    difference = Measured(ends.difference, ends.error, 2)
    return f"{first}; {second}; {fitted}. {third}: the difference of the mean test losses is {difference} nats."


def _spread_law(widths: Array, losses: Array) -> PowerLaw:
    return fit_power_law(widths, *np.array([deviation(row) for row in losses]).T)


def _mean_law(widths: Array, losses: Array) -> PowerLaw:
    means = [measured(row) for row in losses]
    return fit_power_law(widths, [mean.value for mean in means], [mean.error for mean in means])


def picture(widths: Array, losses: Array, part: str, law: PowerLaw) -> View:
    """Every loss, and their spread with its law."""
    values, errors = np.array([deviation(row) for row in losses]).T
    words = f"∝ width^({Measured(law.exponent, law.error, 2)})"
    spread = pictures.power_law(
        "Spread", widths, values, errors, (law.exponent, law.factor, words), "width (neurons of the hidden layer)",
        f"standard deviation of the {part} loss (nats)", points="standard deviation ± its error",
    )  # fmt: skip
    return pictures.losses_against_width(widths, losses, part, spread)


LOSS_SURFACES = LectureExample(
    "loss-surfaces",
    "Wide networks end equally well",
    "Does it matter where a training begins? Sixty-four networks of each width learn the same thousand digits of 14 × 14 pixels for 30 "
    "epochs; they differ in their seed only: where they begin, and in which order they see the digits. The paper says that with width "
    "the losses where they end lie closer and closer together. A power law is fitted to the standard deviation of the losses.",
    "125",
    trainings,
    conclude,
)
