"""Where the columns of a network drawing stand: ranks from left to right, neurons below each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chainrule.immutable import immutable
from chainrule.views.networks.numbers import Neurons

GAP = 190.0
"""From one rank to the next."""
HEAD = 62.0
"""The height of a column's head: three lines."""
TALLEST = 500.0
"""How tall a column should be, where its neurons are not too few or too many."""
BOX = (112.0, 52.0)
"""Width and height of a box."""
SHEETS = (104.0, 104.0)
"""Width and height of a box that holds pictures."""


@immutable
class Place:
    """Where a column stands: x, the heights of its neurons or of its box, and the base line of its head."""

    x: float
    ys: tuple[float, ...]
    head: float


@immutable
class NetworkLayout:
    """All columns' places; `radius` of a neuron, `bottom` below the lowest of them."""

    places: tuple[Place, ...]
    radius: float
    top: float
    bottom: float


def laid_out(items: Sequence[Neurons], left: float, top: float) -> NetworkLayout:
    """The places of the columns to the right of `left` and below `top`."""
    ranks = _ranks(items)
    pitch = max(13.0, min(56.0, TALLEST / max(sum(_count(items[i]) for i in rank) for rank in ranks)))
    heights = [[_height(items[i], pitch) for i in rank] for rank in ranks]
    tallest = max(sum(row) + HEAD * (len(row) - 1) for row in heights)
    places: dict[int, Place] = {}
    for number, (rank, row) in enumerate(zip(ranks, heights, strict=True)):
        y = top + HEAD + (tallest - sum(row) - HEAD * (len(row) - 1)) / 2
        for place, height in zip(rank, row, strict=True):
            # One column to a rank: its head stands in one line with the others, where no line of the drawing crosses it.
            head = top + 12 if len(rank) == 1 else y - HEAD + 12
            places[place] = Place(left + number * GAP, _heights(items[place], y, height, pitch), head)
            y += height + HEAD
    return NetworkLayout(tuple(places[i] for i in range(len(items))), min(20.0, 0.4 * pitch), top, top + HEAD + tallest)


def _ranks(items: Sequence[Neurons]) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        found.setdefault(item.column.rank, []).append(place)
    return [found[rank] for rank in sorted(found)]


def box_size(item: Neurons) -> tuple[float, float]:
    """Width and height of a layer's box."""
    return BOX if item.column.maps is None else SHEETS


def _count(item: Neurons) -> int:
    return 2 if item.column.kind == "box" else len(item.shown)


def _height(item: Neurons, pitch: float) -> float:
    return box_size(item)[1] + 8 if item.column.kind == "box" else pitch * len(item.shown)


def _heights(item: Neurons, y: float, height: float, pitch: float) -> tuple[float, ...]:
    if item.column.kind == "box":
        return (y + height / 2,)
    return tuple(y + pitch * (place + 0.5) for place in range(len(item.shown)))


def gaps(item: Neurons) -> list[int]:
    """Behind which of the shown neurons others are left out: −1 before the first, k − 1 behind the last."""
    if item.column.kind == "box":
        return []
    ends = [-1, *item.shown.tolist(), item.column.size]
    return [place - 1 for place, (low, high) in enumerate(pairwise(ends)) if high - low > 1]
