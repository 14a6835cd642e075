"""The gradient's size in each layer, corrected for how many entries a layer has: over a training, and over the depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import DASHES, SERIES, second_way
from chainrule.views.pictures.learning.places import examples, shown
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.scales import logarithmic
from chainrule.views.plain import spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True, eq=False)
class GradientSizes(Picture):
    """The gradient of each layer's parameters at each state: `norms` (states, layers), and how many `entries` (layers,) each has.

    `sizes`, the norm over the square root of the number of entries, is the root mean square of an entry: only it can be compared
    between layers, as a layer of a thousand equal entries has a larger norm than one of ten.
    """

    size: ClassVar[tuple[float, float]] = (6.2, 3.8)
    layers: tuple[str, ...]
    steps: Array
    norms: Array
    entries: Array

    @property
    def title(self) -> str:
        """What is compared."""
        return "Gradient size by layer"

    @property
    def sizes(self) -> Array:
        """The root mean square of an entry of the gradient, (states, layers)."""
        return self.norms / np.sqrt(self.entries)

    @property
    def factor(self) -> Array:
        """By what a layer multiplies the size on the way back to the one before it, fitted over all layers; (states,).

        A straight line through log size over the layer's number, by least squares; NaN for one layer, or where a size is 0.
        """
        logs = np.log(np.where(self.sizes > 0, self.sizes, np.nan))
        number = np.arange(len(self.layers)) - (len(self.layers) - 1) / 2
        scale = float(number @ number)
        return np.exp(-(logs @ number) / scale) if scale > 0 else np.full(len(logs), np.nan)

    def arrays(self) -> dict[str, Array]:
        """Steps, norms, entries, and sizes."""
        return {**super().arrays(), "sizes": self.sizes}

    @property
    def reading(self) -> str:
        """What to look for."""
        fitted = float(self.factor[-1])
        rate = (
            f" At the last state a layer multiplies it by {numeral(fitted, 2)} on the way back." if np.isfinite(fitted) else ""
        )
        return (
            "Height: the root mean square of a layer's gradient entries, so that large and small layers compare; layers far "
            f"below the others learn hardly at all (vanishing), far above them too fast (exploding).{rate}"
        )

    def draw(self, ax: Axes) -> None:
        """Over the states a line to a layer; for a single state over the layers."""
        ax.set_ylabel("∂C/∂parameter, root mean square")
        sizes = np.where(self.sizes > 0, self.sizes, np.nan)
        if len(self.steps) == 1:
            self._draw_depth(ax, sizes[0])
        else:
            self._draw_course(ax, sizes)
        if np.any(self.sizes > 0):
            logarithmic(ax)

    def _draw_course(self, ax: Axes, sizes: Array) -> None:
        for number, (layer, row) in enumerate(zip(self.layers, sizes.T, strict=True)):
            style: dict[str, Any] = {
                "color": SERIES[number % len(SERIES)],
                "marker": second_way(number, MARKERS),
                "markersize": 3.5,
            }
            label = f"{shown(layer)} ({spaced(int(self.entries[number]))})"
            ax.plot(self.steps, row, second_way(number, DASHES), label=label, **style)
        ax.set_xlabel("state (update)")
        ax.legend(title="layer (entries)", loc="center left", bbox_to_anchor=(1.0, 0.5))

    def _draw_depth(self, ax: Axes, sizes: Array) -> None:
        numbers = np.arange(len(self.layers))
        ax.plot(numbers, sizes, "o", color=SERIES[0], label="gradient")
        if np.all(np.isfinite(sizes)) and len(sizes) > 1:
            middle = np.exp(np.log(sizes).mean())
            line = middle * self.factor[0] ** (numbers.mean() - numbers)
            ax.plot(numbers, line, "--", color=SERIES[1], label=f"fit: ×{numeral(self.factor[0], 2)} for each layer back")
        ax.set_xticks(numbers, [shown(layer) for layer in self.layers], rotation=45, ha="right", fontsize=8)
        ax.set_xlabel("layer, from the input to the output")
        ax.legend()


def gradient_sizes(states: Sequence[Model], x: Array, y: Array, steps: Sequence[int] | None = None) -> GradientSizes:
    """The size of ∇C on the examples x, y in each layer of models along a run; `steps` says where in the run they stand.

    A layer's parameters are those whose names share what stands before the last dot. One state shows how size goes with depth.
    Raises: OptionError without states, for steps that are not as many, or for states of different networks.
    """
    if not states or any(set(state.parameters) != set(states[0].parameters) for state in states):
        raise OptionError(f"{len(states)} states", expected="at least one, all of one network", remedy="give run.model()")
    at = np.arange(len(states)) if steps is None else np.asarray(steps)
    if len(at) != len(states):
        raise OptionError(f"{len(at)} steps for {len(states)} states", expected="as many", remedy="give each state its step")
    x, y = examples(states[0], x, y)
    layers = tuple(dict.fromkeys(_layer(name) for name in states[0].parameters))
    norms = np.array([_norms(state, x, y, layers) for state in states])
    entries = [sum(a.size for name, a in states[0].parameters.items() if _layer(name) == layer) for layer in layers]
    return GradientSizes(layers, at, norms, np.array(entries))


def _layer(name: str) -> str:
    return name.rpartition(".")[0] or name


def _norms(state: Model, x: Array, y: Array, layers: tuple[str, ...]) -> list[float]:
    gradient = state.gradient(x, y)
    return [
        float(np.sqrt(sum(float(np.sum(g**2)) for name, g in gradient.items() if _layer(name) == layer))) for layer in layers
    ]
