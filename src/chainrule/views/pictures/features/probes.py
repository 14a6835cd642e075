"""How well a linear classifier reads each layer: a probe for the features that a network has learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Accuracy, accuracy
from chainrule.train import Model
from chainrule.views.colours import SERIES
from chainrule.views.pictures.features.representations import INPUT, layer_names, layer_rows
from chainrule.views.pictures.picture import Picture
from chainrule.views.plain import counted, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class LinearProbes(Picture):
    """How many of `total` test examples a linear classifier reads rightly from each layer: `correct` (layers,).

    `network` is the number that the network itself gets right; `penalty` is the ridge's.
    """

    names: tuple[str, ...]
    correct: Array
    network: int
    total: int
    penalty: float
    part: str = "test"

    @property
    def accuracies(self) -> tuple[Accuracy, ...]:
        """Each layer's accuracy, with its binomial error."""
        counts: list[int] = self.correct.tolist()
        return tuple(Accuracy(count, self.total) for count in counts)

    @property
    def title(self) -> str:
        """What is shown."""
        return "What a linear classifier reads from each layer"

    @property
    def reading(self) -> str:
        """How to read the points."""
        return (
            f"Each point is the accuracy, on {counted(self.total, f'{self.part} example')}, of a ridge regression to one-hot targets "
            "on a layer's activations, fitted on training examples, with its binomial error: where it rises, a layer has made the "
            "classes easier to tell apart by planes."
        )

    def draw(self, ax: Axes) -> None:
        """Points with error bars in the order of the layers, and the network's own accuracy as a band."""
        places = np.arange(len(self.names))
        shares = np.array([item.value for item in self.accuracies])
        ends = np.array([item.interval() for item in self.accuracies])
        around = np.clip([shares - ends[:, 0], ends[:, 1] - shares], 0, None)
        own = Accuracy(self.network, self.total)
        ax.axhspan(*(100 * end for end in own.interval()), color=SERIES[1], alpha=0.2, linewidth=0)
        ax.axhline(100 * own.value, color=SERIES[1], linestyle="--", label=f"the network itself: {own.value:.1%}")
        ax.errorbar(places, 100 * shares, 100 * around, fmt="o-", color=SERIES[0], capsize=3, label="linear classifier")
        for place, share, end in zip(places.tolist(), shares.tolist(), ends[:, 1].tolist(), strict=True):
            look: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 7.5}
            ax.annotate(f"{100 * share:.1f} %", (place, 100 * end), (0, 4), **look)
        names = [printable(name, most=18) for name in self.names]
        ax.set_xticks(places, names, rotation=30 if len(names) > 5 else 0)
        ax.set(xlabel="layer", ylabel=f"{self.part} accuracy (%)", xlim=(-0.4, len(names) - 0.4))
        ax.margins(y=0.15)
        ax.legend(loc="lower right")


def linear_probes(
    model: Model, x_train: Array, y_train: Array, x_test: Array, y_test: Array, penalty: float = 1e-3, *, part: str = "test"
) -> LinearProbes:
    """The test accuracy of a linear classifier on the input's and each layer's activations, beside the network's own.

    The classifier is a ridge regression in closed form and float64: activations are standardised on the training examples,
    targets are one-hot, W = (AᵀA/n + penalty·1)⁻¹ Aᵀ(T − mean T)/n, and the largest output wins. Nothing is trained by steps.
    `part` is what those examples are called.
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
    right = [np.count_nonzero(_ridge_labels(train[name], wanted, test[name], penalty) == y_test) for name in names]
    own = accuracy(y_test, model.decide(x_test))
    return LinearProbes(names, np.array(right, dtype=np.int64), own.correct, own.total, penalty, part)


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
