"""The layers of a drawing: nodes in rows by their rank, long edges cut by bends, frames with a left and a right side in every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

from chainrule.display import Shown
from chainrule.immutable import immutable

Kind: TypeAlias = Literal["node", "bend", "left", "right"]


@immutable
class Frames(Shown):
    """Which frame each node stands in (-1: none), and which frame each frame stands in; a parent comes before its children."""

    inside: Sequence[int] = ()
    parents: Sequence[int] = ()

    def path(self, frame: int) -> list[int]:
        """The frames around a place, from the outermost to this one."""
        found: list[int] = []
        while frame >= 0:
            found.append(frame)
            frame = self.parents[frame]
        return found[::-1]


@dataclass
class Layers:
    """Vertices (nodes first, then bends and the sides of frames) with their ranks, widths, frames and neighbours; rows of them."""

    rank: list[int]
    width: list[float]
    group: list[int]
    frames: Frames
    kind: list[Kind] = field(default_factory=list[Kind])
    up: list[list[int]] = field(default_factory=list[list[int]])
    down: list[list[int]] = field(default_factory=list[list[int]])
    chains: list[list[int]] = field(default_factory=list[list[int]])
    """For each edge its vertices from the upper end to the lower."""
    sides: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict[int, tuple[list[int], list[int]]])
    """For each frame its left sides and its right sides, from its upper row to its lower."""

    def add(self, kind: Kind, rank: int, group: int) -> int:
        """A new vertex without width."""
        self.rank.append(rank)
        self.width.append(0.0)
        self.group.append(group)
        self.kind.append(kind)
        self.up.append([])
        self.down.append([])
        return len(self.rank) - 1

    def connect(self, upper: int, lower: int) -> None:
        """A piece of an edge between neighbouring rows."""
        self.down[upper].append(lower)
        self.up[lower].append(upper)

    def rows(self) -> list[list[int]]:
        """The vertices of each rank, in the order in which they were made."""
        rows: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for vertex, rank in enumerate(self.rank):
            rows[rank].append(vertex)
        return rows


def build_layers(rank: Sequence[int], widths: Sequence[float], edges: Sequence[tuple[int, int]], frames: Frames) -> Layers:
    """The layers for ranked nodes; each edge (upper, lower) goes down by at least one rank."""
    count = len(rank)
    inside = list(frames.inside) or [-1] * count
    layers = Layers(list(rank), list(widths), inside, frames, ["node"] * count, [[] for _ in rank], [[] for _ in rank])
    spans = _spans(rank, inside, frames)
    for upper, lower in edges:
        layers.chains.append(_chain(layers, upper, lower, spans))
    for frame, (first, last) in spans.items():
        sides = ([layers.add("left", row, frame) for row in range(first, last + 1)],
                 [layers.add("right", row, frame) for row in range(first, last + 1)])  # fmt: skip
        for side in sides:
            for upper, lower in pairwise(side):
                layers.connect(upper, lower)
        layers.sides[frame] = sides
    return layers


def _spans(rank: Sequence[int], inside: Sequence[int], frames: Frames) -> dict[int, tuple[int, int]]:
    """The first and last row of each frame that holds anything."""
    spans: dict[int, tuple[int, int]] = {}
    for node, frame in enumerate(inside):
        for around in frames.path(frame):
            first, last = spans.get(around, (rank[node], rank[node]))
            spans[around] = (min(first, rank[node]), max(last, rank[node]))
    return spans


def _chain(layers: Layers, upper: int, lower: int, spans: dict[int, tuple[int, int]]) -> list[int]:
    """The vertices of an edge; a bend belongs to the innermost frame of either end that reaches as far as its row."""
    above, below = (layers.frames.path(layers.group[end]) for end in (upper, lower))
    chain = [upper]
    for row in range(layers.rank[upper] + 1, layers.rank[lower]):
        candidates = [frame for path in (above, below) for frame in path if spans[frame][0] <= row <= spans[frame][1]]
        group = _innermost(candidates, above, below)
        chain.append(layers.add("bend", row, group))
    chain.append(lower)
    for one, other in pairwise(chain):
        layers.connect(one, other)
    return chain


def _innermost(candidates: Sequence[int], above: Sequence[int], below: Sequence[int]) -> int:
    for path in (above, below):
        own = [frame for frame in path if frame in candidates and frame not in (below if path is above else above)]
        if own:
            return own[-1]
    shared = [frame for frame in candidates if frame in above and frame in below]
    return shared[-1] if shared else -1
