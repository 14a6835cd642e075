"""The cost over the weights: along one of them with its tangent, by difference quotients, and rolled down from many starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.learning.places import entry_name, examples, require_entry, with_entry
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.ranked import Ranked
from chainrule.views.pictures.scales import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class CostOverWeight(Picture):
    """C along one entry of one parameter, all else held: `at` (points,), `costs` (points,); accuracy where there are classes.

    `here`, `cost`, `slope`: the entry's present value, C there, and ∂C/∂entry there; scalars.
    """

    entry: str
    at: Array
    costs: Array
    accuracies: Array
    here: float
    cost: float
    slope: float

    @property
    def title(self) -> str:
        """Which weight."""
        return f"The cost over one weight, {self.entry}"

    @property
    def reading(self) -> str:
        """What curve, point and tangent are."""
        steps = ""
        if self.accuracies.size:
            steps = (
                " The staircase is the accuracy: flat but for jumps where an example changes sides, so its slope says nothing."
            )
        return (
            f"The point is the present weight, the dashed line its tangent with the slope "
            f"∂C/∂w = {numeral(self.slope, 3, sign=True)}: against "
            f"it lies the way down.{steps}"
        )

    def draw(self, ax: Axes) -> None:
        """Curve, tangent and point; the accuracy as stairs on the right axis."""
        if self.accuracies.size:
            other = ax.twinx()
            other.step(self.at, self.accuracies, where="mid", color=SERIES[2], linestyle="-.", linewidth=1.1, label="accuracy")
            other.set_ylabel("accuracy (share right)", color=SERIES[2])
            other.spines["right"].set_visible(True)
            ax.plot([], [], "-.", color=SERIES[2], linewidth=1.1, label="accuracy (right)")
            # The cost, which the picture is about, lies above the stairs.
            ax.set_zorder(other.get_zorder() + 1)
            ax.patch.set_visible(False)
        ax.plot(self.at, self.costs, color=SERIES[0], label="C")
        low, high = float(np.nanmin(self.costs)), float(np.nanmax(self.costs))
        rim = 0.08 * (high - low) or 1.0
        ax.plot(
            self.at,
            self.cost + self.slope * (self.at - self.here),
            "--",
            color=INK,
            linewidth=1,
            label=f"slope {numeral(self.slope, 3, sign=True)}",
        )
        ax.plot([self.here], [self.cost], "o", color=INK, markersize=6, label=f"now: w = {numeral(self.here, 3)}")
        ax.set_ylim(low - rim, high + rim)
        ax.set_xlabel(f"weight {self.entry}")
        ax.set_ylabel("cost C")
        # Above the stairs, which it may lie on.
        ax.legend(frameon=True, framealpha=0.85, edgecolor="none", loc="upper center")


def cost_over_weight(
    model: Model, x: Array, y: Array, name: str, index: tuple[int, ...], span: float = 2.0, points: int = 81
) -> CostOverWeight:
    """C on the examples x (n, ...), y as one weight goes from `span` below to `span` above its value, in an odd number of points.

    Raises: OptionError, PositionError for an entry that is not there; OptionError for a span or number of points that draws nothing.
    """
    require_entry(model, name, index)
    require_span(span, points)
    x, y = examples(model, x, y)
    here = float(model.parameters[name][index])
    at: Array = here + span * centred(points)
    moved = [with_entry(model, name, index, float(value)) for value in at]
    classes = model.problem.dataset_info.classes is not None
    accuracies = [float(np.equal(one.decide(x), y).mean()) for one in moved if classes]
    return CostOverWeight(
        entry_name(name, index),
        at,
        np.array([one.cost(x, y) for one in moved]),
        np.array(accuracies),
        here,
        model.cost(x, y),
        float(model.gradient(x, y)[name][index]),
    )


def centred(points: int) -> Array:
    """Points from −1 to 1 with 0 among them.

    >>> centred(4)
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    """
    half = points // 2
    return np.arange(-half, half + 1) / half


def require_span(span: float, points: int) -> None:
    """OptionError for a range of weights, or a number of points on it, that draws nothing."""
    if not (np.isfinite(span) and span > 0) or points < 3:
        raise OptionError(
            f"span {span}, {points} points", expected="a span above 0, at least 3 points", remedy="write span=2.0, points=81"
        )


@dataclass(frozen=True, eq=False)
class DifferenceQuotients(Picture):
    """ΔC/ε for smaller and smaller ε beside ∂C/∂w; arrays (steps,).

    `steps`: ε; `forward`: (C(w+ε) − C(w))/ε; `central`: (C(w+ε) − C(w−ε))/2ε; `derivative`: ∂C/∂w; `cost`: C.
    """

    entry: str
    steps: Array
    forward: Array
    central: Array
    derivative: float
    cost: float

    @property
    def title(self) -> str:
        """What converges."""
        return f"ΔC/ε on its way to ∂C/∂w, {self.entry}"

    @property
    def reading(self) -> str:
        """What the slopes mean, and why the error rises again."""
        return (
            "From right to left ε shrinks: the error of the forward quotient falls with ε, of the central one with ε²; then "
            f"rounding, about 1e-16·C/ε (dotted), takes over and grows. ∂C/∂w = {numeral(self.derivative, 10)}."
        )

    @property
    def table(self) -> Ranked:
        """ε with both quotients and their errors."""
        columns = (self.steps, self.forward, self.forward - self.derivative, self.central, self.central - self.derivative)
        rows = tuple(tuple(float(cell) for cell in row) for row in np.stack(columns, axis=1))
        return Ranked(("ε", "forward", "its error", "central", "its error"), rows)

    def draw(self, ax: Axes) -> None:
        """Both errors over ε, with the size of rounding."""
        for values, style, colour, word in (
            (self.forward, "-o", SERIES[0], "forward: (C(w + ε) − C(w))/ε"),
            (self.central, "--s", SERIES[1], "central: (C(w + ε) − C(w − ε))/2ε"),
        ):
            # An error of exactly 0 has no place on a logarithmic axis: it is shown at the last digit.
            errors = np.maximum(np.abs(values - self.derivative), EPSILON * (abs(self.derivative) or 1.0))
            ax.plot(self.steps, errors, style, color=colour, markersize=3.5, label=word)
        rounding = EPSILON * abs(self.cost) / self.steps
        ax.plot(self.steps, rounding, ":", color="#6b7280", linewidth=1.2, label="rounding: 2.2e-16·C/ε")
        logarithmic(ax, ("x", "y"))
        ax.set_xlabel("ε (change of the weight)")
        ax.set_ylabel("|ΔC/ε − ∂C/∂w|")
        ax.legend()


def difference_quotients(
    model: Model, x: Array, y: Array, name: str, index: tuple[int, ...], steps: Sequence[float] | None = None
) -> DifferenceQuotients:
    """How sensitive C is to a tiny change of one weight, for steps ε of 1, 0.1, ..., 1e-13 unless others are given.

    Raises: OptionError, PositionError for an entry that is not there; OptionError for a step that is not above 0.
    """
    require_entry(model, name, index)
    x, y = examples(model, x, y)
    sizes = 10.0 ** -np.arange(14) if steps is None else np.asarray(steps, dtype=np.float64)
    if not sizes.size or not np.all(sizes > 0):
        raise OptionError(f"steps {sizes.tolist()}", expected="numbers above 0", remedy="write steps=[1e-2, 1e-4, 1e-6]")
    here, cost = float(model.parameters[name][index]), model.cost(x, y)

    def at(change: float) -> float:
        return with_entry(model, name, index, here + change).cost(x, y)

    above, below = np.array([at(step) for step in sizes]), np.array([at(-step) for step in sizes])
    slope = float(model.gradient(x, y)[name][index])
    return DifferenceQuotients(
        entry_name(name, index), sizes, (above - cost) / sizes, (above - below) / (2 * sizes), slope, cost
    )
