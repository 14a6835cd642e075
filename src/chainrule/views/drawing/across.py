"""Lines from the left column of a drawing to the right one: along the gaps between rows and in tracks between the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chainrule.graph import Array
from chainrule.views.drawing.layered import Layout
from chainrule.views.drawing.layers import Frames

TRACK = 7.0
"""The distance of lines that run side by side."""
CORNER = 6.0
"""The radius of a line's corners."""


def mirrored(layout: Layout) -> Layout:
    """The layout with left and right exchanged."""
    flip = np.array([-1.0, 1.0])
    shift = np.array([layout.width, 0.0])
    boxes = layout.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + np.concatenate([shift, shift])
    return replace(
        layout,
        centres=layout.centres * flip + shift,
        routes=tuple(points * flip + shift for points in layout.routes),
        boxes=boxes,
    )


def columns_apart(
    layout: Layout,
    is_right: Array,
    arrows: Sequence[tuple[int, int]],
    pairs: Sequence[tuple[int, int]],
    frames: Frames,
) -> tuple[Layout, dict[int, float]]:
    """The right column (boxes of `is_right`, and all in frame 1) moved away, as far as the lines between the columns need.

    Besides, where these run up and down: x of the track of each source, by its box.
    """
    numbers = _track_numbers(layout, pairs)
    room = TRACK * (max(numbers.values(), default=0) + 1)
    moved = np.array([1 in frames.path(frame) for frame in range(len(frames.parents))], dtype=bool)
    left_edge = float(np.nanmax(layout.boxes[~moved, 2]))
    shift = left_edge + room + 3 * TRACK - float(layout.boxes[1, 0])
    centres, boxes = layout.centres.copy(), layout.boxes.copy()
    centres[is_right, 0] += shift
    for side in (0, 2):
        boxes[moved, side] += shift
    routes = tuple(
        points + np.array([shift, 0.0]) if is_right[tail] else points
        for points, (tail, _) in zip(layout.routes, arrows, strict=True)
    )
    track_x = {tail: left_edge + TRACK * (number + 1.5) for tail, number in numbers.items()}
    return replace(layout, width=layout.width + shift, centres=centres, boxes=boxes, routes=routes), track_x


def _track_numbers(layout: Layout, pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """A track for each source, such that lines in one track do not touch."""
    spans: dict[int, tuple[int, int]] = {}
    for tail, head in pairs:
        ends = int(layout.rank[tail]), int(layout.rank[head])
        first, last = spans.get(tail, (ends[0], ends[0]))
        spans[tail] = (min(first, *ends), max(last, *ends))
    taken: list[list[tuple[int, int]]] = []
    numbers: dict[int, int] = {}
    for tail, (first, last) in sorted(spans.items(), key=lambda item: (item[1][1] - item[1][0], item[1], item[0])):
        free = (n for n, used in enumerate(taken) if all(last < low or first > high for low, high in used))
        number = next(free, len(taken))
        if number == len(taken):
            taken.append([])
        taken[number].append((first, last))
        numbers[tail] = number
    return numbers


def stored_routes(
    layout: Layout,
    sizes: Sequence[tuple[float, float]],
    is_right: Array,
    pairs: Sequence[tuple[int, int]],
    tracks: Mapping[int, float],
) -> list[Array]:
    """The route of each line (tail, head): control points (3k + 1, 2)."""
    arrivals: dict[int, int] = {}
    routes: list[Array] = []
    for tail, head in pairs:
        nth = arrivals[head] = arrivals.get(head, 0) + 1
        start, leave = _leaving(layout, sizes, is_right, tail)
        arrive, end = _arriving(layout, sizes, is_right, head, nth)
        x = tracks[tail]
        points = [*start, (x, leave), (x, arrive), *end]
        routes.append(rounded(points))
    return routes


def _leaving(
    layout: Layout, sizes: Sequence[tuple[float, float]], is_right: Array, box: int
) -> tuple[list[tuple[float, float]], float]:
    """The first points of a line and the height at which it leaves: from the right side, or below where something stands there."""
    (x, y), (width, height) = (float(part) for part in layout.centres[box]), sizes[box]
    if not _blocked(layout, is_right, box, side=1):
        return [(x + width / 2, y)], y
    level = float(layout.rows[int(layout.rank[box]), 1]) + CORNER + 2
    corner = x + width / 2 - 2 * CORNER
    return [(corner, y + height / 2), (corner, level)], level


def _arriving(
    layout: Layout, sizes: Sequence[tuple[float, float]], is_right: Array, box: int, nth: int
) -> tuple[float, list[tuple[float, float]]]:
    """The height at which a line arrives and its last points: at the left side, or from above where something stands there."""
    (x, y), (width, height) = (float(part) for part in layout.centres[box]), sizes[box]
    if not _blocked(layout, is_right, box, side=-1):
        level = y + (nth - 1) * 5.0
        return level, [(x - width / 2, level)]
    level = float(layout.rows[int(layout.rank[box]), 1]) + CORNER + 2
    corner = x - width / 2 + 2 * CORNER + 4 * (nth - 1)
    return level, [(corner, level), (corner, y + height / 2)]


def _blocked(layout: Layout, is_right: Array, box: int, side: int) -> bool:
    """Whether something of the same column stands in the row between a box and the other column."""
    same = (layout.rank == layout.rank[box]) & (is_right == is_right[box])
    beyond = (layout.centres[:, 0] - layout.centres[box, 0]) * side > 0
    return bool(np.any(same & beyond))


def rounded(points: Sequence[tuple[float, float]]) -> Array:
    """A line through points with rounded corners: control points (3k + 1, 2) of cubic pieces."""
    kept = [np.array(point) for index, point in enumerate(points) if not index or point != points[index - 1]]
    found = [kept[0]]
    for before, corner, after in zip(kept, kept[1:], kept[2:], strict=False):
        ways = [end - corner for end in (before, after)]
        lengths = [float(np.hypot(*way)) for way in ways]
        radius = min(CORNER, *(length / 2 for length in lengths))
        enter, leave = (corner + way / length * radius for way, length in zip(ways, lengths, strict=True))
        found += [*_straight(found[-1], enter), corner, corner, leave]
    return np.array([*found, *_straight(found[-1], kept[-1])])


def _straight(start: Array, end: Array) -> list[Array]:
    return [start + (end - start) / 3, end - (end - start) / 3, end]
