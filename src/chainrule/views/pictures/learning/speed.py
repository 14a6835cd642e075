"""Time per example against the size of the batch: measured when asked for, on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import FAINT
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.scales import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHORTEST = 0.002
"""Seconds that a measurement takes at least: shorter ones are repeated, for the clock and chance would be seen in them."""


@dataclass(frozen=True, eq=False)
class TimePerExample(Picture):
    """Seconds per example, `seconds` (sizes, measurements), at each of `sizes` (sizes,)."""

    sizes: Array
    seconds: Array

    @property
    def title(self) -> str:
        """What is measured."""
        return "Time per example against the batch size"

    @property
    def reading(self) -> str:
        """How to read the curve."""
        best = self.seconds.min(axis=1)
        return (
            f"The line is the fastest of {self.seconds.shape[1]} measurements, a tick each of them: computing many examples together "
            f"shares what every call costs, here {numeral(best[0] / best.min(), 3)} times less per example "
            f"than for {self.sizes[0]} at once."
        )

    def draw(self, ax: Axes) -> None:
        """Microseconds per example, on logarithmic axes."""
        ax.plot(
            np.repeat(self.sizes, self.seconds.shape[1]), 1e6 * self.seconds.reshape(-1), "_", color=FAINT, label="measurement"
        )
        ax.plot(self.sizes, 1e6 * self.seconds.min(axis=1), "-o", color=SERIES[0], label="fastest")
        logarithmic(ax)
        ax.set_xscale("log")
        ax.set_xticks([], minor=True)
        ax.set_xticks(self.sizes, [str(size) for size in self.sizes.tolist()])
        ax.set_xlabel("batch size (examples)")
        ax.set_ylabel("time per example (µs)")
        ax.legend()


def time_per_example(
    run: Run, batch_sizes: Sequence[int] = (1, 4, 16, 64, 256, 1024), *, measurements: int = 5, replica: int = 0
) -> TimePerExample:
    """How long the run's predictor takes for an example, by how many it computes at once; training examples, repeated if need be.

    Raises: OptionError for sizes that are not positive whole numbers in rising order.
    """
    sizes = list(batch_sizes)
    if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 1 or measurements < 1:
        raise OptionError(
            f"batch sizes {sizes}, measured {measurements} times",
            expected="positive whole numbers in rising order, measured once or more",
            remedy="write for example (1, 16, 256)",
        )
    predict = run.predictor(replica)
    x = run.data.train.x
    seconds = [_measured(predict, np.resize(x, (size, *x.shape[1:])), measurements) / size for size in sizes]
    return TimePerExample(np.array(sizes), np.stack(seconds))


def _measured(predict: Callable[[Array], Array], rows: Array, measurements: int) -> Array:
    """Seconds of one call, measured several times: (measurements,)."""
    # Once unmeasured: the first call may compile.
    predict(rows)
    calls = max(1, int(SHORTEST / max(_seconds(predict, rows, 1), 1e-9)))
    return np.array([_seconds(predict, rows, calls) for _ in range(measurements)]) / calls


def _seconds(predict: Callable[[Array], Array], rows: Array, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        predict(rows)
    return time.perf_counter() - begin
