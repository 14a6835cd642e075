"""Contrasts: differences between trainings with their confidence intervals, and sweeps as a table of means with errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.colours import DASHES, SEQUENTIAL, SERIES
from chainrule.views.pictures.learning.curves import standard_error
from chainrule.views.pictures.picture import HeadedPicture, Picture
from chainrule.views.pictures.scales import decimal, logarithmic
from chainrule.views.pictures.sheets import MARKERS
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Contrasts(HeadedPicture):
    """Scores of several trainings, by `names`, each (n,), and the contrasts between them: `differences` (n,) with half widths `reach`.

    `contrasts` says what is subtracted from what; the unit of all is that of `score`. The differences' axis is logarithmic beyond
    ±`linear`, since small and large ones stand side by side.
    """

    size: ClassVar[tuple[float, float]] = (9.6, 3.9)
    score: str
    names: tuple[str, ...]
    scores: tuple[Array, ...]
    contrasts: tuple[str, ...]
    differences: tuple[Array, ...]
    reach: Array
    linear: float = 1.0

    @property
    def reading(self) -> str:
        """What dots and bars are."""
        return (
            "Left each training, a dot to a data set, and the mean with its standard error; right the differences on the same data, with "
            "the interval that holds the true one with 95 % confidence for all of them together: where it holds 0, nothing is told apart; "
            f"their axis is linear to ±{decimal(self.linear)} and logarithmic beyond."
        )

    def arrays(self) -> dict[str, Array]:
        """Scores by training, and differences by contrast."""
        scores, differences = zip(self.names, self.scores, strict=True), zip(self.contrasts, self.differences, strict=True)
        return {**dict(scores), **dict(differences), "reach": self.reach}

    def draw(self, ax: Axes) -> None:
        """Scores left, differences right."""
        left, right = subplots(ax, 1, 2)
        rows = [(name, values, float(standard_error(values))) for name, values in zip(self.names, self.scores, strict=True)]
        _dots_and_bars(left, rows)
        logarithmic(left, ("x",))
        left.set_xlabel(self.score)
        reaches = [float(reach) for reach in self.reach]
        _dots_and_bars(right, list(zip(self.contrasts, self.differences, reaches, strict=True)))
        right.axvline(0, color="#8a8a8a", linewidth=0.8)
        _around_zero(right, self.linear)
        right.set_xlabel(f"difference of the {self.score}")


def _around_zero(ax: Axes, linear: float) -> None:
    """An axis that is linear near 0 and logarithmic beyond, with plain labels."""
    low, high = (float(end) for end in ax.dataLim.intervalx)
    ax.set_xscale("symlog", linthresh=linear)
    ax.set_xlim(1.2 * min(low, -linear), 1.4 * max(high, linear))
    sizes = [linear * front * 10.0**power for power in range(7) for front in (1, 3)]
    ticks = (
        [-size for size in sizes if -size >= ax.get_xlim()[0]][::-1]
        + [0.0]
        + [size for size in sizes if size <= ax.get_xlim()[1]]
    )
    ax.set_xticks(ticks, [decimal(tick).replace("-", "−") for tick in ticks])
    ax.set_xticks([], minor=True)


def _dots_and_bars(ax: Axes, rows: list[tuple[str, Array, float]]) -> None:
    for place, (_, values, half) in enumerate(rows):
        colour, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
        ax.plot(values, np.full(len(values), place + 0.2), ".", color=colour, alpha=0.5, markersize=5)
        ax.errorbar(values.mean(), place, xerr=half, fmt=marker, color=colour, capsize=3)
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    ax.set_ylim(len(rows) - 0.4, -0.5)
    ax.margins(x=0.08)


@dataclass(frozen=True, eq=False)
class Sweep(HeadedPicture):
    """A score over two options: `means` and `errors` (rows, columns), and a `sign` for each place: how it compares with `beside`.

    rows, columns: the options' values, with their names in `row_name` and `column_name`.
    """

    size: ClassVar[tuple[float, float]] = (7.0, 4.0)
    score: str
    row_name: str
    column_name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    means: Array
    errors: Array
    signs: Array
    beside: str

    @property
    def reading(self) -> str:
        """What a cell says."""
        return (
            f"Each cell is the mean {self.score} with its standard error, dark for little; beside {self.beside}: ▼ smaller, ▲ larger, ≈ "
            "cannot be told apart, all comparisons together at 95 % confidence."
        )

    def draw(self, ax: Axes) -> None:
        """A coloured table."""
        scale = np.log(self.means)
        image = ax.imshow(scale, cmap=SEQUENTIAL, aspect="auto")
        middle = (float(scale.min()) + float(scale.max())) / 2
        for row, column in np.ndindex(*self.means.shape):
            text = f"{self.means[row, column]:.2f} ± {self.errors[row, column]:.2f}\n{self.signs[row, column]}"
            colour = "white" if scale[row, column] < middle else "black"
            ax.text(column, row, text, ha="center", va="center", color=colour)
        ax.set_xticks(range(len(self.columns)), self.columns)
        ax.set_yticks(range(len(self.rows)), self.rows)
        ax.set_xlabel(self.column_name)
        ax.set_ylabel(self.row_name)
        bar = ax.figure.colorbar(image, ax=ax, label=f"{self.score}, logarithmic")
        bar.set_ticks(
            [float(scale.min()), float(scale.max())], labels=[numeral(self.means.min(), 2), numeral(self.means.max(), 2)]
        )


@dataclass(frozen=True, eq=False)
class AgainstParameters(Picture):
    """A score against the number of parameters: `parameters`, `means` and `errors` (lines, n), a line to each of `names`."""

    size: ClassVar[tuple[float, float]] = (6.4, 4.0)
    score: str
    names: tuple[str, ...]
    parameters: Array
    means: Array
    errors: Array

    @property
    def title(self) -> str:
        """What is seen."""
        return "Errors against the number of parameters"

    @property
    def reading(self) -> str:
        """What points and bars are."""
        return (
            f"Each point is the mean {self.score} of networks that differ in their seed, with its standard error; points of a line differ "
            "in width: where lines lie on each other, only the number of parameters matters."
        )

    def draw(self, ax: Axes) -> None:
        """A line to each name."""
        rows = zip(self.names, self.parameters, self.means, self.errors, strict=True)
        for place, (name, at, mean, error) in enumerate(rows):
            signs: dict[str, Any] = {"marker": MARKERS[place % len(MARKERS)], "linestyle": DASHES[place % 4], "markersize": 4}
            ax.errorbar(at, mean, yerr=error, color=SERIES[place % len(SERIES)], capsize=3, label=name, **signs)
        logarithmic(ax, ("x",))
        ax.set_xlabel("parameters (weights and biases)")
        ax.set_ylabel(self.score)
        ax.legend()
