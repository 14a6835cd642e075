"""A layered drawing of any directed graph: sizes and edges in, places and routes out; it knows nothing of what is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.spelling import suggest
from chainrule.views.drawing.crossings import count_crossings, order_rows
from chainrule.views.drawing.layers import Frames, Layers, build_layers
from chainrule.views.drawing.placement import place_across
from chainrule.views.drawing.ranks import Link, assign_ranks, downward
from chainrule.views.drawing.routes import ports, route
from chainrule.views.drawing.stacking import demands

Pair = tuple[float, float]


@immutable
class Spacing(Shown):
    """Distances, in the unit of the sizes."""

    between: float = 20.0
    """Between nodes side by side."""
    beside_edge: float = 12.0
    """Between an edge and what it passes by."""
    rows: float = 30.0
    """Between rows, at least; more where edges go far to the side."""
    frame: float = 12.0
    """Between a frame and what stands in it."""
    heading: float = 18.0
    """For a frame's name above what stands in it."""


@immutable
class Layout(Shown):
    """Where everything stands; y grows downwards, and all lies between (0, 0) and (width, height).

    `centres` (n, 2) of the nodes; `rank` (n,), from 0 at the top; `routes`: for each edge the control points (3k + 1, 2) of its
    cubic pieces, from its tail to its head; `boxes` (f, 4) of the frames: left, top, right, bottom (NaN for one that holds
    nothing); `rows` (r, 2): top and bottom of each row of nodes; `crossings`: how many pairs of edges cross.
    """

    width: float
    height: float
    centres: Array
    rank: Array
    routes: tuple[Array, ...]
    boxes: Array
    rows: Array
    crossings: int


def layered(
    sizes: Sequence[Pair],
    edges: Sequence[tuple[int, int]],
    frames: Frames | None = None,
    *,
    ranks: Sequence[int] | None = None,
    spacing: Spacing | None = None,
    direction: str = "down",
) -> Layout:
    """Lays out nodes of these sizes (width, height) so that edges (tail, head) go down, or to the right.

    An edge may occur several times. `frames` are drawn around the nodes that they hold and nothing else stands in them. `ranks`
    are computed unless they are given; with them, edges may go up too. Deterministic: the same input gives the same layout.

    >>> layout = layered([(10, 10), (10, 10), (10, 10)], [(0, 1), (0, 2)])
    >>> layout.rank.tolist(), layout.centres.tolist(), layout.crossings
    ([0, 1, 1], [[20.0, 5.0], [5.0, 46.5], [35.0, 46.5]], 0)

    Raises: OptionError for an edge from a node to itself or to a node that is not there, or one within a rank.
    Source: K. Sugiyama, S. Tagawa, M. Toda (1981), in the four stages of Gansner et al. (1993): ranks, order, places, splines.
    """
    frames, spacing = frames or Frames(), spacing or Spacing()
    _check(len(sizes), edges, direction)
    flat = direction == "right"
    sizes = [(float(h), float(w)) if flat else (float(w), float(h)) for w, h in sizes]
    if ranks is not None:
        _check_ranks(ranks, edges)
    candidates = [list(ranks)] if ranks is not None else _ranks(len(sizes), edges, frames)
    tried = [_ordered(rank, [size[0] for size in sizes], edges, frames) for rank in candidates]
    layers, rows = min(tried, key=lambda pair: count_crossings(*pair, sides=True))
    upright = [layers.rank[tail] < layers.rank[head] for tail, head in edges]
    # A layout that runs to the right has its headings beside the frames' rows, where they need room across.
    x = place_across(layers, rows, _gap(layers, spacing, spacing.heading if flat else 0.0))
    layout = _drawn(layers, rows, x, [size[1] for size in sizes], spacing, flat)
    routes = tuple(r if up else r[::-1] for r, up in zip(layout.routes, upright, strict=True))
    return _turned(layout, routes) if flat else replace(layout, routes=routes)


def _check(count: int, edges: Sequence[tuple[int, int]], direction: str) -> None:
    if direction not in {"down", "right"}:
        raise OptionError(
            f"direction={direction!r}", expected='"down" or "right"', remedy=suggest(direction, ("down", "right"))
        )
    for tail, head in edges:
        if tail == head or not (0 <= tail < count and 0 <= head < count):
            raise OptionError(
                f"an edge from node {tail} to node {head}",
                expected=f"two different nodes of 0 ... {count - 1}",
                remedy="leave the edge out or add the node",
            )


def _check_ranks(rank: Sequence[int], edges: Sequence[tuple[int, int]]) -> None:
    for tail, head in edges:
        if rank[tail] == rank[head]:
            raise OptionError(f"edge {tail} → {head} within rank {rank[tail]}", expected="two ranks", remedy="move one node")


def _ordered(
    rank: Sequence[int], widths: Sequence[float], edges: Sequence[tuple[int, int]], frames: Frames
) -> tuple[Layers, list[list[int]]]:
    downwards = [(tail, head) if rank[tail] < rank[head] else (head, tail) for tail, head in edges]
    layers = build_layers(rank, widths, downwards, frames)
    return layers, order_rows(layers)


def _ranks(count: int, edges: Sequence[tuple[int, int]], frames: Frames) -> list[list[int]]:
    """One or two ways to rank the nodes, both with the least length of edges, which may cross more or less often."""
    kept = downward(count, edges)
    acyclic = [(t, h) if keep else (h, t) for (t, h), keep in zip(edges, kept, strict=True)]
    variables, links = demands(count, acyclic, frames)
    high = assign_ranks(variables, links)[:count]
    low = assign_ranks(variables, [Link(link.head, link.tail, link.length, link.weight) for link in links])[:count]
    found = [without_gaps(rank) for rank in (high, [max(low, default=0) - rank for rank in low])]
    return found[:1] if found[0] == found[1] else found


def without_gaps(rank: Sequence[int]) -> list[int]:
    """Rows without a node (frames have sides of their own there) would only be gaps."""
    numbers = {rank: index for index, rank in enumerate(sorted(set(rank)))}
    return [numbers[value] for value in rank]


def _gap(layers: Layers, spacing: Spacing, heading: float):
    """The least distance between the centres of two neighbours in a row."""
    kind, width = layers.kind, layers.width

    def gap(one: int, other: int) -> float:
        kinds = {kind[one], kind[other]}
        if kinds & {"left", "right"}:
            apart = spacing.frame + (heading if kind[one] == "left" or kind[other] == "left" else 0.0)
        else:
            apart = spacing.beside_edge if "bend" in kinds else spacing.between
        return (width[one] + width[other]) / 2 + apart

    return gap


def _drawn(
    layers: Layers, rows: list[list[int]], x: list[float], heights: Sequence[float], spacing: Spacing, flat: bool
) -> Layout:
    bands = _bands(layers, rows, x, heights, spacing, flat)
    nodes = range(len(heights))
    y = [sum(bands[layers.rank[node]]) / 2 for node in nodes]
    starts, ends = ports(layers, x)
    routes: list[Array] = []
    for chain, start, end in zip(layers.chains, starts, ends, strict=True):
        upper, lower = chain[0], chain[-1]
        outer = (start, y[upper] + heights[upper] / 2), (end, y[lower] - heights[lower] / 2)
        routes.append(route(chain, x, outer, bands, layers.rank))
    boxes = _boxes(layers, x, bands, spacing, 0.0 if flat else spacing.heading)
    centres = np.array([(x[node], y[node]) for node in nodes], dtype=float).reshape(len(heights), 2)
    sizes = np.array([(layers.width[node], heights[node]) for node in nodes], dtype=float).reshape(len(heights), 2)
    return _from_origin(
        centres,
        sizes,
        routes,
        boxes,
        np.array(bands, dtype=float).reshape(len(bands), 2),
        layers,
        count_crossings(layers, rows),
    )


def _bands(
    layers: Layers, rows: list[list[int]], x: list[float], heights: Sequence[float], spacing: Spacing, flat: bool
) -> list[Pair]:
    """Top and bottom of each row: room for frames that begin or end there, wider gaps where edges go far to the side."""
    heading = 0.0 if flat else spacing.heading
    above, below = [0.0] * len(rows), [0.0] * len(rows)
    for row in range(len(rows)):
        above[row] = (spacing.frame + heading) * _depth(layers, row, first=True)
        below[row] = spacing.frame * _depth(layers, row, first=False)
    found: list[Pair] = []
    y = 0.0
    for row, vertices in enumerate(rows):
        if row:
            steepest = max((abs(x[v] - x[w]) for v in vertices for w in layers.up[v]), default=0.0)
            y += below[row - 1] + spacing.rows + min(spacing.rows, steepest / 10)
        y += above[row]
        height = max((heights[v] for v in vertices if v < len(heights)), default=0.0)
        found.append((y, y + height))
        y += height
    return found


def _depth(layers: Layers, row: int, *, first: bool) -> int:
    """How many frames, one in the other, begin (or end) in a row."""
    depth: dict[int, int] = {}
    for frame in sorted(layers.sides):
        side = layers.sides[frame][0]
        depth[frame] = depth.get(layers.frames.parents[frame], 0) + (layers.rank[side[0 if first else -1]] == row)
    return max(depth.values(), default=0)


def _boxes(layers: Layers, x: list[float], bands: Sequence[Pair], spacing: Spacing, heading: float) -> Array:
    """Each frame around what stands in it: children first, so that a parent goes around them."""
    boxes = np.full((len(layers.frames.parents), 4), np.nan)
    for frame in sorted(layers.sides, reverse=True):
        left, right = layers.sides[frame]
        first, last = layers.rank[left[0]], layers.rank[left[-1]]
        inner = [
            boxes[child] for child, parent in enumerate(layers.frames.parents) if parent == frame and child in layers.sides
        ]
        top = min([bands[first][0], *(box[1] for box in inner)]) - spacing.frame - heading
        bottom = max([bands[last][1], *(box[3] for box in inner)]) + spacing.frame
        boxes[frame] = x[left[0]], top, x[right[0]], bottom
    return boxes


def _from_origin(
    centres: Array, sizes: Array, routes: list[Array], boxes: Array, bands: Array, layers: Layers, crossings: int
) -> Layout:
    """Everything moved so that it begins at (0, 0)."""
    corners = [centres - sizes / 2, centres + sizes / 2, *routes, boxes[:, :2], boxes[:, 2:]]
    points = np.concatenate([np.zeros((0, 2)), *corners])
    points = points[~np.isnan(points).any(axis=1)]
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(2), np.zeros(2))
    return Layout(
        width=float(high[0] - low[0]),
        height=float(high[1] - low[1]),
        centres=centres - low,
        rank=np.array(layers.rank[: len(centres)], dtype=np.int64),
        routes=tuple(points - low for points in routes),
        boxes=boxes - np.concatenate([low, low]),
        rows=bands - low[1],
        crossings=crossings,
    )


def _turned(layout: Layout, routes: Sequence[Array]) -> Layout:
    """What runs down, turned so that it runs to the right."""
    return Layout(
        width=layout.height,
        height=layout.width,
        centres=layout.centres[:, ::-1],
        rank=layout.rank,
        routes=tuple(points[:, ::-1] for points in routes),
        boxes=layout.boxes[:, [1, 0, 3, 2]],
        rows=layout.rows,
        crossings=layout.crossings,
    )
