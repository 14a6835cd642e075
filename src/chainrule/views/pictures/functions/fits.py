"""Fits of one variable: data, true curve and the network's, and what every hidden neuron adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import cast

import numpy as np

from chainrule.data import CURVES, Dataset, DatasetInfo
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Dense, LayerUse
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Color, ErrorBars, Line, Mark, Points, Rule
from chainrule.views.panels import Axis, Span
from chainrule.views.pictures.kinds import adds_neurons_up, fits_a_curve, suits
from chainrule.views.pictures.subject import (
    Source,
    bias_of,
    data_of,
    feature_index,
    feature_names,
    model_of,
    places,
    predicted_of,
    short,
    usual_span,
)
from chainrule.views.view import View, chart, numbers

BENT = {"relu", "leaky_relu", "elu", "step"}
"""Activations that change their course at z = 0."""
FEW = 8
"""As many neurons are told apart by colour and dashes."""


@suits(fits_a_curve)
def fit_1d(
    source: Source,
    truth: Callable[[Array], Array] | None = None,
    *,
    span: Span | None = None,
    points: int = 501,
    replica: int = 0,
) -> View:
    """A network of one number on one number: its curve beside the examples and, where it is known, the truth.

    `predicted` and `true` (n,) at `x` (n,); the examples `x_data`, `y_data` (m,), with standard errors `errors` (m,) where they were
    measured, which are drawn as bars. `replica`: which of a run's networks.
    The true curve is `truth` (n,) → (n,), else that of `chainrule.data.curve` if the run was trained on one of its named curves.

    >>> import chainrule as cr
    >>> run = cr.fit("1-5-1 relu", cr.data.curve("sin", n=20, noise=0.3), epochs=1, batch_size=10)
    >>> found = fit_1d(run).numbers
    >>> bool(np.allclose(found["true"], np.sin(found["x"])))
    True

    Raises: OptionError for networks with several inputs or outputs.
    """
    model, data = model_of(source, replica), data_of(source)
    info = require_curve(model)
    x = places(info, span or usual_span(source, 0), points)
    known = truth or (true_curve(data) if data else None)
    empty = np.zeros(0)
    y = data.train.y.astype(np.float64) if data else np.zeros((0, 1))
    found = numbers(
        x=x,
        predicted=predicted(model, x),
        true=None if known is None else known(x),
        x_data=data.train.x[:, 0].astype(np.float64) if data else empty,
        y_data=y[:, 0],
        errors=y[:, 1] if data and model.problem.objective.beside == "standard errors" else empty,
    )
    return chart(
        f"Fit of one variable{_by(model)}",
        _fit_reading(found),
        _fit_marks(found),
        Axis(f"{feature_names(info)[0]} (data's units)"),
        Axis("y (data's units)"),
        found,
    )


def _fit_reading(found: Mapping[str, Array]) -> str:
    true = ", dotted is the true curve" if "true" in found else ""
    noise = "; where the line bends for a single circle, it fits the noise" if len(found["x_data"]) else ""
    bars = ", bars their standard errors" if len(found["errors"]) else ""
    return f"Circles are training examples{bars}, the solid line is what the network makes of every x{true}{noise}."


def _fit_marks(found: Mapping[str, Array]) -> list[Mark]:
    """True curve, the network's curve, examples."""
    x, y, errors = found["x_data"], found["y_data"], found["errors"]
    true = [Line(found["x"], found["true"], color=2, dash="dotted", width=2.2, label="true curve")] if "true" in found else []
    bars = [ErrorBars(x, y - errors, y + errors, cap=0.0, width=0.9)] if len(errors) else []
    words = "training example" + (" ± its standard error" if bars else "")
    data = [Points(x, y, hollow=True, label=words)] if len(x) else []
    return [*true, Line(found["x"], found["predicted"], color=0, label="network"), *bars, *data]


@suits(fits_a_curve, adds_neurons_up)
def hidden_contributions(source: Source, *, span: Span | None = None, points: int = 1001) -> View:
    """What each neuron of the last hidden layer adds to a 1-...-1 network's output, in the data's units.

    Neuron i adds a_i·v_i, v_i its output weight; with scaled targets, divided by the factor of the scaling. The last layer must be linear.
    The numbers: `parts` (neurons, n) at `x` (n,), the output bias `offset`, their sum `total` (n,), the network's own output
    `predicted` (n,), and `kinks` (neurons,), where a neuron's z is 0, −b/w; NaN where there is no such place.

    >>> import chainrule as cr
    >>> model = cr.fit("1-2-1 relu", cr.data.curve("sin", n=20), epochs=1, batch_size=10).model()
    >>> hidden_contributions(model).numbers["parts"].shape
    (2, 1001)

    Raises: OptionError for other networks.
    """
    model = model_of(source)
    info = require_curve(model)
    layers = _dense_layers(model)
    if model.problem.link:
        raise OptionError(
            f"a loss that takes {model.problem.link} of the output before it compares",
            expected="an output that is compared as it is: only then is it a sum over the hidden neurons",
            remedy="ask for fit_1d",
        )
    hidden, last = layers[-2:]
    x = places(info, span or usual_span(source, 0), points)
    activations = model.quantities(x[:, None])[f"{hidden.name}.{'z' if _activation(hidden) == 'linear' else 'a'}"]
    factor, shift = _target_scaling(info)
    parts = (activations * model.weights[f"{last.name}.W"][:, 0]).T / factor
    offset = float(bias_of(model, last.name)[0]) / factor + shift
    total, kinks = parts.sum(axis=0) + offset, _kinks(model, layers)
    low, high, cut = _heights(total, parts)
    told = "; lines leave the picture where they are much larger than the sum" if cut else ""
    ticks = "; ticks below mark where a neuron bends, at −b/w" if np.isfinite(kinks).any() else ""
    return chart(
        f"{len(parts)} neuron{'s' * (len(parts) > 1)} of {short(hidden.name)} added up",
        "Each thin line is one hidden neuron's activation times its output weight, the thick line their sum with the output bias "
        f"{numeral(offset)}: the network's output{ticks}{told}.",
        [
            Rule(y=offset, dash="dotted", label="output bias"),
            *_part_lines(x, parts),
            Line(x, total, width=2.4, label="sum and bias"),
            *_kink_marks(kinks, x),
        ],
        Axis(f"{feature_names(info)[0]} (data's units)"),
        Axis("part of the output (data's units)", ends=(low, high) if cut else None),
        numbers(x=x, parts=parts, offset=offset, total=total, predicted=predicted(model, x), kinks=kinks),
        size=(6.4, 4.2),
    )


def _by(model: Model) -> str:
    """The sizes of the layers that have weights between neurons, as " by 1-20-1"; nothing where no layer has."""
    matrices = {name for name, value in model.weights.items() if value.ndim > 1}
    uses = [use for use in model.problem.described.built.uses if matrices.intersection((*use.parameters, *use.states))]
    return f" by 1-{'-'.join(str(use.output.shape[-1]) for use in uses)}" if uses else ""


def predicted(model: Model, x: Array) -> Array:
    """The output of a network of one number on one number at each x (n,), in the data's units: (n,)."""
    return predicted_of(model, x[:, None])[:, 0]


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
    if data.input_shape == (1,):
        feature_index(model.problem, 0)
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
    w = model.weights[f"{hidden.name}.W"]
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


def _heights(total: Array, parts: Array) -> tuple[float, float, bool]:
    """The heights to be shown, so that the sum stays in sight, and whether parts lie outside."""
    room = 1.5 * float(np.ptp(total)) or 1.0
    low, high = float(total.min()) - room, float(total.max()) + room
    return low, high, bool(parts.min() < low or parts.max() > high)


def _part_lines(x: Array, parts: Array) -> list[Mark]:
    """A line to each neuron; of many, those that are told apart by their sign only."""
    if len(parts) <= FEW:
        kinds = ("dashed", "dashdot", "dotted")
        return [Line(x, part, color=i, dash=kinds[i % 3], width=1.3, label=f"neuron {i}") for i, part in enumerate(parts)]
    rising = parts[np.arange(len(parts)), np.abs(parts).argmax(axis=1)] >= 0
    groups: list[tuple[Array, Color]] = [(parts[rising], "positive"), (parts[~rising], "negative")]
    return [
        Line(x, own, color=colour, width=0.7, alpha=0.8, dash="solid" if colour == "positive" else "dashed")
        for own, colour in groups
        if len(own)
    ]


def _kink_marks(kinks: Array, x: Array) -> list[Mark]:
    seen = kinks[(kinks >= x[0]) & (kinks <= x[-1])]
    at_rim = np.full(len(seen), 0.02)
    return [Points(seen, at_rim, marker="|", size=9.0, where=("data", "axes"), label="kink, −b/w")] if len(seen) else []
