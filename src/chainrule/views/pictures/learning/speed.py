"""Time per example against the size of the batch: measured when asked for, on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.views.marks import Line, Points
from chainrule.views.panels import Axis
from chainrule.views.view import View, chart, numbers

SHORTEST = 0.002
"""Seconds that a measurement takes at least: shorter ones are repeated, for the clock and chance would be seen in them."""


def time_per_example(
    run: Run, batch_sizes: Sequence[int] = (1, 4, 16, 64, 256, 1024), *, measurements: int = 5, replica: int = 0
) -> View:
    """How long the run's predictor takes for an example, by how many it computes at once; training examples, repeated if need be.

    The numbers: `seconds` per example (sizes, measurements) at each of `sizes` (sizes,).

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
    seconds = np.stack([_measured(predict, np.resize(x, (size, *x.shape[1:])), measurements) / size for size in sizes])
    best = seconds.min(axis=1)
    return chart(
        "Time per example against the batch size",
        f"The line is the fastest of {measurements} measurements, a tick each of them: computing many examples together "
        f"shares what every call costs, here {numeral(best[0] / best.min(), 3)} times less per example "
        f"than for {sizes[0]} at once.",
        [
            Points(
                np.repeat(sizes, measurements), 1e6 * seconds.ravel(), marker="_", color="faint", size=6.0, label="measurement"
            ),
            Line(sizes, 1e6 * best, color=0, marker="o", size=6.0, label="fastest"),
        ],
        Axis("batch size (examples)", log=True, at=sizes, texts=list(map(str, sizes))),
        Axis("time per example (µs)", log=True),
        numbers(sizes=sizes, seconds=seconds),
    )


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
