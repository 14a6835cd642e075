"""The test error against the number of examples: how much more there is to be learned from more data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.few_digits import few_digits
from chainrule.graph import Array
from chainrule.train import SGD, Training
from chainrule.train.replicated import Comparison, Measured, PowerLaw, compare, fit_power_law, measured, ratio
from chainrule.views import pictures
from chainrule.views.view import View

COUNTS = (50, 150, 500, 1500, 5000, 15000)
UPDATES = 10_000
BATCH = 25
SOURCE = "Hestness and others, arXiv:1712.00409"


def trainings(seed: int, *, counts: tuple[int, ...] = COUNTS, draws: int = 5, updates: int = UPDATES) -> Mapping[str, Training]:
    """For each number of examples several draws of them, all trained for as many updates."""
    made: dict[str, Training] = {}
    for place, count in enumerate(counts):
        for draw in range(draws):
            number = 1000 * seed + 100 * place + draw
            options: dict[str, Any] = {
                "optimizer": SGD(0.1),
                "batch_size": BATCH,
                "replicas": 2,
                "seed": 10 * number,
                "evaluate_every": 0,
            }
            epochs = max(1, round(updates * BATCH / count))
            made[f"{count} examples, draw {draw + 1}"] = Training(
                "196-64-10 relu", few_digits(count, 10_000, seed=number), **options, epochs=epochs
            )
    return made


def conclude(runs: Runs, seed: int) -> Outcome:
    """The facts: test errors in per cent; each draw is one measurement."""
    errors: dict[int, list[float]] = {}
    for name, run in runs.items():
        wrong = 100 * (1 - run.evaluate("test").scores.values["accuracy"].mean())
        errors.setdefault(int(name.split()[0]), []).append(float(wrong))
    counts, table = np.array(list(errors)), np.array(list(errors.values()))
    means = [measured(row) for row in table]
    law = fit_power_law(counts, [mean.value for mean in means], [mean.widened for mean in means])
    last = compare(table[-1], table[-2])
    half = len(means) // 2
    slopes = [between(counts, means, *ends) for ends in ((0, half), (half, len(means) - 1))]
    bend = slopes[1][0] - slopes[0][0], float(np.hypot(slopes[0][1], slopes[1][1]))
    facts = (
        *(
            Fact(f"test error, {count} examples", mean.value, mean.error, unit="%")
            for count, mean in zip(errors, means, strict=True)
        ),
        Fact("exponent", law.exponent, law.error, maximum=0.0, source=SOURCE),
        *(
            Fact(f"exponent from {counts[first]} to {counts[end]}", *slope)
            for slope, (first, end) in zip(slopes, ((0, half), (half, -1)), strict=True)
        ),
        Fact("error with ten times as many, as a fraction", 10**law.exponent, 10**law.exponent * np.log(10) * law.error),
        Fact(f"χ² of one power law, {law.freedom} degrees of freedom", law.chi_squared),
        Fact(f"test error, {counts[-1]} less {counts[-2]} examples", last.difference, last.error, unit="points"),
    )
    most = list(runs.values())[-1]
    shown = (picture(counts, table, means, law), pictures.worst_mistakes(most))
    return Outcome(verdict_of(law, last, bend), facts, shown)


def between(counts: Array, means: list[Measured], first: int, last: int) -> tuple[float, float]:
    """The exponent from one point to another, with its standard error."""
    span = float(np.log(counts[last] / counts[first]))
    share, error = ratio(means[last], means[first])
    return float(np.log(share)) / span, error / share / span


def verdict_of(law: PowerLaw, last: Comparison, bend: tuple[float, float]) -> str:
    """What follows from the fitted law, the last step, and how much the exponent changes from the first half to the last."""
    share = 10**law.exponent
    found = Measured(share, share * np.log(10) * law.error, 2)
    first = {
        "falls": f"The test error falls with the number of examples: ten times as many leave {found} of it",
        "rises": f"The test error rises with the number of examples: ten times as many make it {found} times as large",
        "cannot be told from a constant": "That the test error depends on the number of examples cannot be told",
    }[law.verdict]
    curve = "flattens" if bend[0] > 2 * bend[1] else "steepens" if bend[0] < -2 * bend[1] else "scatters"
    straight = (
        "One power law describes all points within their errors"
        if law.holds
        else f"One power law does not describe all points "
        f"(χ² is {law.chi_squared:.0f} with {law.freedom} degrees of freedom): the curve {curve}"
    )
    more = {
        "smaller": "more data would still have helped at the last step",
        "larger": "at the last step more data did not help but harm",
        "cannot be told apart": "whether more data still helped at the last step cannot be told",
    }[last.verdict]
    return f"{first}. {straight}, and {more} ({Measured(last.difference, last.error, 2)} points)."


def picture(counts: Array, table: Array, means: list[Measured], law: PowerLaw) -> View:
    """The learning curve."""
    values, errors = np.array([mean.value for mean in means]), np.array([mean.error for mean in means])
    words = f"∝ examples^({Measured(law.exponent, law.error, 2)})"
    return pictures.power_law(
        "Test error against the number of examples", counts, values, errors, (law.exponent, law.factor, words), "training examples",
        "test error (%)", measurements=table, each="draw of examples",
    )  # fmt: skip


LEARNING_CURVE = LectureExample(
    "learning-curve",
    "Learning by many examples",
    "How much does it help to have more examples? Networks with 64 hidden neurons learn from 50 to 15 000 digits of 14 × 14 pixels, all "
    "for 10 000 updates, and are tested on the same 10 000 others. Five draws for each number are five measurements, each a mean over two "
    "networks. On logarithmic axes a power law is a straight line.",
    "65",
    trainings,
    conclude,
)
