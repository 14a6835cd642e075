"""Learning rates that change over the run: a number for each step, known before the run begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array


class Schedule(Protocol):
    """Gives each step its learning rate."""

    def __call__(self, steps: Array, total: int) -> Array:
        """The rates of these steps (counted from 0, float64) in a run of `total` steps."""
        ...


def _require_rate(rate: float) -> None:
    if not (math.isfinite(rate) and rate > 0):
        raise OptionError(f"learning rate {rate}", expected="a finite number above 0", remedy="try 0.1 for SGD, 0.001 for Adam")


@dataclass(frozen=True)
class ConstantRate:
    """The same rate at every step.

    >>> ConstantRate(0.1)(np.arange(3.0), 3)
    array([0.1, 0.1, 0.1])
    """

    rate: float

    def __post_init__(self) -> None:
        _require_rate(self.rate)

    def __call__(self, steps: Array, total: int) -> Array:
        """The rate, repeated."""
        return np.full(steps.shape, self.rate)


@dataclass(frozen=True)
class StepDecay:
    """The rate is multiplied by `factor` after every `every` steps."""

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _require_rate(self.rate)
        if self.every < 1 or not self.factor > 0:
            raise OptionError(
                f"every={self.every}, factor={self.factor}", expected="every >= 1, factor > 0", remedy="mend them"
            )

    def __call__(self, steps: Array, total: int) -> Array:
        """rate·factor^⌊step/every⌋."""
        return self.rate * self.factor ** np.floor(steps / self.every)


@dataclass(frozen=True)
class Cosine:
    """From `rate` to `final` along half a cosine over the whole run. Source: I. Loshchilov, F. Hutter, ICLR (2017), eq. 5."""

    rate: float
    final: float = 0.0

    def __post_init__(self) -> None:
        _require_rate(self.rate)

    def __call__(self, steps: Array, total: int) -> Array:
        """final + (rate − final)·½·(1 + cos(π·step/total))."""
        return self.final + (self.rate - self.final) * 0.5 * (1.0 + np.cos(math.pi * steps / max(total, 1)))


@dataclass(frozen=True)
class WarmUp:
    """A rise in equal parts over the first `steps` steps, then another schedule, which counts from the rise's end."""

    steps: int
    then: Schedule

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise OptionError(f"warm-up over {self.steps} steps", expected="1 or more", remedy="leave WarmUp out")

    def __call__(self, steps: Array, total: int) -> Array:
        """(step + 1)/steps of the first rate of `then` while rising, `then` afterwards."""
        rising = (steps + 1.0) / self.steps
        late = self.then(np.maximum(steps - self.steps, 0.0), max(total - self.steps, 1))
        return np.where(steps < self.steps, rising, 1.0) * late


def as_schedule(rate: float | Schedule) -> Schedule:
    """A plain number as a constant rate."""
    return ConstantRate(float(rate)) if isinstance(rate, int | float) else rate
