"""Restricted Boltzmann machines: their exact likelihood while learning, what they believe of each state, and what they dream."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array, Shape
from chainrule.nn import BoltzmannMachine
from chainrule.train import Run
from chainrule.train.replicated import standard_error
from chainrule.views.marks import ErrorBars, Image, Line, Mark, Points, Rule, second_marker, staircase, with_band
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import dreams_pictures, suits
from chainrule.views.pictures.mosaics import mosaic
from chainrule.views.pictures.sheets import image_shape
from chainrule.views.view import View, chart, numbers

LAYER = "boltzmann1"
"""What the first machine of a network is called."""


def exact_machines(run: Run, layer: str = LAYER) -> list[BoltzmannMachine]:
    """Each replica's machine."""
    return [BoltzmannMachine.of(run.parameters(replica), layer) for replica in range(run.settings.replicas)]


def visible_states(run: Run) -> Array:
    """The training examples as the network sees them, one row of numbers between 0 and 1 to each: (n, visible)."""
    data = run.data
    return data.scaling.apply(data.train.x).reshape(len(data.train), -1)


def likelihood_curves(runs: Mapping[str, Run], epochs: Sequence[int], layer: str = LAYER) -> View:
    """The exact log likelihood of runs on the same data after these epochs, for all replicas; the runs are replayed.

    The numbers: `likelihoods` (runs, epochs, replicas), the mean of an example in nats, after `epochs` (epochs,), and `bound`, the
    largest that any distribution reaches, minus the entropy of the data.
    Raises: OptionError without runs, for other numbers of replicas, and for machines with more than 20 units on both sides.
    """
    if not runs or len({(run.settings.replicas, run.dataset_info.hash) for run in runs.values()}) > 1:
        raise OptionError(
            f"{len(runs)} runs to be compared", expected="runs on the same data, with equally many replicas",
            remedy="train all on the same data with the same replicas=...",
        )  # fmt: skip
    states = visible_states(next(iter(runs.values())))
    tables = np.array([[_likelihoods(run.at(epoch=epoch), states, layer) for epoch in epochs] for run in runs.values()])
    return _likelihood_view(tuple(runs), np.array(epochs), tables, -entropy(states))


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


def _likelihood_view(names: Sequence[str], epochs: Array, likelihoods: Array, bound: float) -> View:
    """The view of `likelihood_curves`."""
    tables = enumerate(zip(names, likelihoods, strict=True))
    curves = [
        mark
        for place, (name, table) in tables
        for mark in with_band(place, epochs, table.mean(axis=1), 2 * standard_error(table), name, marker=second_marker(place))
    ]
    return chart(
        "Exact log likelihood while learning",
        "Higher is better: each curve is the mean over the replicas of log P(v), found by enumeration and averaged over the "
        "examples, its band two standard errors; the dashed line is the most that is possible.",
        [*curves, Rule(y=bound, dash="dashed", width=0.9, label="most possible: −entropy of the data")],
        Axis("epochs"),
        Axis("log likelihood of an example (nats)"),
        numbers(names=names, epochs=epochs, likelihoods=likelihoods, bound=bound),
        legend="lower right",
    )


def state_probabilities(runs: Mapping[str, Run], layer: str = LAYER) -> View:
    """What the machines of runs on the same data give to each state that occurs in the training data, by their exact distributions.

    The numbers: `believed` (runs, states, replicas) beside `true` (states,), the states' shares in the data, and `elsewhere` (runs,
    replicas), the probability of all other states together.
    Raises: OptionError without runs, and for machines with more than 20 units on both sides.
    """
    if not runs:
        raise OptionError("no runs", expected="one or more", remedy='write {"CD-1": run}')
    states, counts = np.unique(visible_states(next(iter(runs.values()))), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    found = [np.exp([machine.log_likelihood(states[order]) for machine in exact_machines(run, layer)]) for run in runs.values()]
    believed = np.array([table.T for table in found])
    return _belief_view(tuple(runs), counts[order] / counts.sum(), believed, 1 - believed.sum(axis=1))


def _belief_view(names: Sequence[str], true: Array, believed: Array, elsewhere: Array) -> View:
    """The view of `state_probabilities`."""
    places, errors, means = np.arange(len(true)), 2 * standard_error(believed), believed.mean(axis=2)
    top = max(float((means + errors).max()), float(true.max()))
    marks: list[Mark] = [Line(*staircase(places, true), width=1.0, label="data")]
    for i, (name, mean, error) in enumerate(zip(names, means, errors, strict=True)):
        at: Array = places + 0.22 * (i - (len(names) - 1) / 2)
        lost = f"{name}: {100 * elsewhere[i].mean():.0f} % elsewhere"
        marks += [
            ErrorBars(at, mean - error, mean + error, color=i, cap=0.0, width=0.8),
            Points(at, mean, color=i, marker=second_marker(i), size=3.5, label=lost),
        ]
    return chart(
        "The machine's distribution against that of the data",
        "Each place is a state that the data hold, the line its share in the data, each mark what a machine gives it (mean over the "
        "replicas, two standard errors); what lacks has gone to states that never occur, as the legend says.",
        marks,
        Axis("state that occurs in the data, by its share (number)"),
        Axis("probability (no unit)", ends=(0, 1.3 * top)),
        numbers(names=names, true=true, believed=believed, elsewhere=elsewhere),
        size=(6.8, 3.8),
        legend="top",
    )


@suits(dreams_pictures)
def dreams(
    run: Run,
    count: int = 30,
    *,
    steps: int = 2000,
    seed: int = 0,
    replica: int = 0,
    layer: str = LAYER,
    shape: Shape | None = None,
) -> View:
    """Samples of a replica's machine beside as many examples; `shape` is (height, width) where the data do not say that they are images.

    The numbers: `data` and `samples`, each (k, height, width), and `known` (k,), whether each sample is a state that occurs in the data.
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
    data, drawn = chosen.reshape(count, *known_shape), samples.reshape(count, *known_shape)
    return View(
        "Left: data. Right: what the machine dreams",
        f"On the right are states that the machine has drawn, each from {steps} steps of Gibbs sampling that began with coins; a "
        "cross marks those that never occur in the data.",
        [
            Panel([_sheet(data), _frames(data)], title="data", equal=True, frame="none"),
            Panel([_sheet(drawn), _frames(drawn), _crosses(drawn, known)], title="dreams", equal=True, frame="none"),
        ],
        numbers(data=data, samples=drawn, known=known),
        size=(6.8, 3.6),
    )


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _sheet(images: Array) -> Image:
    """The images row by row, what is left over of the last row no numbers."""
    columns = _columns(len(images))
    rows = math.ceil(len(images) / columns)
    whole = np.full((rows * columns, *images.shape[1:]), np.nan)
    whole[: len(images)] = images
    return Image(mosaic(whole.reshape(rows, columns, *images.shape[1:]), gap=1))


def _frames(images: Array) -> Line:
    """A thin frame around each image, for white ones on a white page."""
    height, width = images.shape[1:]
    row, column = np.divmod(np.arange(len(images)), _columns(len(images)))
    left, top = column * (width + 1) - 0.5, row * (height + 1) - 0.5
    x, y = np.stack([left, left + width], axis=1), np.stack([top, top + height], axis=1)
    return Line(x[:, [0, 1, 1, 0, 0]], y[:, [0, 0, 1, 1, 0]], color="line", width=0.6)


def _crosses(images: Array, known: Array) -> Line:
    """A cross over each image that is not known."""
    height, width = images.shape[1:]
    row, column = np.divmod(np.flatnonzero(~known), _columns(len(images)))
    left, top = column * (width + 1) - 0.4, row * (height + 1) - 0.4
    x = np.concatenate([np.stack([left, left + width - 0.2], axis=1)] * 2)
    y = np.stack([top, top + height - 0.2], axis=1)
    return Line(x, np.concatenate([y, y[:, ::-1]]), color=1, width=1.4)
