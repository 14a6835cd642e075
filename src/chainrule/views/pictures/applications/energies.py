"""Restricted Boltzmann machines: their exact likelihood while learning, what they believe of each state, and what they dream."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array, Shape
from chainrule.nn import BoltzmannMachine
from chainrule.train import Run
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.figures.style import FAINT, INK
from chainrule.views.pictures.learning.curves import standard_error
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import MARKERS, draw_image, image_shape, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LAYER = "boltzmann1"
"""What the first machine of a network is called."""


@dataclass(frozen=True, eq=False)
class LikelihoodCurves(Picture):
    """The exact mean log likelihood of the training data, `likelihoods` (runs, epochs, replicas) in nats, after `epochs` (epochs,).

    `bound`: the largest that any distribution reaches, minus the entropy of the data.
    """

    names: tuple[str, ...]
    epochs: Array
    likelihoods: Array
    bound: float

    @property
    def title(self) -> str:
        """What is seen."""
        return "Exact log likelihood while learning"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        return (
            "Higher is better: each curve is the mean over the replicas of log P(v), found by enumeration and averaged over the "
            "examples, its band two standard errors; the dashed line is the most that is possible."
        )

    def draw(self, ax: Axes) -> None:
        """A curve with its band to each run, and the bound."""
        for place, (name, table) in enumerate(zip(self.names, self.likelihoods, strict=True)):
            mean, error = table.mean(axis=1), 2 * standard_error(table)
            colour, dash, mark = (signs[place % len(signs)] for signs in (SERIES, DASHES, MARKERS))
            ax.plot(self.epochs, mean, color=colour, linestyle=dash, marker=mark, markersize=3.5, label=name)
            ax.fill_between(self.epochs, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        ax.axhline(self.bound, color=FAINT, linestyle="--", linewidth=0.9, label="most possible: −entropy of the data")
        ax.set_xlabel("epochs")
        ax.set_ylabel("log likelihood of an example (nats)")
        ax.legend(loc="lower right")


def exact_machines(run: Run, layer: str = LAYER) -> list[BoltzmannMachine]:
    """Each replica's machine."""
    return [BoltzmannMachine.of(run.parameters(replica), layer) for replica in range(run.settings.replicas)]


def visible_states(run: Run) -> Array:
    """The training examples as the network sees them, one row of numbers between 0 and 1 to each: (n, visible)."""
    data = run.data
    return data.scaling.apply(data.train.x).reshape(len(data.train), -1)


def likelihood_curves(runs: Mapping[str, Run], epochs: Sequence[int], layer: str = LAYER) -> LikelihoodCurves:
    """The exact log likelihood of runs on the same data after these epochs, for all replicas; the runs are replayed.

    Raises: OptionError without runs, for other numbers of replicas, and for machines with more than 20 units on both sides.
    """
    if not runs or len({(run.settings.replicas, run.dataset_info.hash) for run in runs.values()}) > 1:
        raise OptionError(
            f"{len(runs)} runs to be compared", expected="runs on the same data, with equally many replicas",
            remedy="train all on the same data with the same replicas=...",
        )  # fmt: skip
    states = visible_states(next(iter(runs.values())))
    table = [[_likelihoods(run.at(epoch=epoch), states, layer) for epoch in epochs] for run in runs.values()]
    return LikelihoodCurves(tuple(runs), np.array(epochs), np.array(table), -entropy(states))


def _likelihoods(run: Run, states: Array, layer: str) -> list[float]:
    return [float(machine.log_likelihood(states).mean()) for machine in exact_machines(run, layer)]


def entropy(states: Array) -> float:
    """The entropy of rows (n, k) in nats, equal rows counted together.

    >>> round(entropy(np.array([[0, 1], [0, 1], [1, 1], [0, 0]])) / float(np.log(2)), 6)
    1.5
    """
    _, counts = np.unique(states, axis=0, return_counts=True)
    shares = counts / counts.sum()
    return float(-np.sum(shares * np.log(shares)))


@dataclass(frozen=True, eq=False)
class StateProbabilities(Picture):
    """What machines believe of each state that the data hold: `believed` (runs, states, replicas) beside `true` (states,).

    `elsewhere` (runs, replicas): the probability of all other states together.
    """

    size: ClassVar[tuple[float, float]] = (6.8, 3.8)
    names: tuple[str, ...]
    true: Array
    believed: Array
    elsewhere: Array

    @property
    def title(self) -> str:
        """What is seen."""
        return "The machine's distribution against that of the data"

    @property
    def reading(self) -> str:
        """How to read the marks."""
        return (
            "Each place is a state that the data hold, the line its share in the data, each mark what a machine gives it (mean over the "
            "replicas, two standard errors); what lacks has gone to states that never occur, as the legend says."
        )

    def draw(self, ax: Axes) -> None:
        """The data's line, and marks with error bars."""
        places = np.arange(len(self.true))
        ax.step(places, self.true, where="mid", color=INK, linewidth=1.0, label="data")
        for i, name in enumerate(self.names):
            shift = 0.22 * (i - (len(self.names) - 1) / 2)
            lost = f"{name}: {100 * self.elsewhere[i].mean():.0f} % elsewhere"
            error, colour = 2 * standard_error(self.believed[i]), SERIES[i % len(SERIES)]
            look: dict[str, Any] = {"fmt": MARKERS[i % len(MARKERS)], "markersize": 3.5, "linewidth": 0.8}
            ax.errorbar(places + shift, self.believed[i].mean(axis=1), yerr=error, color=colour, label=lost, **look)
        top = float((self.believed.mean(axis=2) + 2 * standard_error(self.believed)).max())
        ax.set_ylim(0, 1.3 * max(top, float(self.true.max())))
        ax.set_xlabel("state that occurs in the data, by its share (number)")
        ax.set_ylabel("probability (no unit)")
        ax.legend(ncols=2, loc="upper center")


def state_probabilities(runs: Mapping[str, Run], layer: str = LAYER) -> StateProbabilities:
    """What the machines of runs on the same data give to each state that occurs in the training data, by their exact distributions.

    Raises: OptionError without runs, and for machines with more than 20 units on both sides.
    """
    if not runs:
        raise OptionError("no runs", expected="one or more", remedy='write {"CD-1": run}')
    states, counts = np.unique(visible_states(next(iter(runs.values()))), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    found = [np.exp([machine.log_likelihood(states[order]) for machine in exact_machines(run, layer)]) for run in runs.values()]
    believed = np.array([table.T for table in found])
    return StateProbabilities(tuple(runs), counts[order] / counts.sum(), believed, 1 - believed.sum(axis=1))


@dataclass(frozen=True, eq=False)
class Dreams(Picture):
    """Examples of the data beside samples of a machine, as pictures: `data` and `samples`, each (k, height, width).

    `known` (k,): whether each sample is a state that occurs in the data.
    """

    size: ClassVar[tuple[float, float]] = (6.8, 3.6)
    data: Array
    samples: Array
    known: Array
    steps: int

    @property
    def title(self) -> str:
        """What is seen."""
        return "Left: data. Right: what the machine dreams"

    @property
    def reading(self) -> str:
        """How to read the pictures."""
        return (
            f"On the right are states that the machine has drawn, each from {self.steps} steps of Gibbs sampling that began with coins; a "
            "cross marks those that never occur in the data."
        )

    def draw(self, ax: Axes) -> None:
        """Two sheets with a gap between."""
        columns = math.ceil(math.sqrt(len(self.data)))
        rows = math.ceil(len(self.data) / columns)
        axes = panels(ax, rows, 2 * columns + 1, (0.012, 0.04), 0.02)
        for number, panel in enumerate(axes):
            row, column = divmod(number, 2 * columns + 1)
            place = row * columns + (column if column < columns else column - columns - 1)
            if column == columns or place >= len(self.data):
                panel.set_axis_off()
                continue
            draw_image(panel, (self.data if column < columns else self.samples)[place], 0.0, 1.0)
            if column > columns and not self.known[place]:
                panel.plot([0.05, 0.95], [0.05, 0.95], color=SERIES[1], linewidth=1.4, transform=panel.transAxes)
                panel.plot([0.05, 0.95], [0.95, 0.05], color=SERIES[1], linewidth=1.4, transform=panel.transAxes)


def dreams(
    run: Run,
    count: int = 30,
    *,
    steps: int = 2000,
    seed: int = 0,
    replica: int = 0,
    layer: str = LAYER,
    shape: Shape | None = None,
) -> Dreams:
    """Samples of a replica's machine beside as many examples; `shape` is (height, width) where the data do not say that they are images.

    Raises: ShapeError where the inputs are no image.
    """
    info, states = run.dataset_info, visible_states(run)
    known_shape = shape or image_shape(info.input_shape, info.input_dtype)
    if known_shape is None or math.prod(known_shape) != states.shape[1]:
        raise ShapeError(
            f"{states.shape[1]} visible units as a picture",
            expected="a height and a width",
            remedy="give shape=(height, width)",
        )
    samples = BoltzmannMachine.of(run.parameters(replica), layer).samples(count, steps, seed)
    chosen = states[np.random.default_rng(seed).choice(len(states), count, replace=count > len(states))]
    seen = {row.tobytes() for row in np.round(states)}
    known = np.array([row.tobytes() in seen for row in samples])
    return Dreams(chosen.reshape(count, *known_shape), samples.reshape(count, *known_shape), known, steps)
