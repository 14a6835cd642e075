"""A small convolutional network on the handwritten digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.data import mnist
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.nn import Conv2D, Dense, Flatten, MaxPool, Reshape, Sequential
from chainrule.train import Adam, Cosine, Training
from chainrule.views import pictures


def _trainings(seed: int) -> Mapping[str, Training]:
    net = Sequential(
        Reshape((28, 28, 1)), Conv2D(16, 5, activation="relu"), MaxPool(2), Conv2D(32, 5, activation="relu"), MaxPool(2),
        Flatten(), Dense(10, "softmax"),
    )  # fmt: skip
    options: dict[str, Any] = {"seed": seed, "optimizer": Adam(Cosine(0.003)), "batch_size": 64, "epochs": 3}
    return {"convolutional": Training(net, mnist(), **options)}


def _conclude(runs: Runs, seed: int) -> Outcome:
    run = runs["convolutional"]
    score = run.evaluate("test").accuracy()
    share, count, error = score.value, score.total, score.error
    fact = Fact("test accuracy", share, error, minimum=0.988, source="asked for")
    verdict = f"After three epochs {share:.2%} of {count} digits that it never saw are read rightly."
    drawn = (
        pictures.learning_curves(run),
        pictures.kernels(run, "conv1"),
        pictures.feature_maps(run, run.data.part("test")[7]),
        pictures.worst_mistakes(run),
    )
    return Outcome(verdict, (fact,), drawn)


CONVOLUTION = LectureExample(
    "convolution",
    "A convolutional network reads digits",
    "Does it help to look at a picture through small windows that are the same everywhere? Two convolutions with pools and one dense "
    "layer, three epochs of MNIST.",
    "132",
    _trainings,
    _conclude,
)
