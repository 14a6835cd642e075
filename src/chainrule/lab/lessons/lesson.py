"""What a lesson is: steps, each a session to stand in, a question, and an answer that the library computes when somebody has guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal, TypeAlias

import numpy as np

from chainrule.data import Dataset, from_arrays
from chainrule.display import Shown
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.lab.contrast import contrast
from chainrule.lab.session import Session
from chainrule.train import Model, Run, Training
from chainrule.train.replicated import compare, measured, plus_minus
from chainrule.views.view import View

REPLICAS = 8
"""Networks to each arm of an experiment."""
NEITHER = "They cannot be told apart."
VERDICTS = (
    "The claim held.",
    "The claim did not hold: it is the other way round.",
    f"The claim did not hold: with {REPLICAS} networks each, the two cannot be told apart.",
)


@immutable
class Answer(Shown):
    """What the library found: `value`, the number, or which of the choices is right; `numbers`, what stands in the places of `Step.told`.

    verdict: what became of a claim, one of `VERDICTS`; "" where none was made. view: a picture of it.
    """

    value: float
    numbers: Mapping[str, float | str] = field(default_factory=dict[str, "float | str"])
    verdict: str = ""
    view: View | None = None


@immutable
class Step(Shown):
    """One question. All texts are English sentences, which a page translates; `told` has places in braces for the answer's numbers.

    training, done: where the session stands while it is asked, so many steps into this training. answer: computed from such a session.
    choices: what can be guessed; none where a number is asked, which is right where it lies `within` so much of the answer.
    screen, look: on which screen it can be seen, and what to do there.
    """

    title: str
    text: str
    question: str
    training: Callable[[], Training]
    answer: Callable[[Session], Answer]
    told: str
    choices: tuple[str, ...] = ()
    within: float = 0.0
    screen: str = "bench"
    look: str = ""
    done: int = 0

    def session(self) -> Session:
        """A new session that stands where the question is asked."""
        made = Session(self.training())
        made.forward(self.done)
        return made

    def is_right(self, guess: float, answer: Answer) -> bool:
        """Whether a guess, a number or the place of a choice, is the answer."""
        return abs(guess - answer.value) <= self.within


@immutable
class Lesson(Shown):
    """A lecture as a tour. source: which lecture it is."""

    name: str
    title: str
    source: str
    steps: tuple[Step, ...]


# ---- experiments

Arm: TypeAlias = tuple[str, Callable[[], Training]]
"""A training by its name."""


def experiment(
    title: str,
    text: str,
    first: Arm,
    second: Arm,
    *,
    score: Literal["accuracy", "loss"] = "accuracy",
    look: str = "",
) -> Step:
    """A step that trains both arms with the same seeds; the claim is that the first one does better on the test part.

    Each arm becomes `REPLICAS` networks; the pairs of one seed are compared by Student's test at 5 %.
    """

    def answer(_: Session) -> Answer:
        values = [_scores(arm(), score) for _, arm in (first, second)]
        found = compare(*values, paired=True)
        best = 2 if not found.told_apart else int((found.verdict == "larger") == (score == "loss"))
        one, other = (str(measured(each)) for each in values)
        numbers = {"first": first[0], "second": second[0], "one": one, "other": other}
        return Answer(
            best,
            {**numbers, "difference": plus_minus(found.difference, found.error)},
            VERDICTS[best],
            contrast(f"test {score}", {first[0]: values[0], second[0]: values[1]}),
        )

    return Step(
        title, text, f"Which has the better test {score}, the mean of {REPLICAS} networks each?", first[1], answer,
        "{first}: {one}. {second}: {other}. The difference, seed by seed, is {difference}.", (first[0], second[0], NEITHER), look=look,
    )  # fmt: skip


def _scores(training: Training, score: str) -> Array:
    run = training.changed(replicas=REPLICAS, evaluate_every=0).fit()
    return np.asarray(run.evaluate("test").scores.values[score], np.float64)


# ---- what lessons are written with


def model_of(session: Session) -> Model:
    """The network with the numbers that the session has."""
    return Run(session.trainer).model()


def quantity(session: Session, name: str, x: Any) -> Array:
    """A quantity of the session's network for inputs x (n, ...)."""
    return model_of(session).quantities(np.asarray(x, dtype=np.float64), {name})[name]


def points(x: Any, y: Any, name: str, **options: Any) -> Dataset:
    """A few examples as they are: neither split nor scaled."""
    return from_arrays(np.asarray(x, np.float64), np.asarray(y), split=None, scaling="none", name=name, **options)


def by_hand(network: Any, data: Dataset, values: Mapping[str, Any], **options: Any) -> Training:
    """A training whose first numbers are given."""
    return Training(
        network,
        data,
        initial={name: np.asarray(value, np.float64) for name, value in values.items()},
        dtype="float64",
        **options,
    )
