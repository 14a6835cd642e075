"""The boxes of a network drawing: layers that are no columns of neurons; those that give pictures show their channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.networks import marks
from chainrule.views.networks.layout import Place, box_size
from chainrule.views.networks.numbers import Neurons
from chainrule.views.plain import printable
from chainrule.views.svg import element, text, title

STRONGEST = 4
"""So many channels are shown of an example."""
_STEP = 9.0


def box(item: Neurons, place: Place) -> str:
    """A box with the layer's name, a stack of sheets, or the strongest channels of an example."""
    words = title(f"{item.column.key}: a layer of another kind, {item.column.size} numbers")
    if item.column.maps is None:
        marks_inside = [_frame(item, place), text(place.x, place.ys[0] + 4, printable(item.column.name, most=16), **_SMALL)]
    elif item.maps is None:
        marks_inside = _stack(item, place)
    else:
        marks_inside = _strongest(item, item.maps, place)
    return element("g", words + "".join(marks_inside), class_="box")


_SMALL: dict[str, Any] = {"font_size": 11, "text_anchor": "middle"}


def _frame(item: Neurons, place: Place) -> str:
    width, height = box_size(item)
    where: dict[str, Any] = {"x": place.x - width / 2, "y": place.ys[0] - height / 2, "width": width, "height": height}
    return element("rect", rx=6.0, fill="var(--panel)", stroke="var(--ink)", **where)


def size_words(item: Neurons) -> str:
    """The size of a layer's pictures, "24×24×16"; "" where it has none."""
    return "" if item.column.maps is None else "×".join(map(str, item.column.maps.shape[1:]))


def _stack(item: Neurons, place: Place) -> list[str]:
    """Three sheets behind each other, or one where there is one channel; the size on the front one."""
    channels = item.column.maps.shape[3] if item.column.maps is not None else 1
    sheets = min(3, channels)
    side = box_size(item)[0] - 2 * _STEP
    left, top = place.x - box_size(item)[0] / 2, place.ys[0] - box_size(item)[1] / 2
    found = [
        element(
            "rect",
            x=left + depth * _STEP, y=top + (2 - depth) * _STEP, width=side, height=side,
            fill="var(--panel)", stroke="var(--ink)", class_="sheet",
        )
        for depth in range(sheets - 1, -1, -1)
    ]  # fmt: skip
    return [*found, text(left + side / 2, top + 2 * _STEP + side / 2 + 4, size_words(item), **_SMALL)]


def _strongest(item: Neurons, given: Array, place: Place) -> list[str]:
    """The channels with the largest sums of sizes, two by two, from the layer's smallest number or 0 to its largest."""
    maps = np.nan_to_num(given)
    order = np.argsort(-np.abs(maps).sum((0, 1)), kind="stable")[:STRONGEST]
    low, high = min(0.0, float(maps.min())), float(maps.max())
    width, height = box_size(item)
    left, top = place.x - width / 2, place.ys[0] - height / 2
    across = 1 if len(order) == 1 else 2
    room = (width - 4.0) / across - 4.0
    found = [_frame(item, place)]
    for spot, channel in enumerate(order.tolist()):
        row, column = divmod(spot, across)
        words = f"{item.column.key}, channel {channel}: from {numeral(low)}, black, to {numeral(high)}, white"
        found.append(
            marks.image(left + 4 + column * (room + 4), top + 4 + row * (room + 4), room, maps[:, :, channel], low, high, words)
        )
    return found
