"""What stands behind the output neurons of a network drawing: names of classes, probabilities as bars, prediction and truth in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.data import DatasetInfo
from chainrule.numerals import numeral
from chainrule.views.networks.layout import Place
from chainrule.views.networks.numbers import Neurons, ShownOutput
from chainrule.views.plain import printable, spaced
from chainrule.views.svg import element, text, title

NAME_LETTERS = 16
BAR_WIDTH = 90.0


def answers_width(item: Neurons, outcome: ShownOutput | None, info: DatasetInfo | None) -> float:
    """How much room the answers take to the right of the output neurons' middle."""
    if info is None or item.column.kind == "box":
        return 80.0
    if outcome is not None and outcome.classes is None:
        return 320.0
    bar = BAR_WIDTH + 48 if outcome is not None and outcome.probabilities is not None else 0.0
    return 60.0 + name_width(item, info) + bar + (165.0 if outcome is not None else 0.0)


def name_width(item: Neurons, info: DatasetInfo) -> float:
    """The room for the longest name of a class that is shown."""
    names = [_class_name(info, item.column.size, neuron) for neuron in item.shown.tolist()]
    return 14.0 + 7.2 * max(min(NAME_LETTERS, len(name)) for name in names)


def answers(item: Neurons, place: Place, radius: float, outcome: ShownOutput | None, info: DatasetInfo | None) -> list[str]:
    """The marks behind the output column."""
    if info is None or item.column.kind == "box":
        return []
    left = place.x + radius + 10
    if outcome is not None and outcome.classes is None:
        return _numbers(item, place, left, outcome)
    found: list[str] = []
    for neuron, y in zip(item.shown.tolist(), place.ys, strict=True):
        name = _class_name(info, item.column.size, neuron)
        found.append(
            element("g", title(name) + text(left, y + 4, printable(name, most=NAME_LETTERS), font_size=12), class_="class")
        )
        if outcome is not None:
            found += _bar(left + name_width(item, info), y, neuron, outcome, min(12.0, 1.2 * radius))
    return (
        found if outcome is None else [*found, *_rest(item, place, left, outcome), *_second_class(item, place, left, outcome)]
    )


def _class_name(info: DatasetInfo, outputs: int, neuron: int) -> str:
    if info.classes is None:
        return f"output[{neuron}]"
    # A single output stands for the second of two classes.
    return info.classes[1] if outputs == 1 else info.classes[neuron]


def _bar(left: float, y: float, neuron: int, outcome: ShownOutput, height: float) -> list[str]:
    found, words = list[str](), _words(neuron, outcome)
    if outcome.probabilities is not None:
        p = float(outcome.probabilities[neuron])
        frame: dict[str, Any] = {"x": left, "y": y - height / 2, "height": height}
        found.append(element("rect", width=BAR_WIDTH, fill="none", stroke="var(--line)", **frame))
        if math.isfinite(p):
            share = BAR_WIDTH * min(1.0, max(0.0, p))
            found.append(
                element(
                    "rect", title(f"probability {numeral(p)}"), class_="probability", width=share, fill="var(--faint)", **frame
                )
            )
        found.append(text(left + BAR_WIDTH + 8, y + 4, f"{p:.3f}" if math.isfinite(p) else "not a number", font_size=11))
        left += BAR_WIDTH + 48
    if words:
        right = "truth" in words
        shown = text(
            left, y + 4, f"◂ {words}", font_size=11, font_weight="bold", fill=f"var(--{'right' if right else 'wrong'})"
        )
        found.append(element("g", shown, class_="verdict"))
    return found


def _words(neuron: int, outcome: ShownOutput) -> str:
    """What is said of an output neuron: it was predicted, it is the truth, or both."""
    predicted = outcome.predicted is not None and outcome.neuron_of(outcome.predicted) == neuron
    true = outcome.truth is not None and outcome.neuron_of(outcome.truth) == neuron
    if predicted and true:
        return "predicted, and the truth"
    if true:
        return "the truth"
    return "predicted" + (", wrongly" if outcome.truth is not None else "") if predicted else ""


def _rest(item: Neurons, place: Place, left: float, outcome: ShownOutput) -> list[str]:
    """The probability of all classes that are not shown, together."""
    if not item.elided or outcome.probabilities is None:
        return []
    count = item.column.size - len(item.shown)
    others = float(np.delete(outcome.probabilities, item.shown).sum())
    words = f"{spaced(count)} others together {numeral(others)}"
    return [text(left, place.ys[-1] + 30, words, font_size=11)]


def _second_class(item: Neurons, place: Place, left: float, outcome: ShownOutput) -> list[str]:
    """For a single output: what the other class means, and whether it was predicted or is true."""
    if item.column.size > 1 or outcome.classes is None:
        return []
    other = printable(outcome.classes[0], most=NAME_LETTERS)
    said = [word for word, label in (("predicted", outcome.predicted), ("the truth", outcome.truth)) if label == 0]
    words = f"otherwise {other}" + (f": {' and '.join(said)}" if said else "")
    return [text(left, place.ys[0] + 24, words, font_size=11)]


def _numbers(item: Neurons, place: Place, left: float, outcome: ShownOutput) -> list[str]:
    """Outputs that are numbers, in the data's units, beside the truth."""
    found: list[str] = []
    for neuron, y in zip(item.shown.tolist(), place.ys, strict=True):
        words = f"output {numeral(float(outcome.output[neuron]))}"
        if outcome.target is not None:
            words += f", truth {numeral(float(outcome.target[neuron]))}"
        found.append(text(left, y + 4, words, font_size=12))
    return [*found, text(left, place.ys[-1] + 24, "in the data's units", font_size=10)]
