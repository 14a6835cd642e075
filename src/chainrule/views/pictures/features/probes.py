"""How well a linear classifier reads each layer: a probe for the features that a network has learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Accuracy, accuracy
from chainrule.train import Model
from chainrule.views.marks import ErrorBars, Line, Mark, Rule, Text
from chainrule.views.panels import Axis
from chainrule.views.pictures.features.representations import INPUT, layer_names, layer_rows
from chainrule.views.pictures.kinds import classifies, suits
from chainrule.views.plain import counted, told_apart
from chainrule.views.view import View, chart, numbers


@suits(classifies)
def linear_probes(
    model: Model, x_train: Array, y_train: Array, x_test: Array, y_test: Array, penalty: float = 1e-3, *, part: str = "test"
) -> View:
    """The test accuracy of a linear classifier on the input's and each layer's activations, beside the network's own.

    The classifier is a ridge regression in closed form and float64: activations are standardised on the training examples,
    targets are one-hot, W = (AᵀA/n + penalty·1)⁻¹ Aᵀ(T − mean T)/n, and the largest output wins. Nothing is trained by steps.
    `part` is what those examples are called. The numbers: how many of `total` test examples are read rightly from each layer, `correct`
    (layers,), with the layers' `names`, and how many the network itself gets right, `network`.
    Source: G. Alain, Y. Bengio, Understanding intermediate layers using linear classifier probes, arXiv:1610.01644 (2016).

    Shapes: x (n, ...), y labels (n,). Raises: OptionError for a network that predicts numbers, or a penalty that is not above 0.
    """
    classes = model.problem.dataset_info.classes
    if classes is None or not 0 < penalty < np.inf:
        raise OptionError(
            f"linear probes with penalty {penalty}"
            if classes is not None
            else "linear probes of a network that predicts numbers",
            expected="a classifier, and a penalty above 0",
            remedy="write penalty=1e-3" if classes is not None else "ask for layer_projections",
        )
    names = (INPUT, *layer_names(model))
    train, test = layer_rows(model, x_train, names), layer_rows(model, x_test, names)
    wanted = np.eye(len(classes))[y_train]
    right = [int(np.count_nonzero(_ridge_labels(train[name], wanted, test[name], penalty) == y_test)) for name in names]
    own = accuracy(y_test, model.decide(x_test))
    words, turned = told_apart(names, 18), 30.0 if len(names) > 5 else 0.0
    return chart(
        "What a linear classifier reads from each layer",
        f"Each point is the accuracy, on {counted(own.total, f'{part} example')}, of a ridge regression to one-hot targets "
        "on a layer's activations, fitted on training examples, with its binomial error: where it rises, a layer has made the "
        "classes easier to tell apart by planes.",
        _accuracy_marks([Accuracy(count, own.total) for count in right], own),
        Axis("layer", at=range(len(names)), texts=words, turn=turned, ends=(-0.4, len(names) - 0.4)),
        Axis(f"{part} accuracy (%)", margin=0.15),
        numbers(names=names, correct=right, network=own.correct, total=own.total),
        legend="lower right",
    )


def _ridge_labels(train: Array, wanted: Array, test: Array, penalty: float) -> Array:
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    a: Array = (train - mean) / spread
    b: Array = (test - mean) / spread
    middle = wanted.mean(axis=0)
    weights = _ridge(a, (wanted - middle) / len(a), penalty)
    return np.argmax(b @ weights + middle, axis=1)


def _ridge(a: Array, wanted: Array, penalty: float) -> Array:
    """(aᵀa/n + λ)⁻¹ aᵀ·wanted; of both equal forms the one with the smaller matrix is solved, for layers wider than examples are many."""
    rows, columns = a.shape
    if columns <= rows:
        return cast("Array", np.linalg.solve(a.T @ a / rows + penalty * np.eye(columns), a.T @ wanted))
    return a.T @ cast("Array", np.linalg.solve(a @ a.T / rows + penalty * np.eye(rows), wanted))


def _accuracy_marks(found: Sequence[Accuracy], own: Accuracy) -> list[Mark]:
    """Points with error bars in the order of the layers, and the network's own accuracy as a band."""
    places, shares = np.arange(len(found)), np.array([100 * item.value for item in found])
    low, high = 100 * np.array([item.interval() for item in found]).T
    ends = own.interval()
    return [
        Rule(y=(100 * ends[0], 100 * ends[1]), color=1, alpha=0.2),
        Rule(y=100 * own.value, color=1, dash="dashed", width=1.6, label=f"the network itself: {own.value:.1%}"),
        ErrorBars(places, np.minimum(low, shares), np.maximum(high, shares), color=0, cap=3.0),
        Line(places, shares, color=0, marker="o", size=6.0, label="linear classifier"),
        Text(places, high, [f"{share:.1f} %" for share in shares.tolist()], offset=(0, 4), up="bottom", size=7.5),
    ]
