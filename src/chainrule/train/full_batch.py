"""Methods that look at all examples at once and find the size of their steps themselves: what they have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from chainrule.display import Shown
from chainrule.errors import NonFiniteError
from chainrule.graph import Array, Node
from chainrule.train.optimizers import Slots, Update

INTERRUPTED = "interrupted"
USED_UP = "iterations used up"


@dataclass(frozen=True)
class Progress(Shown):
    """Where a method is after an iteration: the point (n,), its cost, the largest gradient entry, and why it ends there, if it does."""

    point: Array
    cost: float
    slope: float
    reason: str = ""


class Problem(Protocol):
    """A cost as a function of one vector (n,) of all parameters."""

    @property
    def units(self) -> Array:
        """The usual size of each variable, (n,): in these units all are of the size 1."""
        ...

    def cost_and_gradient(self, point: Array) -> tuple[float, Array]:
        """The cost, and its gradient (n,)."""
        ...

    def residuals(self, point: Array) -> Array:
        """Numbers (m,) the sum of whose squares is the cost. Raises: OptionError for a cost that is no such sum."""
        ...

    def jacobian(self, point: Array) -> Array:
        """∂residuals/∂point, (m, n)."""
        ...


class FullBatch(Shown, ABC):
    """An optimizer that takes the full batch in float64; each of its iterations is one epoch and one step."""

    title: ClassVar[str]
    iterations: int

    @property
    def learning_rate(self) -> float:
        """1: the search finds how long a step is."""
        return 1.0

    @property
    def slots(self) -> tuple[str, ...]:
        """What the loop hands over: the gradient."""
        return ("gradient",)

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """The parameter stays and its gradient is kept: the search, not the graph, decides on the step."""
        return w, {"gradient": g}

    @abstractmethod
    def descend(self, problem: Problem, start: Array) -> Iterator[Progress]:
        """The start, and then where each iteration leads; the last one has a reason, and no more than `iterations` follow the start."""


def require_finite(cost: float) -> None:
    """Refuses a start without a finite cost."""
    if not np.isfinite(cost):
        raise NonFiniteError(f"cost {cost} at the start", expected="a finite cost", remedy="begin with smaller weights")


def largest(array: Array) -> float:
    """The size of the largest entry, 0 of none."""
    return float(np.max(np.abs(array), initial=0.0))
