"""The legend of a network drawing: what widths, dashes, brightness and crosses mean, and which neurons are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.numerals import numeral
from chainrule.views.networks import marks
from chainrule.views.networks.numbers import Neurons
from chainrule.views.plain import printable, spaced
from chainrule.views.svg import LETTER, LINE, element, text, wrapped_lines

LISTED = 6
"""So many of the shown neurons' numbers are written out."""


def legend(items: Sequence[Neurons], with_example: bool, biases: bool, y: float, width: float) -> tuple[list[str], float]:
    """The legend's marks from the base line y on, and the base line below it."""
    found: list[str] = []
    samples = [*_weight_samples(items), *(_neuron_samples(items) if with_example else [])]
    x = 24.0
    for room, drawn, words in samples:
        wide = room + 10 + LETTER * len(words) + 22
        if x > 24 and x + wide > width:
            x, y = 24.0, y + 22
        found.append(element("g", drawn, transform=f"translate({x:.1f} {y - 4:.1f})", class_="sample"))
        found.append(text(x + room + 8, y, words, font_size=11))
        x += wide
    y += 22 if samples else 0
    notes = ["A short line into a neuron from above is its bias, drawn as a weight is; the widest is its layer's largest."]
    notes = notes if biases and any(item.biases is not None for item in items) else []
    for note in [*notes, *([_scales(items)] if with_example else []), *_elisions(items)]:
        for line in wrapped_lines(note, width - 48):
            found.append(text(24, y, line, font_size=11))
            y += LINE
    return found, y


def _weight_samples(items: Sequence[Neurons]) -> list[tuple[float, str, str]]:
    known = [item.weights for item in items if item.weights is not None]
    if not known:
        return []
    lines = [(1.0, "positive weight"), (-1.0, "negative weight")]
    if not all(np.isfinite(weights).all() for weights in known):
        lines.append((float("nan"), "a weight that is no number"))
    return [(30.0, marks.weight_line((0, 0), (30, 0), value, 1.3, words), words) for value, words in lines]


def _neuron_samples(items: Sequence[Neurons]) -> list[tuple[float, str, str]]:
    ramp = "".join(marks.neuron(7 + 15 * i, 0, 6.5, share, 1.0, "") for i, share in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)))
    found = [(76.0, ramp, "activation from 0 (black) to the scale (white)")]
    values = [item.values[item.shown] for item in items if item.values is not None and item.column.kind != "box"]
    if any((value < 0).any() for value in values):
        found.append((16.0, marks.neuron(7, 0, 6.5, -0.7, 1.0, ""), "below 0: blue, dashed rim"))
    if not all(np.isfinite(value).all() for value in values):
        found.append((16.0, marks.neuron(7, 0, 6.5, float("nan"), 1.0, ""), "not a finite number"))
    return found


def _scales(items: Sequence[Neurons]) -> str:
    """What white stands for, layer by layer."""
    parts = [f"{_name(item)} {numeral(item.scale)}" for item in items if item.column.kind != "box" and item.values is not None]
    return f"White stands for: {', '.join(parts)} (1 where activations lie in [0, 1], else the layer's largest size)."


def _elisions(items: Sequence[Neurons]) -> list[str]:
    return [
        f"{_name(item)}: {spaced(len(item.shown))} of {spaced(item.column.size)} neurons shown, {item.chosen} "
        f"(numbers {_listed(item.shown.tolist())}, counted from 0)."
        for item in items
        if item.elided
    ]


def _listed(shown: list[int]) -> str:
    if len(shown) <= LISTED + 1:
        return ", ".join(map(str, shown))
    return f"{', '.join(map(str, shown[:LISTED]))}, …, {shown[-1]}"


def _name(item: Neurons) -> str:
    return printable(item.column.key, most=30)
