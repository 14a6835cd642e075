"""The cost over the weights: along one of them with its tangent, by difference quotients, and rolled down from many starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Line, Points, Rule, look, staircase
from chainrule.views.panels import Axis, Panel, Table
from chainrule.views.pictures.learning.places import entry_name, examples, require_entry, with_entry
from chainrule.views.view import View, chart, numbers

EPSILON = float(np.finfo(np.float64).eps)


def cost_over_weight(
    model: Model, x: Array, y: Array, name: str, index: tuple[int, ...], span: float = 2.0, points: int = 81
) -> View:
    """C on the examples x (n, ...), y as one weight goes from `span` below to `span` above its value, in an odd number of points.

    The numbers: `costs` (points,) at the entry's values `at` (points,), and the `accuracies` where there are classes; `here`, `cost`,
    `slope`: the entry's present value, C there, and ∂C/∂entry there.

    Raises: OptionError, PositionError for an entry that is not there; OptionError for a span or number of points that draws nothing.
    """
    require_entry(model, name, index)
    require_span(span, points)
    x, y = examples(model, x, y)
    here = float(model.parameters[name][index])
    at: Array = here + span * centred(points)
    moved = [with_entry(model, name, index, float(value)) for value in at]
    classes = model.problem.dataset_info.classes is not None
    accuracies = np.array([float(np.equal(one.decide(x), y).mean()) for one in moved if classes])
    costs, cost, slope = np.array([one.cost(x, y) for one in moved]), model.cost(x, y), float(model.gradient(x, y)[name][index])
    told = " The staircase is the accuracy: flat but for jumps where an example changes sides, so its slope says nothing."
    across = Axis(f"weight {entry_name(name, index)}")
    stairs = [Line(*staircase(at, accuracies), color=2, dash="dashdot", label="accuracy"), Rule(x=here)]
    below = [Panel(stairs, across, Axis("accuracy (share right)"))] if classes else []
    return View(
        f"The cost over one weight, {entry_name(name, index)}",
        f"The point is the present weight, the dashed line its tangent with the slope "
        f"∂C/∂w = {numeral(slope, 3, sign=True)}: against "
        f"it lies the way down.{told if classes else ''}",
        [_cost_and_tangent(at, costs, (here, cost, slope), across), *below],
        numbers(at=at, costs=costs, accuracies=accuracies, here=here, cost=cost, slope=slope),
        columns=1,
        size=(5.6, 4.6) if classes else (5.6, 3.6),
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


def _cost_and_tangent(at: Array, costs: Array, present: tuple[float, float, float], across: Axis) -> Panel:
    """Curve, tangent and point."""
    here, cost, slope = present
    low, high = float(np.nanmin(costs)), float(np.nanmax(costs))
    rim = 0.08 * (high - low) or 1.0
    tangent = cost + slope * (at - here)
    return Panel(
        [
            Line(at, costs, color=0, label="C"),
            Line(at, tangent, dash="dashed", width=1.0, label=f"slope {numeral(slope, 3, sign=True)}"),
            Points([here], [cost], size=6.0, label=f"now: w = {numeral(here, 3)}"),
        ],
        across,
        Axis("cost C", ends=(low - rim, high + rim)),
    )


def difference_quotients(
    model: Model, x: Array, y: Array, name: str, index: tuple[int, ...], steps: Sequence[float] | None = None
) -> View:
    """How sensitive C is to a tiny change of one weight, for steps ε of 1, 0.1, ..., 1e-13 unless others are given.

    The numbers, by `steps` (steps,): `forward`, (C(w+ε) − C(w))/ε, and `central`, (C(w+ε) − C(w−ε))/2ε, beside `derivative`, ∂C/∂w,
    and `cost`, C; `quotient_table` gives them as a table.

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
    forward, central = (above - cost) / sizes, (above - below) / (2 * sizes)
    # An error of exactly 0 has no place on a logarithmic axis: it is shown at the last digit.
    errors = [np.maximum(np.abs(values - slope), EPSILON * (abs(slope) or 1.0)) for values in (forward, central)]
    return chart(
        f"ΔC/ε on its way to ∂C/∂w, {entry_name(name, index)}",
        "From right to left ε shrinks: the error of the forward quotient falls with ε, of the central one with ε²; then "
        f"rounding, about 1e-16·C/ε (dotted), takes over and grows. ∂C/∂w = {numeral(slope, 10)}.",
        [
            Line(sizes, errors[0], **look(0), label="forward: (C(w + ε) − C(w))/ε"),
            Line(sizes, errors[1], **look(1), label="central: (C(w + ε) − C(w − ε))/2ε"),
            Line(sizes, EPSILON * abs(cost) / sizes, color="faint", dash="dotted", width=1.2, label="rounding: 2.2e-16·C/ε"),
        ],
        Axis("ε (change of the weight)", log=True),
        Axis("|ΔC/ε − ∂C/∂w|", log=True),
        numbers(steps=sizes, forward=forward, central=central, derivative=slope, cost=cost),
    )


def quotient_table(quotients: View) -> Table:
    """ε with both quotients and their errors, of a view by `difference_quotients`."""
    steps, forward, central, slope = (quotients.numbers[name] for name in ("steps", "forward", "central", "derivative"))
    columns = np.stack([steps, forward, forward - slope, central, central - slope], axis=1)
    rows = tuple(tuple(float(cell) for cell in row) for row in columns)
    return Table(("ε", "forward", "its error", "central", "its error"), rows)
