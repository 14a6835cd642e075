"""A number is given; so many steps later the network must say so: an answer at every time step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import countdown
from chainrule.examples.estimates import mean_with_error
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import GRU, LSTM, RNN, Dense, Flatten, Sequential, TimeDistributed
from chainrule.train import Adam, ClipNorm, Run, Training
from chainrule.views import pictures

KINDS = {"RNN": RNN(16, return_sequences=True), "GRU": GRU(16, return_sequences=True), "LSTM": LSTM(16, return_sequences=True)}
REPLICAS = 6


def _trainings(seed: int) -> Mapping[str, Training]:
    data = countdown(512, most=10, wait=5, seed=seed)
    options: dict[str, Any] = {
        "seed": seed,
        "optimizer": Adam(0.01),
        "clip": ClipNorm(1.0),
        "batch_size": 32,
        "epochs": 100,
        "replicas": REPLICAS,
        "evaluate_every": 5,
    }
    return {
        kind: Training(Sequential(layer, TimeDistributed(Dense(1)), Flatten()), data, **options)
        for kind, layer in KINDS.items()
    }


def rightly_timed(run: Run) -> Array:
    """The fraction of test sequences in which the largest output stands at the right step, for each replica: (replicas,)."""
    evaluation = run.evaluate("test")
    outputs, target = evaluation.scores.outputs, run.data.part("test").y
    return (outputs.argmax(axis=2) == target.argmax(axis=1)).mean(axis=1)


def largest_errors(run: Run) -> Array:
    """The mean over test sequences of the largest error at any step, for each replica: (replicas,)."""
    return np.abs(run.evaluate("test").errors()).max(axis=2).mean(axis=1)


def _conclude(runs: Runs, seed: int) -> Outcome:
    facts: list[Fact] = []
    errors = {kind: largest_errors(run) for kind, run in runs.items()}
    for kind, run in runs.items():
        shares = rightly_timed(run)
        gated = kind != "RNN"
        facts.append(_fact(f"{kind}: sequences whose zero is called at the right step", shares, least=0.95 if gated else None))
        facts.append(_fact(f"{kind}: largest error at any step", errors[kind], most=0.1 if gated else None))
    x, y = runs["LSTM"].data.train.x[0], runs["LSTM"].data.train.y[0]
    shown = pictures.memory_over_time(runs["LSTM"].model(), x, y, features=("the number, in tenths",))
    answers = pictures.answers_over_time(runs, x, y)
    return Outcome(_verdict(errors), tuple(facts), (answers, pictures.compare_runs(dict(runs), "loss"), shown))


def _fact(name: str, values: Array, least: float | None = None, most: float | None = None) -> Fact:
    source = "asked for" if least is not None or most is not None else ""
    return mean_fact(name, values, minimum=least, maximum=most, source=source)


def _verdict(errors: Mapping[str, Array]) -> str:
    found = {kind: mean_with_error(values) for kind, values in errors.items()}
    means, spreads = ({kind: pair[place] for kind, pair in found.items()} for place in (0, 1))
    apart = (means["RNN"] - means["LSTM"]) / float(np.hypot(spreads["RNN"], spreads["LSTM"]))
    told = (
        f"{means['RNN'] / means['LSTM']:.0f} times that of the LSTM, {apart:.1f} standard errors above it"
        if apart >= 2
        else "not to be told from that of the LSTM with so few networks"
    )
    return (
        f"The LSTM counts: its answer is never further from the truth than {means['LSTM']:.3f} on average, nor is the GRU's than "
        f"{means['GRU']:.3f}; the plain RNN's largest error, {means['RNN']:.2f}, is {told}."
    )


COUNTDOWN = LectureExample(
    "countdown",
    "Counting down: an answer at every step",
    "A number k from 1 to 10 is given once; k steps later the output must be 1, at all other steps 0. The network answers at every "
    "step and must count in between, with nothing to see. Sixteen units each, after F. Marquardt, Machine Learning for Physicists; "
    "an LSTM is known to learn this.",
    "116, 120, 135",
    _trainings,
    _conclude,
)
