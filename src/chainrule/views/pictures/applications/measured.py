"""Fits of measurements with error bars: pulls beside the normal density, and a fitted curve with its band beside the law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FARTHEST = 4.5
"""Pulls beyond this many standard errors are drawn at the edge."""


@dataclass(frozen=True, eq=False)
class PullHistogram(Picture):
    """How the `pulls` (n,), differences over their standard errors, are distributed, beside the normal density."""

    what: str
    pulls: Array

    @property
    def title(self) -> str:
        """Mean and width."""
        mean, width = numeral(float(self.pulls.mean()), 2), numeral(float(self.pulls.std(ddof=1)), 3)
        return f"Pulls of {len(self.pulls)} {self.what}: mean {mean}, width {width}"

    @property
    def reading(self) -> str:
        """How to read the bars."""
        return (
            "Bars are the fraction of differences, each divided by its standard error, with the error of counting; if the errors are true "
            "they follow the dashed normal density, if the errors are too small the bars are wider than it."
        )

    def draw(self, ax: Axes) -> None:
        """Bars with errors, and the density."""
        edges = np.linspace(-FARTHEST, FARTHEST, 31)
        width, middles = float(edges[1] - edges[0]), (edges[1:] + edges[:-1]) / 2
        counts = np.histogram(np.clip(self.pulls, -FARTHEST, FARTHEST), edges)[0]
        unit = len(self.pulls) * width
        ax.bar(middles, counts / unit, width, color=SERIES[5], edgecolor="white", linewidth=0.5, label="pulls")
        ax.errorbar(middles, counts / unit, np.sqrt(counts) / unit, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.5)
        x = np.linspace(-FARTHEST, FARTHEST, 200)
        ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), "--", color=SERIES[1], label="normal density")
        ax.set(xlabel="pull: difference / standard error (no unit)", ylabel="share per unit of the pull")
        ax.legend()


@dataclass(frozen=True, eq=False)
class LawAndBand(Picture):
    """The fit `predicted` with its standard error `band`, and the `law`, at `x`, all (n,); `measured` with `sigma` (n,), or empty."""

    x_name: str
    y_name: str
    x: Array
    law: Array
    predicted: Array
    band: Array
    measured: Array
    sigma: Array

    @property
    def title(self) -> str:
        """What is compared."""
        return "Measurements, law and network" if len(self.measured) else "The law, and the network with its band"

    @property
    def reading(self) -> str:
        """How to read the band."""
        points = "Points are measurements with their standard errors; the" if len(self.measured) else "The"
        return (
            f"{points} dashed line is the law, the solid one the network, in a band of one standard error that should hold the law in "
            "68 % of the cases."
        )

    def draw(self, ax: Axes) -> None:
        """Measurements, law, network and band."""
        if len(self.measured):
            ax.errorbar(
                self.x, self.measured, self.sigma, fmt="o", color="#8a8a8a", markersize=3, capsize=1.5, label="measured ± σ"
            )
        ax.fill_between(
            self.x,
            self.predicted - self.band,
            self.predicted + self.band,
            color=SERIES[0],
            alpha=0.35,
            linewidth=0,
            label="band",
        )
        ax.plot(self.x, self.predicted, color=SERIES[0], linewidth=1.3, label="network")
        ax.plot(self.x, self.law, "--", color=SERIES[1], linewidth=1.3, label="law")
        ax.set(xlabel=self.x_name, ylabel=self.y_name)
        ax.legend()


__all__ = ["LawAndBand", "PullHistogram"]
