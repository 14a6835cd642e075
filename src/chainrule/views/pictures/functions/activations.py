"""Activation functions as pictures: f, its derivative and the rule at a kink, for each of them; and softmax step by step."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.errors import OptionError
from chainrule.graph import Array, Graph, compute, input_node
from chainrule.immutable import immutable
from chainrule.nn import ACTIVATIONS, softmax
from chainrule.nn.layers import activation_named
from chainrule.numerals import numeral
from chainrule.ops import decompose
from chainrule.views.marks import IN_PANEL, Bars, Line, Mark, Points, Rule, Text
from chainrule.views.panels import Axis, Panel, Span
from chainrule.views.view import View, chart, numbers, numbers_of


@immutable(eq=False)
class Activation:
    """An activation: f and f′, `values` and `slopes` (n,), at `z` (n,); where it has a kink, at 0, the derivative that is used there."""

    name: str
    formula: str
    kink: str
    z: Array
    values: Array
    slopes: Array
    slope_at_kink: float | None

    def marks(self) -> list[Mark]:
        """Both curves; the derivative is broken at a kink and marked by the value that is used there."""
        curves: list[Mark] = [
            Rule(y=0.0, color="line"),
            Line(self.z, _broken(self.values), color=0, label="f(z)"),
            Line(self.z, _broken(self.slopes), color=1, dash="dashed", label="f′(z)"),
        ]
        if self.slope_at_kink is None:
            return curves
        label = f"f′(0) taken as {numeral(self.slope_at_kink, 6)}"
        return [*curves, Points([0.0], [self.slope_at_kink], color=1, size=6.0, edge="ink", label=label)]

    def numbers(self) -> dict[str, Array]:
        """What is drawn, by name."""
        return numbers_of(self, "z", "values", "slopes", "slope_at_kink")


def activation_curve(name: str, span: Span = (-4.0, 4.0), points: int = 401) -> View:
    """An activation and its derivative, taken by `grad` from the graph that networks run: `values` and `slopes` (n,) at `z` (n,).

    Softmax takes a row: it is shown for (z, 0), its first output against z. `points` is odd so that 0 can be one of them.

    >>> float(activation_curve("sigmoid").numbers["slopes"].max())
    0.25

    Raises: OptionError for an unknown name or an empty span.
    """
    found = _activation(name, span, points)
    rule = f"rule at the kink: {found.kink}" if found.kink else "smooth: its derivative exists everywhere"
    ends = f"{numeral(found.slopes.min(), 3)} and {numeral(found.slopes.max(), 3)}"
    return chart(
        f"{name}: {found.formula}",
        f"Solid f, dashed its derivative f′, between {ends}; {rule}.",
        found.marks(),
        Axis("z (no unit)"),
        Axis("f, f′ (no unit)"),
        found.numbers(),
    )


def _activation(name: str, span: Span, points: int = 401) -> Activation:
    chosen = activation_named(name)
    if not -np.inf < span[0] < span[1] < np.inf or points < 2:
        raise OptionError(f"{points} points over {span}", expected="two or more, the lower end first", remedy="span=(-4, 4)")
    even = np.linspace(*span, points)
    # A kink is seen only where a point stands on it.
    z = np.union1d(even, [0.0]) if chosen.kink and span[0] < 0 < span[1] else even
    values, slopes = _with_slopes(name, z)
    at_kink = float(slopes[z == 0][0]) if chosen.kink and 0 in z else None
    formula = "exp(z)/(exp(z) + exp(0))" if name == "softmax" else chosen.formula
    return Activation(name, formula, chosen.kink, z, values, slopes, at_kink)


def activation_gallery(names: Sequence[str] = tuple(ACTIVATIONS), span: Span = (-4.0, 4.0)) -> View:
    """The activations of these names, or all of them, a panel to each; their numbers by "name.values" and so on.

    >>> len(activation_gallery(["relu", "gelu"]).panels)
    2
    """
    found = [_activation(name, span) for name in names]
    softmax = ", and softmax is shown for two logits (z, 0)" if "softmax" in names else ""
    return View(
        f"The {len(found)} activations and their derivatives",
        f"In each panel f is solid, its derivative f′ dashed; a dot is the value used where there is no derivative{softmax}.",
        [_small_panel(each) for each in found],
        {f"{each.name}.{key}": array for each in found for key, array in each.numbers().items()},
        columns=4,
        size=(11.0, 8.4),
        legend=True,
    )


def _small_panel(found: Activation) -> Panel:
    rule = textwrap.fill(f"rule: {found.kink}", 19) if found.kink else ""
    words = [Text(0.03, 0.9, rule, where=IN_PANEL, across="left", up="top", size=7.5)] if rule else []
    axes = Axis("z (no unit)"), Axis("f, f′ (no unit)")
    return Panel([*found.marks(), *words], *axes, title=f"{found.name}\n{found.formula}", legend="none")


def softmax_steps(z: Sequence[float] | Array, temperature: float = 1.0) -> View:
    """The three steps of softmax for logits z (classes,), read from the graph of `chainrule.nn.softmax` itself.

    `shifted` is z/T − its largest, then come `exponentials` and `probabilities`, each (classes,).

    >>> steps = softmax_steps([2.0, 1.0, 0.0]).numbers
    >>> steps["shifted"], steps["probabilities"].round(3)
    (array([ 0., -1., -2.]), array([0.665, 0.245, 0.09 ]))

    Raises: OptionError for anything but a row of two or more finite numbers.
    """
    logits = np.asarray(z, dtype=np.float64)
    if logits.ndim != 1 or len(logits) < 2 or not np.isfinite(logits).all():
        raise OptionError(
            f"logits of shape {logits.shape}", expected="two finite numbers or more", remedy="write [2.0, 1.0, 0.0]"
        )
    shifted, exponentials, probabilities = _softmax_rows(logits, temperature)
    warm = temperature != 1
    divided = f"divided by the temperature {numeral(temperature, 6)} and " if warm else ""
    return View(
        f"Softmax step by step{f', temperature {numeral(temperature, 6)}' if warm else ''}",
        f"Left to right: z {divided}shifted so that the largest is 0, its exponential, and that divided by the sum "
        f"{numeral(exponentials.sum(), 3)}; the order of the bars never changes.",
        [
            _step("1. shift", "z/T − max(z/T)" if warm else "z − max z", shifted),
            _step("2. exponential", "exp", exponentials),
            _step("3. division", "p", probabilities),
        ],
        numbers(z=logits, shifted=shifted, exponentials=exponentials, probabilities=probabilities),
        size=(9.0, 3.4),
    )


def _with_slopes(name: str, z: Array) -> tuple[Array, Array]:
    """f and f′ at each z; of softmax the first of two outputs, the other logit being 0."""
    columns = 2 if name == "softmax" else 1
    leaf = input_node("z", (len(z), columns))
    first = np.arange(columns) == 0
    a = ACTIVATIONS[name](leaf)
    (slope,) = grad(ops.sum(a * np.where(first, 1.0, 0.0)), [leaf])
    rows = {leaf: z[:, None] * first}
    (values,) = compute([a], rows)
    # No gradient passes through a step: the derivative that training sees is 0.
    slopes = np.zeros(len(z)) if slope is None else compute([slope], rows)[0][:, 0]
    return values[:, 0], slopes


def _broken(values: Array) -> Array:
    """The values with a gap at a jump: no line may join its two sides, for the function takes none of the values between."""
    jumps = np.flatnonzero(np.abs(np.diff(values)) > 0.5)
    shown = values.copy()
    shown[jumps + 1] = np.nan
    return shown


def _softmax_rows(logits: Array, temperature: float) -> tuple[Array, Array, Array]:
    leaf = input_node("z", (1, len(logits)))
    quotient = decompose(Graph({"a": softmax(leaf, temperature=temperature)}))[0].outputs["a"]
    exponential = quotient.inputs[0]
    shifted, exponentials, probabilities = compute([exponential.inputs[0], exponential, quotient], {leaf: logits[None]})
    return shifted[0], exponentials[0], probabilities[0]


def _step(title: str, label: str, values: Array) -> Panel:
    places = range(len(values))
    bars = Bars(places, values, flat=True, colors=list(places), texts=[numeral(value, 3) for value in values])
    classes = Axis("class", at=list(places), texts=list(map(str, places)), ends=(len(values) - 0.5, -0.5))
    return Panel([bars], Axis(f"{label} (no unit)", margin=0.25), classes, title=title)
