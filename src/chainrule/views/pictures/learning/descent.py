"""Gradient descent on costs of one and of two parameters: many starts and their minima; the gradient as arrows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule import ops
from chainrule.derivatives import require_gradients
from chainrule.errors import OptionError
from chainrule.graph import Array, Node, compute, input_node
from chainrule.numerals import numeral
from chainrule.views.marks import MARKERS, Image, Line, Mark, Points, Scale, box_around, ends_of
from chainrule.views.panels import Axis, Span
from chainrule.views.plain import counted
from chainrule.views.scales import round_levels
from chainrule.views.view import View, chart, numbers


def cost_curve_starts(
    cost: Callable[[Node], Node],
    starts: Sequence[float] | Array,
    *,
    rate: float = 0.02,
    steps: int = 400,
    span: Span | None = None,
) -> View:
    """Plain gradient descent w ← w − rate·C′(w) on a cost of one parameter from many starts at once, C′ by `grad`.

    `cost` is a function of a node, made of chainrule's ops, that treats each number apart. `span` None: as far as the paths go.
    The numbers: `paths` (steps + 1, starts) and their costs `path_costs`; the curve `w`, `costs` (n,); `minima` (m,), the places
    where starts came to rest, and `reached` (starts,), which of them each start found, −1 where it still moved.

    >>> found = cost_curve_starts(lambda w: w**4.0 - 2.0 * w**2.0 + 0.3 * w, np.linspace(-2, 2, 41)).numbers
    >>> found["minima"].round(3)
    array([-1.036,  0.96 ])

    Raises: OptionError where the steps lead out of the finite numbers.
    """
    begin = np.asarray(starts, dtype=np.float64).reshape(-1)
    paths = _descended(lambda nodes: cost(nodes[0]), begin[None], rate, steps)[:, 0]
    low, high = span or (float(paths.min()), float(paths.max()))
    w = np.linspace(low, high, 401) if high > low else np.linspace(low - 1, high + 1, 401)
    minima, reached = _minima(lambda nodes: cost(nodes[0]), paths[-1], high - low or 2.0)
    costs, path_costs = _costs(cost, w), _costs(cost, paths.reshape(-1)).reshape(paths.shape)
    groups = [mark for k in range(-1, len(minima)) for mark in _group(k, paths, path_costs, reached == k, minima)]
    still = f"; crosses still move after {steps} steps" if np.any(reached < 0) else ""
    return chart(
        f"C(w) from {len(begin)} starts: {len(minima)} minim{'um' if len(minima) == 1 else 'a'}",
        "Each small sign is a start, its shape and colour the minimum that it rolls down to; filled signs are the minima, with the "
        f"number of starts that they caught: which one is found depends on the start, not on which is lowest{still}.",
        [Line(w, costs, width=1.2), *groups],
        Axis("w (no unit)"),
        Axis("cost C(w) (no unit)"),
        numbers(w=w, costs=costs, paths=paths, path_costs=path_costs, minima=minima, reached=reached),
    )


def _group(k: int, paths: Array, costs: Array, chosen: Array, minima: Array) -> list[Mark]:
    """The starts that reached minimum k, their ways, and where they came to rest; −1 are those that still move."""
    if not chosen.any():
        return []
    colour, sign = (k, MARKERS[k % 6]) if k >= 0 else ("ink", "x")
    ways = Line(paths[:, chosen].T, costs[:, chosen].T, color=colour, width=3.0, alpha=0.12)
    if k < 0:
        return [ways, Points(paths[0, chosen], costs[0, chosen], color="ink", marker="x", label="still moving")]
    cost = float(costs[-1, chosen].mean())
    words = f"w = {numeral(float(minima[k]), 3)}, C = {numeral(cost, 3)}: {counted(int(chosen.sum()), 'start')}"
    begun = Points(paths[0, chosen], costs[0, chosen], color="paper", marker=sign, edge=colour)
    return [ways, begun, Points([minima[k]], [cost], color=colour, marker=sign, size=10.0, edge="ink", label=words)]


def gradient_field(
    cost: Callable[[Node, Node], Node],
    span: tuple[Span, Span] = ((-2.0, 2.0), (-2.0, 2.0)),
    start: tuple[float, float] | None = None,
    *,
    rate: float = 0.05,
    steps: int = 50,
    arrows: int = 13,
) -> View:
    """A cost of two parameters: its values, its gradient by `grad` on arrows × arrows places, and descent from `start`.

    `cost` is a function of two nodes, made of chainrule's ops, that treats each pair of numbers apart. The numbers: `costs` (rows,
    columns) over `x` (columns,) and `y` (rows,); `gradients` (n, 2) at `places` (n, 2); `path` (steps + 1, 2), empty without a start.

    >>> found = gradient_field(lambda x, y: x * x + 3.0 * y * y, start=(1.5, 1.0)).numbers
    >>> bool(np.allclose(found["gradients"], found["places"] * [2, 6]))
    True

    Raises: OptionError where the steps lead out of the finite numbers.
    """
    x, y = (np.linspace(*side, 121) for side in span)
    across, up = np.meshgrid(x, y)
    coarse = [np.linspace(*side, arrows + 2)[1:-1] for side in span]
    places = np.stack([part.reshape(-1) for part in np.meshgrid(*coarse)])

    def both(nodes: list[Node]) -> Node:
        return cost(*nodes)

    grid = np.stack([across.reshape(-1), up.reshape(-1)])
    path = (
        np.zeros((0, 2))
        if start is None
        else _descended(both, np.array(start, dtype=np.float64)[:, None], rate, steps)[:, :, 0]
    )
    costs, gradients = _values_and_slopes(both, grid)[0].reshape(across.shape), _values_and_slopes(both, places)[1].T
    # Both axes have one scale where they can, so that arrows are seen at right angles to the lines.
    even = bool(1 / 3 <= np.ptp(x) / np.ptp(y) <= 3)
    square = ", square to the lines" if even else ""
    way = "; the line with dots goes against them: gradient descent from the open circle" if len(path) else ""
    return chart(
        "C(x, y) and its gradient",
        f"Lines join places of equal cost; each arrow is ∇C, the direction of steepest increase{square}, the longer the steeper "
        f"(by the square root){way}.",
        [_cost_map(x, y, costs), *_arrows(places.T, gradients, coarse), *_path_marks(path)],
        Axis("x (no unit)", ends=span[0]),
        Axis("y (no unit)", ends=span[1]),
        numbers(x=x, y=y, costs=costs, places=places.T, gradients=gradients, path=path),
        size=(5.6, 4.7),
        equal=even,
    )


CostOfNodes = Callable[[list[Node]], Node]


def _values_and_slopes(cost: CostOfNodes, points: Array) -> tuple[Array, Array]:
    """C, (n,), and its derivatives, (parameters, n), at points (parameters, n)."""
    return _Cost(cost, points.shape)(points)


class _Cost:
    """A cost with its derivatives, ready to be asked at many sets of points of one shape."""

    def __init__(self, cost: CostOfNodes, shape: tuple[int, ...]) -> None:
        self.leaves = [input_node(f"w{i}", shape[1:]) for i in range(shape[0])]
        self.value = cost(self.leaves)
        if self.value.shape != shape[1:]:
            raise OptionError(
                f"a cost that turns {shape[1:]} into {self.value.shape}",
                expected="one cost to each number, computed apart from the others",
                remedy="leave out sums and means over the parameter",
            )
        self.slopes = require_gradients(ops.sum(self.value), self.leaves)

    def __call__(self, points: Array) -> tuple[Array, Array]:
        value, *slopes = compute([self.value, *self.slopes], dict(zip(self.leaves, points, strict=True)))
        return value, np.stack(slopes)


def _costs(cost: Callable[[Node], Node], w: Array) -> Array:
    leaf = input_node("w", w.shape)
    return compute([cost(leaf)], {leaf: w})[0]


def _descended(cost: CostOfNodes, start: Array, rate: float, steps: int) -> Array:
    """The way down from starts (parameters, n): (steps + 1, parameters, n)."""
    asked, path = _Cost(cost, start.shape), [start]
    for step in range(steps):
        path.append(path[-1] - rate * asked(path[-1])[1])
        if not np.isfinite(path[-1]).all():
            raise OptionError(
                f"gradient descent with rate {rate} left the finite numbers at step {step + 1}",
                expected="a rate with which the cost falls",
                remedy=f"write rate={numeral(rate / 10, 6)}",
            )
    return np.array(path)


def _minima(cost: CostOfNodes, ends: Array, width: float) -> tuple[Array, Array]:
    """The places where the starts came to rest, in order, and which of them each start reached; −1 for one that still moves."""
    slopes = _values_and_slopes(cost, ends[None])[1][0]
    resting = np.abs(slopes) < 1e-3
    sorted_ends = np.sort(ends[resting])
    groups = np.split(sorted_ends, np.flatnonzero(np.diff(sorted_ends) > 0.01 * width) + 1)
    minima = np.array([group.mean() for group in groups if len(group)])
    nearest = np.abs(ends[:, None] - minima).argmin(axis=1) if len(minima) else np.zeros(len(ends), dtype=np.int64)
    return minima, np.where(resting, nearest, -1)


def _cost_map(x: Array, y: Array, costs: Array) -> Image:
    scale = Scale("sequential", *ends_of(costs), label="cost C (no unit)")
    levels = round_levels(*ends_of(costs), count=14)
    return Image(costs, scale=scale, box=box_around(x, y), alpha=0.85, levels=levels, width=0.4)


def _arrows(places: Array, gradients: Array, coarse: Sequence[Array]) -> list[Mark]:
    """An arrow to a place, by the square root of its length: of arrows in proportion, most would be too short to be seen."""
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    shown = gradients / np.sqrt(np.where(lengths > 0, lengths, 1.0))
    room = [float(side[1] - side[0]) if len(side) > 1 else 1.0 for side in coarse]
    most = float((np.abs(shown) / room).max()) or 1.0
    ends = places + 0.95 * shown / most
    return [
        Line(*(np.stack([places[:, k], ends[:, k]], axis=1) for k in (0, 1)), color="light", edge="dark", width=1.5, arrow=True)
    ]


def _path_marks(path: Array) -> list[Mark]:
    if not len(path):
        return []
    line = Line(*path.T, color=1, marker="o", size=2.5, width=1.4, label="gradient descent")
    return [line, Points(*path[:1].T, color="light", edge=1, size=8.0)]
