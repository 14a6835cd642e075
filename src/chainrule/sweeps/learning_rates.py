"""The learning-rate finder: the loss along a short training whose rate rises from far too small to far too large."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any, TypeAlias

import numpy as np

from chainrule import display
from chainrule.checks import LARGE, Count, Interval, Positive, checked
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import NonFiniteError, OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Training

Steps: TypeAlias = Annotated[int, Interval(least=2, most=LARGE)]
"""A step at each end of the rates, or more."""
SMOOTH = 0.9
"""How much of the smoothed loss is kept at each step."""
TOO_LARGE = 4.0
"""The smoothed loss, over its least value, at which the rate counts as too large."""


@described
class Rising(Shown):
    """A rate that rises from `low` to `high` over `steps` steps, by the same factor at each.

    >>> Rising(0.01, 1.0, 3)(np.arange(3.0), 3)
    array([0.01, 0.1 , 1.  ])
    """

    low: Positive
    high: Positive
    steps: Count

    def __call__(self, steps: Array, total: int) -> Array:
        """low·(high/low)^(step/(steps − 1))."""
        return self.low * (self.high / self.low) ** np.minimum(steps / max(1, self.steps - 1), 1.0)


@immutable(eq=False)
class LearningRates(Shown):
    """Rates (n,) that rose from step to step, and the loss of each step's batch before it: (replicas, n)."""

    rates: Array
    losses: Array

    @cached_property
    def smoothed(self) -> Array:
        """The mean loss of the replicas, as a running mean that forgets: (n,)."""
        found, total = np.empty(len(self.rates)), 0.0
        for step, loss in enumerate(self.losses.mean(axis=0)):
            total = SMOOTH * total + (1 - SMOOTH) * float(loss)
            found[step] = total / (1 - SMOOTH ** (step + 1))
        return found

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss was least: from here on it is too large."""
        return float(self.rates[int(np.argmin(self.smoothed))])

    @property
    def rate(self) -> float:
        """What to begin with: a tenth of the rate at which the smoothed loss was least, to one digit."""
        return float(f"{self.lowest / 10:.0e}")

    def plot(self, ax: Any = None) -> Any:
        """The loss over the rate, drawn into matplotlib's Axes: those given, or those of a new figure. Gives the Axes."""
        return display.ask(display.plot, self, ax)

    def __str__(self) -> str:
        count = len(self.losses)
        falls = ", and it still fell: write a larger high=" if self.lowest == self.rates[-1] else ""
        return (
            f"begin with a learning rate of about {self.rate:g}: "
            f"a tenth of {numeral(self.lowest, 2)}, at which the loss was least{falls}\n"
            f"{len(self.rates)} steps from {self.rates[0]:.1e} to {self.rates[-1]:.1e}, {count} replica{'s' * (count != 1)}"
        )

    def __repr__(self) -> str:
        return f"<LearningRates: begin with {self.rate:g}>"


@checked
def find_learning_rate(
    training: Training, *, low: Positive = 1e-6, high: Positive = 10.0, steps: Steps = 200, replicas: Count = 4
) -> LearningRates:
    """Where the learning rate of a training may lie: `steps` steps at rates from `low` to `high`, each by the same factor larger.

    It ends where numbers become infinite, or the loss is four times the least. Nothing of the training is kept.
    Raises: OptionError for an optimizer that finds its own steps, low ≥ high, or rates at none of which the loss fell.
    Source: L. N. Smith, WACV, 464 (2017).

    >>> import chainrule as cr
    >>> found = find_learning_rate(cr.Training("2-8-2 tanh softmax", cr.data.moons(100), batch_size=10))
    >>> 0.001 < found.rate < 10
    True
    """
    if low >= high:
        raise OptionError(f"rates from {low} to {high}", expected="low < high", remedy="write low=1e-6, high=10.0")
    if training.settings.optimizer.search is not None:
        raise OptionError(
            f"a learning rate for {training.settings.optimizer!r}, which searches for the size of each step",
            expected="an optimizer that takes steps by a rate",
            remedy='choose one: training.changed(optimizer="adam", batch_size=None)',
        )
    per_epoch = -(-training.dataset.info.parts["training"] // training.settings.batch_size)
    options = {"replicas": replicas, "epochs": -(-steps // per_epoch), "early_stopping": None, "evaluate_every": 0}
    rising = training.changed(**options, **{"optimizer.learning_rate": Rising(low, high, steps)})
    trainer = rising.trainer()
    with suppress(NonFiniteError):  # the rate that did it is the answer's end
        trainer.train_until(min(steps, trainer.steps))
    if trainer.step < 2:
        raise OptionError(f"a loss that is infinite at a rate of {low}", expected="a finite one", remedy="write a smaller low=")
    losses = trainer.history.steps()[:, : trainer.step].astype(np.float64)
    found = LearningRates(trainer.rates(np.arange(trainer.step)), losses)
    after = np.flatnonzero(found.smoothed > TOO_LARGE * np.minimum.accumulate(found.smoothed))
    end = int(after[0]) + 1 if len(after) and after[0] else len(found.rates)
    found = LearningRates(found.rates[:end], found.losses[:, :end])
    if found.lowest == found.rates[0]:
        raise OptionError(
            f"a loss that fell at none of {end} rates from {numeral(low, 2)} to {numeral(float(found.rates[-1]), 2)}",
            expected="rates from too small to too large, and steps enough to see it fall",
            remedy="write more steps=, or a smaller low=",
        )
    return found
