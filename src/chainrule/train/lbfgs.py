"""L-BFGS in float64 for small fits on the full batch: a few hundred parameters, to the last digits.

Source: J. Nocedal, S. J. Wright, Numerical Optimization (2006), algorithms 7.4, 7.5 (two loops), 3.5 and 3.6 (strong Wolfe search).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar, TypeAlias

import numpy as np

from chainrule.checks import Count, Natural, NonNegative
from chainrule.descriptions import described
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train.full_batch import INTERRUPTED, USED_UP, FullBatch, largest, require_finite
from chainrule.train.optimizer import CostFunction, Progress

Objective: TypeAlias = "Callable[[Array], tuple[float, Array]]"
"""From a vector (n,) to the cost and its gradient (n,)."""

SUFFICIENT, CURVATURE = 1e-4, 0.9


@described
class LBFGS(FullBatch):
    """Second-order descent on the full batch in float64: each iteration is one epoch and one step.

    `memory`: the pairs of steps and gradient changes remembered; `iterations`: the most it takes. It is done where no gradient entry, in
    units of its variable, is larger than `tolerance` times the cost, or than `gradient_tolerance`. It is also done where the cost no longer
    falls, or is 0 beside what it was at first. A run that is gone on with starts from its last point with an empty memory. Layers that draw
    by chance or keep running statistics are refused: the cost has to be a function of the weights alone.
    """

    memory: Count = 20
    iterations: Natural = 1000
    tolerance: NonNegative = 1e-9
    gradient_tolerance: NonNegative = 0.0
    title: ClassVar[str] = "L-BFGS"

    @property
    def formulas(self) -> tuple[str, ...]:
        """How it searches."""
        return (
            "w ← w + α·d, the step α found by a line search on all examples",
            f"d from the last {self.memory} steps' gradients",
        )

    def descend(self, problem: CostFunction, start: Array) -> Iterator[Progress]:
        """See `FullBatch.descend`."""
        units = problem.units

        def objective(scaled: Array) -> tuple[float, Array]:
            cost, gradient = problem.cost_and_gradient(scaled * units)
            return cost, gradient * units

        for found in _descend(objective, start / units, self):
            yield replace(found, point=found.point * units)


@immutable
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
    costs: list[float] = []
    for found in _descend(objective, np.array(start, dtype=np.float64), settings or LBFGS()):
        costs.append(found.cost)
        reason = found.reason or ("" if go_on(len(costs) - 1, found.cost) else INTERRUPTED)
        if reason:
            return Minimum(found.point, found.cost, found.slope, tuple(costs), reason)
    raise AssertionError("a descent ends with a reason")


def _descend(objective: Objective, point: Array, settings: LBFGS) -> Iterator[Progress]:
    """The start, then the point after each iteration, the last one with the reason to end there."""
    with np.errstate(all="ignore"):
        cost, gradient = objective(point)
    require_finite(cost)
    pairs: deque[tuple[Array, Array]] = deque(maxlen=settings.memory)
    first, stalled, iteration = abs(cost), 0, 0
    least = np.inf
    while True:
        slope = largest(gradient)
        least = min(least, slope)
        reason = ""
        if slope <= max(settings.tolerance * abs(cost), settings.gradient_tolerance):
            reason = "gradient small enough"
        elif 0 <= cost < _NOTHING * first:
            reason = "converged: the cost is 0 up to rounding"
        elif stalled >= _STALLED:
            reason = "converged: the cost falls no further"
        elif iteration == settings.iterations:
            reason = USED_UP
        yield Progress(point, cost, slope, reason)
        if reason:
            return
        with np.errstate(all="ignore"):
            found = _step(objective, point, cost, gradient, pairs)
        if found is None:
            yield Progress(point, cost, slope, _why_no_lower(cost, slope))
            return
        next_point, next_cost, next_gradient = found
        step, change = next_point - point, next_gradient - gradient
        if step @ change > 1e-10 * float(change @ change):
            pairs.append((step, change))
        # Near the minimum costs agree to rounding while the gradient may go on falling.
        is_still = cost - next_cost <= _FALL * abs(cost) and largest(next_gradient) > 0.9 * least
        stalled = stalled + 1 if is_still else 0
        point, cost, gradient = next_point, next_cost, next_gradient
        iteration += 1


_NOTHING = 1e-30
"""A cost that is so small a part of the first one is 0."""
_FALL, _STALLED = 1e-14, 5
"""A cost that falls by less than this part of itself, so many times one after the other, has stopped falling."""


def _why_no_lower(cost: float, slope: float) -> str:
    """What it means that no step lowers the cost: rounding where the gradient is small beside the cost, else a failed search."""
    if slope <= 1e-6 * max(abs(cost), 1e-300):
        return "converged: no lower cost in double precision"
    return f"no lower cost to be found in double precision, though the gradient is {numeral(slope, 2)}"


def _step(
    objective: Objective, point: Array, cost: float, gradient: Array, pairs: deque[tuple[Array, Array]]
) -> tuple[Array, float, Array] | None:
    """The next point with its cost and gradient; where the remembered curvature misleads, straight downhill."""
    while True:
        length = 1.0 if pairs else min(1.0, 1.0 / max(float(np.abs(gradient).sum()), 1e-300))
        found = _search(objective, point, cost, gradient, _direction(gradient, pairs), length)
        if found is not None or not pairs:
            return found
        pairs.clear()


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
