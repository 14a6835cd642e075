"""One neuron and its parameters: the sigmoid that sharpens to a step, and the fraction of the data that fires as the bias slides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Line, Mark, Points, Rule, dashes, staircase
from chainrule.views.panels import Axis
from chainrule.views.pictures.kinds import has, learns, suits, takes_amounts
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
from chainrule.views.view import View, chart, numbers


@suits(takes_amounts, has("dense1.a"))
def sharpness(
    source: Source,
    quantity: str = "dense1.a",
    neuron: int = 0,
    scales: Sequence[float] = (1, 2, 5, 10, 50),
    *,
    along: int | str = 0,
    at: Array | None = None,
    span: Span | None = None,
) -> View:
    """A neuron along one input while weights and biases of its layer are multiplied by each of `scales`.

    The other inputs are held at `at` (see `neuron_surface`). `span` None: the data's range, widened as far as the place where z is 0, if
    that is not more than three ranges away. The numbers: `activations` (scales, places), and `z` (places,) at scale 1.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-1 sigmoid sigmoid", cr.data.xor(), epochs=1, batch_size=4)
    >>> sharpness(run).numbers["activations"].shape
    (5, 201)

    Raises: OptionError for a layer without weights, or one whose neurons have no pre-activation.
    """
    model = model_of(source)
    feature = feature_index(model.problem, along)
    names, z_name = _names_of_layer(model, quantity)
    point = standpoint(source, at).point
    across = places(model.problem.dataset_info, span or _span_with_bend(source, (z_name, neuron), feature, point), 201)
    rows = through(point, {feature: across})
    scaled = [model.with_parameters({name: model.weights[name] * scale for name in names}) for scale in scales]
    z = neuron_values(model, z_name, neuron, rows)
    activations = np.stack([neuron_values(each, quantity, neuron, rows) for each in scaled])
    lines = [
        Line(across, row, color=i, dash=dashes(i), label=f"× {numeral(scale, 6)}")
        for i, (scale, row) in enumerate(zip(scales, activations, strict=True))
    ]
    return chart(
        f"{short(quantity)} of neuron {neuron}, all its weights and its bias scaled",
        "Each curve is the same neuron with weights and bias multiplied by the number beside it: it bends at the same place, z = 0, "
        "and comes ever closer to a step without becoming one.",
        [*_crossings(across, z), *lines],
        Axis(f"{feature_names(model.problem.dataset_info)[feature]} (data's units)"),
        Axis(f"{short(quantity)} (no unit)"),
        numbers(places=across, z=z, scales=scales, activations=activations),
        legend_title="weights and bias",
    )


def _crossings(across: Array, z: Array) -> list[Mark]:
    """A line where z is 0."""
    found = np.flatnonzero(np.diff(np.sign(z)))
    middles = 0.5 * (across[found] + across[found + 1])
    return [Rule(x=float(place), label="" if k else "z = 0") for k, place in enumerate(middles)]


@suits(has("dense1.z"), learns("dense1.b"))
def firing_fraction(
    source: Source, x: Array, quantity: str = "dense1.z", neuron: int = 0, biases: Sequence[float] | Array | None = None
) -> View:
    """The fraction of examples x (n, ...) for which a neuron fires, z > 0, as its bias takes each of `biases`.

    None slides it from where no example fires to where all do: the bias only shifts z, so that one pass gives all shares.
    The numbers: `shares` (n,) at `biases` (n,); `present`, the bias as it is, with `present_share`.

    Raises: OptionError for a layer without a bias.
    """
    model = model_of(source)
    names, z_name = _names_of_layer(model, quantity)
    bias_name = f"{z_name.removesuffix('.z')}.b"
    if bias_name not in names:
        raise OptionError(f"the bias of {quantity}", expected="a layer with biases", remedy="choose another layer")
    z = neuron_values(model, z_name, neuron, np.asarray(x).reshape(len(x), -1))
    present, share = float(model.weights[bias_name][neuron]), float(np.mean(z > 0))
    weighted = z - present
    asked = _range_of_biases(weighted) if biases is None else np.array(biases, dtype=np.float64)
    # w·x + b > 0 where w·x > −b: counted in the sorted sums, for many examples and biases.
    shares = (len(weighted) - np.searchsorted(np.sort(weighted), -asked, side="right")) / len(weighted)
    return chart(
        f"How much of the data fires neuron {neuron} of {short(z_name.removesuffix('.z'))}",
        "The curve gives the fraction of the examples with z > 0 for each bias: the lower the bias, the harder the neuron is to activate; "
        f"now it fires for {numeral(100 * share, 3)} %.",
        [
            Rule(x=present, dash="dashed"),
            Line(*staircase(asked, 100 * shares), color=0),
            Points([present], [100 * share], size=6.0, label=f"now: bias {numeral(present)}"),
        ],
        Axis("bias b (no unit)"),
        Axis("examples that fire, z > 0 (%)", ends=(-3, 103)),
        numbers(biases=asked, shares=shares, present=present, present_share=share),
    )


def _range_of_biases(weighted: Array) -> Array:
    """Biases from where none of the weighted sums (n,) is above 0 to where all are."""
    low, high = float(weighted.min()), float(weighted.max())
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(-high - margin, -low + margin, 401)


def _names_of_layer(model: Model, quantity: str) -> tuple[list[str], str]:
    """The layer's parameters, and its pre-activation's name."""
    require_quantity(model, quantity)
    layer = quantity.rpartition(".")[0]
    names = [name for name in model.weights if name.rpartition(".")[0] == layer]
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
