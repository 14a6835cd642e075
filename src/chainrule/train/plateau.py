"""A learning rate that falls when a training gets no better."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from chainrule.checks import Count, Interval, NonNegative, checked
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.train.trainer import Trainer, TrainingProgress


@dataclass(eq=False)
@checked
class ReduceOnPlateau(Shown):
    """A callback: the learning rate times `factor` when the loss has not fallen by more than `min_delta` for `patience` evaluations.

    It looks at the loss of the validation part, or of the training part where there is none, whenever the curves are taken. `least`: below
    this the rate does not go. What was done stands in the run's settings as a `MultiStepDecay`, so that `run.at`, ledgers, branches and
    the run's folder know of it. Raises: OptionError with several replicas, which have one rate, and with methods that find their own steps.

    >>> import chainrule as cr
    >>> slower = cr.ReduceOnPlateau(factor=0.5, patience=1, min_delta=10.0)
    >>> cr.fit("2-4-2 tanh", "moons", optimizer=cr.SGD(0.1), epochs=4, callbacks=slower).settings.optimizer
    SGD(MultiStepDecay(0.1, (14, 21), factor=0.5))
    """

    factor: Annotated[float, Interval(above=0, below=1)] = 0.1
    patience: Count = 10
    min_delta: NonNegative = 1e-4
    least: NonNegative = 0.0
    best: float = field(default=math.inf, init=False, repr=False)
    waited: int = field(default=0, init=False, repr=False)

    def __enter__(self) -> ReduceOnPlateau:
        self.best, self.waited = math.inf, 0
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left open."""

    def __call__(self, progress: TrainingProgress) -> None:
        """Looks at the newest curves; lowers the rate where they have been flat for long."""
        trainer = progress.trainer
        if trainer is None or progress.kind == "end":
            return
        _require_one_rate(trainer)
        if progress.kind != "epoch" or progress.step == progress.steps:
            return
        loss = float(progress.scores.get("validation", progress.scores["training"])["loss"].mean())
        better = loss < self.best - self.min_delta
        self.best, self.waited = (loss, 0) if better else (self.best, self.waited + 1)
        rate = float(trainer.rates(np.array([trainer.step]))[0])
        if self.waited >= self.patience and rate * self.factor >= self.least:
            trainer.lower_rate(self.factor)
            self.waited = 0


def _require_one_rate(trainer: Trainer) -> None:
    settings = trainer.settings
    if settings.replicas > 1 or settings.optimizer.search:
        raise OptionError(
            f"ReduceOnPlateau with {f'replicas={settings.replicas}' if settings.replicas > 1 else settings.optimizer}",
            expected="one network, whose loss decides its rate, and an optimizer with a learning rate",
            remedy="train the replicas one by one, or take a schedule: SGD(Cosine(0.1))",
        )
