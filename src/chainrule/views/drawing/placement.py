"""Horizontal places in a layered drawing: vertices in rows of a given order, long edges straight, nothing closer than allowed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from chainrule.views.drawing.layers import Layers

Gap = Callable[[int, int], float]
"""The least distance between the centres of two vertices that stand side by side."""


def place_across(layers: Layers, rows: Sequence[Sequence[int]], gap: Gap) -> list[float]:
    """The horizontal centre of each vertex.

    Vertices are lined up with the median of their neighbours in blocks, in four ways (from above or below, packed to the left or
    to the right), and each gets the mean of the two middle places of the four. Any two vertices keep their least distance,
    since they keep it in each of the four, and a frame's side stays one vertical line.

    Source: U. Brandes, B. Köpf, Fast and Simple Horizontal Coordinate Assignment, Graph Drawing 2001, LNCS 2265, 31; the packing
    by longest paths over blocks as in their erratum (U. Brandes, J. Walter, J. Zink, arXiv:2008.01252).
    """
    conflicts = _conflicts(layers, rows)
    found: list[list[float]] = []
    for neighbours, vertical in ((layers.up, list(rows)), (layers.down, list(rows)[::-1])):
        for mirrored in (False, True):
            turned = [row[::-1] if mirrored else row for row in vertical]
            root = _align(turned, neighbours, conflicts, len(layers.rank))
            stays = "left" if mirrored else "right"
            fixed = {root[vertex] for vertex, kind in enumerate(layers.kind) if kind == stays}
            x = _pack(turned, root, gap, fixed)
            found.append([-value for value in x] if mirrored else x)
    return _middle(_side_by_side(found, layers.width))


def _side_by_side(found: list[list[float]], widths: Sequence[float]) -> list[list[float]]:
    """All four shifted to the narrowest: those packed to the left share its left end, the others its right end."""

    def ends(x: Sequence[float]) -> tuple[float, float]:
        low = min((value - width / 2 for value, width in zip(x, widths, strict=True)), default=0.0)
        high = max((value + width / 2 for value, width in zip(x, widths, strict=True)), default=0.0)
        return low, high

    spans = [ends(x) for x in found]
    narrowest = min(spans, key=lambda span: span[1] - span[0])
    shifts = [narrowest[index % 2] - span[index % 2] for index, span in enumerate(spans)]
    return [[value + shift for value in x] for x, shift in zip(found, shifts, strict=True)]


def _middle(found: list[list[float]]) -> list[float]:
    return [sum(sorted(values)[1:3]) / 2 for values in zip(*found, strict=True)]


# ---- which pieces of edges may not be lined up


def _conflicts(layers: Layers, rows: Sequence[Sequence[int]]) -> set[tuple[int, int]]:
    """Pieces of edges that cross a side of a frame, or, unless they are inside a long edge themselves, a piece of a long edge."""
    place = {vertex: index for row in rows for index, vertex in enumerate(row)}
    conflicts: set[tuple[int, int]] = set()
    for row in rows[:-1]:
        pieces = [(place[v], place[w], v, w) for v in row for w in layers.down[v]]
        sides = [piece for piece in pieces if layers.kind[piece[2]] in {"left", "right"}]
        inner = [piece for piece in pieces if layers.kind[piece[2]] == "bend" == layers.kind[piece[3]]]
        rest = set(pieces).difference(sides)
        conflicts |= _crossing(rest, sides) | _crossing(rest.difference(inner), inner)
    return conflicts


def _crossing(pieces: set[tuple[int, int, int, int]], strong: list[tuple[int, int, int, int]]) -> set[tuple[int, int]]:
    """Those pieces (upper place, lower place, upper vertex, lower vertex) that cross a strong one."""
    strong = sorted(strong)
    uppers = [piece[0] for piece in strong]
    most = list(accumulate((piece[1] for piece in strong), max))
    least = list(accumulate((piece[1] for piece in reversed(strong)), min))[::-1]
    found: set[tuple[int, int]] = set()
    for upper, lower, v, w in pieces:
        before, after = bisect_left(uppers, upper), bisect_right(uppers, upper)
        if (before and most[before - 1] > lower) or (after < len(strong) and least[after] < lower):
            found |= {(v, w), (w, v)}
    return found


# ---- blocks


def _align(
    rows: Sequence[Sequence[int]], neighbours: Sequence[Sequence[int]], conflicts: set[tuple[int, int]], count: int
) -> list[int]:
    """For each vertex the first of its block: it is lined up with the median of its neighbours where nothing stands between."""
    root = list(range(count))
    taken = [False] * count
    place = {vertex: index for row in rows for index, vertex in enumerate(row)}
    for row in rows:
        last = -1
        for vertex in row:
            ends = sorted(neighbours[vertex], key=place.__getitem__)
            middle = (len(ends) - 1) / 2
            for end in ends[int(middle) : int(middle + 1.5)]:
                if last < place[end] and not taken[end] and (end, vertex) not in conflicts:
                    root[vertex], taken[end], last = root[end], True, place[end]
                    break
    return root


def _pack(rows: Sequence[Sequence[int]], root: Sequence[int], gap: Gap, fixed: set[int]) -> list[float]:
    """Blocks as far left as they can stand, then each moved right up to what it would touch; `fixed` ones stay left."""
    right: dict[int, dict[int, float]] = {vertex: {} for vertex in set(root)}
    waiting = dict.fromkeys(right, 0)
    for row in rows:
        for one, other in pairwise(row):
            a, b = root[one], root[other]
            if b not in right[a]:
                waiting[b] += 1
            right[a][b] = max(right[a].get(b, 0.0), gap(one, other))
    ready = [block for block in sorted(right) if not waiting[block]]
    x = dict.fromkeys(right, 0.0)
    for block in ready:  # it grows while it is walked through
        for other, distance in right[block].items():
            x[other] = max(x[other], x[block] + distance)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    for block in reversed(ready):
        if right[block] and block not in fixed:
            x[block] = max(x[block], min(x[other] - distance for other, distance in right[block].items()))
    return [x[first] for first in root]
