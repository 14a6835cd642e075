"""One neuron and its parameters: the sigmoid that sharpens to a step, and the fraction of the data that fires as the bias slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import DASHES, SERIES, second_way
from chainrule.views.figures.style import FAINT, INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subject import (
    Source,
    Span,
    feature_index,
    feature_names,
    model_of,
    neuron_values,
    places,
    require_quantity,
    short,
    standpoint,
    through,
    usual_span,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Sharpness(Picture):
    """A neuron along one input while its weights and bias are multiplied: `activations` (scales, places); `z` (places,) at scale 1."""

    quantity: str
    neuron: int
    name: str
    places: Array
    z: Array
    scales: Array
    activations: Array

    @property
    def title(self) -> str:
        """The neuron."""
        return f"{short(self.quantity)} of neuron {self.neuron}, all its weights and its bias scaled"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        return (
            "Each curve is the same neuron with weights and bias multiplied by the number beside it: it bends at the same place, z = 0, "
            "and comes ever closer to a step without becoming one."
        )

    def draw(self, ax: Axes) -> None:
        """A curve to a scale, and where z is 0."""
        for i, scale in enumerate(self.scales):
            look: dict[str, Any] = {"color": SERIES[i % len(SERIES)], "linestyle": second_way(i, DASHES)}
            ax.plot(self.places, self.activations[i], label=f"× {numeral(scale, 6)}", **look)
        crossings = np.flatnonzero(np.diff(np.sign(self.z)))
        for k in crossings:
            ax.axvline(
                0.5 * (self.places[k] + self.places[k + 1]),
                color=FAINT,
                linewidth=0.8,
                label="z = 0" if k == crossings[0] else None,
            )
        ax.set_xlabel(f"{self.name} (data's units)")
        ax.set_ylabel(f"{short(self.quantity)} (no unit)")
        ax.legend(title="weights and bias")


@dataclass(frozen=True, eq=False)
class FiringFraction(Picture):
    """The fraction of the examples with z > 0, `shares` (n,), at each bias, `biases` (n,); `present` is the bias as it is."""

    quantity: str
    neuron: int
    biases: Array
    shares: Array
    present: float
    present_share: float

    @property
    def title(self) -> str:
        """The neuron."""
        return f"How much of the data fires neuron {self.neuron} of {short(self.quantity.removesuffix('.z'))}"

    @property
    def reading(self) -> str:
        """How to read the curve."""
        return (
            "The curve gives the fraction of the examples with z > 0 for each bias: the lower the bias, the harder the neuron is to "
            "activate; "
            f"now it fires for {numeral(100 * self.present_share, 3)} %."
        )

    def draw(self, ax: Axes) -> None:
        """The fraction against the bias, the present one marked."""
        ax.plot(self.biases, 100 * self.shares, color=SERIES[0], drawstyle="steps-mid")
        ax.axvline(self.present, color=FAINT, linewidth=0.8, linestyle="--")
        ax.plot([self.present], [100 * self.present_share], "o", color=INK, label=f"now: bias {numeral(self.present)}")
        ax.set_xlabel("bias b (no unit)")
        ax.set_ylabel("examples that fire, z > 0 (%)")
        ax.set_ylim(-3, 103)
        ax.legend()


def sharpness(
    source: Source,
    quantity: str = "dense1.a",
    neuron: int = 0,
    scales: Sequence[float] = (1, 2, 5, 10, 50),
    *,
    along: int | str = 0,
    at: Array | None = None,
    span: Span | None = None,
) -> Sharpness:
    """A neuron along one input while weights and biases of its layer are multiplied by each of `scales`.

    The other inputs are held at `at` (see `neuron_surface`). `span` None: the data's range, widened as far as the place where z is 0, if
    that is not more than three ranges away.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-1 sigmoid sigmoid", cr.data.xor(), epochs=1, batch_size=4)
    >>> sharpness(run).activations.shape
    (5, 201)

    Raises: OptionError for a layer without weights, or one whose neurons have no pre-activation.
    """
    model = model_of(source)
    feature = feature_index(model.problem.dataset_info, along)
    names, z_name = _names_of_layer(model, quantity)
    point = standpoint(source, at).point
    across = places(model.problem.dataset_info, span or _span_with_bend(source, (z_name, neuron), feature, point), 201)
    rows = through(point, {feature: across})
    scaled = [model.with_parameters({name: model.parameters[name] * scale for name in names}) for scale in scales]
    return Sharpness(
        quantity=quantity,
        neuron=neuron,
        name=feature_names(model.problem.dataset_info)[feature],
        places=across,
        z=neuron_values(model, z_name, neuron, rows),
        scales=np.array(scales, dtype=np.float64),
        activations=np.stack([neuron_values(each, quantity, neuron, rows) for each in scaled]),
    )


def firing_fraction(
    source: Source, x: Array, quantity: str = "dense1.z", neuron: int = 0, biases: Sequence[float] | Array | None = None
) -> FiringFraction:
    """The fraction of examples x (n, ...) for which a neuron fires, z > 0, as its bias takes each of `biases`.

    None slides it from where no example fires to where all do: the bias only shifts z, so that one pass gives all shares.

    Raises: OptionError for a layer without a bias.
    """
    model = model_of(source)
    names, z_name = _names_of_layer(model, quantity)
    bias_name = f"{z_name.removesuffix('.z')}.b"
    if bias_name not in names:
        raise OptionError(f"the bias of {quantity}", expected="a layer with biases", remedy="choose another layer")
    z = neuron_values(model, z_name, neuron, np.asarray(x).reshape(len(x), -1))
    present = float(model.parameters[bias_name][neuron])
    weighted = z - present
    asked = _range_of_biases(weighted) if biases is None else np.array(biases, dtype=np.float64)
    # w·x + b > 0 where w·x > −b: counted in the sorted sums, for many examples and biases.
    shares = (len(weighted) - np.searchsorted(np.sort(weighted), -asked, side="right")) / len(weighted)
    return FiringFraction(z_name, neuron, asked, shares, present, float(np.mean(z > 0)))


def _range_of_biases(weighted: Array) -> Array:
    """Biases from where none of the weighted sums (n,) is above 0 to where all are."""
    low, high = float(weighted.min()), float(weighted.max())
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(-high - margin, -low + margin, 401)


def _names_of_layer(model: Model, quantity: str) -> tuple[list[str], str]:
    """The layer's parameters, and its pre-activation's name."""
    require_quantity(model, quantity)
    layer = quantity.rpartition(".")[0]
    names = [name for name in model.parameters if name.rpartition(".")[0] == layer]
    if not names or f"{layer}.z" not in model.quantity_names:
        raise OptionError(
            f"{quantity!r}, which has no weights of its own",
            expected="z or a of a layer with weights, such as dense1.a",
            remedy=f"choose one of {', '.join(name for name in model.quantity_names if name.endswith('.z'))}",
        )
    return names, f"{layer}.z"


def _span_with_bend(source: Source, z_of: tuple[str, int], feature: int, point: Array) -> Span:
    low, high = usual_span(source, feature)
    ends = neuron_values(model_of(source), *z_of, through(point, {feature: np.array([low, high])}))
    slope = float(ends[1] - ends[0]) / (high - low)
    if slope == 0:
        return low, high
    bend, width = low - float(ends[0]) / slope, high - low
    if not low - 3 * width < bend < high + 3 * width:
        return low, high
    return min(low, bend - 0.3 * width), max(high, bend + 0.3 * width)
