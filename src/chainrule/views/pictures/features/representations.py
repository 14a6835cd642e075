"""What each layer makes of the data: its activations as rows, and projected to a plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train import Model
from chainrule.views.marks import Line, Mark, Points, Scale, class_marker, ends_of
from chainrule.views.networks.numbers import evenly
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import takes_amounts
from chainrule.views.pictures.sheets import class_name
from chainrule.views.plain import counted, printable
from chainrule.views.view import View

INPUT = "input"
_SCALED = "input.a"
_MOST_PANELS = 6
_WIDE = 1000
_SMALL = 0.03
_NAMED = 10
_LINES, _POINTS = 13, 61


@immutable(eq=False)
class Projection:
    """One layer's activations in a plane: `coordinates` (n, 2), in the layer's own units; `axes` says what the two are.

    `shares` (2,) are the parts of the variance that the two axes explain, None where the layer has two neurons or one and is
    shown as it is; `grid` (lines, points, 2) is where a net of straight lines in the plane of two inputs has gone, else None.
    """

    name: str
    neurons: int
    coordinates: Array
    axes: tuple[str, str]
    shares: Array | None
    grid: Array | None


def layer_projections(model: Model, x: Array, y: Array, most: int = 1000) -> View:
    """The first `most` of the examples x (n, ...) with targets y as each layer represents them, in a plane.

    Layers of two numbers are shown as they are; larger ones by their two principal components (K. Pearson, Phil. Mag. 2, 559
    (1901)), the right singular vectors of the centred activations; the sign of a component is chosen so that its
    entry of largest size is positive. More than six layers are thinned out evenly, first and last kept. For inputs of two
    numbers, a net of straight lines is sent through the layers too.
    The numbers: the coordinates (n, 2) of each layer by its name, and the `targets`; `projections` gives more of each.
    """
    found, classes, targets = projections(model, x, y, most), model.problem.dataset_info.classes, y[:most]
    bent = " grey lines are a net of straight lines in the input, and show how each layer bends the plane;"
    told = (
        "classes that a layer draws apart are easy for the next one"
        + ("." if len(classes) <= _NAMED else f"; {len(classes)} are too many to be named, colours and marks come again.")
        if classes is not None
        else "light and large points have a high target, dark and small ones a low one."
    )
    return View(
        f"What the layers make of {counted(len(targets), 'example')}",
        "Each panel shows the same examples as a layer represents them, in its two directions of largest variance or, for one or two "
        f"neurons, as they are;{bent * any(item.grid is not None for item in found)} {told}",
        [_projection_panel(item, targets, classes) for item in found],
        {**{item.name: item.coordinates for item in found}, "targets": targets},
        size=(9.0, 5.6),
        legend=classes is not None and len(classes) <= _NAMED,
    )


def layer_names(model: Model) -> tuple[str, ...]:
    """The last quantity of each layer, in order: dense1.a, dense2.a, and dense3.z where the last layer is linear."""
    last: dict[str, str] = {}
    for name in model.quantity_names:
        if name == _SCALED:
            continue
        layer = name.rpartition(".")[0]
        # A layer that is met again moves to its last place, as its quantity does.
        last.pop(layer, None)
        last[layer] = name
    return tuple(last.values())


def layer_rows(model: Model, x: Array, names: tuple[str, ...]) -> dict[str, Array]:
    """Each of these layers' activations as rows (n, neurons), float64; "input" is x as the network sees it, scaled."""
    quantities = model.quantities(x, set(names) - {INPUT}) if set(names) - {INPUT} else {}
    quantities[INPUT] = np.asarray(model.problem.dataset_info.scaling.apply(x), dtype=np.float64)
    return {name: quantities[name].reshape(len(x), -1) for name in names}


def _projection(name: str, rows: Array, net: Array | None, names: tuple[str, str], beside: Array | None) -> Projection:
    neurons = int(rows.shape[1])
    if neurons == 1:
        # A sequence that fills the interval evenly, whatever the number of points: multiples of the golden ratio, modulo 1.
        spread = (np.arange(len(rows)) * 0.6180339887498949) % 1.0
        up, label = (spread, "(spread for the eye)") if beside is None else (beside, "target")
        return Projection(name, 1, np.column_stack([rows[:, 0], up]), (names[0], label), None, None)
    if neurons == 2:
        return Projection(name, 2, rows, names, None, _as_lines(net))
    centre = rows.mean(axis=0)
    axes, shares = principal_axes(rows - centre)
    labels = f"component 1 ({shares[0]:.0%} of variance)", f"component 2 ({shares[1]:.0%})"
    net = None if net is None else (net - centre) @ axes
    return Projection(name, neurons, (rows - centre) @ axes, labels, shares, _as_lines(net))


def _axis_names(model: Model, layer: str) -> tuple[str, str]:
    features = model.problem.dataset_info.features
    if layer != INPUT:
        return "neuron 0", "neuron 1"
    names = features if features is not None else ("first input", "second input")
    return f"{class_name(names, 0)} (scaled)", f"{class_name(names, min(1, len(names) - 1))} (scaled)"


def principal_axes(centred: Array) -> tuple[Array, Array]:
    """The two directions of largest variance of centred rows (n, d), as columns (d, 2), and the shares of variance (2,).

    >>> axes, shares = principal_axes(np.array([[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]))
    >>> axes.T.tolist(), shares.tolist()
    ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0.9, 0.1])
    """
    directions = _directions(centred)
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    directions = directions * np.where(largest < 0, -1.0, 1.0)
    squares, total = np.sum((centred @ directions.T) ** 2, axis=0), float(np.sum(centred**2))
    return directions.T, squares / total if total > 0 else np.zeros_like(squares)


def _directions(centred: Array) -> Array:
    """The two directions of largest variance, as rows.

    Of scalar products, in a small matrix: threads of LAPACK's singular-value decomposition wait for each other at every step, which
    takes a hundred times as long where others use the processor too.
    """
    rows, columns = centred.shape
    if columns > max(_WIDE, rows):
        squares, sides = np.linalg.eigh(centred @ centred.T)
        sizes = np.sqrt(np.clip(squares[:-3:-1], 0.0, None))
        return (sides[:, :-3:-1].T @ centred) / np.where(sizes > 0, sizes, 1.0)[:, None]
    found = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    first, second = np.linalg.norm(centred @ found[:, :2], axis=0)
    if second < _SMALL * first:
        # Beside squares of a much larger size those of the second have lost their digits: it is found among all upright on the first.
        upright = found[:, 1:]
        rest = centred @ upright
        found[:, 1] = upright @ np.linalg.eigh(rest.T @ rest)[1][:, -1]
    return found[:, :2].T


def _net(x: Array) -> Array:
    """Straight lines over the data's rectangle, (2 · lines, points, 2): first along the first input, then along the second."""
    low, high = x.min(axis=0), x.max(axis=0)
    along, across = np.linspace(0, 1, _POINTS), np.linspace(0, 1, _LINES)
    level, running = np.meshgrid(across, along, indexing="ij")
    lines = np.concatenate([np.stack([running, level], axis=2), np.stack([level, running], axis=2)])
    return low + (high - low) * lines


def _as_lines(points: Array | None) -> Array | None:
    return None if points is None else points.reshape(2 * _LINES, _POINTS, 2)


def projections(model: Model, x: Array, y: Array, most: int = 1000) -> list[Projection]:
    """The first `most` of the examples x (n, ...) with targets y in each layer, projected to a plane, as `layer_projections` says."""
    x, y = x[:most], y[:most]
    if len(x) < 2:
        raise OptionError(counted(len(x), "example"), expected="two or more", remedy="give x and y of a part of the data")
    every = (INPUT, *layer_names(model))
    names = tuple(every[int(place)] for place in evenly(len(every), _MOST_PANELS))
    rows = layer_rows(model, x, names)
    flat = x.ndim == 2 and x.shape[1] == 2 and x.dtype.kind == "f"
    net = _net(x) if flat and takes_amounts(model) else None
    nets = layer_rows(model, net.reshape(-1, 2), names) if net is not None else {}
    beside = y[:, 0] if model.problem.dataset_info.classes is None else None
    return [_projection(name, rows[name], nets.get(name), _axis_names(model, name), beside) for name in names]


def _projection_panel(item: Projection, targets: Array, classes: Sequence[str] | None) -> Panel:
    net: list[Mark] = [] if item.grid is None else [Line(*np.moveaxis(item.grid, 2, 0), color="faint", width=0.6, alpha=0.5)]
    marks = _by_value(item.coordinates, targets) if classes is None else _by_class(item.coordinates, targets, classes)
    title = f"{printable(item.name, most=24)}, {counted(item.neurons, 'number')}"
    return Panel([*net, *marks], Axis(item.axes[0]), Axis(item.axes[1]), title=title, legend="none", small=True)


def _by_value(places: Array, targets: Array) -> list[Mark]:
    """Size says the same as colour, for prints in grey."""
    values = targets[:, 0].astype(np.float64)
    low, high = ends_of(values)
    spread = high - low or 1.0
    sizes = np.sqrt(4 + 14 * (values - low) / spread)
    return [Points(*places.T, values=values, scale=Scale("sequential", low, low + spread), size=sizes)]


def _by_class(places: Array, labels: Array, classes: Sequence[str]) -> list[Mark]:
    return [
        Points(
            *places[labels == label].T, color=label, marker=class_marker(label), size=2.7, alpha=0.7,
            label=class_name(classes, label),
        )
        for label in map(int, np.unique(labels))
    ]  # fmt: skip
