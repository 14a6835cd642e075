"""Stochastic gradient descent as a regulariser: small batches against all examples at once, at equal updates and at equal epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.few_digits import few_digits
from chainrule.graph import Array
from chainrule.train import SGD, Run, Training
from chainrule.train.replicated import Comparison, Measured, compare, measured
from chainrule.views import pictures
from chainrule.views.view import View

BATCH = 32
FASTER = 10
"""How many times the learning rate is larger in the last training."""
SMALL, EPOCHS, UPDATES = f"batches of {BATCH}", "full batch, equal epochs", "full batch, equal updates"
FAST = f"full batch, equal epochs, {FASTER} × learning rate"
ARMS = (SMALL, EPOCHS, UPDATES, FAST)


def trainings(seed: int, *, draws: int = 8, count: int = 1024, epochs: int = 40) -> Mapping[str, Training]:
    """For each draw of digits four trainings, which begin at the same weights."""
    options: dict[str, dict[str, Any]] = {
        SMALL: {"batch_size": BATCH, "epochs": epochs, "optimizer": SGD(0.1)},
        EPOCHS: {"batch_size": count, "epochs": epochs, "optimizer": SGD(0.1)},
        UPDATES: {"batch_size": count, "epochs": epochs * -(-count // BATCH), "optimizer": SGD(0.1)},
        FAST: {"batch_size": count, "epochs": epochs, "optimizer": SGD(0.1 * FASTER)},
    }
    made: dict[str, Training] = {}
    for draw in range(draws):
        number = 1000 * seed + draw
        data = few_digits(count, 10_000, seed=number)
        made |= {
            f"{arm}, draw {draw + 1}": Training(
                "196-32-10 relu", data, **chosen, seed=10 * number, replicas=2, evaluate_every=0
            )
            for arm, chosen in options.items()
        }
    return made


def conclude(runs: Runs, seed: int) -> Outcome:
    """The facts: errors in per cent; each draw is one measurement, and differences are taken on the same draw."""
    arms = {arm: [run for name, run in runs.items() if name.startswith(f"{arm}, draw")] for arm in ARMS}
    test, training = (
        {arm: np.array([_error(run, part) for run in group]) for arm, group in arms.items()} for part in ("test", "training")
    )
    others = ARMS[1:]
    found = {arm: compare(test[arm], test[SMALL], paired=True, among=len(others)) for arm in others}
    fitted = {arm: compare(training[arm], training[SMALL], paired=True, among=len(others)) for arm in others}
    facts = (
        *(_level(f"test error, {arm}", test[arm]) for arm in ARMS),
        *(_difference(f"test error, {arm}, less {SMALL}", found[arm]) for arm in others),
        *(_difference(f"training error, {arm}, less {SMALL}", fitted[arm]) for arm in others),
    )
    shown = (_picture("test", test, found), _picture("training", training, fitted))
    return Outcome(verdict_of(found, fitted), facts, shown)


def _picture(part: str, errors: Mapping[str, Array], found: Mapping[str, Comparison]) -> View:
    return pictures.contrasts(
        f"Small batches and the full batch: {part}",
        f"{part} error (%)",
        {arm: errors[arm] for arm in ARMS},
        {f"{arm.removeprefix('full batch, ')}\nless {SMALL}": errors[arm] - errors[SMALL] for arm in found},
        np.array([other.reach for other in found.values()]),
    )


def verdict_of(found: Mapping[str, Comparison], fitted: Mapping[str, Comparison]) -> str:
    """What follows from the differences of test errors, and of training errors, beside small batches."""
    words = f"Equal epochs: {_words(found[EPOCHS])}. Equal updates: {_words(found[UPDATES])}. "
    if found[EPOCHS].verdict == "larger" and found[UPDATES].verdict != "larger":
        undertrained = fitted[EPOCHS].verdict == "larger"
        words += "So what small batches are better by comes with their many updates, not from their noise"
        words += (
            ": after as many epochs the full batch has not even learned its training examples as well." if undertrained else "."
        )
    elif found[UPDATES].verdict == "larger":
        words += "So small batches generalise better even after as many updates."
    else:
        words += "So that small batches generalise better is not seen here."
    return f"{words} With {FASTER} times the learning rate and equal epochs: {_words(found[FAST])}."


def _words(found: Comparison) -> str:
    difference = Measured(abs(found.difference), found.error, 2)
    return {
        "larger": f"the full batch makes more test errors, by {difference} points",
        "smaller": f"the full batch makes fewer test errors, by {difference} points",
        "cannot be told apart": f"the two cannot be told apart (difference {Measured(found.difference, found.error, 2)} points; "
        f"{found.reach:.2f} would have been seen)",
    }[found.verdict]


def _error(run: Run, part: str) -> float:
    """The fraction of wrong answers in per cent, the mean over replicas."""
    return float(100 * (1 - run.evaluate(part).scores.values["accuracy"].mean()))


def _level(name: str, values: Array | Sequence[float]) -> Fact:
    found = measured(values)
    return Fact(name, found.value, found.error, unit="%")


def _difference(name: str, found: Comparison) -> Fact:
    return Fact(name, found.difference, found.error, unit="points")


BATCH_SIZE = LectureExample(
    "batch-size",
    "Do small batches generalise better?",
    f"The lecture says that models trained with stochastic gradient descent usually generalise better. Beside what? Batches of {BATCH} are "
    "held against the full batch of 1024 digits, once after as many epochs, which are 32 times fewer updates, and once after as many "
    "updates, which are 32 times more epochs. All begin at the same weights. Eight draws of digits are eight measurements, each a mean "
    "over two networks; the differences are taken draw by draw.",
    "109, E13",
    trainings,
    conclude,
)
