"""A story, then a question about it: what a network must remember, and what the order of words is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import Dataset, Examples, story
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.nn import GRU, Dense, Sequential
from chainrule.train import Adam, ClipNorm, Cosine, Training
from chainrule.train.replicated import standard_error
from chainrule.views import pictures

STORIES, SENTENCES, UNITS, REPLICAS = 4000, 3, 24, 3
BAG, FORWARD, BACKWARD = "bag of words", "GRU, from the beginning", "GRU, from the question"


def _trainings(seed: int) -> Mapping[str, Training]:
    data = story(STORIES, sentences=SENTENCES, padding="after", seed=seed)
    options: dict[str, Any] = {
        "seed": seed, "optimizer": Adam(Cosine(0.01)), "clip": ClipNorm(1.0), "batch_size": 32, "epochs": 40, "replicas": REPLICAS,
        "evaluate_every": 2,
    }  # fmt: skip

    def reads(reverse: bool) -> Sequential:
        # Rows of zeros are padding.
        return Sequential(GRU(UNITS, padding=0.0, reverse=reverse), Dense(6, "softmax"))

    return {
        BAG: Training(Dense(6, "softmax"), _counted(data), **options),
        FORWARD: Training(reads(False), data, **options),
        BACKWARD: Training(reads(True), data, **options),
    }


def _counted(data: Dataset) -> Dataset:
    """The same stories as counts of their words, whose order is lost."""
    parts = [Examples(part.x.sum(axis=1, dtype=np.uint8), part.y) for part in (data.train, data.test or data.train)]
    return Dataset(
        "story, words counted", parts[0], test=parts[1], scaling=data.scaling, classes=data.classes,
        source=data.source, licence=data.licence,
    )  # fmt: skip


def _conclude(runs: Runs, seed: int) -> Outcome:
    scores = {name: run.evaluate("test").scores.values["accuracy"] for name, run in runs.items()}
    means = {name: float(found.mean()) for name, found in scores.items()}
    errors = {name: float(standard_error(found)) for name, found in scores.items()}
    classes = runs[BAG].dataset_info.classes or ()
    # The fraction of right answers of single networks on so many stories is itself known only so well.
    counted = 1 / (2 * np.sqrt(STORIES))
    facts = (
        Fact("accuracy by chance", 1 / len(classes)),
        Fact(f"accuracy of a {BAG}", means[BAG], max(errors[BAG], counted), maximum=0.8, source="it cannot know the order"),
        Fact(
            f"accuracy of a {FORWARD}", means[FORWARD], max(errors[FORWARD], counted), minimum=1 / len(classes), source="chance"
        ),
        Fact(f"accuracy of a {BACKWARD}", means[BACKWARD], max(errors[BACKWARD], counted), minimum=0.9, source="asked for"),
        _gain("gain of reading from the question over counting words", BACKWARD, BAG, means, errors),
        _gain("gain of reading from the beginning over counting words", FORWARD, BAG, means, errors, known=False),
    )
    return Outcome(
        _verdict(means, errors),
        facts,
        (pictures.compare_runs(dict(runs), "accuracy"), pictures.confusion_picture(runs[BACKWARD])),
    )


def _gain(
    name: str, one: str, other: str, means: Mapping[str, float], errors: Mapping[str, float], *, known: bool = True
) -> Fact:
    return Fact(name, means[one] - means[other], float(np.hypot(errors[one], errors[other])), minimum=0.05 if known else None)


def _verdict(means: Mapping[str, float], errors: Mapping[str, float]) -> str:
    apart = (means[FORWARD] - means[BAG]) / float(np.hypot(errors[FORWARD], errors[BAG]))
    forward = (
        f"it is {abs(apart):.0f} standard errors {'better' if apart > 0 else 'worse'} than counting words"
        if abs(apart) >= 2
        else "that and counting words cannot be told apart"
    )
    return (
        f"Reading from the question back to the beginning the network finds the room in {means[BACKWARD]:.1%} of stories that it never "
        f"saw; counting words without their order gives {means[BAG]:.1%}. Reading from the beginning it gets {means[FORWARD]:.1%}, "
        f"for it must remember every person until it knows which one is asked for: {forward}."
    )


STORY = LectureExample(
    "story",
    "A story, then a question about it",
    "Persons walk from room to room, and the last words ask where one of them is. The words come one at each time step; chance is one in "
    "six. Counting the words is the baseline that cannot know who went where last. One network reads from the "
    "beginning, the other from the question back, so that it knows what to listen for.",
    "64, 113, 116",
    _trainings,
    _conclude,
)
