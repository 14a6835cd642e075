"""Edges of a layered drawing as splines: straight down through the rows, bent only in the gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from chainrule.graph import Array
from chainrule.views.drawing.layers import Layers

SPREAD = 0.62
"""The part of a node's width over which its edges arrive and leave."""
MOST_APART = 22.0


def ports(layers: Layers, x: Sequence[float]) -> tuple[list[float], list[float]]:
    """Where each edge leaves its upper node and arrives at its lower one: side by side, in the order of what follows."""
    leaving: dict[int, list[int]] = {}
    arriving: dict[int, list[int]] = {}
    for edge, chain in enumerate(layers.chains):
        leaving.setdefault(chain[0], []).append(edge)
        arriving.setdefault(chain[-1], []).append(edge)
    starts, ends = [0.0] * len(layers.chains), [0.0] * len(layers.chains)
    for node, edges in leaving.items():
        edges.sort(key=lambda edge: (x[layers.chains[edge][1]], edge))
        _deal(starts, edges, x[node], layers.width[node])
    for node, edges in arriving.items():
        edges.sort(key=lambda edge: (x[layers.chains[edge][-2]], edge))
        _deal(ends, edges, x[node], layers.width[node])
    return starts, ends


def _deal(places: list[float], edges: Sequence[int], centre: float, width: float) -> None:
    step = min(SPREAD * width / max(len(edges) - 1, 1), MOST_APART)
    for index, edge in enumerate(edges):
        places[edge] = centre + (index - (len(edges) - 1) / 2) * step


def spline(points: Sequence[tuple[float, float]]) -> Array:
    """Cubic pieces through points, upright at each: control points (3k + 1, 2) as Bézier curves take them.

    >>> spline([(0.0, 0.0), (10.0, 20.0)]).tolist()
    [[0.0, 0.0], [0.0, 10.0], [10.0, 10.0], [10.0, 20.0]]
    """
    found = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        found += [(x0, middle), (x1, middle), (x1, y1)]
    return np.array(found)


def route(
    chain: Sequence[int],
    x: Sequence[float],
    ends: tuple[tuple[float, float], tuple[float, float]],
    rows: Sequence[tuple[float, float]],
    rank: Sequence[int],
) -> Array:
    """The spline of one edge from its upper end (x, y) to its lower; `rows` are top and bottom of each row."""
    (x0, y0), (x1, y1) = ends
    points = [(x0, y0), (x0, rows[rank[chain[0]]][1])]
    for bend in chain[1:-1]:
        points += [(x[bend], rows[rank[bend]][0]), (x[bend], rows[rank[bend]][1])]
    points += [(x1, rows[rank[chain[-1]]][0]), (x1, y1)]
    return spline(_without_repeats(points))


def _without_repeats(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    kept = [points[0]]
    for point in points[1:]:
        if point != kept[-1]:
            kept.append(point)
    # Three points on one upright line say no more than the outer two.
    return [
        point
        for index, point in enumerate(kept)
        if not 0 < index < len(kept) - 1 or not kept[index - 1][0] == point[0] == kept[index + 1][0]
    ]
