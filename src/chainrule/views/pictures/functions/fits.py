"""Fits of one variable: data, true curve and the network's, and what every hidden neuron adds to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from chainrule.data import CURVES, Dataset, DatasetInfo
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Dense, LayerUse
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import CSS_VARIABLES, SERIES
from chainrule.views.figures.style import FAINT, INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subject import Source, Span, bias_of, data_of, feature_names, model_of, places, short, usual_span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BENT = {"relu", "leaky_relu", "elu", "step"}
"""Activations that change their course at z = 0."""
FEW = 8
"""As many neurons are told apart by colour and dashes."""


@dataclass(frozen=True, eq=False)
class Fit(Picture):
    """A network's curve: `predicted` (n,) and, where it is known, `true` (n,) at `x` (n,); the examples `x_data`, `y_data` (m,).

    `sizes`: the network's input, and each layer's output. `errors` (m,): the examples' standard errors, empty where none are known.
    """

    name: str
    sizes: tuple[int, ...]
    x: Array
    predicted: Array
    true: Array | None
    x_data: Array
    y_data: Array
    errors: Array = field(default_factory=partial(np.zeros, 0))

    @property
    def title(self) -> str:
        """The network by its sizes."""
        return f"Fit of one variable by {'-'.join(map(str, self.sizes))}"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        true = ", dotted is the true curve" if self.true is not None else ""
        noise = "; where the line bends for a single circle, it fits the noise" if len(self.x_data) else ""
        bars = ", bars their standard errors" if len(self.errors) else ""
        return f"Circles are training examples{bars}, the solid line is what the network makes of every x{true}{noise}."

    def draw(self, ax: Axes) -> None:
        """Examples, true curve, the network's curve."""
        if self.true is not None:
            ax.plot(self.x, self.true, ":", color=SERIES[2], label="true curve", linewidth=2.2)
        ax.plot(self.x, self.predicted, color=SERIES[0], label="network")
        if len(self.x_data):
            bars = self.errors if len(self.errors) else None
            words = "training example" + (" ± its standard error" if bars is not None else "")
            look: dict[str, Any] = {"color": INK, "fillstyle": "none", "markersize": 4, "elinewidth": 0.9}
            ax.errorbar(self.x_data, self.y_data, bars, fmt="o", label=words, **look)
        ax.set_xlabel(f"{self.name} (data's units)")
        ax.set_ylabel("y (data's units)")
        ax.legend()


@dataclass(frozen=True, eq=False)
class Contributions(Picture):
    """What each hidden neuron adds: `parts` (neurons, n) at `x` (n,), `offset` the output bias; their sum is `total` (n,).

    `kinks` (neurons,) is where a neuron's z is 0, −b/w in the data's units; NaN where there is no such place. `predicted` (n,) is
    the network's own output.
    """

    size: ClassVar[tuple[float, float]] = (6.4, 4.2)
    name: str
    layer: str
    x: Array
    parts: Array
    offset: float
    predicted: Array
    kinks: Array

    @property
    def total(self) -> Array:
        """The sum of all parts and the output bias, (n,)."""
        return self.parts.sum(axis=0) + self.offset

    @property
    def title(self) -> str:
        """How many neurons add up."""
        count = len(self.parts)
        return f"{count} neuron{'s' * (count > 1)} of {short(self.layer)} added up"

    @property
    def reading(self) -> str:
        """How to read the lines."""
        cut = "; lines leave the picture where they are much larger than the sum" if self._low_high()[2] else ""
        kinks = "; ticks below mark where a neuron bends, at −b/w" if np.isfinite(self.kinks).any() else ""
        return (
            "Each thin line is one hidden neuron's activation times its output weight, the thick line their sum with the output bias "
            f"{numeral(self.offset)}: the network's output{kinks}{cut}."
        )

    def draw(self, ax: Axes) -> None:
        """The parts, the sum, the kinks within sight."""
        ax.axhline(self.offset, color=FAINT, linewidth=0.8, linestyle=":", label="output bias")
        for i, part in enumerate(self.parts):
            self._draw_part(ax, i, part)
        ax.plot(self.x, self.total, color=INK, linewidth=2.4, label="sum and bias")
        seen = self.kinks[(self.kinks >= self.x[0]) & (self.kinks <= self.x[-1])]
        if len(seen):
            ax.plot(
                seen,
                np.full(len(seen), 0.02),
                "|",
                color=INK,
                markersize=9,
                transform=ax.get_xaxis_transform(),
                label="kink, −b/w",
            )
        ax.set_xlabel(f"{self.name} (data's units)")
        ax.set_ylabel("part of the output (data's units)")
        low, high, cut = self._low_high()
        if cut:
            ax.set_ylim(low, high)
        ax.legend(ncols=2)

    def _low_high(self) -> tuple[float, float, bool]:
        """The heights to be shown, so that the sum stays in sight, and whether parts lie outside."""
        total = self.total
        room = 1.5 * float(np.ptp(total)) or 1.0
        low, high = float(total.min()) - room, float(total.max()) + room
        return low, high, bool(self.parts.min() < low or self.parts.max() > high)

    def _draw_part(self, ax: Axes, i: int, part: Array) -> None:
        if len(self.parts) <= FEW:
            dashes = ("--", "-.", (0, (5, 1)), (0, (1, 1)))[i % 4]
            ax.plot(self.x, part, color=SERIES[i % len(SERIES)], linestyle=dashes, linewidth=1.3, label=f"neuron {i}")
            return
        rising = part[np.argmax(np.abs(part))] >= 0
        colour = CSS_VARIABLES["positive" if rising else "negative"][0]
        ax.plot(self.x, part, color=colour, linewidth=0.7, alpha=0.8, linestyle="-" if rising else "--")


def fit_1d(
    source: Source,
    truth: Callable[[Array], Array] | None = None,
    *,
    span: Span | None = None,
    points: int = 501,
    replica: int = 0,
) -> Fit:
    """A network of one number on one number: its curve beside the examples and, where it is known, the truth.

    Measured targets have their standard errors as bars. `replica`: which of a run's networks.
    The true curve is `truth` (n,) → (n,), else that of `chainrule.data.curve` if the run was trained on one of its named curves.

    >>> import chainrule as cr
    >>> run = cr.fit("1-5-1 relu", cr.data.curve("sin", n=20, noise=0.3), epochs=1, batch_size=10)
    >>> picture = fit_1d(run)
    >>> bool(np.allclose(picture.true, np.sin(picture.x)))
    True

    Raises: OptionError for networks with several inputs or outputs.
    """
    model, data = model_of(source, replica), data_of(source)
    info = require_curve(model)
    x = places(info, span or usual_span(source, 0), points)
    known = truth or (true_curve(data) if data else None)
    empty = np.zeros(0)
    y = data.train.y.astype(np.float64) if data else np.zeros((0, 1))
    return Fit(
        name=feature_names(info)[0],
        sizes=(1, *(use.output.shape[-1] for use in model.problem.described.built.uses)),
        x=x,
        predicted=predicted(model, x),
        true=None if known is None else known(x),
        x_data=data.train.x[:, 0].astype(np.float64) if data else empty,
        y_data=y[:, 0],
        errors=y[:, 1] if y.shape[1] > 1 else empty,
    )


def hidden_contributions(source: Source, *, span: Span | None = None, points: int = 1001) -> Contributions:
    """What each neuron of the last hidden layer adds to a 1-...-1 network's output, in the data's units.

    Neuron i adds a_i·v_i, v_i its output weight; with scaled targets, divided by the factor of the scaling. The last layer must be linear.

    >>> import chainrule as cr
    >>> model = cr.fit("1-2-1 relu", cr.data.curve("sin", n=20), epochs=1, batch_size=10).model()
    >>> hidden_contributions(model).parts.shape
    (2, 1001)

    Raises: OptionError for other networks.
    """
    model = model_of(source)
    info = require_curve(model)
    layers = _dense_layers(model)
    hidden, last = layers[-2:]
    x = places(info, span or usual_span(source, 0), points)
    found = model.quantities(x[:, None])
    activations = found[f"{hidden.name}.{'z' if _activation(hidden) == 'linear' else 'a'}"]
    factor, offset = _target_scaling(info)
    return Contributions(
        name=feature_names(info)[0],
        layer=hidden.name,
        x=x,
        parts=(activations * model.parameters[f"{last.name}.W"][:, 0]).T / factor,
        offset=float(bias_of(model, last.name)[0]) / factor + offset,
        predicted=predicted(model, x),
        kinks=_kinks(model, layers),
    )


def predicted(model: Model, x: Array) -> Array:
    """The output of a network of one number on one number at each x (n,), in the data's units: (n,)."""
    factor, offset = _target_scaling(model.problem.dataset_info)
    return model.quantities(x[:, None])["output"][:, 0] / factor + offset


def true_curve(data: Dataset) -> Callable[[Array], Array] | None:
    """The function that the data were made from, if it is one of `chainrule.data.CURVES`."""
    origin = data.origin or {}
    if origin.get("name_or_path") != "curve":
        return None
    function = origin.get("function", "sin3x")
    if callable(function):
        return cast("Callable[[Array], Array]", function)
    return CURVES[function].function if function in CURVES else None


def require_curve(model: Model) -> DatasetInfo:
    """The signature of a network of one number on one number.

    Raises: OptionError for any other.
    """
    data = model.problem.dataset_info
    outputs = prod(model.problem.output.shape[1:])
    if data.input_shape != (1,) or data.classes is not None or outputs != 1:
        raise OptionError(
            f"a network from inputs {data.input_shape} to {outputs} {'classes' if data.classes else 'numbers'}",
            expected="one input, and one number to fit",
            remedy="use neuron_surface for two inputs or more",
        )
    return data


def _dense_layers(model: Model) -> tuple[LayerUse, ...]:
    uses = model.problem.described.built.uses
    dense = len(uses) >= 2 and all(isinstance(use.layer, Dense) for use in uses)
    if not dense or _activation(uses[len(uses) - 1]) != "linear":
        raise OptionError(
            f"layers {', '.join(str(use.layer) for use in uses)}",
            expected="two Dense layers or more, the last of them linear: only then is the output a sum over the hidden neurons",
            remedy='train for example "1-50-1 relu"',
        )
    return uses


def _activation(use: LayerUse) -> str:
    return use.layer.activation if isinstance(use.layer, Dense) else ""


def _kinks(model: Model, layers: tuple[LayerUse, ...]) -> Array:
    """−b/w of each hidden neuron in the data's units; NaN without a bend, with w = 0, or behind another hidden layer."""
    *before, hidden, _ = layers
    w = model.parameters[f"{hidden.name}.W"]
    scaled = np.full(w.shape[1], np.nan)
    if not before and _activation(hidden) in BENT:
        b = bias_of(model, hidden.name)
        np.divide(-b, w[0], out=scaled, where=w[0] != 0)
    return np.asarray(model.problem.dataset_info.scaling.undo(scaled[:, None]))[:, 0]


def _target_scaling(info: DatasetInfo) -> tuple[float, float]:
    scaling = info.target_scaling
    if scaling is None:
        return 1.0, 0.0
    return float(np.reshape(scaling.factor, -1)[0]), float(np.reshape(scaling.offset, -1)[0])
