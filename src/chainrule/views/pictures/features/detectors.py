"""Tests of what a network has really learned: whether a neuron answers to loops or lines, and how sure it is of noise."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import cast

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Bars, Line, Mark, Points, Rule, dashes, staircase
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import classifies, has, has_probabilities, suits, takes_amounts
from chainrule.views.pictures.ranks import separation
from chainrule.views.pictures.results.judged import probabilities_of
from chainrule.views.pictures.subject import require_quantity
from chainrule.views.plain import counted, printable, spaced
from chainrule.views.view import View, chart, numbers_of

GOOD_DETECTOR = 0.95
"""From this separation on, in 95 of 100 pairs, a neuron counts as a detector. A convention, like any such number."""
_MOST_BARS = 40


@immutable(eq=False)
class Detectors(Shown):
    """How well each neuron tells examples with something (`what`) from those without, all arrays (neurons,).

    `separations`: the probability that an example with it excites the neuron more than one without (the area under the ROC
    curve); 0.5 is chance, 1 a perfect detector, 0 a neuron that falls silent at it. `weakest` is the same for the pair of classes,
    one with and one without, that the neuron tells apart worst, in its own direction; NaN where there are no such classes.
    `chance_error` is the standard error of a separation if there is none.
    """

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


def detectors(
    model: Model, x: Array, y: Array, having: Collection[str] | Array, quantity: str = "dense1.a", what: str = "a loop"
) -> Detectors:
    """Whether a neuron of the quantity tells examples that have something from those that lack it: for each the area under its curve.

    `having` are the names of the classes that have it, ("0", "6", "8", "9") for a loop in a digit, or a mask (n,) of truth values,
    one to an example. Shapes: x (n, ...), y labels (n,). The area is computed by ranks, equal activations sharing theirs.
    Raises: OptionError where all examples have it or none has, for an unknown class, or an unknown quantity.

    >>> import chainrule as cr
    >>> run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10)
    >>> test = run.data.test
    >>> detectors(run.model(), test.x, test.y, ["upper"], what="the upper moon").separations.shape
    (4,)
    """
    require_quantity(model, quantity)
    mask = _mask(model, y, having)
    values = model.quantities(x, {quantity})[quantity].reshape(len(x), -1)
    separations = np.array([separation(column, mask) for column in values.T])
    return Detectors(what, separations, _weakest(values, y, mask, separations), int(mask.sum()), int((~mask).sum()))


@suits(classifies, has("dense1.a"))
def detector_test(
    model: Model, x: Array, y: Array, having: Collection[str] | Array, quantity: str = "dense1.a", what: str = "a loop"
) -> View:
    """The neurons of a quantity as bars, by how well each tells examples that have something from those that lack it.

    Arguments and errors are those of `detectors`; the numbers are its `separations`, `weakest`, `strengths` and `chance_error`.
    """
    found = detectors(model, x, y, having, quantity, what)
    return View(
        f"Does a neuron of {printable(quantity, most=24)} answer to {printable(what, most=30)}?",
        f"Each bar is the probability that one of {counted(found.having, 'example')} with {printable(what, most=30)} excites the "
        f"neuron more than one of {spaced(found.lacking)} without, dots are the pair of classes it tells apart worst, and the grey "
        f"band is two standard errors around chance: {printable(found.verdict)}.",
        [_separation_bars(found, quantity)],
        numbers_of(found, "separations", "weakest", "strengths", "chance_error"),
        size=(6.6, 3.8),
    )


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


def _separation_bars(found: Detectors, quantity: str) -> Panel:
    """Bars from chance up or down, by neuron; of more than forty the strongest, sorted."""
    count = len(found.separations)
    order = np.arange(count) if count <= _MOST_BARS else np.argsort(-found.strengths, kind="stable")[:_MOST_BARS]
    places, shown = np.arange(len(order)), found.separations[order]
    ends = np.where(shown >= 0.5, found.weakest[order], 1 - found.weakest[order])
    hardest: list[Mark] = [] if np.isnan(ends).all() else [Points(places, ends, color=1, label="hardest pair of classes")]
    reach = 2 * found.chance_error
    some = f" ({len(order)} of {count}, strongest first)" if len(order) < count else ""
    return Panel(
        [
            Bars(places, shown, start=0.5, color=0, label="separation"),
            *hardest,
            Rule(y=(0.5 - reach, 0.5 + reach), alpha=0.35, label="chance"),
            Rule(y=GOOD_DETECTOR, dash="dashed", label="detector"),
            Rule(y=1 - GOOD_DETECTOR, dash="dashed"),
        ],
        Axis(
            f"neuron of {printable(quantity, most=24)}{some}",
            at=places,
            texts=list(map(str, order.tolist())),
            size=7.0 if len(order) > 20 else 9.0,
        ),
        Axis("separation (0.5 is chance)", ends=(0, 1.18)),
        legend="top",
    )


@suits(has_probabilities, takes_amounts)
def confidence_on_noise(model: Model, x: Array, seed: int = 0) -> View:
    """The highest probability on the inputs x (n, ...), on as many inputs of noise, and on the same inputs with their numbers shuffled.

    Noise: bytes are drawn evenly from 0 to 255, other numbers from a normal distribution with each feature's mean and standard
    deviation. Shuffled: each input's numbers in an order of their own, so that the numbers are real and their arrangement is not.
    Shuffling is left out for inputs of fewer than eight numbers. The numbers are the highest probabilities (n,) by the kind of input:
    "data", "noise", "shuffled data". Raises: OptionError for a network without probabilities.
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
    even = 1 / len(model.problem.dataset_info.classes or ())
    sure = ", ".join(f"{100 * float(np.mean(values > 0.9)):.0f} % of {name}" for name, values in found.items())
    steps = [_cumulated(place, name, values) for place, (name, values) in enumerate(found.items())]
    return chart(
        "How sure is the network of noise?",
        "Each curve is the fraction of inputs whose highest probability is at most that on the axis; a network that knew what it does not "
        f"know would give noise about {numeral(even, 2)} to each class, but above 0.9 lie {sure}.",
        [*steps, Rule(x=even, label="no idea: all classes alike")],
        Axis("highest probability of a class", ends=(0, 1)),
        Axis("fraction of the inputs at most there (%)", ends=(0, 101)),
        found,
        legend="upper left",
    )


def _highest(model: Model, x: Array) -> Array:
    probabilities = probabilities_of(model, model.quantities(x, {"output"})["output"])
    if probabilities is None:
        raise OptionError(
            "confidence of a network without probabilities",
            expected="softmax, sigmoid or a cross-entropy",
            remedy="write for example Dense(10, 'softmax') as the last layer",
        )
    return probabilities.max(axis=1)


def _cumulated(place: int, name: str, values: Array) -> Line:
    """The cumulated share: one step to an input."""
    across = np.concatenate([[0.0], np.sort(values), [1.0]])
    up = np.concatenate([[0.0], np.arange(1, len(values) + 1) / len(values), [1.0]])
    label = f"{name}: median {float(np.median(values)):.2f}"
    return Line(*staircase(across, 100 * up, after=True), color=place, dash=dashes(place), label=label)
