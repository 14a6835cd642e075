"""Slopes by finite differences, with an estimate of their own error: the judge of every derivative, who knows no derivative rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

from chainrule.graph import Array
from chainrule.immutable import immutable

State: TypeAlias = Literal["agrees", "kink", "differs", "unclear"]
"""agrees: to AGREEMENT; kink: there is no slope; differs: by more than what is unsure; unclear: too much is unsure to tell."""
EXTENDED: type[np.floating[Any]] = np.longdouble
"""The longest floating-point numbers of this machine: 64 bits of mantissa or more on most, the 53 of float64 on some."""
RATIO = 0.27
"""One step over the one before it: no power of two, for with such a ratio the rounding errors of several steps may be one and the same."""
AGREEMENT = 1e-6
"""The relative difference up to which a derivative and a finite difference agree."""
NOTHING = 1e-12
"""What is smaller beside the rest is 0 up to rounding."""
_WITNESSES = 3
"""A slope counts where at least so many smaller steps show how much is lost in rounding."""
_SURE = 4
"""A kink is one where the slopes from left and right differ by more than so many times what is unsure about that."""


@immutable
class Slope:
    """The slope of a function of one number at 0 by central differences, and how far off that may be at most.

    `bend`: the slope from the right less the slope from the left where there is a kink, else 0; `jump`: by how much the function
    jumps, 0 where it does not. `flat`: the smallest steps change nothing, not even the last digit.
    """

    value: float
    uncertainty: float
    bend: float = 0.0
    jump: float = 0.0
    flat: bool = False

    @property
    def has_kink(self) -> bool:
        """Whether the function has no slope there: it bends, or jumps."""
        return bool(self.jump or self.bend)

    def state(self, derivative: float, scale: float = 0.0, rounding: float = 0.0, whole: float = 0.0) -> State:
        """What the difference tells about a derivative that is itself unsure by `rounding`.

        A difference never contradicts by less than what is unsure, and never confirms where that is more than AGREEMENT: of the larger of
        both, or of `scale` where both are small beside it. What is less than NOTHING of `whole` counts as 0.
        """
        if not np.isfinite(derivative):
            return "differs" if np.isfinite(self.uncertainty) else "unclear"
        unsure = self.uncertainty + rounding
        largest = max(abs(derivative), abs(self.value))
        gap, near = abs(derivative - self.value), AGREEMENT * max(largest, scale)
        if (gap <= near and unsure <= near) or (self.flat and derivative == 0):
            return "agrees"
        if gap > near + unsure:
            return "differs"
        return "agrees" if largest + unsure <= NOTHING * whole else "unclear"

    def holds(self, derivative: float, scale: float = 0.0) -> bool:
        """Whether the derivative lies between the slopes from left and right."""
        room = self.uncertainty + AGREEMENT * max(abs(derivative), abs(self.value), scale)
        return bool(self.jump) or abs(derivative - self.value) <= abs(self.bend) / 2 + room


def slope(function: Callable[[Any], Any], precision: type[np.floating[Any]] = np.float64, levels: int = 12) -> Slope:
    """The slope at 0 by central differences at several steps, each pair extrapolated to step 0; the surest counts.

    The error of a central difference falls with the square of the step, so that two steps tell what is left at step 0, exact to the
    fourth power (L. F. Richardson, 1911). Rounding grows as the step shrinks. How much of it there is is not assumed but seen: at
    smaller steps the slopes scatter by the noise of the function over the step. `function` gives numbers of the type `precision`, and is
    taken to go through numbers of the size 1 at least. `levels` steps are tried, the smallest of 12 being 2·10⁻⁷, of 24 3·10⁻¹⁴.

    >>> round(slope(lambda t: (1 + t) ** 3).value, 9)
    3.0
    """
    rounding = float(np.finfo(precision).eps)
    steps = (0.32 * RATIO ** np.arange(levels)).astype(precision)
    with np.errstate(all="ignore"):
        middle = function(precision(0))
        right, left = (np.array([function(sign * step) for step in steps]) for sign in (1, -1))
        moves = np.concatenate([right, left]) != middle
        if not np.any(moves):
            return Slope(0.0, rounding * max(abs(float(middle)), 1.0) / float(steps[0]), flat=True)
        central, bends = (right - left) / (2 * steps), (right - 2 * middle + left) / steps
        better = (central[1:] - RATIO**2 * central[:-1]) / (1 - RATIO**2)
        noise = max(rounding * abs(float(middle)), _grain(np.concatenate([right, left, [middle]])), 1e-300)
        unsure = _uncertainties(better, steps, noise)
        # What is proportional to the step is curvature; what is left at step 0 is a kink.
        kinks = (bends[1:] - RATIO * bends[:-1]) / (1 - RATIO)
    best = int(np.argmin(unsure))
    if not np.isfinite(unsure[best]):
        return Slope(float(central[-1]), float("inf"))
    bend = float(kinks[best])
    is_kink = abs(bend) > _SURE * (abs(float(kinks[best] - kinks[best - 1])) + float(unsure[best]))
    is_flat = not np.any(moves.reshape(2, -1)[:, -_WITNESSES - 1 :])
    jump = _jump(central, steps, float(middle))
    return Slope(float(better[best]), float(unsure[best]), bend if is_kink else 0.0, jump, is_flat)


def _grain(values: Array) -> float:
    """The smallest distance between two values, where some are equal: there the function moves in grains of its rounding."""
    in_order = np.sort(values[np.isfinite(values)])
    gaps = in_order[1:] - in_order[:-1]
    gaps = gaps[gaps > 0]
    return float(gaps.min()) if 0 < len(gaps) < len(values) - 1 else 0.0


def _uncertainties(better: Array, steps: Array, noise: float) -> Array:
    """How far off each extrapolated slope may be: by what is left of the step, and by the function's noise over the step.

    The first is less than the change from the slope before it; the second is the noise that slopes at smaller steps show.
    """
    unsure = np.full(len(better), np.inf)
    tried = slice(1, len(better) - _WITNESSES)
    heights = np.triu(np.abs(better - better[tried, None]) * steps[1:], 2)
    seen = 2 * np.maximum(heights.max(axis=1).astype(np.float64), noise) / steps[1:][tried].astype(np.float64)
    unsure[tried] = np.abs((better[1:] - better[:-1])[: len(seen)].astype(np.float64)) + seen
    return np.where(np.isfinite(unsure), unsure, np.inf)


def _jump(central: Array, steps: Array, middle: float) -> float:
    """The height of a jump at 0: there central differences grow as the step shrinks, by the ratio of the steps."""
    heights = 2 * np.abs(central[-3:] * steps[-3:])
    is_constant = bool(np.all(np.abs(heights - heights[-1]) <= 0.1 * heights[-1]))
    return float(heights[-1]) if is_constant and heights[-1] > 1e-9 * max(abs(middle), 1.0) else 0.0


def relative(derivative: float, difference: float, scale: float = 0.0) -> float:
    """|derivative − difference| over the larger of both, or over `scale` where both are small beside it; 0 where both are 0.

    >>> relative(0.0, 0.0), relative(2.0, 1.0), relative(1e-9, 0.0, scale=1.0)
    (0.0, 0.5, 1e-09)
    """
    gap = abs(derivative - difference)
    return 0.0 if gap == 0 else gap / max(abs(derivative), abs(difference), scale)
