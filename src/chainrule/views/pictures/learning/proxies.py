"""How good a stand-in the loss is for the metric that is wanted; and what batch sizes cost, by the runs' own clocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import printed
from chainrule.train import Run, batch_sizes
from chainrule.views.marks import Line, Mark, Points, Scale, Text
from chainrule.views.panels import Axis, Panel, Table
from chainrule.views.pictures.kinds import suits, was_scored
from chainrule.views.pictures.learning.curves import has_curve
from chainrule.views.pictures.learning.places import shown
from chainrule.views.pictures.ranks import rank_correlation
from chainrule.views.plain import spaced
from chainrule.views.view import View, chart, numbers


@suits(was_scored("accuracy"))
def loss_against_metric(run: Run, metric: str = "accuracy", part: str | None = None) -> View:
    """Loss and metric of a run after each epoch, on the test part where there is one.

    The numbers: `epochs` (n,), `losses` and `metrics` (n, replicas), and their `rank_correlation` over all of them.

    Raises: OptionError where the run has no such metric.
    """
    chosen = part or ("test" if has_curve(run.history, "test", metric) else "training")
    epochs, metrics = run.history.curve(chosen, metric)
    losses = run.history.curve(chosen, "loss")[1]
    order = rank_correlation(losses.ravel(), metrics.ravel())
    word = f"rank correlation {printed(f'{order:+.2f}')}; −1 would be always"
    told = word if np.isfinite(order) else "here one of them never changed"
    share = ", share right" if metric == "accuracy" else ""
    return chart(
        f"Loss as a stand-in for {shown(metric)}",
        "Each mark is one network after one epoch, darker early and brighter late: where the marks fall from upper left "
        f"to lower right, a lower loss meant a better {shown(metric)} ({told}).",
        _epoch_marks(epochs, losses, metrics),
        Axis(f"loss ({chosen} part)"),
        Axis(f"{shown(metric)} ({chosen} part{share})"),
        numbers(epochs=epochs, losses=losses, metrics=metrics, rank_correlation=order),
    )


def updates_per_epoch(examples: int = 60_000, sizes: Sequence[int] = (32, 64, 128, 256, 512)) -> Table:
    """How many updates an epoch has for each batch size, and how many examples are left for the last batch.

    >>> print(updates_per_epoch())
    batch size  updates per epoch  last batch
    32          1875               32
    64          938                32
    128         469                96
    256         235                96
    512         118                96

    Raises: OptionError for a batch size outside 1 ... examples.
    """
    if not sizes or min(sizes) < 1 or max(sizes) > examples:
        raise OptionError(
            f"batches of {', '.join(map(str, sizes)) or 'no size'} from {examples} examples",
            expected=f"sizes of 1 ... {examples}",
            remedy=f"write sizes between 1 and {examples}",
        )
    cut = [batch_sizes(examples, size) for size in sizes]
    rows = tuple((size, len(batches), int(batches[-1])) for size, batches in zip(sizes, cut, strict=True))
    return Table(("batch size", "updates per epoch", "last batch"), rows)


def _epoch_marks(epochs: Array, losses: Array, metrics: Array) -> list[Mark]:
    """A mark to an epoch and replica, the means joined; the first and the last framed."""
    values = np.broadcast_to(epochs[:, None], losses.shape).ravel()
    across, up = losses.mean(axis=1), metrics.mean(axis=1)
    scale = Scale("sequential", float(epochs[0]), float(epochs[-1] if len(epochs) > 1 else epochs[0] + 1), "epoch")
    ends = [
        Points(across[[place]], up[[place]], marker=sign, size=9.0, hollow=True, label=f"epoch {epochs[place]:g}")
        for place, sign in ((0, "s"), (-1, "D"))
    ]
    return [
        Line(across, up, color="faint", width=0.7),
        Points(losses.ravel(), metrics.ravel(), values=values, scale=scale),
        *ends,
    ]


def batch_statistics(runs: Sequence[Run]) -> View:
    """What runs with different batch sizes spent on their updates, as their own clocks measured it.

    The numbers, each (runs,), by `batch_sizes`: `updates` in an epoch, `last_batches`, and `seconds_per_update` on average.

    Raises: OptionError for runs that made no update.
    """
    if not runs or not all(run.trainer.step for run in runs):
        raise OptionError("runs without updates", expected="runs that were trained", remedy="train them for an epoch")
    ordered = sorted(runs, key=lambda run: run.settings.batch_size)
    sizes = np.array([run.settings.batch_size for run in ordered])
    updates = np.array([run.trainer.steps_per_epoch for run in ordered])
    seconds = np.array([run.trainer.seconds / run.trainer.step for run in ordered])
    counts = [spaced(int(count)) for count in updates]
    across = Axis("batch size (examples)", log=True, at=sizes, texts=list(map(str, sizes)), margin=0.1)
    return View(
        "What a batch costs",
        "Points, left axis: a small batch makes one update cheap; triangles, right axis: it makes an epoch of many "
        "updates. Where time per update rises less than the batch does, the larger batch goes over the data faster. Times "
        "are those of the runs, on the machine that trained them.",
        [
            Panel(
                [Line(sizes, 1e6 * seconds, color=0, marker="o", size=6.0)],
                across,
                Axis("time per update, all replicas (µs)", log=True),
            ),
            Panel(
                [
                    Line(sizes, updates, color=1, dash="dashed", marker="^", size=6.0),
                    Text(sizes, updates, counts, offset=(0, 6), up="bottom", size=7.5),
                ],
                across,
                Axis("updates per epoch", log=True, margin=0.1),
            ),
        ],
        numbers(
            batch_sizes=sizes,
            updates=updates,
            last_batches=[run.trainer.sizes[-1] for run in ordered],
            seconds_per_update=seconds,
        ),
        size=(8.4, 3.6),
    )
