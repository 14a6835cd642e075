"""Motions in time: the solution of an equation with what is left of it, and a hidden path inferred from a visible one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.figures.style import FAINT
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import MARKERS
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class EquationSolved(Picture):
    """A solution u(t): `found`, the `known` one or None, and the `residual` of the equation, at times `t`, all (n,)."""

    size: ClassVar[tuple[float, float]] = (5.8, 4.6)
    equation: str
    t: Array
    found: Array
    known: Array | None
    residual: Array

    @property
    def title(self) -> str:
        """The equation."""
        return f"Solved by a network: {self.equation}"

    @property
    def reading(self) -> str:
        """How to read both panels."""
        known = ", the dashed one what is known, and below is also how far they are apart" if self.known is not None else ""
        return (
            f"Above, the solid line is the network{known}; below, what is left of the equation, which training made small: it is "
            "to be small against 1."
        )

    def draw(self, ax: Axes) -> None:
        """Solution above, residual and error below."""
        above, below = subplots(ax, 2, 1)
        above.plot(self.t, self.found, color=SERIES[0], label="network")
        below.plot(self.t, self.residual, color=SERIES[2], linewidth=1, label="left of the equation")
        if self.known is not None:
            above.plot(self.t, self.known, "--", color=SERIES[1], label="known")
            below.plot(self.t, self.found - self.known, "--", color=SERIES[1], linewidth=1, label="error of u")
        for panel, name in ((above, "u (no unit)"), (below, "difference (no unit)")):
            panel.axhline(0, color=FAINT, linewidth=0.6)
            panel.set(xlabel="time t (units of 1/ω)", ylabel=name)
            panel.legend(loc="upper right")


@dataclass(frozen=True, eq=False)
class HiddenPath(Picture):
    """One pair of oscillators: the `visible` path as seen, the `hidden` one and what was `inferred`, at `times`, all (n,)."""

    size: ClassVar[tuple[float, float]] = (5.8, 4.6)
    times: Array
    visible: Array
    hidden: Array
    inferred: Array

    @property
    def title(self) -> str:
        """What is inferred."""
        miss = float(np.sqrt(np.mean((self.inferred - self.hidden) ** 2)))
        return f"The hidden oscillator, inferred to {numeral(miss, 2)} of a length unit"

    @property
    def reading(self) -> str:
        """How to read both panels."""
        return (
            "Above is what the network is given, the visible oscillator's measured positions; below, its answer, as points, on the "
            "hidden oscillator's true path, which it is not given."
        )

    def draw(self, ax: Axes) -> None:
        """The visible path above, the hidden one below."""
        above, below = subplots(ax, 2, 1)
        above.plot(self.times, self.visible, "o-", color=SERIES[0], markersize=3, linewidth=0.8, label="visible, measured")
        below.plot(self.times, self.hidden, color=SERIES[1], label="hidden, true")
        below.plot(self.times, self.inferred, "o", color=SERIES[2], markersize=3.5, label="hidden, inferred")
        for panel in (above, below):
            panel.axhline(0, color=FAINT, linewidth=0.6)
            panel.set(xlabel="time (units of 1/ω)", ylabel="position (lengths)")
            panel.legend(loc="upper right")


@dataclass(frozen=True, eq=False)
class ErrorsInTime(Picture):
    """Root mean square errors of several answers at `times` (n,), by name, each (n,); and the mean error that noise alone leaves."""

    times: Array
    errors: Mapping[str, Array]
    floor: float

    @property
    def title(self) -> str:
        """What is compared."""
        return "How far off each answer is, moment by moment"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        return (
            "Each curve is the root mean square error over all test paths; what lies above the curve of one who knows the equations, whose "
            "expected mean is the dotted line, was left to be learned."
        )

    def arrays(self) -> dict[str, Array]:
        """The times and each answer's errors."""
        return {"times": self.times, **self.errors}

    def draw(self, ax: Axes) -> None:
        """One curve to an answer."""
        for place, (name, errors) in enumerate(self.errors.items()):
            colour, dashes = SERIES[place % len(SERIES)], DASHES[place % len(DASHES)]
            ax.plot(self.times, errors, marker=MARKERS[place], markersize=3, color=colour, linestyle=dashes, label=name)
        ax.axhline(self.floor, color=FAINT, linestyle=":", linewidth=1, label="left by noise, on average")
        ax.set(xlabel="time (units of 1/ω)", ylabel="error of the hidden position (lengths)", ylim=(0, None))
        ax.legend()


__all__ = ["EquationSolved", "ErrorsInTime", "HiddenPath"]
