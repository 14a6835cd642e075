"""L-BFGS in float64 for small fits on the full batch: a few hundred parameters, to the last digits.

Source: J. Nocedal, S. J. Wright, Numerical Optimization (2006), algorithms 7.4, 7.5 (two loops), 3.5 and 3.6 (strong Wolfe search).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from chainrule.checks import Count, Natural, NonNegative, checked
from chainrule.errors import NonFiniteError
from chainrule.graph import Array, Node
from chainrule.train.optimizers import Slots, Update

Objective: TypeAlias = "Callable[[Array], tuple[float, Array]]"
"""From a vector (n,) to the cost and its gradient (n,)."""

SUFFICIENT, CURVATURE = 1e-4, 0.9


@dataclass(frozen=True)
@checked
class LBFGS:
    """Second-order descent on the full batch in float64: each iteration is one epoch and one step.

    `memory`: the pairs of steps and gradient changes remembered; `iterations`: the most it takes; `tolerance`: the largest gradient
    entry at which it is done. A run that is gone on with starts from its last point with an empty memory.
    """

    memory: Count = 20
    iterations: Natural = 1000
    tolerance: NonNegative = 1e-9

    learning_rate = 1.0
    slots = ("gradient",)

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """The parameter stays and its gradient is kept: the search, not the graph, decides on the step."""
        return w, {"gradient": g}


@dataclass(frozen=True)
class Minimum:
    """Where it ended: the point, its cost, the largest gradient entry, the cost after each iteration, and why it ended."""

    point: Array
    cost: float
    slope: float
    costs: tuple[float, ...]
    reason: str


def minimise(
    objective: Objective,
    start: Array,
    settings: LBFGS | None = None,
    go_on: Callable[[int, float], bool] = lambda iteration, cost: True,
) -> Minimum:
    """The nearest minimum downhill; before each iteration it tells its number and the cost, and asks whether to go on.

    >>> rosenbrock = lambda x: (
    ...     float((1 - x[0])**2 + 100*(x[1] - x[0]**2)**2),
    ...     np.array([-2*(1 - x[0]) - 400*x[0]*(x[1] - x[0]**2), 200*(x[1] - x[0]**2)]),
    ... )
    >>> minimise(rosenbrock, np.array([-1.2, 1.0])).point.round(9)
    array([1., 1.])
    """
    settings = settings or LBFGS()
    point = np.array(start, dtype=np.float64)
    cost, gradient = objective(point)
    if not np.isfinite(cost):
        raise NonFiniteError(f"cost {cost} at the start", expected="a finite cost", remedy="begin with smaller weights")
    pairs: deque[tuple[Array, Array]] = deque(maxlen=settings.memory)
    costs = [cost]
    reason = "iterations used up"
    for iteration in range(settings.iterations):
        if not go_on(iteration, cost):
            reason = "interrupted"
            break
        if np.abs(gradient).max(initial=0.0) <= settings.tolerance:
            reason = "gradient small enough"
            break
        direction = _direction(gradient, pairs)
        length = 1.0 if pairs else min(1.0, 1.0 / max(float(np.abs(gradient).sum()), 1e-300))
        found = _search(objective, point, cost, gradient, direction, length)
        if found is None and pairs:
            pairs.clear()  # the remembered curvature misleads: once more, straight downhill
            continue
        if found is None:
            reason = "no lower cost to be found in double precision"
            break
        next_point, next_cost, next_gradient = found
        step, change = next_point - point, next_gradient - gradient
        if step @ change > 1e-10 * float(change @ change):
            pairs.append((step, change))
        point, cost, gradient = next_point, next_cost, next_gradient
        costs.append(cost)
    return Minimum(point, cost, float(np.abs(gradient).max(initial=0.0)), tuple(costs), reason)


def _direction(gradient: Array, pairs: deque[tuple[Array, Array]]) -> Array:
    """−H·g by the two loops over the remembered pairs."""
    q = gradient.copy()
    alphas: list[float] = []
    for s, y in reversed(pairs):
        alpha = float(s @ q) / float(s @ y)
        q -= alpha * y
        alphas.append(alpha)
    if pairs:
        s, y = pairs[-1]
        q *= float(s @ y) / float(y @ y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - float(y @ q) / float(s @ y)) * s
    return -q


Trial: TypeAlias = "tuple[float, float, float, Array, Array]"


def _search(
    objective: Objective, point: Array, cost: float, gradient: Array, direction: Array, length: float
) -> tuple[Array, float, Array] | None:
    """A step along the direction that meets the strong Wolfe conditions; None if there is none in double precision."""
    slope = float(gradient @ direction)
    if slope >= 0:
        return None

    def at(t: float) -> Trial:
        where = point + t * direction
        value, g = objective(where)
        return t, value if np.isfinite(value) else np.inf, float(g @ direction), where, g

    def low_enough(trial: Trial) -> bool:
        # Near the minimum costs agree to rounding and cannot be told apart; the gradient's size still can.
        level = trial[1] <= cost + 16 * np.finfo(float).eps * abs(cost) and float(trial[4] @ trial[4]) < float(
            gradient @ gradient
        )
        return trial[1] <= cost + SUFFICIENT * trial[0] * slope or level

    before: Trial = (0.0, cost, slope, point, gradient)
    trial = at(length)
    for _ in range(30):
        if not low_enough(trial):
            return _zoom(at, low_enough, before, trial, slope)
        if abs(trial[2]) <= -CURVATURE * slope:
            return trial[3], trial[1], trial[4]
        if trial[2] >= 0:
            return _zoom(at, low_enough, trial, before, slope)
        before, trial = trial, at(2.0 * trial[0])
    return before[3], before[1], before[4]


def _zoom(
    at: Callable[[float], Trial], low_enough: Callable[[Trial], bool], low: Trial, high: Trial, slope: float
) -> tuple[Array, float, Array] | None:
    """Narrows the interval between a good step and one that is too far, by parabolas kept away from the ends."""
    for _ in range(40):
        width = high[0] - low[0]
        bend = high[1] - low[1] - low[2] * width
        guess = -low[2] * width * width / (2.0 * bend) if np.isfinite(bend) and bend > 0 else 0.5 * width
        share = min(max(guess / width, 0.1), 0.9) if width else 0.5
        trial = at(low[0] + share * width)
        if not low_enough(trial):
            high = trial
        else:
            if abs(trial[2]) <= -CURVATURE * slope:
                return trial[3], trial[1], trial[4]
            if trial[2] * width >= 0:
                high = low
            low = trial
        if abs(high[0] - low[0]) <= 1e-16 * max(1.0, abs(low[0])):
            break
    return (low[3], low[1], low[4]) if low[0] > 0 else None
