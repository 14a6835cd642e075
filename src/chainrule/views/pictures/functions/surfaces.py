"""A neuron over two inputs: z as a plane, f(z) as a surface and as a heat map with contours, in the data's units."""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Image, Mark, Points, Scale, Surface, box_around, ends_of, second_marker
from chainrule.views.panels import Axis, Panel, Space
from chainrule.views.pictures.kinds import has, has_two_inputs, suits
from chainrule.views.pictures.sheets import class_name
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
from chainrule.views.scales import round_levels
from chainrule.views.view import View, numbers_of

MOST_EXAMPLES = 400


@immutable(eq=False)
class NeuronValues:
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
    def name(self) -> str:
        """The quantity, as it is shown."""
        return short(self.quantity)

    @property
    def crosses_zero(self) -> bool:
        """Whether the numbers have both signs."""
        return bool(self.values.min() < 0 < self.values.max())

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """The two inputs."""
        first, second = (f"{name} (data's units)" for name in self.names)
        ends = [(float(side[0]), float(side[-1])) for side in (self.first, self.second)]
        return Axis(first, ends=ends[0]), Axis(second, ends=ends[1])

    def numbers(self) -> dict[str, Array]:
        """What is drawn, by name."""
        return numbers_of(self, "first", "second", "values", "examples", "labels", "names")

    def map(self, title: str = "") -> Panel:
        """The map from above, contours with their values, the data's points."""
        place, frame = "upper right" if 0 < len(self.classes) <= 6 and len(self.examples) else "none", self.axes
        return Panel([self._image(), *self._example_marks()], *frame, title=title, legend=place)

    def _image(self) -> Image:
        first, second = (np.linspace(float(had[0]), float(had[-1]), len(had)) for had in (self.first, self.second))
        # Whole numbers may stand unevenly: each even place shows the nearest of them.
        rows, columns = (
            np.abs(had[:, None] - even).argmin(axis=0) for had, even in ((self.second, second), (self.first, first))
        )
        flat = np.ptp(self.values) <= 1e-12 * np.abs(self.values).max()
        levels = [] if flat else round_levels(*ends_of(self.values))
        scale = Scale.of(self.values, f"{self.name} (no unit)")
        texts = [numeral(level, 6) for level in levels]
        return Image(self.values[np.ix_(rows, columns)], scale=scale, box=box_around(first, second), levels=levels, texts=texts)

    def _example_marks(self) -> list[Mark]:
        look = {
            label: class_name(self.classes, label, 20) if self.classes else "example"
            for label in map(int, np.unique(self.labels))
        }
        return [
            Points(
                *self.examples[self.labels == label].T,
                color=label,
                marker=second_marker(label),
                size=4.5,
                edge="light",
                label=name,
            )
            for label, name in look.items()
        ]

    def surface(self, title: str = "") -> Space:
        """The surface over the plane of the two inputs: a plane where the quantity is linear in them."""
        side, marks = self._best_side(), [Surface(self.first, self.second, self.values, scale=Scale.of(self.values))]
        # On the other sides the label of the upright axis stands at the right, further out.
        zoom = 0.85 if side == _SIDES[0] else 0.7
        return Space(
            marks, *self.axes, Axis(f"{self.name} (no unit)"), title=title, azimuth=side, elevation=_ELEVATION, zoom=zoom
        )

    def _best_side(self) -> float:
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


_ELEVATION = 24.0
_SIDES = (-122.0, -58.0, -32.0)
"""Angles in degrees from which a surface may be seen, the usual one first."""


@suits(has_two_inputs, has("dense1.z"))
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
    solid: bool = False,
) -> View:
    """Any neuron of any network over any two inputs, given by place or name; the others are held at the point `at`.

    `at` is an example in the data's units; None is the mean of the training part (of a model alone: what it sees as 0). `span`: a
    range for each of the two inputs; None is that of the training part. `replica`: which of a run's networks. `solid`: not as a map
    from above, but as a surface in three dimensions. For data of whole numbers the places are whole numbers.
    The numbers: `values` (rows, columns) at `second` (rows,) and `first` (columns,); `examples` (n, 2) of the data with `labels` (n,).

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10)
    >>> neuron_surface(run, "dense1.a", neuron=2, points=30).numbers["values"].shape
    (30, 30)

    Raises: OptionError for quantities, neurons or inputs that the network does not have.
    """
    found = neuron_over_inputs(source, quantity, neuron, inputs, at=at, span=span, points=points, replica=replica)
    title = f"{found.name} of neuron {neuron} over two inputs"
    if solid:
        reading = f"The height over each pair of inputs is the value of {found.name}, neuron {neuron}{found.held}."
        return View(title, reading, [found.surface()], found.numbers(), size=(5.2, 4.4))
    zero = "; the thick line is where it is 0" if found.crosses_zero else ""
    signs = f"; markers are training examples{', a sign to a class' if found.classes else ''}" if len(found.examples) else ""
    reading = f"Colour is the value of {found.name}, neuron {neuron}, equal along each line{zero}{signs}{found.held}."
    return View(title, reading, [found.map()], found.numbers())


def neuron_over_inputs(
    source: Source,
    quantity: str,
    neuron: int,
    inputs: tuple[int | str, int | str] = (0, 1),
    *,
    at: Array | None = None,
    span: tuple[Span, Span] | None = None,
    points: int = 60,
    replica: int = 0,
) -> NeuronValues:
    """The numbers of `neuron_surface`, which has the options and the errors."""
    model, here = model_of(source, replica), standpoint(source, at)
    info = model.problem.dataset_info
    i, j = (feature_index(model.problem, feature) for feature in inputs)
    if i == j:
        raise OptionError(f"input {i} twice", expected="two different inputs", remedy="write for example inputs=(0, 1)")
    spans = span or (usual_span(source, i), usual_span(source, j))
    first, second = (places(info, given, points) for given in spans)
    names = feature_names(info)
    examples, labels, classes = _examples(source, i, j)
    return NeuronValues(
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


@suits(has_two_inputs, has("dense1.a"))
def neuron_steps(
    source: Source,
    layer: str = "dense1",
    neuron: int = 0,
    inputs: tuple[int | str, int | str] = (0, 1),
    *,
    at: Array | None = None,
    span: tuple[Span, Span] | None = None,
) -> View:
    """The two steps of a layer's neuron, z and a = f(z), over two inputs, never merged; options as for `neuron_surface`.

    The numbers are those of `neuron_surface`, as "z.values" and "a.values".

    Raises: OptionError for a layer without both, such as a linear one.
    """
    require_quantity(model_of(source), f"{layer}.a")
    z, a = (neuron_over_inputs(source, f"{layer}.{step}", neuron, inputs, at=at, span=span) for step in "za")
    return View(
        f"Two steps of neuron {neuron}: first {z.name}, then {a.name} = f({z.name})",
        f"Left the weighted sum {z.name}, in the middle what the activation makes of each of its values, right the "
        f"same from above{z.held}.",
        [z.surface("step 1: weighted sum z"), a.surface("step 2: activation f(z)"), a.map("f(z) from above")],
        {f"{step}.{name}": array for step, found in (("z", z), ("a", a)) for name, array in found.numbers().items()},
        size=(12.0, 4.2),
    )


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
