"""The gradient's size in each layer, corrected for how many entries a layer has: over a training, and over the depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Line, Mark, Points, dashes, second_marker
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.learning.places import examples, shown
from chainrule.views.plain import spaced
from chainrule.views.view import View, numbers


def gradient_sizes(states: Sequence[Model], x: Array, y: Array, steps: Sequence[int] | None = None) -> View:
    """The size of ∇C on the examples x, y in each layer of models along a run; `steps` says where in the run they stand.

    A layer's parameters are those whose names share what stands before the last dot. One state shows how size goes with depth.
    The numbers: `norms` (states, layers), how many `entries` (layers,) each has, and `sizes`, the norm over the square root of the
    number of entries: only this root mean square of an entry can be compared between layers, as a layer of a thousand equal entries
    has a larger norm than one of ten; `factor` (states,), by what a layer multiplies the size on the way back.
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
    entries = np.array([sum(a.size for name, a in states[0].parameters.items() if _layer(name) == layer) for layer in layers])
    sizes = corrected(norms, entries)
    factor = factors(sizes)
    fitted = float(factor[-1])
    rate = f" At the last state a layer multiplies it by {numeral(fitted, 2)} on the way back." if np.isfinite(fitted) else ""
    names = [shown(layer) for layer in layers]
    labels = [f"{name} ({spaced(int(count))})" for name, count in zip(names, entries, strict=True)]
    return View(
        "Gradient size by layer",
        "Height: the root mean square of a layer's gradient entries, so that large and small layers compare; layers far "
        f"below the others learn hardly at all (vanishing), far above them too fast (exploding).{rate}",
        [_over_depth(names, sizes[0], float(factor[0])) if len(at) == 1 else _over_states(labels, at, sizes)],
        numbers(layers=layers, steps=at, norms=norms, entries=entries, sizes=sizes, factor=factor),
        size=(6.2, 3.8),
    )


def _layer(name: str) -> str:
    return name.rpartition(".")[0] or name


def _norms(state: Model, x: Array, y: Array, layers: tuple[str, ...]) -> list[float]:
    gradient = state.gradient(x, y)
    return [
        float(np.sqrt(sum(float(np.sum(g**2)) for name, g in gradient.items() if _layer(name) == layer))) for layer in layers
    ]


def corrected(norms: Array, entries: Array) -> Array:
    """The root mean square of an entry of the gradient, (states, layers), from norms and numbers of entries (layers,).

    >>> corrected(np.array([[2.0, 1.0]]), np.array([64, 4]))
    array([[0.25, 0.5 ]])
    """
    return norms / np.sqrt(entries)


def factors(sizes: Array) -> Array:
    """By what a layer multiplies the size on the way back to the one before it, fitted over all layers; (states,).

    A straight line through log size over the layer's number, by least squares; NaN for one layer, or where a size is 0.

    >>> factors(np.array([[0.01, 0.1, 1.0]])).round(6)
    array([0.1])
    """
    logs = np.log(np.where(sizes > 0, sizes, np.nan))
    layers = int(sizes.shape[1])
    number = np.arange(layers) - (layers - 1) / 2
    scale = float(number @ number)
    return np.exp(-(logs @ number) / scale) if scale > 0 else np.full(len(logs), np.nan)


_LABEL = "∂C/∂parameter, root mean square"


def _over_states(labels: Sequence[str], steps: Array, sizes: Array) -> Panel:
    """A line to a layer."""
    lines = [
        Line(
            steps, np.where(row > 0, row, np.nan), color=number, dash=dashes(number), marker=second_marker(number), label=label
        )
        for number, (label, row) in enumerate(zip(labels, sizes.T, strict=True))
    ]
    up = Axis(_LABEL, log=bool(np.any(sizes > 0)))
    return Panel(lines, Axis("state (update)"), up, legend="right", legend_title="layer (entries)")


def _over_depth(names: Sequence[str], sizes: Array, factor: float) -> Panel:
    """A point to a layer, and the fitted line."""
    numbers_of, seen = np.arange(len(names)), np.where(sizes > 0, sizes, np.nan)
    marks: list[Mark] = [Points(numbers_of, seen, color=0, size=6.0, label="gradient")]
    if np.all(sizes > 0) and len(sizes) > 1:
        line = np.exp(np.log(sizes).mean()) * factor ** (numbers_of.mean() - numbers_of)
        marks.append(Line(numbers_of, line, color=1, dash="dashed", label=f"fit: ×{numeral(factor, 2)} for each layer back"))
    across = Axis("layer, from the input to the output", at=numbers_of, texts=names, turn=45, size=8.0)
    return Panel(marks, across, Axis(_LABEL, log=bool(np.any(sizes > 0))))
