"""Learning rates that change over the run: a number for each step, known before the run begins."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Protocol

import numpy as np

from chainrule.checks import Count, Interval, NonNegative, Positive, checked
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.graph import Array


class Schedule(Protocol):
    """Gives each step its learning rate."""

    def __call__(self, steps: Array, total: int) -> Array:
        """The rates of these steps (counted from 0, float64) in a run of `total` steps."""
        ...


@described
class ConstantRate(Shown):
    """The same rate at every step.

    >>> ConstantRate(0.1)(np.arange(3.0), 3)
    array([0.1, 0.1, 0.1])
    """

    rate: Positive

    def __call__(self, steps: Array, total: int) -> Array:
        """The rate, repeated."""
        return np.full(steps.shape, self.rate)


@described
class StepDecay(Shown):
    """The rate is multiplied by `factor` after every `every` steps."""

    rate: Positive
    every: Count
    factor: Annotated[float, Interval(above=0, most=1)] = 0.1

    def __call__(self, steps: Array, total: int) -> Array:
        """rate·factor^⌊step/every⌋."""
        return self.rate * self.factor ** np.floor(steps / self.every)


@described
class MultiStepDecay(Shown):
    """A rate, or what another schedule gives, multiplied by `factor` once more from each of these `steps` on.

    `ReduceOnPlateau` writes down in it what it did, so that the training can be done again.

    >>> MultiStepDecay(1.0, (1, 3), 0.5)(np.arange(4.0), 4)
    array([1.  , 0.5 , 0.5 , 0.25])
    """

    rate: Positive | Schedule
    steps: tuple[Count, ...]
    factor: Annotated[float, Interval(above=0, most=1)] = 0.1

    def __call__(self, steps: Array, total: int) -> Array:
        """rate·factor^(how many of `steps` have come)."""
        return as_schedule(self.rate)(steps, total) * self.factor ** np.searchsorted(np.sort(self.steps), steps, side="right")

    def lowered(self, step: int) -> MultiStepDecay:
        """The same, lowered once more from this step on."""
        return replace(self, steps=(*self.steps, step))


@described
class Cosine(Shown):
    """From `rate` to `final` along half a cosine over the whole run. Source: I. Loshchilov, F. Hutter, ICLR (2017), eq. 5."""

    rate: Positive
    final: NonNegative = 0.0

    def __call__(self, steps: Array, total: int) -> Array:
        """final + (rate − final)·½·(1 + cos(π·step/total))."""
        return self.final + (self.rate - self.final) * 0.5 * (1.0 + np.cos(math.pi * steps / max(total, 1)))


@described
class InverseSquareRoot(Shown):
    """The rate falls as one over the root of the steps. It needs no end: a longer run begins as a shorter one.

    Source: D. Kingma, J. Ba, ICLR (2015), theorem 4.1: with rates α/√t Adam's regret stays within O(√t) for convex costs.

    >>> InverseSquareRoot(0.003, steps=100)(np.array([0.0, 300.0]), 1000)
    array([0.003 , 0.0015])
    """

    rate: Positive
    steps: Count = 100

    def __call__(self, steps: Array, total: int) -> Array:
        """rate/√(1 + step/steps)."""
        return self.rate / np.sqrt(1.0 + steps / self.steps)


@described
class InverseScaling(Shown):
    """rate/(1 + examples seen)^power, the rate itself in the first epoch: it falls from epoch to epoch, as scikit-learn's "invscaling".

    `examples`: how many an epoch has, in `steps_per_epoch` steps.

    >>> InverseScaling(0.1, steps_per_epoch=2, examples=99)(np.arange(4.0), 4)
    array([0.1 , 0.1 , 0.01, 0.01])
    """

    rate: Positive
    steps_per_epoch: Count
    examples: Count
    power: NonNegative = 0.5

    def __call__(self, steps: Array, total: int) -> Array:
        """The rates, by the epochs that lie before each step."""
        with np.errstate(over="ignore"):  # what is divided by infinity is 0
            return self.rate / (1.0 + np.floor(steps / self.steps_per_epoch) * float(self.examples)) ** self.power


@described
class WarmUp(Shown):
    """A rise in equal parts over the first `steps` steps, then a constant rate, or a schedule that counts from the rise's end."""

    steps: Count
    then: Positive | Schedule

    def __call__(self, steps: Array, total: int) -> Array:
        """(step + 1)/steps of the first rate of `then` while rising, `then` afterwards."""
        rising = (steps + 1.0) / self.steps
        late = as_schedule(self.then)(np.maximum(steps - self.steps, 0.0), max(total - self.steps, 1))
        return np.where(steps < self.steps, rising, 1.0) * late


@checked
def as_schedule(rate: Positive | Schedule) -> Schedule:
    """A plain number as a constant rate."""
    return ConstantRate(float(rate)) if isinstance(rate, int | float) else rate
