"""When two gradients count as equal: up to a relative difference, and up to what rounding does to the sums that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property

import numpy as np

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.trace.rounding import ROUNDING

FLOOR = 1e-3
"""An entry counts at least as so large a part of the array's largest one."""

_TOLD = 1e-2
"""Above this part of an array's largest entry rounding leaves nothing of it to be told."""
_SMALL = 1e-8
"""Only what is so small beside the rest of the gradient is suspected to be 0 but for rounding."""
_DOUBLE = float(np.finfo(np.float64).eps)


@immutable
class Tolerance:
    """How near two arrays must be, entry by entry.

    `relative`: the relative difference allowed; `unit`: the precision that the arrays were computed with; `measured` gives by name by how
    much each entry of the true gradient may differ when it is rounded to that precision.
    """

    relative: float
    unit: float
    right: Mapping[str, Array]
    measured: Callable[[], Mapping[str, Array]] = field(repr=False)

    @cached_property
    def rounding(self) -> Mapping[str, Array]:
        """By how much each entry of the true gradient may differ by rounding."""
        return self.measured()

    @cached_property
    def _largest(self) -> Mapping[str, float]:
        return {name: float(np.max(np.abs(array), initial=0.0)) for name, array in self.right.items()}

    def near(self, mine: Array, other: Array) -> bool:
        """Whether all entries agree by their relative difference alone."""
        with np.errstate(invalid="ignore"):
            return bool(np.all(np.abs(mine - other) <= self._relative(mine, other)))

    def _relative(self, mine: Array, other: Array) -> Array:
        largest = float(np.max(np.abs(other), initial=0.0))
        return self.relative * (np.maximum(np.abs(mine), np.abs(other)) + FLOOR * largest)

    def limit(self, name: str, mine: Array, other: Array) -> Array:
        """The difference allowed in each entry. A gradient that a mistake made larger is rounded as much more.

        But for one that is nothing but rounding: how that would grow is not known, and everything would be allowed.
        """
        rounding, largest = self.rounding[name], self._largest[name]
        told = float(np.max(rounding, initial=0.0)) < _TOLD * largest
        growth = max(1.0, float(np.max(np.abs(other), initial=0.0)) / largest) if told else 1.0
        return self._relative(mine, other) + growth * rounding

    def agree(self, name: str, mine: Array, other: Array) -> bool:
        """Whether all entries agree."""
        if not np.all(np.isfinite(other)):
            return False
        return self.near(mine, other) or bool(np.all(np.abs(mine - other) <= self.limit(name, mine, other)))

    def is_zero(self, name: str) -> bool:
        """Whether no entry of the true gradient, which is computed in float64, is more than rounding."""
        right = self.right[name]
        if not np.any(right):
            return True
        if self._largest[name] > _SMALL * max(self._largest.values()):
            return False
        return bool(np.all(np.abs(right) <= self.rounding[name] * (_DOUBLE / self.unit)))

    def terms(self, name: str) -> Array:
        """How large the terms are whose sum each entry of the true gradient is, as far as rounding tells."""
        return self.rounding[name] / (ROUNDING * self.unit)
