"""A neuron over two inputs: z as a plane, f(z) as a surface and as a heat map with contours, in the data's units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import DIVERGING, SEQUENTIAL, SERIES, second_way
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subject import (
    Source,
    Span,
    Standpoint,
    data_of,
    feature_index,
    feature_names,
    model_of,
    neuron_values,
    places,
    require_quantity,
    short,
    standpoint,
    usual_span,
)
from chainrule.views.pictures.subplots import arrays_of, space, subplots
from chainrule.views.plain import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_EXAMPLES = 400
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")


@dataclass(frozen=True, eq=False)
class NeuronValues(Picture):
    """One neuron's number over two inputs: `values` (rows, columns) at the places `second` (rows,) × `first` (columns,).

    `names`: the two inputs; `held`: in words where the others stand; `examples` (n, 2) with `labels` (n,): the data's own points.
    """

    quantity: str
    neuron: int
    names: tuple[str, str]
    first: Array
    second: Array
    values: Array
    held: str
    examples: Array
    labels: Array
    classes: tuple[str, ...]

    @property
    def title(self) -> str:
        """The neuron."""
        return f"{short(self.quantity)} of neuron {self.neuron} over two inputs"

    def colours(self) -> dict[str, Any]:
        """matplotlib's colour map with its range: white at 0 where the numbers have both signs."""
        low, high = float(self.values.min()), float(self.values.max())
        if low < 0 < high:
            most = max(-low, high)
            return {"cmap": DIVERGING, "vmin": -most, "vmax": most}
        return {"cmap": SEQUENTIAL, "vmin": low, "vmax": high if high > low else low + 1.0}

    def label_inputs(self, ax: Axes) -> None:
        """The names of the two inputs at their axes."""
        ax.set_xlabel(f"{self.names[0]} (data's units)")
        ax.set_ylabel(f"{self.names[1]} (data's units)")


@dataclass(frozen=True, eq=False)
class NeuronSurface(NeuronValues):
    """The heat map with contours; `surface()` is the same in three dimensions."""

    @property
    def reading(self) -> str:
        """How to read the map."""
        zero = "; the thick line is where it is 0" if self.values.min() < 0 < self.values.max() else ""
        return (
            f"Colour is the value of {short(self.quantity)}, neuron {self.neuron}, equal along each line{zero}"
            f"{self._markers()}{self.held}."
        )

    def _markers(self) -> str:
        if not len(self.examples):
            return ""
        return f"; markers are training examples{', a sign to a class' if self.classes else ''}"

    def surface(self) -> Surface:
        """The same numbers as a surface over the plane of the two inputs."""
        return Surface(**vars(self))

    def draw(self, ax: Axes) -> None:
        """The map, contours with their values, the data's points."""
        mesh = ax.pcolormesh(self.first, self.second, self.values, shading="nearest", rasterized=True, **self.colours())
        bar: Any = ax.figure.colorbar(mesh, ax=ax)
        bar.set_label(f"{short(self.quantity)} (no unit)")
        if np.ptp(self.values) > 1e-12 * np.abs(self.values).max():
            lines = ax.contour(self.first, self.second, self.values, levels=6, colors=INK, linewidths=0.7)
            ax.clabel(lines, fontsize=7)
            if self.values.min() < 0 < self.values.max():
                ax.contour(self.first, self.second, self.values, levels=[0.0], colors=INK, linewidths=2.2)
        self._draw_examples(ax)
        ax.set_xlim(self.first[0], self.first[-1])
        ax.set_ylim(self.second[0], self.second[-1])
        self.label_inputs(ax)

    def _draw_examples(self, ax: Axes) -> None:
        for label in map(int, np.unique(self.labels)):
            chosen = self.examples[self.labels == label]
            look: dict[str, Any] = {"marker": second_way(label, MARKERS), "color": SERIES[label % len(SERIES)]}
            name = printable(self.classes[label], most=20) if self.classes else "example"
            ax.scatter(chosen[:, 0], chosen[:, 1], s=20, edgecolors="white", linewidths=0.7, label=name, **look)
        if 0 < len(self.classes) <= 6 and len(self.examples):
            ax.legend(loc="upper right", frameon=True, framealpha=0.85)


_ELEVATION = 24.0
_SIDES = (-122.0, -58.0, -32.0)
"""Angles in degrees from which a surface may be seen, the usual one first."""


@dataclass(frozen=True, eq=False)
class Surface(NeuronValues):
    """The same numbers as a surface in three dimensions: a plane where the quantity is linear in the inputs."""

    size: ClassVar[tuple[float, float]] = (5.2, 4.4)
    projection: ClassVar[str | None] = "3d"

    @property
    def reading(self) -> str:
        """How to read the surface."""
        return f"The height over each pair of inputs is the value of {short(self.quantity)}, neuron {self.neuron}{self.held}."

    def best_side(self) -> float:
        """The side in degrees from which the surface, on average over it a plane, is not seen edge-on."""
        rise = float(np.ptp(self.values)) or 1.0
        # Slopes in a box of sides 1, as it is drawn; the plane's normal is (−∂z/∂x, −∂z/∂y, 1).
        across = float(self.values[:, -1].mean() - self.values[:, 0].mean()) / rise
        up = float(self.values[-1].mean() - self.values[0].mean()) / rise
        height = math.radians(_ELEVATION)

        def facing(side: float) -> float:
            turned = math.cos(math.radians(side)) * across + math.sin(math.radians(side)) * up
            return abs(math.sin(height) - math.cos(height) * turned)

        usual = facing(_SIDES[0])
        return _SIDES[0] if usual > 0.35 else max(_SIDES, key=facing)

    def draw(self, ax: Axes) -> None:
        """The surface over its two inputs."""
        ax3 = space(ax, "a surface")
        across, up = np.meshgrid(self.first, self.second)
        ax3.plot_surface(across, up, self.values, rcount=40, ccount=40, linewidth=0.15, edgecolor="#00000033", **self.colours())
        self.label_inputs(ax)
        ax3.set_zlabel(f"{short(self.quantity)} (no unit)")
        ax3.view_init(elev=_ELEVATION, azim=self.best_side())
        for axis in "xyz":
            ax3.locator_params(axis=axis, nbins=4)
        # Else the label of the upright axis lies outside the figure: on the other sides it stands at the right, further out.
        ax3.set_box_aspect((4, 4, 3), zoom=0.85 if self.best_side() == _SIDES[0] else 0.7)


@dataclass(frozen=True, eq=False)
class NeuronSteps(Picture):
    """A neuron's two steps, never merged: the weighted sum z, a plane; then f(z), as a surface and as a map."""

    size: ClassVar[tuple[float, float]] = (12.0, 4.2)
    z: NeuronSurface
    a: NeuronSurface

    @property
    def title(self) -> str:
        """The two quantities of the neuron."""
        z, a = short(self.z.quantity), short(self.a.quantity)
        return f"Two steps of neuron {self.z.neuron}: first {z}, then {a} = f({z})"

    @property
    def reading(self) -> str:
        """How to read the three panels."""
        return (
            f"Left the weighted sum {short(self.z.quantity)}, in the middle what the activation makes of each of its values, right the "
            f"same from above{self.z.held}."
        )

    def arrays(self) -> dict[str, Array]:
        """The numbers of both steps."""
        return arrays_of({"z": self.z, "a": self.a})

    def draw(self, ax: Axes) -> None:
        """Three panels."""
        plane, bent, above = subplots(ax, 1, 3, projections={0: "3d", 1: "3d"})
        plane.set_title("step 1: weighted sum z")
        self.z.surface().draw(plane)
        bent.set_title("step 2: activation f(z)")
        self.a.surface().draw(bent)
        above.set_title("f(z) from above")
        self.a.draw(above)


def neuron_surface(
    source: Source,
    quantity: str = "dense1.z",
    neuron: int = 0,
    inputs: tuple[int | str, int | str] = (0, 1),
    *,
    at: Array | None = None,
    span: tuple[Span, Span] | None = None,
    points: int = 60,
    replica: int = 0,
) -> NeuronSurface:
    """Any neuron of any network over any two inputs, given by place or name; the others are held at the point `at`.

    `at` is an example in the data's units; None is the mean of the training part (of a model alone: what it sees as 0). `span`: a
    range for each of the two inputs; None is that of the training part. `replica`: which of a run's networks.
    For data of whole numbers the places are whole numbers.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10)
    >>> neuron_surface(run, "dense1.a", neuron=2, points=30).values.shape
    (30, 30)

    Raises: OptionError for quantities, neurons or inputs that the network does not have.
    """
    model, here = model_of(source, replica), standpoint(source, at)
    info = model.problem.dataset_info
    i, j = (feature_index(info, feature) for feature in inputs)
    if i == j:
        raise OptionError(f"input {i} twice", expected="two different inputs", remedy="write for example inputs=(0, 1)")
    spans = span or (usual_span(source, i), usual_span(source, j))
    first, second = (places(info, given, points) for given in spans)
    names = feature_names(info)
    examples, labels, classes = _examples(source, i, j)
    return NeuronSurface(
        quantity=quantity,
        neuron=neuron,
        names=(names[i], names[j]),
        first=first,
        second=second,
        values=_over_grid(model, quantity, neuron, here, (i, j), (first, second)),
        held=_held(here, names, (i, j)),
        examples=examples,
        labels=labels,
        classes=classes,
    )


def neuron_steps(
    source: Source,
    layer: str = "dense1",
    neuron: int = 0,
    inputs: tuple[int | str, int | str] = (0, 1),
    *,
    at: Array | None = None,
    span: tuple[Span, Span] | None = None,
) -> NeuronSteps:
    """The two steps of a layer's neuron, z and a = f(z), over two inputs; options as for `neuron_surface`.

    Raises: OptionError for a layer without both, such as a linear one.
    """
    require_quantity(model_of(source), f"{layer}.a")
    z, a = (neuron_surface(source, f"{layer}.{step}", neuron, inputs, at=at, span=span) for step in "za")
    return NeuronSteps(z, a)


def _over_grid(
    model: Model, quantity: str, neuron: int, here: Standpoint, features: tuple[int, int], axes: tuple[Array, Array]
) -> Array:
    across, up = np.meshgrid(*axes)
    rows = np.tile(here.point, (across.size, 1))
    rows[:, features[0]], rows[:, features[1]] = across.reshape(-1), up.reshape(-1)
    return neuron_values(model, quantity, neuron, rows).reshape(across.shape)


def _examples(source: Source, i: int, j: int) -> tuple[Array, Array, tuple[str, ...]]:
    """Some training examples at the two inputs, their labels (0 where there are no classes), the classes' names."""
    data = data_of(source)
    if data is None:
        return np.zeros((0, 2)), np.zeros(0, dtype=np.int64), ()
    chosen = np.unique(np.linspace(0, len(data.train) - 1, MOST_EXAMPLES).astype(np.int64))
    flat = data.train.x.reshape(len(data.train), -1)[chosen]
    labels = data.train.y[chosen] if data.classes else np.zeros(len(chosen), dtype=np.int64)
    return flat[:, [i, j]].astype(np.float64), labels, data.classes or ()


def _held(here: Standpoint, names: tuple[str, ...], shown: tuple[int, int]) -> str:
    others = [k for k in range(len(names)) if k not in shown]
    if not others:
        return ""
    numbers = ", ".join(f"{names[k]} = {numeral(here.point[k])}" for k in others[:4])
    which = numbers if len(others) <= 4 else f"the other {len(others)} inputs"
    return f"; held at {here.words}: {which}"
