"""Activation functions as pictures: f, its derivative and the rule at a kink, for each of them; and softmax step by step."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.errors import OptionError
from chainrule.graph import Array, Graph, compute, input_node
from chainrule.nn import ACTIVATIONS, softmax
from chainrule.nn.layers import activation_named
from chainrule.numerals import numeral
from chainrule.ops import decompose
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subject import Span
from chainrule.views.pictures.subplots import arrays_of, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class ActivationCurve(Picture):
    """An activation: f and f′, `values` and `slopes` (n,), at `z` (n,); where it has a kink, at 0, the derivative that is used there."""

    name: str
    formula: str
    kink: str
    z: Array
    values: Array
    slopes: Array
    slope_at_kink: float | None

    @property
    def title(self) -> str:
        """Its name and formula."""
        return f"{self.name}: {self.formula}"

    @property
    def reading(self) -> str:
        """How to read the two curves, and the rule at the kink."""
        rule = f"rule at the kink: {self.kink}" if self.kink else "smooth: its derivative exists everywhere"
        return f"Solid f, dashed its derivative f′, between {numeral(self.slopes.min(), 3)} and {numeral(self.slopes.max(), 3)}; {rule}."

    def draw(self, ax: Axes) -> None:
        """Both curves and what they are."""
        self.draw_lines(ax)
        ax.legend()

    def draw_lines(self, ax: Axes) -> None:
        """Both curves; the derivative is broken at a kink and marked by the value that is used there."""
        ax.axhline(0, color="#d4d7dc", linewidth=0.8, zorder=0)
        ax.plot(self.z, _broken(self.values), color=SERIES[0], label="f(z)")
        ax.plot(self.z, _broken(self.slopes), color=SERIES[1], linestyle="--", label="f′(z)")
        if self.slope_at_kink is not None:
            ax.plot(
                [0],
                [self.slope_at_kink],
                "o",
                color=SERIES[1],
                markeredgecolor=INK,
                label=f"f′(0) taken as {numeral(self.slope_at_kink, 6)}",
            )
        ax.set_xlabel("z (no unit)")
        ax.set_ylabel("f, f′ (no unit)")


@dataclass(frozen=True, eq=False)
class ActivationGallery(Picture):
    """All activations side by side."""

    size: ClassVar[tuple[float, float]] = (11.0, 8.4)
    curves: tuple[ActivationCurve, ...]

    @property
    def title(self) -> str:
        """How many."""
        return f"The {len(self.curves)} activations and their derivatives"

    @property
    def reading(self) -> str:
        """How to read each panel."""
        softmax = ", and softmax is shown for two logits (z, 0)" if "softmax" in {curve.name for curve in self.curves} else ""
        return f"In each panel f is solid, its derivative f′ dashed; a dot is the value used where there is no derivative{softmax}."

    def arrays(self) -> dict[str, Array]:
        """The numbers of each activation by its name."""
        return arrays_of({curve.name: curve for curve in self.curves})

    def draw(self, ax: Axes) -> None:
        """A panel to an activation."""
        columns = min(4, len(self.curves))
        rows = -(-len(self.curves) // columns)
        places = subplots(ax, rows, columns)
        for place, curve in zip(places, self.curves, strict=False):
            curve.draw_lines(place)
            place.set_title(f"{curve.name}\n{curve.formula}", fontsize=8.5)
            if curve.kink:
                rule = textwrap.fill(f"rule: {curve.kink}", 19)
                place.annotate(rule, (0.03, 0.9), xycoords="axes fraction", va="top", fontsize=7.5, color=INK)
        self._explain(places[len(self.curves) :], places[0])

    def _explain(self, empty: Sequence[Axes], first: Axes) -> None:
        """The signs' meaning in the place that is left over, or in the first panel."""
        for place in empty:
            place.set_axis_off()
        signs, words = first.get_legend_handles_labels()
        where = empty[0] if empty else first
        where.legend([*signs[:2]], [*words[:2]], loc="center" if empty else "best", fontsize=10 if empty else 7)


@dataclass(frozen=True, eq=False)
class SoftmaxSteps(Picture):
    """Softmax in three steps: z/T − its largest, `shifted`; `exponentials`; `probabilities`; each (classes,)."""

    size: ClassVar[tuple[float, float]] = (9.0, 3.4)
    z: Array
    temperature: float
    shifted: Array
    exponentials: Array
    probabilities: Array

    @property
    def title(self) -> str:
        """The function and its temperature."""
        return f"Softmax step by step{f', temperature {numeral(self.temperature, 6)}' if self.temperature != 1 else ''}"

    @property
    def reading(self) -> str:
        """How to read the three panels."""
        divided = f"divided by the temperature {numeral(self.temperature, 6)} and " if self.temperature != 1 else ""
        return (
            f"Left to right: z {divided}shifted so that the largest is 0, its exponential, and that divided by the sum "
            f"{numeral(self.exponentials.sum(), 3)}; the order of the bars never changes."
        )

    def draw(self, ax: Axes) -> None:
        """Three panels of bars with their numbers."""
        shift = "z − max z" if self.temperature == 1 else "z/T − max(z/T)"
        steps = [
            ("1. shift", shift, self.shifted),
            ("2. exponential", "exp", self.exponentials),
            ("3. division", "p", self.probabilities),
        ]
        for place, (title, label, values) in zip(subplots(ax, 1, 3), steps, strict=True):
            bars = place.barh(np.arange(len(values)), values, color=[SERIES[i % len(SERIES)] for i in range(len(values))])
            place.bar_label(bars, labels=[numeral(value, 3) for value in values], padding=3, fontsize=8)
            place.set_yticks(np.arange(len(values)), [f"{i}" for i in range(len(values))])
            place.invert_yaxis()
            place.margins(x=0.25)
            place.set_title(title)
            place.set_xlabel(f"{label} (no unit)")
            place.set_ylabel("class")


def activation_curve(name: str, span: Span = (-4.0, 4.0), points: int = 401) -> ActivationCurve:
    """An activation and its derivative, taken by `grad` from the graph that networks run.

    Softmax takes a row: it is shown for (z, 0), its first output against z. `points` is odd so that 0 can be one of them.

    >>> float(activation_curve("sigmoid").slopes.max())
    0.25

    Raises: OptionError for an unknown name or an empty span.
    """
    chosen = activation_named(name)
    if not -np.inf < span[0] < span[1] < np.inf or points < 2:
        raise OptionError(f"{points} points over {span}", expected="two or more, the lower end first", remedy="span=(-4, 4)")
    even = np.linspace(*span, points)
    # A kink is seen only where a point stands on it.
    z = np.union1d(even, [0.0]) if chosen.kink and span[0] < 0 < span[1] else even
    values, slopes = _with_slopes(name, z)
    at_kink = float(slopes[z == 0][0]) if chosen.kink and 0 in z else None
    formula = "exp(z)/(exp(z) + exp(0))" if name == "softmax" else chosen.formula
    return ActivationCurve(name, formula, chosen.kink, z, values, slopes, at_kink)


def activation_gallery(names: Sequence[str] = tuple(ACTIVATIONS), span: Span = (-4.0, 4.0)) -> ActivationGallery:
    """The activations of these names, or all of them.

    >>> len(activation_gallery(["relu", "gelu"]).curves)
    2
    """
    return ActivationGallery(tuple(activation_curve(name, span) for name in names))


def softmax_steps(z: Sequence[float] | Array, temperature: float = 1.0) -> SoftmaxSteps:
    """The three steps of softmax for logits z (classes,), read from the graph of `chainrule.nn.softmax` itself.

    >>> steps = softmax_steps([2.0, 1.0, 0.0])
    >>> steps.shifted, steps.probabilities.round(3)
    (array([ 0., -1., -2.]), array([0.665, 0.245, 0.09 ]))

    Raises: OptionError for anything but a row of two or more finite numbers.
    """
    logits = np.asarray(z, dtype=np.float64)
    if logits.ndim != 1 or len(logits) < 2 or not np.isfinite(logits).all():
        raise OptionError(
            f"logits of shape {logits.shape}", expected="two finite numbers or more", remedy="write [2.0, 1.0, 0.0]"
        )
    leaf = input_node("z", (1, len(logits)))
    quotient = decompose(Graph({"a": softmax(leaf, temperature=temperature)}))[0].outputs["a"]
    exponential = quotient.inputs[0]
    shifted = exponential.inputs[0]
    rows = compute([shifted, exponential, quotient], {leaf: logits[None]})
    return SoftmaxSteps(logits, temperature, *(row[0] for row in rows))


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
