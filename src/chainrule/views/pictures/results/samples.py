"""The data themselves: a sheet of examples with their labels, and how many there are of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.data import Dataset
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.views.marks import HATCHES, Bars, ErrorBars, Mark
from chainrule.views.panels import Axis, Table
from chainrule.views.pictures.sheets import class_name, example_sheet
from chainrule.views.plain import printable, spaced
from chainrule.views.view import View, chart, numbers


def data_examples(data: Dataset, part: str = "training", most: int = 20) -> View:
    """A sheet of examples of a part of the data; of classes the first of each in turn, so that rare ones are seen too.

    The numbers: `inputs` (k, ...) with their `indices` (k,) and `targets`: labels (k,) or numbers (k, outputs).
    Raises: OptionError for a part that the data do not have.
    """
    parts = dict(data.parts())
    if part not in parts or most < 1:
        raise OptionError(
            f"{most} examples of part {part!r}",
            expected=f"1 or more of {', '.join(parts)}",
            remedy=suggest(part, parts, "write most=12"),
        )
    examples = parts[part]
    order = np.arange(len(examples)) if data.classes is None else _in_turn(examples.y)
    chosen = order[:most]
    words = [_target(target, data.classes) for target in examples.y[chosen]]
    captions = [f"{word}   no. {index}" for word, index in zip(words, chosen.tolist(), strict=True)]
    beside = Table(("target", "number"), tuple(zip(words, map(spaced, chosen.tolist()), strict=True)))
    how = "the first of each class in turn" if data.classes is not None else "the first ones"
    return View(
        f"Examples of {printable(data.name, most=40)}: {part}",
        f"Inputs as they stand in the data, with their target and their number in the part; {how}.",
        [example_sheet(examples.x[chosen], captions, beside, data.features, 7)],
        numbers(inputs=examples.x[chosen], indices=chosen, targets=examples.y[chosen]),
        size=(7.4, 4.4),
    )


def _in_turn(labels: Array) -> Array:
    """Indices that take one example of each class after another, each class in its own order."""
    sorted_by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    turn = np.empty(len(labels), dtype=np.int64)
    turn[sorted_by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.lexsort((labels, turn))


def _target(target: Array, classes: Sequence[str] | None) -> str:
    return class_name(classes, int(target)) if classes is not None else ", ".join(numeral(float(value)) for value in target[:3])


def class_shares(data: Dataset) -> View:
    """How often each class occurs in each part of the data.

    The numbers, each (parts, classes): `counts`, their `shares` of the part, and the binomial standard `errors` of these: how far
    shares may differ by the luck of the draw. Raises: OptionError for data without classes.
    """
    if data.classes is None:
        raise OptionError("classes of numbers to fit", expected="data with classes", remedy="ask for data_examples")
    parts = dict(data.parts())
    counts = np.stack([np.bincount(examples.y, minlength=len(data.classes)) for examples in parts.values()])
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / totals
    errors = np.sqrt(shares * (1 - shares) / totals)
    names = [class_name(data.classes, place) for place in range(len(data.classes))]
    step, turned = max(1, len(names) // 30), sum(map(len, names)) > 60
    across = Axis("class", at=range(0, len(names), step), texts=names[::step], turn=45.0 if turned else 0.0)
    labels = [f"{part} ({spaced(int(total))} examples)" for part, total in zip(parts, totals[:, 0], strict=True)]
    return chart(
        f"How often each class occurs: {printable(data.name, most=40)}",
        "Each bar is a class's fraction of a part, with its binomial standard error: parts whose bars differ by much more were not "
        f"split evenly, and always guessing the most frequent class would be right in {100 * shares.max(axis=1)[-1]:.1f} % "
        f"of the {list(parts)[-1]} part.",
        _groups(labels, 100 * shares, 100 * errors),
        across,
        Axis("fraction of the part (%)", ends=(0, 120 * float((shares + errors).max()))),
        numbers(counts=counts, shares=shares, errors=errors),
        legend="top",
    )


def _groups(labels: Sequence[str], heights: Array, errors: Array) -> list[Mark]:
    """A group of bars to each class, a bar to each part."""
    width, marks = 0.8 / len(labels), list[Mark]()
    for row, label in enumerate(labels):
        at = np.arange(float(heights.shape[1])) + (row - (len(labels) - 1) / 2) * width
        bars = Bars(at, heights[row], width=width, color=row, hatch=HATCHES[row % 3], edge="light", label=label)
        marks += [bars, ErrorBars(at, heights[row] - errors[row], heights[row] + errors[row])]
    return marks
