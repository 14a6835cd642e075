"""What back-propagation through time shows: gradients over layer and time, their decay, each step's share, the gates of a memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.trace import ThroughTime
from chainrule.train import Model
from chainrule.views.marks import Bars, Image, Line, Mark, Points, Rule, Scale, dashes, ends_of, second_marker, staircase
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.given import OneExample
from chainrule.views.pictures.kinds import has, is_recurrent, suits
from chainrule.views.pictures.learning.places import entry_name, one_example
from chainrule.views.view import View, chart, numbers

CHECK_STEP = 1e-5
"""How far a weight is moved to each side for a finite difference."""


@suits(is_recurrent)
def gradients_through_time(model: Model, x: Array, y: Array) -> View:
    """|∂C_i/∂h_t| of each recurrent layer at each time step, its mean over the examples x (n, time, features), y.

    The numbers: `sizes` (layers, time), of `layers` from the input on.
    Raises: OptionError for a network without a memory, or one whose layers have different numbers of time steps.
    """
    steps = model.through_time(x, y)
    rows = [steps.sizes(layer) for layer in steps.layers]
    if len({len(row) for row in rows}) != 1:
        raise OptionError(
            f"a map over {len(rows)} recurrent layers", expected="one or more, with the same time steps", remedy="stack them"
        )
    return _time_map(steps.layers, np.array(rows))


def _time_map(layers: Sequence[str], sizes: Array) -> View:
    """The view of `gradients_through_time`."""
    shown = np.where(sizes > 0, sizes, np.nan)
    low, high = ends_of(shown)
    scale = Scale(
        "sequential", low or 1.0, high if high > low > 0 else 2 * (high or 1.0), "|∂C/∂h| (cost per unit of h)", log=True
    )
    box = (0.5, sizes.shape[1] + 0.5, -0.5, len(layers) - 0.5)
    return chart(
        "Gradients down the layers and back in time",
        "A field is the length of ∂C/∂h of one layer at one time step, bright where a small change of the memory would move the cost "
        "most; the way back goes from the cost, above on the right, to the left and down, and what is dark no longer learns.",
        [Image(shown, scale=scale, box=box)],
        Axis("time step t"),
        Axis("layer", at=range(len(layers)), texts=list(layers)),
        numbers(layers=layers, sizes=sizes),
        size=(7.2, 3.2),
    )


def gradient_decay(models: dict[str, Model], x: Array, y: Array, layer: str = "rnn1") -> View:
    """How fast ∂C/∂h_t shrinks or grows on the way back from the last time step, in several networks that read out there.

    The rate is fitted to ln|∂C/∂h| by least squares. Beside it the rate of the recurrent matrix alone: a step back multiplies by U and by
    the activation's slopes. Where U is a rotation times ρ, a gradient with no preferred direction is multiplied by ρ·s on the mean of
    squares, s the root mean square of the slopes.
    The numbers: `sizes` (networks, distance), |∂C/∂h_t| by the distance in time from the cost; `rates` (networks,), the slope of
    ln|∂C/∂h| over distance, with `errors`; `predicted` (networks,), ln(spectral radius of U · s).
    """
    found = [_decay_of(model, x, y, layer) for model in models.values()]
    sizes, rates, errors, predicted = (np.array(column) for column in zip(*found, strict=True))
    distance = np.arange(float(sizes.shape[1]))
    marks: list[Mark] = [Rule(y=1.0, dash="dotted")]
    for i, name in enumerate(models):
        share: Array = sizes[i] / sizes[i, 0]
        middle = np.exp(np.mean(np.log(share)) + rates[i] * (distance - (len(share) - 1) / 2))
        rate = f"{numeral(rates[i], 3)} ± {numeral(errors[i], 1)} a step"
        marks += [
            Points(
                distance, share, color=i, marker=second_marker(i), label=f"{name}: {rate}, ln(ρ·s) = {numeral(predicted[i], 3)}"
            ),
            Line(distance, middle, color=i, dash=dashes(i), width=0.9),
        ]
    return chart(
        "Vanishing and exploding gradients in time",
        "Marks are |∂C/∂h| so many steps before the cost, as a fraction of that at the cost; thin lines are exponentials whose rate is "
        "fitted, and the legend has it beside ln(ρ·s), ρ the spectral radius of U, s the activation's typical slope.",
        marks,
        Axis("distance in time from the cost (steps)"),
        Axis("|∂C/∂h| as a fraction of that at the cost", log=True),
        numbers(names=list(models), sizes=sizes, rates=rates, errors=errors, predicted=predicted),
        size=(6.6, 4.2),
    )


def _typical_slope(steps: ThroughTime, layer: str) -> float:
    """The root mean square of ∂h/∂z over units, examples and the time steps that the way back goes through: all but the first."""
    if f"{layer}.z" not in steps.names:
        return 1.0  # without an activation h is z
    by_h, by_z = (steps.gradients(f"{layer}.{name}")[:, 1:] for name in "hz")
    known = by_h != 0
    return float(np.sqrt(np.mean((by_z[known] / by_h[known]) ** 2)))


def fitted_rate(sizes: Array) -> tuple[float, float]:
    """The slope of ln(sizes) over their place, by least squares, and its standard error.

    >>> rate, error = fitted_rate(np.exp(-0.5 * np.arange(8)))
    >>> round(rate, 9), error < 1e-9
    (-0.5, True)
    """
    place = np.arange(len(sizes)) - (len(sizes) - 1) / 2
    logs = np.log(sizes)
    spread = float(np.sum(place**2))
    rate = float(np.sum(place * logs) / spread)
    rest = logs - logs.mean() - rate * place
    return rate, float(np.sqrt(np.sum(rest**2) / (len(sizes) - 2) / spread))


def _decay_of(model: Model, x: Array, y: Array, layer: str) -> tuple[Array, float, float, float]:
    """Sizes by the distance from the cost, the fitted rate with its error, and the rate of the matrix alone."""
    steps = model.through_time(x, y)
    row = steps.sizes(layer)[::-1]
    radius = float(np.abs(np.linalg.eigvals(model.weights[f"{layer}.U"])).max())
    return (row, *fitted_rate(row), float(np.log(radius * _typical_slope(steps, layer))))


@suits(is_recurrent)
def step_contributions(model: Model, x: Array, y: Array, parameter: str, index: tuple[int, ...] | None = None) -> View:
    """The fraction of each time step in the derivative by one entry of a weight; without an index, by the one with the largest.

    The finite difference moves the weight at all time steps together, as training does. The numbers: `shares` (time,), their sum
    `total`, the derivative, and the finite `difference`.
    """
    every = model.through_time(x, y).contributions(parameter)
    flat = int(np.argmax(np.abs(every.sum(axis=0))))
    place = tuple(map(int, np.unravel_index(flat, every.shape[1:]))) if index is None else index
    shares: Array = every[(slice(None), *place)]
    entry, difference = entry_name(parameter, list(place)), finite_difference(model, x, y, parameter, place)
    total, steps = float(shares.sum()), np.arange(1, len(shares) + 1)
    mean = total / len(shares)
    return chart(
        f"∂C/∂{entry}: the sum over the time steps",
        f"Each bar is what one use of the shared weight asks for; their sum {numeral(total)} is the finite difference "
        f"{numeral(difference)}, their average {numeral(mean)} is not.",
        [
            Rule(y=0.0, color="ink", width=0.6),
            Bars(steps, shares, color=5, edge="ink", label="fraction of the step"),
            Line(*staircase(steps, np.cumsum(shares)), color=0, label="their running sum"),
            Rule(y=difference, color=1, dash="dashed", width=1.6, label="finite difference"),
            Rule(y=mean, dash="dotted", width=1.6, label="their average"),
        ],
        Axis("time step t"),
        Axis(f"∂C/∂{entry} (cost per unit of weight)"),
        numbers(shares=shares, total=total, difference=difference),
    )


def finite_differences(model: Model, x: Array, y: Array, parameter: str) -> Array:
    """∂C/∂(each entry of a parameter) by central differences of the whole cost, in the parameter's shape: slow, and for judging only."""
    shape = model.parameters[parameter].shape
    found = [finite_difference(model, x, y, parameter, place) for place in np.ndindex(shape)]
    return np.array(found).reshape(shape)


def finite_difference(model: Model, x: Array, y: Array, parameter: str, place: tuple[int, ...]) -> float:
    """(C(w + ε) − C(w − ε)) / 2ε for one entry w of a parameter, moved at all time steps together, as training does."""
    costs: list[float] = []
    for move in (CHECK_STEP, -CHECK_STEP):
        moved = model.parameters[parameter].copy()
        moved[place] += move
        costs.append(model.with_parameters({parameter: moved}).cost(x, y))
    return (costs[0] - costs[1]) / (2 * CHECK_STEP)


@suits(has("lstm1.a"))
def memory_over_time(
    model: Model,
    x: OneExample,
    y: OneExample,
    layer: str = "lstm1",
    names: Sequence[str] = ("i", "f", "o", "c"),
    features: Sequence[str] = (),
) -> View:
    """The quantities of a recurrent layer at each time step, for one example x (time, features) with its target y.

    The numbers: `inputs` (time, features), and `values` (quantities, time, units) of the quantities `names`.
    Raises: OptionError for quantities that the layer does not have.
    """
    x, y = one_example(model, x, y)
    steps = model.through_time(x, y)
    values = np.stack([steps.values(f"{layer}.{name}")[0] for name in names])
    known, inputs = list(features) or [f"feature {i}" for i in range(x.shape[2])], np.asarray(x[0], dtype=np.float64)
    gates = " Gates lie between 0, shut, and 1, open: i writes, f keeps, o reads." if "f" in names else ""
    most, last = max(1.0, float(np.abs(values).max())), len(names) - 1
    return View(
        f"What {layer} remembers of one example",
        f"Above the input over time, below a row to each unit, orange above 0 and blue below.{gates}",
        [
            _input_curves(inputs, known),
            *(
                _units_map(name, rows, most if name in {"c", "h"} else 1.0, "time step t" if place == last else "")
                for place, (name, rows) in enumerate(zip(names, values, strict=True))
            ),
        ],
        numbers(inputs=inputs, values=values, names=names),
        columns=1,
        size=(8.0, 6.4),
    )


def _input_curves(inputs: Array, features: Sequence[str]) -> Panel:
    steps = np.arange(1, len(inputs) + 1)
    lines = [
        Line(steps, inputs[:, i], color=i, dash=dashes(i), marker="o", size=2.0, label=name) for i, name in enumerate(features)
    ]
    return Panel(lines, Axis(texts=(), ends=(0.5, len(steps) + 0.5)), Axis("input"), legend="above")


def _units_map(name: str, rows: Array, limit: float, across: str) -> Panel:
    """A quantity (time, units) as a map over unit and time."""
    units = float(rows.shape[1])
    box = (0.5, len(rows) + 0.5, -0.5, units - 0.5)
    image = Image(rows.T, scale=Scale("signed", -limit, limit, f"{name} (no unit)"), box=box)
    return Panel([image], Axis(across, texts=None if across else ()), Axis(f"unit of {name}", ends=(units - 0.5, -0.5)))
