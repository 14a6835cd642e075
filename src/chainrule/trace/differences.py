"""Slopes by finite differences, with an estimate of their own error: the judge of every derivative, who knows no derivative rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.graph import Array

STEPS = 0.32 * 0.25 ** np.arange(11)
"""Step sizes tried, from 0.32 down to 3·10⁻⁷: large ones for slopes that are nearly lost in rounding, small ones for sharp bends."""
AGREEMENT = 1e-6
"""The relative difference up to which a derivative and a finite difference agree."""
_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Slope:
    """The slope of a function of one number at 0: its central difference, how far off that may be, and the one-sided slopes.

    `height`: the size of the function's value there; `jump`: by how much it jumps, 0 where it does not.
    """

    value: float
    uncertainty: float
    left: float
    right: float
    height: float = 0.0
    jump: float = 0.0

    def tells(self, derivative: float) -> bool:
        """Whether the derivative is as close to the difference as this can tell.

        Rounding leaves slopes that are tiny beside the function's value unsure.
        """
        unsure = 10 * self.uncertainty
        return abs(derivative - self.value) <= unsure <= 1e-3 * abs(self.value) + 1e-11 * max(self.height, 0.1)

    @property
    def has_kink(self) -> bool:
        """Whether the function jumps, or its slopes from left and right differ by more than smooth functions' do at these steps."""
        if self.jump:
            return True
        size = max(abs(self.left), abs(self.right))
        return abs(self.left - self.right) > 1e-3 * size + 1e3 * self.uncertainty


def slope(function: Callable[[float], float]) -> Slope:
    """The slope at 0 by central differences at several steps, each pair extrapolated to step 0; the steadiest pair counts.

    The error of a central difference falls with the square of the step, so that two steps in the ratio 4 give (16·D(h/4) − D(h))/15,
    exact to the fourth power (L. F. Richardson, 1911). Rounding grows as the step shrinks; where both are least is found, not assumed.

    >>> round(slope(lambda t: (1 + t) ** 3).value, 9)
    3.0
    """
    with np.errstate(all="ignore"):
        middle = function(0.0)
        right, left = (np.array([function(sign * step) for step in STEPS]) for sign in (1, -1))
        central = (right - left) / (2 * STEPS)
        better = (16 * central[1:] - central[:-1]) / 15
        spread = np.abs(np.diff(better))
        rounding = _ROUNDING * max(abs(middle), 1e-300) / STEPS[1:-1]
    spread = np.where(np.isfinite(spread), spread + rounding, np.inf)
    best = int(np.argmin(spread))
    if not np.isfinite(spread[best]):
        return Slope(float(central[-1]), float("inf"), float("nan"), float("nan"))
    # One-sided slopes at a small step, where a smooth function's differ by its curvature times the step only.
    near = 7
    behind, ahead = float((middle - left[near]) / STEPS[near]), float((right[near] - middle) / STEPS[near])
    return Slope(float(better[best + 1]), float(spread[best]), behind, ahead, abs(middle), _jump(central, middle))


def _jump(central: Array, middle: float) -> float:
    """The height of a jump at 0: there central differences grow as the step shrinks, by the ratio of the steps."""
    heights = 2 * np.abs(central[-3:]) * STEPS[-3:]
    is_constant = bool(np.all(np.abs(heights - heights[-1]) <= 0.1 * heights[-1]))
    return float(heights[-1]) if is_constant and heights[-1] > 1e-9 * max(abs(middle), 1.0) else 0.0


def relative(derivative: float, difference: float, scale: float = 0.0) -> float:
    """|derivative − difference| over the larger of both, or over `scale` where both are small beside it; 0 where both are 0.

    >>> relative(0.0, 0.0), relative(2.0, 1.0), relative(1e-9, 0.0, scale=1.0)
    (0.0, 0.5, 1e-09)
    """
    gap = abs(derivative - difference)
    return 0.0 if gap == 0 else gap / max(abs(derivative), abs(difference), scale)
