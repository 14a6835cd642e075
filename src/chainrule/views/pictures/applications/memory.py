"""What back-propagation through time shows: gradients over layer and time, their decay, each step's share, the gates of a memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.trace import ThroughTime
from chainrule.train import Model
from chainrule.views.colours import DIVERGING, SEQUENTIAL, SERIES
from chainrule.views.figures.style import FAINT, INK
from chainrule.views.pictures.learning.places import entry_name
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.scales import decimal, logarithmic
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHECK_STEP = 1e-5
"""How far a weight is moved to each side for a finite difference."""


@dataclass(frozen=True, eq=False)
class GradientsThroughTime(Picture):
    """|∂C/∂h_t|, the mean over examples: `sizes` (layers, time), of recurrent layers from the input on."""

    size: ClassVar[tuple[float, float]] = (7.2, 3.2)
    layers: tuple[str, ...]
    sizes: Array

    @property
    def title(self) -> str:
        """What is mapped."""
        return "Gradients down the layers and back in time"

    @property
    def reading(self) -> str:
        """How to read a field."""
        return (
            "A field is the length of ∂C/∂h of one layer at one time step, bright where a small change of the memory would move the cost "
            "most; the way back goes from the cost, above on the right, to the left and down, and what is dark no longer learns."
        )

    def draw(self, ax: Axes) -> None:
        """A map with a logarithmic scale; the input's side is below."""
        shown = np.where(self.sizes > 0, self.sizes, np.nan)
        logs = np.log10(shown)
        steps = self.sizes.shape[1]
        image = ax.imshow(
            logs, aspect="auto", cmap=SEQUENTIAL, origin="lower", extent=(0.5, steps + 0.5, -0.5, len(self.layers) - 0.5)
        )
        bar = ax.figure.colorbar(image, ax=ax, label="|∂C/∂h| (cost per unit of h)")
        low, high = float(np.nanmin(logs)), float(np.nanmax(logs))
        ticks: list[float] = [*range(int(np.ceil(low)), int(np.floor(high)) + 1)]
        if len(ticks) < 2:
            ticks = [low, high]
        bar.set_ticks(ticks, labels=[decimal(float(f"{10.0**tick:.2g}")) for tick in ticks])
        ax.set_yticks(range(len(self.layers)), list(self.layers))
        ax.set_xlabel("time step t")
        ax.set_ylabel("layer")


def gradients_through_time(model: Model, x: Array, y: Array) -> GradientsThroughTime:
    """|∂C_i/∂h_t| of each recurrent layer at each time step, its mean over the examples x (n, time, features), y.

    Raises: OptionError for a network without a memory, or one whose layers have different numbers of time steps.
    """
    steps = model.through_time(x, y)
    sizes = [steps.sizes(layer) for layer in steps.layers]
    if len({len(row) for row in sizes}) != 1:
        raise OptionError(
            f"a map over {len(sizes)} recurrent layers", expected="one or more, with the same time steps", remedy="stack them"
        )
    return GradientsThroughTime(steps.layers, np.array(sizes))


@dataclass(frozen=True, eq=False)
class GradientDecay(Picture):
    """|∂C/∂h_t| against the distance in time from the cost: `sizes` (networks, distance), a network to each of `names`.

    `rates` (networks,): the slope of ln|∂C/∂h| over distance, with `errors`; `predicted` (networks,): ln(spectral radius of U · s), s
    the root mean square of the activation's slope.
    """

    size: ClassVar[tuple[float, float]] = (6.6, 4.2)
    names: tuple[str, ...]
    sizes: Array
    rates: Array
    errors: Array
    predicted: Array

    @property
    def title(self) -> str:
        """What is measured."""
        return "Vanishing and exploding gradients in time"

    @property
    def reading(self) -> str:
        """How to read the lines."""
        return (
            "Marks are |∂C/∂h| so many steps before the cost, as a fraction of that at the cost; thin lines are exponentials whose rate is "
            "fitted, and the legend has it beside ln(ρ·s), ρ the spectral radius of U, s the activation's typical slope."
        )

    def draw(self, ax: Axes) -> None:
        """A line to a network, with the fitted exponential."""
        distance = np.arange(float(self.sizes.shape[1]))
        for i, name in enumerate(self.names):
            share: Array = self.sizes[i] / self.sizes[i, 0]
            rate, error, predicted = float(self.rates[i]), float(self.errors[i]), float(self.predicted[i])
            colour, marker = SERIES[i % len(SERIES)], "osv^D<>*"[i % 8]
            words = f"{name}: {numeral(rate, 3)} ± {numeral(error, 1)} a step, ln(ρ·s) = {numeral(predicted, 3)}"
            ax.plot(distance, share, marker, color=colour, markersize=4, label=words)
            middle = np.exp(np.mean(np.log(share)) + rate * (distance - (len(share) - 1) / 2))
            ax.plot(distance, middle, color=colour, linewidth=0.9, linestyle=("-", "--", "-.", ":")[i % 4])
        ax.axhline(1.0, color=FAINT, linewidth=0.8, linestyle=":")
        logarithmic(ax)
        ax.set_xlabel("distance in time from the cost (steps)")
        ax.set_ylabel("|∂C/∂h| as a fraction of that at the cost")
        ax.legend(loc="best")


def gradient_decay(models: dict[str, Model], x: Array, y: Array, layer: str = "rnn1") -> GradientDecay:
    """How fast ∂C/∂h_t shrinks or grows on the way back from the last time step, in several networks that read out there.

    The rate is fitted to ln|∂C/∂h| by least squares. Beside it the rate of the recurrent matrix alone: a step back multiplies by U and by
    the activation's slopes. Where U is a rotation times ρ, a gradient with no preferred direction is multiplied by ρ·s on the mean of
    squares, s the root mean square of the slopes.
    """
    names, sizes, rates, errors, predicted = list(models), list[Array](), list[float](), list[float](), list[float]()
    for model in models.values():
        steps = model.through_time(x, y)
        row = steps.sizes(layer)[::-1]
        rate, error = fitted_rate(row)
        radius = float(np.abs(np.linalg.eigvals(model.parameters[f"{layer}.U"])).max())
        sizes.append(row)
        rates.append(rate)
        errors.append(error)
        predicted.append(float(np.log(radius * _typical_slope(steps, layer))))
    return GradientDecay(tuple(names), np.array(sizes), np.array(rates), np.array(errors), np.array(predicted))


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


@dataclass(frozen=True, eq=False)
class StepContributions(Picture):
    """What each time step adds to the derivative by one shared weight: `shares` (time,); `difference` is the finite difference."""

    entry: str
    shares: Array
    difference: float

    @property
    def total(self) -> float:
        """The sum of all steps' shares: the derivative."""
        return float(self.shares.sum())

    @property
    def title(self) -> str:
        """Of which weight."""
        return f"∂C/∂{self.entry}: the sum over the time steps"

    @property
    def reading(self) -> str:
        """What the bars and lines say."""
        return (
            f"Each bar is what one use of the shared weight asks for; their sum {numeral(self.total)} is the finite difference "
            f"{numeral(self.difference)}, their average {numeral(self.total / len(self.shares))} is not."
        )

    def draw(self, ax: Axes) -> None:
        """Bars, their running sum, the finite difference, the average."""
        steps = np.arange(1, len(self.shares) + 1)
        ax.bar(steps, self.shares, color=SERIES[5], edgecolor=INK, linewidth=0.5, label="fraction of the step")
        ax.step(steps, np.cumsum(self.shares), where="mid", color=SERIES[0], label="their running sum")
        ax.axhline(self.difference, color=SERIES[1], linestyle="--", label="finite difference")
        ax.axhline(self.total / len(self.shares), color=FAINT, linestyle=":", label="their average")
        ax.axhline(0.0, color=INK, linewidth=0.6)
        ax.set_xlabel("time step t")
        ax.set_ylabel(f"∂C/∂{self.entry} (cost per unit of weight)")
        ax.legend()


def step_contributions(
    model: Model, x: Array, y: Array, parameter: str, index: tuple[int, ...] | None = None
) -> StepContributions:
    """The fraction of each time step in the derivative by one entry of a weight; without an index, by the one with the largest.

    The finite difference moves the weight at all time steps together, as training does.
    """
    shares = model.through_time(x, y).contributions(parameter)
    flat = int(np.argmax(np.abs(shares.sum(axis=0))))
    place = tuple(map(int, np.unravel_index(flat, shares.shape[1:]))) if index is None else index
    chosen: Array = shares[(slice(None), *place)]
    return StepContributions(entry_name(parameter, list(place)), chosen, finite_difference(model, x, y, parameter, place))


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


@dataclass(frozen=True, eq=False)
class MemoryOverTime(Picture):
    """One example's way through a recurrent layer: `inputs` (time, features), and `values` (quantities, time, units) by `names`."""

    size: ClassVar[tuple[float, float]] = (8.0, 6.4)
    layer: str
    features: tuple[str, ...]
    names: tuple[str, ...]
    inputs: Array
    values: Array

    @property
    def title(self) -> str:
        """Which layer."""
        return f"What {self.layer} remembers of one example"

    @property
    def reading(self) -> str:
        """How to read the panels."""
        gates = " Gates lie between 0, shut, and 1, open: i writes, f keeps, o reads." if "f" in self.names else ""
        return f"Above the input over time, below a row to each unit, orange above 0 and blue below.{gates}"

    def draw(self, ax: Axes) -> None:
        """The inputs as curves, each quantity as a map over unit and time."""
        first, *others = subplots(ax, 1 + len(self.names), 1)
        steps = np.arange(1, len(self.inputs) + 1)
        for i, name in enumerate(self.features):
            first.plot(steps, self.inputs[:, i], color=SERIES[i % 8], linestyle=("-", "--", ":")[i % 3], marker=".", label=name)
        first.set_ylabel("input")
        first.legend(ncols=len(self.features), loc="lower right", bbox_to_anchor=(1.0, 1.0), borderpad=0.0, fontsize=7)
        first.set_xlim(0.5, len(steps) + 0.5)
        most = max(1.0, float(np.abs(self.values).max()))
        for place, (axes, name, rows) in enumerate(zip(others, self.names, self.values, strict=True)):
            limit = most if name in {"c", "h"} else 1.0
            extent = (0.5, len(steps) + 0.5, rows.shape[1] - 0.5, -0.5)
            image = axes.imshow(rows.T, aspect="auto", cmap=DIVERGING, vmin=-limit, vmax=limit, extent=extent)
            axes.figure.colorbar(image, ax=axes, label=f"{name} (no unit)")
            if place == 0:
                # A bar that nobody sees keeps the curves as wide as the maps below.
                first.figure.colorbar(image, ax=first).ax.set_visible(False)
            axes.set_ylabel(f"unit of {name}")
            if place == len(others) - 1:
                axes.set_xlabel("time step t")
            else:
                axes.set_xticklabels([])
        first.set_xticklabels([])


def memory_over_time(
    model: Model,
    x: Array,
    y: Array,
    layer: str = "lstm1",
    names: Sequence[str] = ("i", "f", "o", "c"),
    features: Sequence[str] = (),
) -> MemoryOverTime:
    """The quantities of a recurrent layer at each time step, for one example x (time, features) with its target y.

    Raises: OptionError for quantities that the layer does not have.
    """
    steps = model.through_time(x[None], np.asarray(y)[None])
    values = np.stack([steps.values(f"{layer}.{name}")[0] for name in names])
    known = tuple(features) or tuple(f"feature {i}" for i in range(x.shape[1]))
    return MemoryOverTime(layer, known, tuple(names), np.asarray(x, dtype=np.float64), values)
