"""How good a stand-in the loss is for the metric that is wanted; and what batch sizes cost, by the runs' own clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import printed
from chainrule.train import Run, batch_sizes
from chainrule.views.colours import SEQUENTIAL, SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.learning.curves import has_curve
from chainrule.views.pictures.learning.places import shown
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.ranked import Ranked
from chainrule.views.pictures.scales import logarithmic
from chainrule.views.plain import spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class LossAgainstMetric(Picture):
    """After each epoch the loss, which training lowers, and the metric that is wanted: arrays (n, replicas)."""

    metric: str
    part: str
    epochs: Array
    losses: Array
    metrics: Array

    @property
    def title(self) -> str:
        """Loss against the metric."""
        return f"Loss as a stand-in for {shown(self.metric)}"

    @property
    def rank_correlation(self) -> float:
        """Spearman's rank correlation of loss and metric over all epochs and replicas; −1 where less loss always means more."""
        return _rank_correlation(self.losses.ravel(), self.metrics.ravel())

    @property
    def reading(self) -> str:
        """How good a stand-in the loss is."""
        ranks = self.rank_correlation
        told = (
            f"rank correlation {printed(f'{ranks:+.2f}')}; −1 would be always"
            if np.isfinite(ranks)
            else "here one of them never changed"
        )
        return (
            "Each mark is one network after one epoch, darker early and brighter late: where the marks fall from upper left "
            f"to lower right, a lower loss meant a better {shown(self.metric)} ({told})."
        )

    def draw(self, ax: Axes) -> None:
        """A mark to an epoch and replica."""
        epochs = np.broadcast_to(self.epochs[:, None], self.losses.shape)
        marks = ax.scatter(self.losses, self.metrics, c=epochs, cmap=SEQUENTIAL, s=18, zorder=2)
        ax.plot(self.losses.mean(axis=1), self.metrics.mean(axis=1), color="#8a8a8a", linewidth=0.7, zorder=1)
        for place, sign in ((0, "s"), (-1, "D")):
            spot: dict[str, Any] = {"marker": sign, "fillstyle": "none", "markersize": 9, "color": INK, "linestyle": ""}
            ax.plot(self.losses[place].mean(), self.metrics[place].mean(), label=f"epoch {self.epochs[place]:g}", **spot)
        ax.legend()
        ax.figure.colorbar(marks, ax=ax, label="epoch")
        ax.set_xlabel(f"loss ({self.part} part)")
        ax.set_ylabel(f"{shown(self.metric)} ({self.part} part{', share right' if self.metric == 'accuracy' else ''})")


def loss_against_metric(run: Run, metric: str = "accuracy", part: str | None = None) -> LossAgainstMetric:
    """Loss and metric of a run after each epoch, on the test part where there is one.

    Raises: OptionError where the run has no such metric.
    """
    chosen = part or ("test" if has_curve(run.history, "test", metric) else "training")
    epochs, metrics = run.history.curve(chosen, metric)
    return LossAgainstMetric(metric, chosen, epochs, run.history.curve(chosen, "loss")[1], metrics)


def _rank_correlation(first: Array, second: Array) -> float:
    ranks = [_ranks(values) for values in (first, second)]
    if len(first) < 2 or any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: Array) -> Array:
    """Places in the order of size; equal values share the mean of their places."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[place]


def updates_per_epoch(examples: int = 60_000, sizes: Sequence[int] = (32, 64, 128, 256, 512)) -> Ranked:
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
    return Ranked(("batch size", "updates per epoch", "last batch"), rows)


@dataclass(frozen=True, eq=False)
class BatchStatistics(Picture):
    """By batch size: updates in an epoch, and the seconds that an update took on average; arrays (runs,)."""

    batch_sizes: Array
    updates: Array
    last_batches: Array
    seconds_per_update: Array

    @property
    def title(self) -> str:
        """The trade."""
        return "What a batch costs"

    @property
    def reading(self) -> str:
        """What lies between small and large batches."""
        return (
            "Points, left axis: a small batch makes one update cheap; triangles, right axis: it makes an epoch of many "
            "updates. Where time per update rises less than the batch does, the larger batch goes over the data faster. Times "
            "are those of the runs, on the machine that trained them."
        )

    def draw(self, ax: Axes) -> None:
        """Time per update at the left, updates per epoch at the right, both logarithmic."""
        ax.plot(self.batch_sizes, 1e6 * self.seconds_per_update, "-o", color=SERIES[0], label="time per update")
        ax.set_xlabel("batch size (examples)")
        ax.set_ylabel("time per update, all replicas (µs)", color=SERIES[0])
        other = ax.twinx()
        other.plot(self.batch_sizes, self.updates, "--^", color=SERIES[1], label="updates per epoch")
        other.set_ylabel("updates per epoch", color=SERIES[1])
        other.spines["right"].set_visible(True)
        for size, updates in zip(self.batch_sizes, self.updates, strict=True):
            other.annotate(
                spaced(int(updates)), (size, updates), xytext=(0, 6), textcoords="offset points", fontsize=7.5, ha="center"
            )
        ax.set_xscale("log", base=2)
        ax.minorticks_off()
        ax.set_xticks(self.batch_sizes, [str(size) for size in self.batch_sizes])
        logarithmic(ax)
        logarithmic(other)


def batch_statistics(runs: Sequence[Run]) -> BatchStatistics:
    """What runs with different batch sizes spent on their updates, as their own clocks measured it.

    Raises: OptionError for runs that made no update.
    """
    if not runs or not all(run.trainer.step for run in runs):
        raise OptionError("runs without updates", expected="runs that were trained", remedy="train them for an epoch")
    ordered = sorted(runs, key=lambda run: run.settings.batch_size)
    return BatchStatistics(
        np.array([run.settings.batch_size for run in ordered]),
        np.array([run.trainer.steps_per_epoch for run in ordered]),
        np.array([run.trainer.sizes[-1] for run in ordered]),
        np.array([run.trainer.seconds / run.trainer.step for run in ordered]),
    )
