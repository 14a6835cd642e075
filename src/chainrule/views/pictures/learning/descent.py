"""Gradient descent on costs of one and of two parameters: many starts and their minima; the gradient as arrows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule import ops
from chainrule.derivatives import require_gradients
from chainrule.errors import OptionError
from chainrule.graph import Array, Node, compute, input_node
from chainrule.numerals import numeral
from chainrule.views.colours import SEQUENTIAL, SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subject import Span
from chainrule.views.plain import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True, eq=False)
class CostCurveStarts(Picture):
    """Gradient descent on C(w) from many starts: `paths` (steps + 1, starts), their costs `path_costs`; the curve `w`, `costs` (n,).

    `minima` (m,) are the places where starts came to rest, `reached` (starts,) which of them each start found, −1 where it still moved.
    """

    w: Array
    costs: Array
    paths: Array
    path_costs: Array
    minima: Array
    reached: Array

    @property
    def title(self) -> str:
        """How many starts, how many minima."""
        return f"C(w) from {self.paths.shape[1]} starts: {len(self.minima)} minim{'um' if len(self.minima) == 1 else 'a'}"

    @property
    def reading(self) -> str:
        """How to read the paths."""
        moving = int(np.sum(self.reached < 0))
        still = f"; crosses still move after {len(self.paths) - 1} steps" if moving else ""
        return (
            "Each small sign is a start, its shape and colour the minimum that it rolls down to; filled signs are the minima, with the "
            f"number of starts that they caught: which one is found depends on the start, not on which is lowest{still}."
        )

    def draw(self, ax: Axes) -> None:
        """The curve, the starts, the minima."""
        ax.plot(self.w, self.costs, color=INK, linewidth=1.2)
        for k in range(-1, len(self.minima)):
            chosen = self.reached == k
            if chosen.any():
                self._draw_group(ax, k, chosen)
        ax.set_xlabel("w (no unit)")
        ax.set_ylabel("cost C(w) (no unit)")
        ax.legend()

    def _draw_group(self, ax: Axes, k: int, chosen: Array) -> None:
        colour, sign = (SERIES[k % len(SERIES)], MARKERS[k % len(MARKERS)]) if k >= 0 else (INK, "x")
        look: dict[str, Any] = {"color": colour, "marker": sign, "linestyle": "none"}
        ax.plot(self.paths[:, chosen], self.path_costs[:, chosen], color=colour, linewidth=3, alpha=0.12)
        ax.plot(self.paths[0, chosen], self.path_costs[0, chosen], markerfacecolor="white", markersize=4, zorder=3, **look)
        if k < 0:
            ax.plot([], [], label="still moving", **look)
        if k >= 0:
            place, cost = float(self.minima[k]), float(self.path_costs[-1, chosen].mean())
            words = f"w = {numeral(place, 3)}, C = {numeral(cost, 3)}: {counted(int(chosen.sum()), 'start')}"
            ax.plot([place], [cost], markersize=10, label=words, markeredgecolor=INK, zorder=4, **look)


@dataclass(frozen=True, eq=False)
class GradientField(Picture):
    """C(x, y), `costs` (rows, columns) over `x` (columns,) and `y` (rows,), with arrows and a path.

    The arrows are `gradients` (n, 2) at `places` (n, 2); `path` (steps + 1, 2) is empty without a start.
    """

    size: ClassVar[tuple[float, float]] = (5.6, 4.7)
    x: Array
    y: Array
    costs: Array
    places: Array
    gradients: Array
    path: Array

    @property
    def title(self) -> str:
        """What is drawn."""
        return "C(x, y) and its gradient"

    @property
    def reading(self) -> str:
        """How to read the arrows."""
        square = ", square to the lines" if self._even() else ""
        path = "; the line with dots goes against them: gradient descent from the open circle" if len(self.path) else ""
        return (
            f"Lines join places of equal cost; each arrow is ∇C, the direction of steepest increase{square}, the longer the steeper "
            f"(by the square root){path}."
        )

    def _even(self) -> bool:
        """Whether both axes can have one scale, so that arrows are seen at right angles to the lines."""
        return bool(1 / 3 <= np.ptp(self.x) / np.ptp(self.y) <= 3)

    def draw(self, ax: Axes) -> None:
        """Contours, arrows, path."""
        filled = ax.contourf(self.x, self.y, self.costs, levels=16, cmap=SEQUENTIAL, alpha=0.75)
        ax.contour(self.x, self.y, self.costs, levels=16, colors=INK, linewidths=0.35)
        bar: Any = ax.figure.colorbar(filled, ax=ax)
        bar.set_label("cost C (no unit)")
        lengths = np.linalg.norm(self.gradients, axis=1, keepdims=True)
        # As the square root: of arrows in proportion, most would be too short to be seen.
        arrows = self.gradients / np.sqrt(np.where(lengths > 0, lengths, 1.0))
        ax.quiver(*self.places.T, *arrows.T, color="white", edgecolor=INK, linewidth=0.4, angles="xy", width=0.006)
        if len(self.path):
            ax.plot(*self.path.T, "-o", color=SERIES[1], markersize=2.5, linewidth=1.4, label="gradient descent")
            ax.plot(*self.path[0], "o", color=SERIES[1], markerfacecolor="white", markersize=8)
            ax.legend(frameon=True)
        ax.set_xlim(self.x[0], self.x[-1])
        ax.set_ylim(self.y[0], self.y[-1])
        if self._even():
            ax.set_aspect("equal")
        ax.set_xlabel("x (no unit)")
        ax.set_ylabel("y (no unit)")


def cost_curve_starts(
    cost: Callable[[Node], Node],
    starts: Sequence[float] | Array,
    *,
    rate: float = 0.02,
    steps: int = 400,
    span: Span | None = None,
) -> CostCurveStarts:
    """Plain gradient descent w ← w − rate·C′(w) on a cost of one parameter from many starts at once, C′ by `grad`.

    `cost` is a function of a node, made of chainrule's ops, that treats each number apart. `span` None: as far as the paths go.

    >>> picture = cost_curve_starts(lambda w: w**4.0 - 2.0 * w**2.0 + 0.3 * w, np.linspace(-2, 2, 41))
    >>> picture.minima.round(3)
    array([-1.036,  0.96 ])

    Raises: OptionError where the steps lead out of the finite numbers.
    """
    begin = np.asarray(starts, dtype=np.float64).reshape(-1)
    paths = _descended(lambda nodes: cost(nodes[0]), begin[None], rate, steps)[:, 0]
    low, high = span or (float(paths.min()), float(paths.max()))
    w = np.linspace(low, high, 401) if high > low else np.linspace(low - 1, high + 1, 401)
    settled, reached = _minima(lambda nodes: cost(nodes[0]), paths[-1], high - low or 2.0)
    return CostCurveStarts(w, _costs(cost, w), paths, _costs(cost, paths.reshape(-1)).reshape(paths.shape), settled, reached)


def gradient_field(
    cost: Callable[[Node, Node], Node],
    span: tuple[Span, Span] = ((-2.0, 2.0), (-2.0, 2.0)),
    start: tuple[float, float] | None = None,
    *,
    rate: float = 0.05,
    steps: int = 50,
    arrows: int = 13,
) -> GradientField:
    """A cost of two parameters: its values, its gradient by `grad` on arrows × arrows places, and descent from `start`.

    `cost` is a function of two nodes, made of chainrule's ops, that treats each pair of numbers apart.

    >>> field = gradient_field(lambda x, y: x * x + 3.0 * y * y, start=(1.5, 1.0))
    >>> bool(np.allclose(field.gradients, field.places * [2, 6]))
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
    return GradientField(
        x, y, _values_and_slopes(both, grid)[0].reshape(across.shape), places.T, _values_and_slopes(both, places)[1].T, path
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
