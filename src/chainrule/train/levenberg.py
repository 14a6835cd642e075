"""Levenberg-Marquardt: least squares on the full batch in float64, for curves with parameters and small networks.

Sources: D. Marquardt, SIAM J. Appl. Math. 11, 431 (1963); J. J. Moré, Lecture Notes in Mathematics 630, 105 (1978), on units;
H. B. Nielsen, report IMM-REP-1999-05, on the damping; M. K. Transtrum, J. P. Sethna, arXiv:1201.5885, on geodesic acceleration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from chainrule.checks import Natural, Positive
from chainrule.descriptions import described
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train.full_batch import USED_UP, FullBatch, largest, require_finite
from chainrule.train.optimizer import CostFunction, Progress

_MEMORY = 0.7
"""A variable's unit falls by no more than to this part of itself in one iteration."""
_PROBE, _MOST_BENT = 0.1, 0.75
"""How far ahead, in steps, the curvature is looked at; and how large a step's bend may be beside the step."""
_FALL, _MOVE, _STALLED = 1e-15, 1e-10, 2
"""Where the cost falls and the point moves by no more than these parts of themselves, so many times, it has converged."""
_LARGEST_DAMPING = 1e30


@described
class LevenbergMarquardt(FullBatch):
    """Least squares by linear steps that are damped where the residuals bend: each iteration is one epoch and one step.

    For costs that are sums of squares, each by a weight or not: squared errors, χ², L2 penalties. It takes some ten to a hundred
    iterations where L-BFGS takes thousands, and finds parameters whose sizes differ by orders of magnitude; it keeps a matrix of
    (residuals, parameters), and solves with it in each iteration. `iterations`: the most it takes; `damping`: how much the first step
    is damped. It refuses what L-BFGS refuses.
    """

    iterations: Natural = 1000
    damping: Positive = 1e-3
    title: ClassVar[str] = "Levenberg-Marquardt"

    @property
    def formulas(self) -> tuple[str, ...]:
        """How it searches."""
        return (
            "w ← w − (JᵀJ + μ·D²)⁻¹·Jᵀ·r, where C = Σ r², J = ∂r/∂w",
            "μ grows until C falls, and shrinks where it fell as promised",
        )

    def descend(self, problem: CostFunction, start: Array) -> Iterator[Progress]:
        """See `FullBatch.descend`."""
        yield from _Descent(problem, start, self.damping).run(self.iterations)


# Around what computes, never around a `yield`: NumPy's state would outlive the generator in whatever order generators end.
_silently = np.errstate(all="ignore")


class _Descent:
    """The present point with its residuals r, their Jacobian J, the units of the variables, and the damping μ."""

    @_silently
    def __init__(self, problem: CostFunction, start: Array, damping: float) -> None:
        self.problem, self.point = problem, start
        self.residuals = problem.residuals(start)
        self.cost = float(self.residuals @ self.residuals)
        require_finite(self.cost)
        self.jacobian = problem.jacobian(start)
        lengths = np.linalg.norm(self.jacobian, axis=0)
        self.lengths = np.where(lengths > 0, lengths, 1.0)
        self.damping, self.growth = damping, 2.0

    def run(self, iterations: int) -> Iterator[Progress]:
        """The start, and then where each iteration leads."""
        stalled = 0
        for iteration in range(iterations + 1):
            slope = self._slope()
            reason = self._done(slope, stalled) or (USED_UP if iteration == iterations else "")
            yield Progress(self.point, self.cost, slope, reason)
            if reason:
                return
            before, cost = self.point, self.cost
            if not self._advance():
                small = slope * float(np.max(np.abs(self.point), initial=1.0)) <= 1e-6 * max(self.cost, 1e-300)
                failed = f"no lower cost to be found in double precision, though the gradient is {numeral(slope, 2)}"
                yield Progress(
                    self.point, self.cost, slope, "converged: no lower cost in double precision" if small else failed
                )
                return
            stalled = stalled + 1 if cost - self.cost <= _FALL * cost and self._moved(before) <= _MOVE else 0

    @_silently
    def _slope(self) -> float:
        return largest(2.0 * self.jacobian.T @ self.residuals)

    @_silently
    def _moved(self, before: Array) -> float:
        """How far the last step led, as a fraction of how far the point is from 0."""
        return float(
            np.linalg.norm(self.lengths * (self.point - before)) / max(np.linalg.norm(self.lengths * self.point), 1e-300)
        )

    def _done(self, slope: float, stalled: int) -> str:
        if self.cost == 0 or slope == 0:
            return "converged: the residuals are 0" if self.cost == 0 else "gradient small enough"
        return "converged: neither the cost nor the parameters change any more" if stalled >= _STALLED else ""

    @_silently
    def _advance(self) -> bool:
        """One step down, with as much damping as it takes; whether there is one."""
        q, r = np.linalg.qr(self.jacobian / self.lengths)
        while self.damping < _LARGEST_DAMPING:
            found = self._tried(q, r)
            if found is not None:
                self._accept(*found)
                return True
            self.damping *= self.growth
            self.growth *= 2.0
        return False

    def _tried(self, q: Array, r: Array) -> tuple[Array, Array, float] | None:
        """The point, residuals and gain of a damped step, bent as the residuals bend; None where that is not lower, or too bent."""
        matrix = np.vstack([r, np.sqrt(self.damping) * np.eye(r.shape[1])])

        def solved(values: Array) -> Array:
            projected = np.concatenate([-(q.T @ values), np.zeros(r.shape[1])])
            return np.linalg.lstsq(matrix, projected, rcond=None)[0] / self.lengths

        step = solved(self.residuals)
        linear = self.jacobian @ step
        ahead = self.problem.residuals(self.point + _PROBE * step)
        curvature = 2.0 / _PROBE * ((ahead - self.residuals) / _PROBE - linear)
        if not np.all(np.isfinite(curvature)):
            return None
        bend = solved(curvature)
        if 2.0 * np.linalg.norm(self.lengths * bend) > _MOST_BENT * np.linalg.norm(self.lengths * step):
            return None
        point = self.point + step + 0.5 * bend
        residuals = self.problem.residuals(point)
        cost = float(residuals @ residuals)
        if not cost <= self.cost:
            return None
        promised = self.cost - float(np.sum((self.residuals + linear) ** 2))
        return point, residuals, (self.cost - cost) / max(promised, 1e-300)

    def _accept(self, point: Array, residuals: Array, gain: float) -> None:
        self.point, self.residuals, self.cost = point, residuals, float(residuals @ residuals)
        self.jacobian = self.problem.jacobian(point)
        lengths = np.linalg.norm(self.jacobian, axis=0)
        self.lengths = np.maximum(_MEMORY * self.lengths, np.where(lengths > 0, lengths, 1e-300))
        self.damping *= max(1.0 / 3.0, 1.0 - (2.0 * min(gain, 2.0) - 1.0) ** 3)
        self.growth = 2.0
