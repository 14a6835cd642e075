"""The cost over two directions in the space of all weights, and the path of a training through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Image, Line, Mark, Points, Scale, box_around, ends_of
from chainrule.views.panels import Axis
from chainrule.views.pictures.learning.landscape import centred, require_span
from chainrule.views.pictures.learning.places import examples, flat, unflat
from chainrule.views.view import View, chart, numbers

LEVELS = 14


def cost_surface(
    model: Model,
    x: Array,
    y: Array,
    directions: tuple[Mapping[str, Array], Mapping[str, Array]] | None = None,
    span: float = 1.0,
    seed: int = 0,
    points: int = 31,
) -> View:
    """C on the examples x, y over two directions from the present weights, `span` each way.

    `directions`: two sets of arrays by parameter; None draws two at random, each neuron's part as long as its weights (filter
    normalisation), so that the picture does not depend on how a network of ReLUs is scaled.
    The numbers: `costs` [b, a], C at parameters + a·first + b·second, with a and b from `at` (points,); `first`, `second` (parameters,).
    Raises: ShapeError for directions of other shapes. Source: H. Li et al., Visualizing the Loss Landscape, NeurIPS (2018).
    """
    require_span(span, points)
    x, y = examples(model, x, y)
    pair = directions or random_directions(model, seed)
    for direction in pair:
        _require_shapes(model, direction)
    first, second = (flat({name: np.asarray(direction[name]) for name in model.parameters}) for direction in pair)
    at = span * centred(points)
    costs = _costs(model, x, y, flat(model.parameters), (first, second), (at, at))
    kind = "two given directions" if directions else "two random directions, filter-normalised"
    unit = "" if directions else " (1: as long as the weights)"
    return chart(
        "The cost around the present weights",
        f"Each point is C of the network moved along {kind}, the cross is where it stands; dark is low. It is a cut "
        f"through {len(first)} dimensions: what looks like a valley here may have a way out in another direction.",
        [*contours(at, at, costs), Points([0.0], [0.0], marker="P", color="light", edge="dark", size=9.0)],
        Axis(f"a, along the first direction{unit}", ends=(at[0], at[-1])),
        Axis("b, along the second direction", ends=(at[0], at[-1])),
        numbers(first=first, second=second, at=at, costs=costs),
    )


def random_directions(model: Model, seed: int = 0) -> tuple[dict[str, Array], dict[str, Array]]:
    """Two random directions, the part of each neuron as long as its weights; a layer's biases count as one part."""
    random = np.random.default_rng(seed)

    def one() -> dict[str, Array]:
        return {name: _as_long(random.standard_normal(w.shape), w) for name, w in model.parameters.items()}

    return one(), one()


def _as_long(direction: Array, weights: Array) -> Array:
    # The last axis counts the neurons; what comes in is on the others.
    axes = tuple(range(weights.ndim - 1)) if weights.ndim > 1 else None
    lengths = [np.sqrt(np.sum(part**2, axis=axes, keepdims=True)) for part in (direction, weights)]
    return direction * lengths[1] / np.where(lengths[0] > 0, lengths[0], 1.0)


def _require_shapes(model: Model, direction: Mapping[str, Array]) -> None:
    wanted = {name: array.shape for name, array in model.parameters.items()}
    found = {name: np.shape(array) for name, array in direction.items()}
    if found != wanted:
        raise ShapeError(f"a direction {found}", expected=f"{wanted}", remedy="give an array for each parameter, of its shape")


def _costs(model: Model, x: Array, y: Array, middle: Array, axes: tuple[Array, Array], at: tuple[Array, Array]) -> Array:
    """C at middle + a·axes[0] + b·axes[1] for all a of at[0] (columns) and b of at[1] (rows)."""
    costs = np.empty((len(at[1]), len(at[0])))
    for row, column in np.ndindex(costs.shape):
        moved = middle + at[0][column] * axes[0] + at[1][row] * axes[1]
        costs[row, column] = model.with_parameters(unflat(moved, model.parameters)).cost(x, y)
    return costs


def contours(across: Array, up: Array, costs: Array) -> list[Mark]:
    """Colours, and lines that are closer where the cost is small, with their heights."""
    low, high = ends_of(costs)
    decades = low > 0 and high > 5 * low
    high = high if high > low else low + 1.0
    levels = (np.geomspace if decades else np.linspace)(low, high, LEVELS)[1:-1:2].tolist()
    scale = Scale("sequential", low, high, "cost C", log=decades)
    texts = [f"{level:.2g}" for level in levels]
    return [
        Image(costs, scale=scale, box=box_around(across, up), color="light", levels=levels, texts=texts, width=0.6, smooth=True)
    ]


def path_of_run(states: Sequence[Model], x: Array, y: Array, points: int = 25) -> View:
    """The path through the space of weights that models along a run make, and C on the examples x, y around it.

    The plane goes through the last state; its directions are the principal ones of the differences from it, so three states at least
    are wanted. The numbers: `places` (states, 2) in the plane, the last at (0, 0), and C there, `costs` (states,); C in the plane,
    `surface` (points, points) over `across` and `up`; `explained` (2,), the fraction of the states' variance along each direction;
    `directions` (2, parameters), of length 1. Raises: OptionError for fewer, or for states of different networks.
    Source: H. Li et al., Visualizing the Loss Landscape, NeurIPS (2018), section 7.
    """
    shapes = [{name: array.shape for name, array in state.parameters.items()} for state in states]
    if len(states) < 3 or any(shape != shapes[0] for shape in shapes):
        raise OptionError(
            f"{len(states)} states" + (" of different networks" if len(states) >= 3 else ""),
            expected="at least 3 states of one network along its run",
            remedy="give models of the same run, one to an epoch for example",
        )
    require_span(1.0, points)
    x, y = examples(states[-1], x, y)
    last = flat(states[-1].parameters)
    differences = np.stack([flat(state.parameters) for state in states]) - last
    _, sizes, axes = np.linalg.svd(differences, full_matrices=False)
    if not sizes[0] > 0:
        raise OptionError("states that are all the same", expected="a training that moved", remedy="give states of other steps")
    places = differences @ axes[:2].T
    across, up = (_around(places[:, axis], float(np.ptp(places[:, 0])), points) for axis in (0, 1))
    surface = _costs(states[-1], x, y, last, (axes[0], axes[1]), (across, up))
    costs = np.array([state.cost(x, y) for state in states])
    explained = sizes[:2] ** 2 / np.sum(sizes**2)
    return chart(
        "The path of the training",
        "Dots are the weights along the run, from the ring to the star, in the plane that holds most of the path "
        f"({100 * float(explained.sum()):.0f} % of its variance); shades are C in that plane. C fell from "
        f"{numeral(costs[0], 3)} to {numeral(costs[-1], 3)} along the run itself.",
        [*contours(across, up, surface), *_way(places)],
        Axis(f"along the first principal direction ({100 * explained[0]:.0f} %)", ends=(across[0], across[-1])),
        Axis(f"along the second ({100 * explained[1]:.0f} %)", ends=(up[0], up[-1])),
        numbers(places=places, costs=costs, across=across, up=up, surface=surface, explained=explained, directions=axes[:2]),
    )


def _around(values: Array, extent: float, points: int) -> Array:
    """A range of points around the values; a path that is nearly straight is given room."""
    middle, half = (values.max() + values.min()) / 2, max(0.65 * float(np.ptp(values)), 0.25 * extent)
    return middle + half * np.linspace(-1, 1, points)


def _way(places: Array) -> list[Mark]:
    """White with a dark rim: seen on every shade."""
    return [
        Line(*places.T, color="light", width=1.4, marker="o", size=3.0, edge="dark"),
        Points(*places[:1].T, color="light", size=10.0, hollow=True),
        Points(*places[-1:].T, color="light", marker="*", size=13.0, edge="dark"),
    ]
