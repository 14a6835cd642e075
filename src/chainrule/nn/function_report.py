"""What a function of one variable is like, found out by numbers: whether it is straight, rising, defined everywhere."""

from __future__ import annotations

import numpy as np

from chainrule.checks import checked
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import compute, input_node
from chainrule.graph.types import Array
from chainrule.immutable import immutable
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import building
from chainrule.nn.formula import ROWWISE, Formula
from chainrule.nn.layers import Activation, activation_named
from chainrule.numerals import numeral

POINTS = 4001
"""How many points are looked at, evenly spaced with both ends."""
TOLERANCE = 1e-9
"""Which fraction of the largest value is taken for rounding."""


@immutable
class FunctionReport(Shown):
    """A function of one variable on an interval; `warnings` says what stands against it as an activation."""

    function: str
    interval: tuple[float, float]
    linear: bool
    rising: bool
    falls: tuple[float, float] | None
    undefined: tuple[float, float] | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each thing that an activation is usually not; empty if there is none."""
        found: list[str] = []
        if self.linear:
            found.append("it is a straight line: layers with it, one behind the other, are together one linear layer")
        if not self.rising and self.falls is None and self.undefined is None:
            found.append("it is flat: nothing of the input comes through")
        if self.falls is not None:
            found.append(f"it is not monotonically rising: it falls somewhere between {_shown(self.falls)}")
        if self.undefined is not None:
            found.append(f"it is not a finite number everywhere: look between {_shown(self.undefined)}")
        return tuple(found)

    def __str__(self) -> str:
        kind = "linear" if self.linear else "non-linear"
        rising = "monotonically rising" if self.rising else "not monotonically rising"
        lines = [f"{self.function}: {kind}, {rising} (looked at {POINTS} points between {_shown(self.interval)})"]
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in self.warnings)])


def _shown(interval: tuple[float, float]) -> str:
    return f"{numeral(interval[0], 6)} and {numeral(interval[1], 6)}"


@checked
def describe_function(function: str | Formula, interval: tuple[float, float] = (-10.0, 10.0)) -> FunctionReport:
    """Whether an activation (by its name) or a formula without parameters is linear, and whether it rises monotonically.

    Found by its values at `POINTS` points of the interval, so that a bend between two points or outside goes unseen. Rising
    means: nowhere falling, and not flat everywhere.

    Raises: OptionError for an unknown name, an empty interval, parameters, or a function that mixes several numbers.

    >>> print(describe_function(Formula("x * sigmoid(x)")))
    x * sigmoid(x): non-linear, not monotonically rising (looked at 4001 points between −10 and 10)
      warning: it is not monotonically rising: it falls somewhere between −10 and −1.28
    >>> describe_function("tanh").warnings
    ()
    """
    low, high = interval
    if not -np.inf < low < high < np.inf:
        raise OptionError(f"interval {interval}", expected="two finite numbers, the lower one first", remedy="write (-10, 10)")
    layer = function if isinstance(function, Formula) else Activation(activation_named(function).name)
    points = np.linspace(low, high, POINTS)
    values = _values(layer, points)
    defined = np.isfinite(values)
    size = float(np.max(np.abs(values), initial=0.0, where=defined))
    falls = _where(points, np.diff(values) < -TOLERANCE * size)
    return FunctionReport(
        function=function.text if isinstance(function, Formula) else f"{function}: {ACTIVATIONS[function].formula}",
        interval=(low, high),
        linear=bool(defined.all()) and _is_straight(points, values, size),
        rising=bool(defined.all()) and falls is None and bool(values[-1] - values[0] > TOLERANCE * size),
        falls=falls,
        undefined=_where(points, ~(defined[1:] & defined[:-1])),
    )


def _is_straight(points: Array, values: Array, size: float) -> bool:
    line = values[0] + (values[-1] - values[0]) * (points - points[0]) / (points[-1] - points[0])
    return bool(np.all(np.abs(values - line) <= TOLERANCE * size))


def _where(points: Array, steps: Array) -> tuple[float, float] | None:
    """The interval from the first to the last of the marked steps between neighbouring points."""
    marked = np.flatnonzero(steps)
    return (float(points[marked[0]]), float(points[marked[-1] + 1])) if len(marked) else None


def _values(layer: Formula | Activation, points: Array) -> Array:
    if isinstance(layer, Formula) and layer.parameters:
        raise OptionError(
            f"{layer!r} has parameters",
            expected="a formula of the variable alone",
            remedy="write numbers in place of the parameters",
        )
    # Once as many examples of one number, once as one example of many: a function of one number cannot tell the difference.
    shapes = ((POINTS, 1), (1, POINTS))
    column, row = (_applied(layer, points.reshape(shape)) for shape in shapes)
    if column.shape != shapes[0] or row.shape != shapes[1] or not np.array_equal(column[:, 0], row[0], equal_nan=True):
        raise OptionError(
            f"{layer!r} mixes the numbers of an example",
            expected=f"a function of one number, without {', '.join(sorted(ROWWISE))}",
            remedy="look at the layer in a network, with draw_network",
        )
    return row[0]


def _applied(layer: Formula | Activation, points: Array) -> Array:
    x = input_node("x", points.shape)
    with building():
        y = layer(x)
    return compute([y], {x: points})[0]
