"""Puts a network drawing together: lines, neurons, heads, the image before them, the answers behind them, and the legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.data import DatasetInfo
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.views.networks import marks
from chainrule.views.networks.answers import answers, answers_width
from chainrule.views.networks.boxes import box, size_words
from chainrule.views.networks.layout import GAP, NetworkLayout, Place, box_size, gaps, laid_out
from chainrule.views.networks.legend import legend
from chainrule.views.networks.numbers import Neurons, ShownOutput, joined, shown_weights
from chainrule.views.pictures.sheets import image_shape
from chainrule.views.plain import counted, printable, spaced, told_apart
from chainrule.views.svg import LINE, drawing, element, text, title, wrapped_lines

NAME_LETTERS = 18
IMAGE = 168.0
HALO: dict[str, Any] = {"halo": 3.0}
"""Keeps a text readable where lines run below it."""


@immutable
class Canvas:
    """One drawing in the making."""

    items: Sequence[Neurons]
    dataset_info: DatasetInfo | None
    row: Array | None
    outcome: ShownOutput | None
    biases: bool

    @cached_property
    def image_shape(self) -> tuple[int, ...] | None:
        """The shape of the image that the input is; None where it is none, or where it is not drawn."""
        if self.dataset_info is None or self.row is None or self.items[0].column.key != "input":
            return None
        return image_shape(self.dataset_info.input_shape, self.dataset_info.input_dtype)

    @cached_property
    def layout(self) -> NetworkLayout:
        """Where everything stands."""
        if self.image_shape:
            return laid_out(self.items, IMAGE + 90, 46.0)
        labels = [self._input_label(item, i) for item in self.items if item.column.kind == "input" for i in item.shown.tolist()]
        return laid_out(self.items, max(90.0, 56 + 6.6 * max(map(len, labels))), 46.0)

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """The features' names, where the data have them."""
        names = self.dataset_info.features if self.dataset_info and self.dataset_info.features else ()
        return tuple(told_apart(names, NAME_LETTERS))

    def drawn(self, name: str, reading: str) -> str:
        """The whole drawing."""
        places = self.layout.places
        right = max(place.x for place in places) + max(80.0, answers_width(self.items[-1], self.outcome, self.dataset_info))
        width = max(560.0, right)
        foot, y = legend(self.items, self.outcome is not None, self.biases, self.layout.bottom + 46, width)
        lines = wrapped_lines(reading, width - 48)
        words = [text(24, y + 8 + i * LINE, line, font_size=11, fill="var(--faint)") for i, line in enumerate(lines)]
        heading = text(24, 26, printable(name, most=int(width / 9.5)), font_size=15, font_weight="bold")
        parts = [heading, *self._lines(), *self._columns(), *self._image(), *self._answers(), *foot, *words]
        return drawing(width, y + 12 + len(lines) * LINE, parts, name=f"{name}. {reading}")

    # ---- lines

    def _lines(self) -> list[str]:
        found: list[str] = []
        for target, item in enumerate(self.items):
            known = shown_weights(self.items, target)
            for source in item.column.sources:
                if source in known:
                    found += self._weights(source, target, known[source])
                else:
                    kind = "weight unknown" if joined(self.items, source, target) else "flow"
                    pairs = [(a, b) for b in self._ends(target, -1) for a in self._ends(source, 1)]
                    found += [marks.plain_line(a, b, kind) for a, b in pairs]
        return found

    def _weights(self, source: int, target: int, weights: Array) -> list[str]:
        largest = largest_of(weights)
        first, second = self.items[source], self.items[target]
        matrix = second.column.weights.name if second.column.weights is not None else ""
        cells = [(i, j) for i in range(len(first.shown)) for j in range(len(second.shown))]
        # The widest lines are drawn last, so that they lie on top.
        cells.sort(key=lambda cell: abs(np.nan_to_num(float(weights[cell]), nan=math.inf)))
        starts, ends = self._ends(source, 1), self._ends(target, -1)
        lines = [
            marks.weight_line(
                starts[i], ends[j], float(weights[i, j]), largest,
                f"{matrix}[{first.shown[i]}, {second.shown[j]}] = {numeral(float(weights[i, j]))}",
            )
            for i, j in cells
        ]  # fmt: skip
        place = self.layout.places[target]
        words = f"widest |w| = {numeral(largest)}"
        # Captions stand in one line, but where several columns share a rank.
        low = self.layout.bottom if len(self._rank(target)) == 1 else place.ys[-1] + self.layout.radius
        caption = text(place.x - GAP / 2, low + 20, words, font_size=10, text_anchor="middle", **HALO)
        return [*lines, caption]

    def _rank(self, place: int) -> list[int]:
        rank = self.items[place].column.rank
        return [i for i, item in enumerate(self.items) if item.column.rank == rank]

    def _ends(self, place: int, side: int) -> list[tuple[float, float]]:
        """Where lines leave (side 1) or reach (side −1) a column."""
        where = self.layout.places[place]
        item = self.items[place]
        reach = box_size(item)[0] / 2 if item.column.kind == "box" else self.layout.radius
        return [(where.x + side * reach, y) for y in where.ys]

    # ---- columns

    def _columns(self) -> list[str]:
        found: list[str] = []
        for item, place in zip(self.items, self.layout.places, strict=True):
            found += self._head(item, place)
            found += [box(item, place), *self._window(item, place)] if item.column.kind == "box" else self._neurons(item, place)
        return found

    def _head(self, item: Neurons, place: Place) -> list[str]:
        column, last = item.column, max(other.column.rank for other in self.items)
        number = (
            "input layer" if column.kind == "input" else f"layer {column.rank}" + (" (output)" if column.rank == last else "")
        )
        name = "" if column.kind == "input" and column.name == "input" else printable(column.name, most=NAME_LETTERS)
        name += " again" if column.use > 1 else ""
        size = counted(column.size, "neuron") if column.kind != "box" else counted(column.size, "number")
        size += f", {spaced(len(item.shown))} shown" if item.elided else ""
        size += ", frozen" if column.frozen else ""
        words = [f"{number}{': ' if name else ''}{name}", size, column.formula or size_words(item)]
        full = title(
            f"{column.key}: {size}{', ' if column.formula else ''}{column.formula}; {' and '.join((column.name, *column.folded))}"
        )
        rows = [
            text(
                place.x,
                place.head + 14 * i,
                line,
                font_size=11,
                text_anchor="middle",
                font_weight=None if i else "bold",
                **HALO,
            )
            for i, line in enumerate(words)
            if line
        ]
        return [element("g", full + "".join(rows), class_="head")]

    def _window(self, item: Neurons, place: Place) -> list[str]:
        """What slides over the layer's input, on the line that comes in."""
        if not item.column.window:
            return []
        width = box_size(item)[0]
        x = place.x - width / 2 - (GAP - width) / 2
        first, *rest = item.column.window.split(", ")
        lines = [(place.ys[0] - 6, first), *((place.ys[0] + 14 + 12 * i, words) for i, words in enumerate(rest))]
        return [text(x, y, words, font_size=10, text_anchor="middle", **HALO) for y, words in lines]

    def _neurons(self, item: Neurons, place: Place) -> list[str]:
        radius, found = self.layout.radius, list[str]()
        largest = largest_of(item.biases) if item.biases is not None else 0.0
        for i, y in zip(item.shown.tolist(), place.ys, strict=True):
            words = self._words(item, i)
            value = None if item.values is None else float(item.values[i])
            found.append(marks.neuron(place.x, y, radius, value, item.scale, words))
            if self.biases and item.biases is not None:
                found.append(marks.bias_stub(place.x, y, radius, float(item.biases[i]), largest, _bias_words(item, i)))
            if item.column.kind == "input" and self.image_shape is None:
                label = self._input_label(item, i)
                found.append(text(place.x - radius - 8, y + 4, label, font_size=11, text_anchor="end"))
        return [*found, *self._dots(item, place)]

    def _dots(self, item: Neurons, place: Place) -> list[str]:
        radius = self.layout.radius
        ys = list(place.ys)
        pitch = ys[1] - ys[0] if len(ys) > 1 else 2.6 * radius
        step = min(4.0, (pitch - 2 * radius) / 4)
        return [marks.dots(place.x, ys[0] + (after + 0.5) * pitch, step) for after in gaps(item)]

    def _input_label(self, item: Neurons, i: int) -> str:
        place = item.column.start + i
        name = self.input_names[place] if place < len(self.input_names) else f"x[{place}]"
        value = self.row.reshape(-1)[place] if self.row is not None and place < self.row.size else None
        return name if value is None else f"{name} = {marks.short(float(value))}"

    def _words(self, item: Neurons, i: int) -> str:
        """Name, value and formula of a neuron, as they stand on hover."""
        column = item.column
        name = f"{column.node.name or column.key}[{i}]" + (f" (use {column.use})" if column.use > 1 else "")
        value = "" if item.values is None else f" = {numeral(float(item.values[i]))}"
        if column.kind == "input":
            feature = column.start + i
            known = f", {self.dataset_info.features[feature]}" if self.dataset_info and self.dataset_info.features else ""
            return f"{name}{value}{known}"
        z = "" if item.z is None else f" = {numeral(float(item.z[i]))}"
        weights = column.weights.name if column.weights is not None else "W"
        bias = "" if column.bias is None else f" + {column.bias.name}[{i}]"
        pre = f"z[{i}] = Σ_k x[k]·{weights}[k, {i}]{bias}{z}"
        act = (
            ""
            if column.activation == "linear"
            else f" = {column.activation}(z)" + ("" if column.activation == "softmax" else f"[{i}]")
        )
        known = "" if item.biases is None else f"; {_bias_words(item, i)}"
        return f"{name}{act}{value}; {pre}{known}"

    # ---- what stands before and behind

    def _image(self) -> list[str]:
        if self.image_shape is None or self.row is None:
            return []
        place, radius = self.layout.places[0], self.layout.radius
        pixels = self.row.reshape(self.image_shape)
        low, high = (0.0, 255.0) if pixels.dtype == np.uint8 else (float(np.nanmin(pixels)), float(np.nanmax(pixels)))
        y = float(round((place.ys[0] + place.ys[-1]) / 2 - IMAGE / 2))
        size = "×".join(map(str, self.image_shape[:2]))
        picture = marks.image(24, y, IMAGE, pixels, low, high, f"the example: {size} pixels")
        side = IMAGE / max(self.image_shape[:2])
        spots: list[str] = []
        channels = math.prod(self.image_shape[2:])
        for i in self.items[0].shown.tolist() if self.items[0].elided else ():
            row, column = divmod(i // channels, self.image_shape[1])
            words = title(f"{self.items[0].column.node.name or 'x'}[{i}]: row {row}, column {column}")
            where = {"cx": 24 + (column + 0.5) * side, "cy": y + (row + 0.5) * side, "r": max(1.6, 0.55 * side)}
            spots.append(element("circle", words, class_="spot", fill="none", stroke="var(--wrong)", stroke_width=1.2, **where))
        caption = f"the example, {size} pixels" + ("; rings: the neurons shown" if spots else "")
        lines = [
            text(24 + IMAGE / 2, y + IMAGE + 16 + i * 13, line, font_size=10, text_anchor="middle")
            for i, line in enumerate(caption.split("; "))
        ]
        ends = f"M{24 + IMAGE} {y:.1f}L{{0}} {place.ys[0]:.1f}M{24 + IMAGE} {y + IMAGE:.1f}L{{0}} {place.ys[-1]:.1f}"
        path = ends.format(f"{place.x - radius - 6:.1f}")
        link = element("path", class_="image-link", fill="none", stroke="var(--faint)", stroke_width=0.8, d=path)
        return [link, picture, *spots, *lines]

    def _answers(self) -> list[str]:
        return answers(self.items[-1], self.layout.places[-1], self.layout.radius, self.outcome, self.dataset_info)


def largest_of(values: Array) -> float:
    """The largest finite size among the values, 0 for none."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _bias_words(item: Neurons, i: int) -> str:
    bias = item.column.bias
    value = float(item.biases[i]) if item.biases is not None else math.nan
    return f"{bias.name if bias is not None else 'b'}[{i}] = {numeral(value)}"
