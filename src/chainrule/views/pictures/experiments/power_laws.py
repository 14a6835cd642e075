"""Power laws: measured points with their errors on logarithmic axes, and the law that was fitted to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.graph import Array
from chainrule.views.colours import SERIES
from chainrule.views.pictures.picture import HeadedPicture, Picture
from chainrule.views.pictures.scales import logarithmic
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAINT = "#8a8a8a"


@dataclass(frozen=True, eq=False)
class PowerLawPicture(HeadedPicture):
    """Points `y` (n,) ± `errors` (n,) at `x` (n,), each the mean of `measurements` (n, m), and the law factor·x^exponent.

    x_name, y_name: what the axes show, with the unit. `law`: the law with its exponent and
    error, as the legend shows it.
    """

    size: ClassVar[tuple[float, float]] = (6.4, 4.2)
    x: Array
    y: Array
    errors: Array
    measurements: Array | None
    exponent: float
    factor: float
    law: str
    x_name: str
    y_name: str
    each: str = "data set"
    points: str = "mean ± standard error"

    @property
    def reading(self) -> str:
        """What dots, bars and line are."""
        dots = f"Each faint dot is a {self.each}, " if self.measurements is not None else "Each "
        bars = (
            "each marker their mean with its standard error"
            if self.measurements is not None
            else "marker has its standard error"
        )
        return f"{dots}{bars}; both axes are logarithmic, so that a power law is a straight line: the dashed one was fitted."

    def draw(self, ax: Axes) -> None:
        """Dots, means with bars, and the line."""
        if self.measurements is not None:
            at = np.repeat(self.x, self.measurements.shape[1])
            ax.plot(at, self.measurements.ravel(), ".", color=_FAINT, alpha=0.6, markersize=4, zorder=1)
        ax.errorbar(
            self.x, self.y, yerr=self.errors, fmt="o", color=SERIES[0], capsize=3, markersize=4, label=self.points, zorder=3
        )
        line: Array = np.geomspace(float(self.x[0]), float(self.x[-1]), 50)
        ax.plot(line, self.factor * line**self.exponent, "--", color=SERIES[1], label=self.law, zorder=2)
        logarithmic(ax, ("x", "y"))
        _label_points(ax, self.x)
        ax.set_xlabel(self.x_name)
        ax.set_ylabel(self.y_name)
        ax.legend()


@dataclass(frozen=True, eq=False)
class LossesAgainstWidth(Picture):
    """Final losses (widths, replicas) of networks that differ in their first numbers only, and their spread with a fitted law."""

    size: ClassVar[tuple[float, float]] = (9.4, 4.2)
    widths: Array
    losses: Array
    part: str
    spread: PowerLawPicture

    @property
    def title(self) -> str:
        """What is seen."""
        return f"Final losses against width, {self.part} part"

    @property
    def reading(self) -> str:
        """What both panels show."""
        return (
            "Left every dot is a network, of which those of one column differ in their seeds only, and the bar is their mean; right the "
            "standard deviation of each column with its error, and a fitted power law."
        )

    def arrays(self) -> dict[str, Array]:
        """Widths, losses, and the spread with its errors."""
        return {"widths": self.widths, "losses": self.losses, "spread": self.spread.y, "spread errors": self.spread.errors}

    def draw(self, ax: Axes) -> None:
        """Every loss left, their spread right."""
        left, right = subplots(ax, 1, 2)
        # Dots of a column stand beside each other, so that all are seen.
        aside = np.linspace(0.93, 1.07, self.losses.shape[1])
        left.plot((self.widths[:, None] * aside).ravel(), self.losses.ravel(), ".", color=SERIES[0], markersize=4)
        left.plot(self.widths, self.losses.mean(axis=1), "_", color=SERIES[1], markersize=16, markeredgewidth=2, label="mean")
        logarithmic(left, ("x", "y"))
        _label_points(left, self.widths)
        left.set_xlabel("width (neurons of the hidden layer)")
        left.set_ylabel(f"{self.part} loss (nats)")
        left.legend()
        self.spread.draw(right)


def _label_points(ax: Axes, x: Array) -> None:
    """Ticks at the points themselves, as plain numbers."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    ax.xaxis.set_major_locator(FixedLocator(x.tolist()))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
