"""The perceptron algorithm on sentences: counts of words in, praise or complaint out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import Dataset, opinions
from chainrule.data.language import BAD, GOOD
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import Dense, Sequential, Zeros
from chainrule.train import PerceptronRule, Training
from chainrule.views import pictures

SENTENCES, ORDERS = 400, 8
"""How many sentences it learns from, and in how many orders: one to a replica."""


def _trainings(seed: int) -> Mapping[str, Training]:
    # From weights of zero, as the theorem asks; the replicas then differ only in the order of the sentences.
    net = Sequential(Dense(1, "step", weights=Zeros()))
    options: dict[str, Any] = {
        "seed": seed,
        "optimizer": PerceptronRule(),
        "batch_size": 1,
        "epochs": 60,
        "replicas": ORDERS,
        "evaluate_every": 5,
    }
    return {"perceptron": Training(net, opinions(SENTENCES, seed=seed), **options)}


def _conclude(runs: Runs, seed: int) -> Outcome:
    run = runs["perceptron"]
    wrong: Array = run.history.steps()  # (replicas, steps); the loss of a step is 1 for a mistake, else 0
    mistakes = wrong.sum(axis=1)
    last = wrong[:, -len(run.data.train) :].sum()
    size, margin = float(np.linalg.norm(_inputs(run.data), axis=1).max()), known_margin(run.data)
    bound = (size / margin) ** 2
    scores = run.evaluate("test").scores.values["accuracy"]
    weights = pictures.word_weights(run)
    signs = _signs(run.parameters()["dense1.W"][:, 0], run.data)
    facts = (
        Fact("most mistakes on the way, of 8 orders", float(mistakes.max()), maximum=bound, source="(R/γ)², Novikoff 1962"),
        mean_fact("mistakes on the way", mistakes),
        Fact("mistakes in the last epoch", float(last), reference=0.0, source="the classes are separable"),
        Fact("longest sentence, R", size),
        Fact(
            "margin of the known weights, γ",
            margin,
            reference=1 / np.sqrt(len(GOOD) + len(BAD)),
            tolerance=1e-12,
            source="by construction",
        ),
        Fact("test accuracy", float(scores.mean()), _accuracy_error(scores, run.data), minimum=0.9, source="asked for"),
        Fact("judging words with the right sign, of 16", float(signs), reference=16.0, source="the sentences' own law"),
    )
    verdict = (
        f"In none of {ORDERS} orders did the perceptron make more than {mistakes.max():.0f} mistakes before it made none; Novikoff's "
        f"theorem allows {bound:.0f}. Of sentences that it never saw it reads {facts[5].measured} rightly, and {signs} of 16 judging words "
        "have the sign that they should have."
    )
    return Outcome(verdict, facts, (weights, pictures.learning_curves(run)))


def _inputs(data: Dataset) -> Array:
    """The inputs (n, words + 1) with the 1 that the bias weighs."""
    return np.column_stack([data.train.x.astype(np.float64), np.ones(len(data.train))])


def known_margin(data: Dataset) -> float:
    """The least distance of a sentence from the plane of the known weights: 1 for good words, −1 for bad ones, 0 else."""
    names = data.features or ()
    weights = np.array([*((name in GOOD) - (name in BAD) for name in names), 0], dtype=np.float64)
    sides = 2 * data.train.y - 1
    return float(np.min(sides * (_inputs(data) @ weights)) / np.linalg.norm(weights))


def _accuracy_error(scores: Array, data: Dataset) -> float:
    """The binomial error of one replica: all are judged by the same sentences, whose luck the mean over replicas does not lessen."""
    share, count = float(scores.mean()), len(data.part("test"))
    return float(np.sqrt(share * (1 - share) / count))


def _signs(weights: Array, data: Dataset) -> int:
    by_name = dict(zip(data.features or (), weights.tolist(), strict=True))
    return sum(by_name[word] > 0 for word in GOOD) + sum(by_name[word] < 0 for word in BAD)


PERCEPTRON_TEXT = LectureExample(
    "perceptron-text",
    "The perceptron algorithm reads opinions",
    "Can the oldest learning rule tell praise from complaint? Sentences are counts of 37 words; after each mistake, and only then, the "
    "weights of the words in it move by one. Since there are weights that separate the two classes with a known margin γ, the number "
    "of mistakes is bounded: at most (R/γ)², with R the length of the longest input (A. B. J. Novikoff, 1962).",
    "61, 69",
    _trainings,
    _conclude,
)
