"""Methods that look at all examples at once and find the size of their steps themselves: what they have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from chainrule.errors import NonFiniteError
from chainrule.graph import Array, Node
from chainrule.train.optimizer import CostFunction, Optimizer, Progress, Slots, Update

INTERRUPTED = "interrupted"
USED_UP = "iterations used up"


class FullBatch(Optimizer):
    """An optimizer that takes the full batch in float64; each of its iterations is one epoch and one step."""

    title: ClassVar[str]
    iterations: int
    slots = ("gradient",)
    learning_rate = 1.0
    """The search finds how long a step is."""

    @property
    def search(self) -> FullBatch:
        """Itself."""
        return self

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """The parameter stays and its gradient is kept: the search, not the graph, decides on the step."""
        return w, {"gradient": g}

    @property
    @abstractmethod
    def formulas(self) -> tuple[str, ...]:
        """How it searches: that is no graph."""

    @abstractmethod
    def descend(self, problem: CostFunction, start: Array) -> Iterator[Progress]:
        """See `Search.descend`."""


def require_finite(cost: float) -> None:
    """Refuses a start without a finite cost."""
    if not np.isfinite(cost):
        raise NonFiniteError(f"cost {cost} at the start", expected="a finite cost", remedy="begin with smaller weights")


def largest(array: Array) -> float:
    """The size of the largest entry, 0 of none."""
    return float(np.max(np.abs(array), initial=0.0))
