"""The cost over two directions in the space of all weights, and the path of a training through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import SEQUENTIAL
from chainrule.views.pictures.learning.landscape import centred, require_span
from chainrule.views.pictures.learning.places import examples, flat, unflat
from chainrule.views.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGE = "#101010"
"""Around white marks on the contours, on light and dark pages alike."""
LEVELS = 14


@dataclass(frozen=True, eq=False)
class CostSurface(Picture):
    """C at parameters + a·first + b·second: `first`, `second` (parameters,), `at` (points,) for a and b, `costs` [b, a]."""

    first: Array
    second: Array
    at: Array
    costs: Array
    kind: str

    @property
    def title(self) -> str:
        """What is seen."""
        return "The cost around the present weights"

    @property
    def reading(self) -> str:
        """What a map of two directions can say."""
        return (
            f"Each point is C of the network moved along {self.kind}, the cross is where it stands; dark is low. It is a cut "
            f"through {len(self.first)} dimensions: what looks like a valley here may have a way out in another direction."
        )

    def draw(self, ax: Axes) -> None:
        """Filled contours with lines and their heights, the cross in the middle."""
        draw_contours(ax, self.at, self.at, self.costs)
        ax.plot([0], [0], "P", color="white", markeredgecolor=EDGE, markersize=9)
        unit = " (1: as long as the weights)" if "filter" in self.kind else ""
        ax.set_xlabel(f"a, along the first direction{unit}")
        ax.set_ylabel("b, along the second direction")


def cost_surface(
    model: Model,
    x: Array,
    y: Array,
    directions: tuple[Mapping[str, Array], Mapping[str, Array]] | None = None,
    span: float = 1.0,
    seed: int = 0,
    points: int = 31,
) -> CostSurface:
    """C on the examples x, y over two directions from the present weights, `span` each way.

    `directions`: two sets of arrays by parameter; None draws two at random, each neuron's part as long as its weights (filter
    normalisation), so that the picture does not depend on how a network of ReLUs is scaled.
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
    return CostSurface(first, second, at, costs, kind)


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


def draw_contours(ax: Axes, across: Array, up: Array, costs: Array) -> None:
    """Filled contours, closer where the cost is small, with lines and a scale."""
    from matplotlib.colors import LogNorm

    finite = costs[np.isfinite(costs)]
    low, high = float(finite.min()), float(finite.max())
    decades = low > 0 and high > 5 * low
    levels = np.geomspace(low, high, LEVELS) if decades else np.linspace(low, high if high > low else low + 1.0, LEVELS)
    shades = ax.contourf(across, up, costs, levels=levels, cmap=SEQUENTIAL, norm=LogNorm(low, high) if decades else None)
    lines = ax.contour(across, up, costs, levels=levels[1:-1:2], colors="white", linewidths=0.6)
    ax.clabel(lines, fontsize=7, fmt="%.2g")
    ax.figure.colorbar(shades, ax=ax, label="cost C", format="%.2g")


@dataclass(frozen=True, eq=False)
class PathOfRun(Picture):
    """A training's states in the plane of its two principal directions: `places` (states, 2), the last at (0, 0).

    `costs` (states,) are C at the states themselves; `surface` (points, points) is C in the plane, over `across` and `up`;
    `explained` (2,) is the fraction of the states' variance along each direction; `directions` (2, parameters), of length 1.
    """

    places: Array
    costs: Array
    across: Array
    up: Array
    surface: Array
    explained: Array
    directions: Array

    @property
    def title(self) -> str:
        """The path."""
        return "The path of the training"

    @property
    def reading(self) -> str:
        """How much of the path the plane holds."""
        return (
            "Dots are the weights along the run, from the ring to the star, in the plane that holds most of the path "
            f"({100 * float(self.explained.sum()):.0f} % of its variance); shades are C in that plane. C fell from "
            f"{numeral(self.costs[0], 3)} to {numeral(self.costs[-1], 3)} along the run itself."
        )

    def draw(self, ax: Axes) -> None:
        """The plane's contours and the path on them."""
        draw_contours(ax, self.across, self.up, self.surface)
        ax.plot(*self.places.T, color=EDGE, linewidth=3)
        ax.plot(*self.places.T, ".-", color="white", linewidth=1.4, markersize=5, markeredgecolor=EDGE, markeredgewidth=0.5)
        ax.plot(*self.places[0], "o", markerfacecolor="none", markeredgecolor="white", markersize=10, markeredgewidth=1.8)
        ax.plot(*self.places[-1], "*", color="white", markeredgecolor=EDGE, markersize=13)
        ax.set_xlabel(f"along the first principal direction ({100 * self.explained[0]:.0f} %)")
        ax.set_ylabel(f"along the second ({100 * self.explained[1]:.0f} %)")


def path_of_run(states: Sequence[Model], x: Array, y: Array, points: int = 25) -> PathOfRun:
    """The path through the space of weights that models along a run make, and C on the examples x, y around it.

    The plane goes through the last state; its directions are the principal ones of the differences from it, so three states at least
    are wanted. Raises: OptionError for fewer, or for states of different networks.
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
    return PathOfRun(places, costs, across, up, surface, sizes[:2] ** 2 / np.sum(sizes**2), axes[:2])


def _around(values: Array, extent: float, points: int) -> Array:
    """A range of points around the values; a path that is nearly straight is given room."""
    middle, half = (values.max() + values.min()) / 2, max(0.65 * float(np.ptp(values)), 0.25 * extent)
    return middle + half * np.linspace(-1, 1, points)
