"""How a training stands, in the words example, batch and epoch; and the callback that says so in lines."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Settings, TrainingProgress, with_error
from chainrule.views.plain import duration, printable, spaced

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 20
Parts: TypeAlias = Mapping[str, Mapping[str, Array]]


@immutable
class ProgressPlan:
    """How much there is to do: epochs, batches in each, their size and the number of training examples; and a title."""

    epochs: int
    batches: int
    batch_size: int
    examples: int
    title: str = ""

    @classmethod
    def of(cls, settings: Settings, examples: int) -> ProgressPlan:
        """The plan of a training by these settings."""
        search, batches = settings.optimizer.search, -(-examples // settings.batch_size)
        title = f"{search.title}: the search goes on until the gradient is 0; Ctrl-C ends it" if search else ""
        return cls(settings.epochs, batches, settings.batch_size, examples, title)


def position(plan: ProgressPlan, step: int) -> str:
    """Where a training stands after a number of steps.

    >>> position(ProgressPlan(5, 1875, 32, 60_000), 1935)
    'example 1 920 · batch 60 of 1 875 · epoch 2 of 5'
    """
    if step == 0:
        return f"before the first of {spaced(plan.epochs)} epochs"
    epoch, batch = (step - 1) // plan.batches + 1, (step - 1) % plan.batches + 1
    example = min(batch * plan.batch_size, plan.examples)
    return (
        f"example {spaced(example)} · batch {spaced(batch)} of {spaced(plan.batches)} · epoch {spaced(epoch)} of {plan.epochs}"
    )


def scores_text(parts: Parts) -> str:
    """Loss, and accuracy where there is one, of each part; several replicas as mean ± standard error.

    >>> scores_text({"test": {"loss": np.array([0.25]), "accuracy": np.array([0.93])}})
    'test loss 0.25, accuracy 0.93'
    """
    return " · ".join(
        f"{part} " + ", ".join(f"{name} {with_error(scores[name])}" for name in ("loss", "accuracy") if name in scores)
        for part, scores in parts.items()
    )


def epoch_text(moment: TrainingProgress, plan: ProgressPlan) -> str:
    """One line for the end of an epoch."""
    width = len(str(plan.epochs))
    return f"epoch {moment.epoch:>{width}} of {plan.epochs}: {scores_text(moment.scores)} · {duration(moment.seconds)}"


def epoch_columns(moment: TrainingProgress, plan: ProgressPlan, width: int) -> tuple[str, str]:
    """The head and the row of a table of epochs, a line each.

    On a narrow screen the errors of several replicas are left out, then all parts but the last.
    """
    parts = list(moment.scores.items())
    cells, widths = [("", "")], [0]
    for with_errors, shown in ((True, parts), (False, parts), (False, parts[-1:])):
        cells = [("epoch", f"{moment.epoch:>{len(str(plan.epochs))}} of {plan.epochs}")]
        for part, scores in shown:
            cells += [(_head(part, name), _value(scores[name], with_errors)) for name in ("loss", "accuracy") if name in scores]
        cells.append(("time", duration(moment.seconds)))
        # Wide enough for any later row: an error has two digits, a mean four.
        widths = [max(len(head), len(value), 15 if "±" in value else 6) for head, value in cells]
        if sum(widths) + 2 * len(widths) <= width:
            break
    head, row = ("  ".join(f"{cell[i]:<{wide}}" for cell, wide in zip(cells, widths, strict=True)).rstrip() for i in (0, 1))
    return head, row


def _head(part: str, name: str) -> str:
    return f"{part} loss" if name == "loss" else name


def _value(values: Array, with_errors: bool) -> str:
    return with_error(values) if with_errors and len(values) > 1 else numeral(float(np.mean(values)))


def state_text(moment: TrainingProgress) -> str:
    """The loss of the last step, the newest accuracy and the time that was spent on training."""
    return f"loss {numeral(moment.loss)}{_accuracy(moment.scores)} · {duration(moment.seconds)}"


def time_left(moment: TrainingProgress) -> str:
    """How long the rest will take, if it goes on so; "" before the first step and after the last."""
    left = moment.steps - moment.step
    return f"about {duration(moment.seconds * left / moment.step)} left" if moment.step and left else ""


def _accuracy(parts: Parts) -> str:
    """The newest accuracy of the part that tells most."""
    for part in ("validation", "test", "training"):
        if "accuracy" in parts.get(part, {}):
            return f" · {printable(part)} accuracy {numeral(float(np.mean(parts[part]['accuracy'])))}"
    return ""


class EpochLines:
    """A callback that prints a line for each evaluated epoch: for logs, pipes and terminals without colour."""

    def __init__(self, console: Console, plan: ProgressPlan) -> None:
        self.console, self.plan = console, plan
        self._told: Parts | None = None
        self._row = 0

    def __enter__(self) -> EpochLines:
        """Nothing is to be prepared."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is to be put away."""

    def __call__(self, moment: TrainingProgress) -> None:
        """Prints where the epoch brought new scores."""
        if self.is_new(moment):
            self.console.print(epoch_text(moment, self.plan), soft_wrap=True, markup=False, highlight=False)

    def is_new(self, moment: TrainingProgress) -> bool:
        """Whether these scores were not told before."""
        # L-BFGS tells of its end alone; elsewhere the end repeats the last epoch, and a step shows the scores of an older one.
        if moment.kind == "steps" or not moment.scores or moment.scores is self._told:
            return False
        first = self._told is None
        self._told = moment.scores
        return moment.kind == "epoch" or first

    def is_row(self, moment: TrainingProgress) -> bool:
        """Whether these scores are new and one of about 20 that a person wants to see of many."""
        every = -(-self.plan.epochs // MOST_ROWS)
        last = moment.step == moment.steps or moment.kind == "end"
        if not self.is_new(moment) or not (moment.epoch >= self._row + every or last):
            return False
        self._row = moment.epoch
        return True
