"""Tests of what a network has really learned: whether a neuron answers to loops or lines, and how sure it is of noise."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.results.judged import probabilities_of
from chainrule.views.pictures.subject import require_quantity
from chainrule.views.plain import counted, printable, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GOOD_DETECTOR = 0.95
"""From this separation on, in 95 of 100 pairs, a neuron counts as a detector. A convention, like any such number."""
_MOST_BARS = 40


@dataclass(frozen=True)
class DetectorTest(Picture):
    """How well each neuron of a quantity tells examples with something (`what`) from those without, all arrays (neurons,).

    `separations`: the probability that an example with it excites the neuron more than one without (the area under the ROC
    curve); 0.5 is chance, 1 a perfect detector, 0 a neuron that falls silent at it. `weakest` is the same for the pair of classes,
    one with and one without, that the neuron tells apart worst, in its own direction; NaN where there are no such classes.
    `chance_error` is the standard error of a separation if there is none.
    """

    size: ClassVar[tuple[float, float]] = (6.6, 3.8)
    quantity: str
    what: str
    separations: Array
    weakest: Array
    having: int
    lacking: int

    @property
    def chance_error(self) -> float:
        """The standard error of the separation of a neuron that knows nothing: √((m + n + 1)/(12·m·n)).

        Source: H. B. Mann, D. R. Whitney, Ann. Math. Stat. 18, 50 (1947).
        """
        return math.sqrt((self.having + self.lacking + 1) / (12 * self.having * self.lacking))

    @property
    def strengths(self) -> Array:
        """How well a neuron separates in either direction: max(s, 1 − s), (neurons,)."""
        return np.maximum(self.separations, 1 - self.separations)

    @property
    def best(self) -> int:
        """The neuron that separates best in either direction."""
        return int(np.argmax(self.strengths))

    @property
    def verdict(self) -> str:
        """In words, whether there is a detector."""
        place = self.best
        strength, weakest = float(self.strengths[place]), float(self.weakest[place])
        worst = (
            ""
            if math.isnan(weakest)
            else f", but only {weakest:.2f} for its hardest pair of classes" * (weakest < GOOD_DETECTOR)
        )
        found = strength >= GOOD_DETECTOR and not weakest < GOOD_DETECTOR
        judged = f"is a detector of {self.what}" if found else f"comes nearest, and no neuron is a detector of {self.what}"
        return f"neuron {place} {judged} ({strength:.2f}{worst}; a detector needs {GOOD_DETECTOR})"

    @property
    def title(self) -> str:
        """The question."""
        return f"Does a neuron of {printable(self.quantity, most=24)} answer to {printable(self.what, most=30)}?"

    @property
    def reading(self) -> str:
        """How to read the bars, and the verdict."""
        return (
            f"Each bar is the probability that one of {counted(self.having, 'example')} with {printable(self.what, most=30)} excites the "
            f"neuron more than one of {spaced(self.lacking)} without, dots are the pair of classes it tells apart worst, and the grey "
            f"band is two standard errors around chance: {printable(self.verdict)}."
        )

    def draw(self, ax: Axes) -> None:
        """Bars from chance up or down, by neuron; of more than forty the strongest, sorted."""
        order = np.arange(len(self.separations))
        if len(order) > _MOST_BARS:
            order = np.argsort(-self.strengths, kind="stable")[:_MOST_BARS]
        places, shown = np.arange(len(order)), self.separations[order]
        ax.bar(places, shown - 0.5, bottom=0.5, color=SERIES[0], label="separation")
        ends = np.where(shown >= 0.5, self.weakest[order], 1 - self.weakest[order])
        if not np.isnan(ends).all():
            ax.plot(places, ends, "o", color=SERIES[1], markersize=4, label="hardest pair of classes")
        ax.axhspan(
            0.5 - 2 * self.chance_error, 0.5 + 2 * self.chance_error, color="#888888", alpha=0.35, linewidth=0, label="chance"
        )
        for end, label in ((GOOD_DETECTOR, "detector"), (1 - GOOD_DETECTOR, None)):
            ax.axhline(end, color="#777777", linestyle="--", linewidth=0.8, label=label)
        ax.set_xticks(places, [str(place) for place in order.tolist()], fontsize=7 if len(order) > 20 else 9)
        some = f" ({len(order)} of {len(self.separations)}, strongest first)" if len(order) < len(self.separations) else ""
        ax.set(
            xlabel=f"neuron of {printable(self.quantity, most=24)}{some}", ylabel="separation (0.5 is chance)", ylim=(0, 1.18)
        )
        ax.legend(loc="upper right", ncols=4)


def detector_test(
    model: Model, x: Array, y: Array, having: Collection[str] | Array, quantity: str = "dense1.a", what: str = "a loop"
) -> DetectorTest:
    """Whether a neuron of the quantity tells examples that have something from those that lack it: for each the area under its curve.

    `having` are the names of the classes that have it, ("0", "6", "8", "9") for a loop in a digit, or a mask (n,) of truth values,
    one to an example. Shapes: x (n, ...), y labels (n,). The area is computed by ranks, equal activations sharing theirs.
    Raises: OptionError where all examples have it or none has, for an unknown class, or an unknown quantity.

    >>> import chainrule as cr
    >>> run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10)
    >>> test = run.data.test
    >>> detector_test(run.model(), test.x, test.y, ["upper"], what="the upper moon").separations.shape
    (4,)
    """
    require_quantity(model, quantity)
    mask = _mask(model, y, having)
    values = model.quantities(x, {quantity})[quantity].reshape(len(x), -1)
    separations = np.array([separation(column, mask) for column in values.T])
    return DetectorTest(
        quantity, what, separations, _weakest(values, y, mask, separations), int(mask.sum()), int((~mask).sum())
    )


def separation(values: Array, mask: Array) -> float:
    """The probability that a value where the mask is true is larger than one where it is false; equal ones count half.

    >>> separation(np.array([1.0, 2.0, 3.0, 3.0]), np.array([False, False, True, False]))
    0.833...
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    # The mean rank of values that are equal.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    having = int(np.count_nonzero(mask))
    return float((ranks[mask].sum() - having * (having + 1) / 2) / (having * (len(values) - having)))


def _mask(model: Model, y: Array, having: Collection[str] | Array) -> Array:
    classes = model.problem.dataset_info.classes or ()
    if isinstance(having, np.ndarray):
        mask = cast("Array", having)
        fits = mask.dtype == np.bool_ and mask.shape == (len(y),)
    else:
        mask = np.isin(y, [place for place, name in enumerate(classes) if name in having])
        fits = all(name in classes for name in having)
    if not fits or mask.all() or not mask.any():
        given = "a mask" if isinstance(having, np.ndarray) else printable(", ".join(having), most=60) or "nothing"
        raise OptionError(
            f"having: {given}, for {len(y)} examples",
            expected=f"some, not all, of the classes {printable(', '.join(classes)) or '(there are none)'}; "
            f"or a mask of {len(y)} truth values, some true and some false",
            remedy='write having=["0", "6", "8", "9"]',
        )
    return mask


def _weakest(values: Array, y: Array, mask: Array, separations: Array) -> Array:
    """For each neuron the least separation, in its own direction, over all pairs of a class with and a class without."""
    kinds = [(label, mask[y == label]) for label in np.unique(y).tolist()] if y.ndim == 1 else []
    if not kinds or not all(own.all() or not own.any() for _, own in kinds):
        return np.full(len(separations), np.nan)
    having, lacking = ([label for label, own in kinds if own[0] == wanted] for wanted in (True, False))
    least = np.full(len(separations), np.inf)
    for one in having:
        for other in lacking:
            pair = (y == one) | (y == other)
            found = np.array([separation(column, y[pair] == one) for column in values[pair].T])
            least = np.minimum(least, np.where(separations >= 0.5, found, 1 - found))
    return least


@dataclass(frozen=True)
class NoiseConfidence(Picture):
    """The highest probability that a network gives to any class: arrays (n,) by the kind of input, "data" first."""

    highest: Mapping[str, Array]
    classes: int

    @property
    def title(self) -> str:
        """What is compared."""
        return "How sure is the network of noise?"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        sure = ", ".join(f"{100 * float(np.mean(values > 0.9)):.0f} % of {name}" for name, values in self.highest.items())
        return (
            "Each curve is the fraction of inputs whose highest probability is at most that on the axis; a network that knew what it "
            "does not "
            f"know would give noise about {numeral(1 / self.classes, 2)} to each class, but above 0.9 lie {sure}."
        )

    def arrays(self) -> dict[str, Array]:
        """The highest probabilities by the kind of input."""
        return dict(self.highest)

    def draw(self, ax: Axes) -> None:
        """Cumulated shares: one step to an input."""
        for place, (name, values) in enumerate(self.highest.items()):
            across = np.concatenate([[0.0], np.sort(values), [1.0]])
            up = np.concatenate([[0.0], np.arange(1, len(values) + 1) / len(values), [1.0]])
            look: dict[str, Any] = {"color": SERIES[place], "linestyle": DASHES[place % len(DASHES)]}
            ax.plot(across, 100 * up, drawstyle="steps-post", label=f"{name}: median {float(np.median(values)):.2f}", **look)
        ax.axvline(1 / self.classes, color="#777777", linewidth=0.8, label="no idea: all classes alike")
        ax.set(
            xlabel="highest probability of a class",
            ylabel="fraction of the inputs at most there (%)",
            xlim=(0, 1),
            ylim=(0, 101),
        )
        ax.legend(loc="upper left")


def confidence_on_noise(model: Model, x: Array, seed: int = 0) -> NoiseConfidence:
    """The highest probability on the inputs x (n, ...), on as many inputs of noise, and on the same inputs with their numbers shuffled.

    Noise: bytes are drawn evenly from 0 to 255, other numbers from a normal distribution with each feature's mean and standard
    deviation. Shuffled: each input's numbers in an order of their own, so that the numbers are real and their arrangement is not.
    Shuffling is left out for inputs of fewer than eight numbers. Raises: OptionError for a network without probabilities.
    """
    random = np.random.default_rng(seed)
    rows = x.reshape(len(x), -1)
    if x.dtype == np.uint8:
        noise = random.integers(0, 256, rows.shape, dtype=np.uint8)
    else:
        noise = (rows.mean(axis=0) + rows.std(axis=0) * random.standard_normal(rows.shape)).astype(x.dtype)
    kinds = {"data": x, "noise": noise.reshape(x.shape)}
    if rows.shape[1] >= 8:
        kinds["shuffled data"] = random.permuted(rows, axis=1).reshape(x.shape)
    found = {name: _highest(model, inputs) for name, inputs in kinds.items()}
    return NoiseConfidence(found, len(model.problem.dataset_info.classes or ()))


def _highest(model: Model, x: Array) -> Array:
    probabilities = probabilities_of(model, model.quantities(x, {"output"})["output"])
    if probabilities is None:
        raise OptionError(
            "confidence of a network without probabilities",
            expected="softmax, sigmoid or a cross-entropy",
            remedy="write for example Dense(10, 'softmax') as the last layer",
        )
    return probabilities.max(axis=1)
