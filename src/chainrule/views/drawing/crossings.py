"""The order in the rows of a layered drawing: sweeps up and down, swaps of neighbours, several starts, the best one kept."""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from typing import TypeAlias

from chainrule.views.drawing.layers import Layers

Rows: TypeAlias = list[list[int]]
EFFORT = 200_000
"""Vertices and edges that are looked at in sweeps, all starts together: it bounds the time, and not by the clock."""
PATIENCE = 4
"""Sweeps without a gain before a start is given up."""


def crossings_between(ends: Sequence[Sequence[int]]) -> int:
    """How many pairs of edges cross between two rows: for each vertex of the one, in order, its places in the other.

    >>> crossings_between([[1], [0]]), crossings_between([[0, 1], [0, 1]])
    (1, 1)
    """
    total = 0
    seen: list[int] = []  # kept sorted; inserting moves memory, which is faster here than a Fenwick tree in Python
    for places in ends:
        for place in places:
            total += len(seen) - bisect_right(seen, place)
        for place in places:
            insort(seen, place)
    return total


def count_crossings(layers: Layers, rows: Rows, *, sides: bool = False) -> int:
    """All crossings of edges in these rows; with `sides`, also those of edges with the sides of frames."""
    place = _places(layers, rows)
    vertical = [kind in {"left", "right"} for kind in layers.kind]
    return sum(
        crossings_between([[place[w] for w in layers.down[v]] for v in row if sides or not vertical[v]]) for row in rows[:-1]
    )


def _places(layers: Layers, rows: Rows) -> list[int]:
    place = [0] * len(layers.rank)
    for row in rows:
        for index, vertex in enumerate(row):
            place[vertex] = index
    return place


def order_rows(layers: Layers) -> Rows:
    """The rows in an order with few crossings; the same layers always give the same order.

    Sources: K. Sugiyama, S. Tagawa, M. Toda, IEEE Transactions on Systems, Man, and Cybernetics 11, 109 (1981); sweeps by weighted
    medians and swaps of neighbours as in Gansner et al. (1993).
    """
    if not layers.rank:
        return []
    size = len(layers.rank) + sum(map(len, layers.down))
    left = max(6 * PATIENCE, EFFORT // (4 * size))  # sweeps that may still be made
    best, fewest, start = layers.rows(), 1 << 60, 0
    while start < 3 or (left > 0 and fewest > 0 and start < 40):
        trial = _Ordering(layers, start)
        left -= trial.sweep_until_still(left)
        if trial.fewest < fewest:
            best, fewest = trial.best, trial.fewest
        start += 1
        if fewest == 0:
            break
    return best


class _Ordering:
    """One start and what sweeps make of it."""

    def __init__(self, layers: Layers, start: int) -> None:
        self.layers, self.start = layers, start
        self.random = random.Random(start)  # noqa: S311  (no secret: the same start gives the same order)
        self.paths = [layers.frames.path(group) for group in layers.group]
        # Vertices with equal numbers may change places: those of one frame, but for its sides.
        self.movable = [
            -2 - vertex if kind in _SIDES else group
            for vertex, (group, kind) in enumerate(zip(layers.group, layers.kind, strict=True))
        ]
        self.frame_place: dict[int, float] = {}
        self.place = [0] * len(layers.rank)
        self.rows = layers.rows()
        self._take_start()
        self.best, self.fewest = [row.copy() for row in self.rows], self.crossings()

    def _take_start(self) -> None:
        key = _search_order(self.layers, from_below=self.start == 1)
        if self.start > 1:
            key = [self.random.random() for _ in key]
        for row in self.rows:
            self._arrange(row, key)
        self._place_frames()
        for row in self.rows:
            self._arrange(row, key)

    def crossings(self) -> int:
        return count_crossings(self.layers, self.rows, sides=True)

    def sweep_until_still(self, most: int) -> int:
        """Sweeps down and up until nothing is gained for a while; gives how many."""
        idle = made = 0
        measure = _barycentre if self.start % 2 else _median
        while idle < PATIENCE and made < max(most, 2 * PATIENCE) and self.fewest:
            self._sweep(measure, downwards=made % 2 == 0)
            self._swap_neighbours(ties=made % 4 > 1)
            made += 1
            found = self.crossings()
            idle += 1
            if found < self.fewest:
                idle = 0
                self.best, self.fewest = [row.copy() for row in self.rows], found
        return made

    # ---- sweeps

    def _sweep(self, measure: Callable[[list[int]], float], *, downwards: bool) -> None:
        layers = self.layers
        self._place_frames()
        key = [0.0] * len(layers.rank)
        neighbours = layers.up if downwards else layers.down
        for row in self.rows[1:] if downwards else self.rows[-2::-1]:
            missing: list[int] = []
            before = -1.0
            for vertex in row:
                if neighbours[vertex]:
                    before = measure(sorted(self.place[w] for w in neighbours[vertex]))
                else:
                    missing.append(vertex)
                # What has no neighbour there stays beside the one on its left.
                key[vertex] = before
            self._arrange(row, key)

    def _arrange(self, row: list[int], key: Sequence[float]) -> None:
        """Sorts a row by key; frames stay together, their sides outside, and two frames never change sides between rows."""
        place, paths = self.place, self.paths
        if not self.layers.sides:
            row.sort(key=lambda vertex: (key[vertex], place[vertex]))
        else:
            frame_key = self._frame_keys(row, key)
            kinds = self.layers.kind

            def full(vertex: int) -> tuple[float, ...]:
                kind = kinds[vertex]
                own = float("-inf") if kind == "left" else float("inf") if kind == "right" else key[vertex]
                around = [part for frame in paths[vertex] for part in (frame_key[frame], frame + 1)]
                return (*around, own, 0, place[vertex])

            row.sort(key=full)
        for index, vertex in enumerate(row):
            place[vertex] = index

    def _frame_keys(self, row: Sequence[int], key: Sequence[float]) -> dict[int, float]:
        """The mean key of each frame in the row, dealt out among frames side by side in the order that holds for all rows."""
        members: dict[int, list[float]] = {}
        for vertex in row:
            for frame in self.paths[vertex]:
                members.setdefault(frame, []).append(key[vertex])
        mean = {frame: sum(found) / len(found) for frame, found in members.items()}
        siblings: dict[int, list[int]] = {}
        for frame in mean:
            siblings.setdefault(self.layers.frames.parents[frame], []).append(frame)
        for together in siblings.values():
            values = sorted(mean[frame] for frame in together)
            together.sort(key=lambda frame: (self.frame_place.get(frame, 0.0), frame))
            mean.update(zip(together, values, strict=True))
        # Equal keys would let the number of the frame decide, against the order of all rows.
        return {frame: value + 1e-9 * self.frame_place.get(frame, 0.0) for frame, value in mean.items()}

    def _place_frames(self) -> None:
        """Where each frame stands from left to right, over all its rows: the order that frames side by side keep in each row."""
        found: dict[int, list[float]] = {}
        for row in self.rows:
            for index, vertex in enumerate(row):
                for frame in self.paths[vertex]:
                    found.setdefault(frame, []).append((index + 0.5) / len(row))
        means = {frame: sum(values) / len(values) for frame, values in found.items()}
        ranked = sorted(means, key=lambda frame: (means[frame], frame))
        self.frame_place = {frame: float(index) for index, frame in enumerate(ranked)}

    # ---- swaps

    def _swap_neighbours(self, *, ties: bool) -> None:
        """Swaps vertices that stand side by side wherever that lessens the crossings; with `ties`, also where it changes nothing."""
        # A row in which nothing was swapped is looked at again only after one beside it has changed.
        waiting = set(range(len(self.rows)))
        for _ in range(4):
            looked, waiting, gained = waiting, set[int](), 0
            for index, row in enumerate(self.rows):
                if index in looked:
                    swaps, gain = self._swap_in_row(row, ties=ties)
                    gained += gain
                    if swaps:
                        looked.add(index + 1)
                        waiting |= {index - 1, index}
            if not gained:
                return
            ties = False

    def _swap_in_row(self, row: list[int], *, ties: bool) -> tuple[int, int]:
        """How many pairs changed places, and how many crossings fewer there are."""
        if len(row) < 2:
            return 0, 0
        place, above, below, movable = self.place, self.layers.up, self.layers.down, self.movable
        at = place.__getitem__
        up = [list(map(at, above[v])) for v in row]
        down = [list(map(at, below[v])) for v in row]
        swaps = gained = 0
        for left in range(len(row) - 1):
            one, other = row[left], row[left + 1]
            if movable[one] != movable[other]:
                continue
            gain = _gain(up[left], up[left + 1]) + _gain(down[left], down[left + 1])
            if gain > 0 or (ties and gain == 0):
                row[left], row[left + 1] = other, one
                up[left], up[left + 1] = up[left + 1], up[left]
                down[left], down[left + 1] = down[left + 1], down[left]
                place[one], place[other] = left + 1, left
                swaps += 1
                gained += gain
        return swaps, gained


_SIDES = frozenset({"left", "right"})


def _gain(left: Sequence[int], right: Sequence[int]) -> int:
    """How many crossings fewer if the vertex with these neighbours on the left changed places with that on its right."""
    gain = 0
    for one in left:
        for other in right:
            gain += (one > other) - (one < other)
    return gain


def _median(places: list[int]) -> float:
    """The median of sorted places; of an even number, nearer to the side where they lie closer together."""
    middle, odd = divmod(len(places), 2)
    if odd:
        return places[middle]
    if len(places) == 2:
        return (places[0] + places[1]) / 2
    left, right = places[middle - 1] - places[0], places[-1] - places[middle]
    if left + right == 0:
        return (places[middle - 1] + places[middle]) / 2
    return (places[middle - 1] * right + places[middle] * left) / (left + right)


def _barycentre(places: list[int]) -> float:
    return sum(places) / len(places)


def _search_order(layers: Layers, *, from_below: bool) -> list[float]:
    """The order in which a search through the edges, from the top or from the bottom, finds the vertices."""
    found = [-1.0] * len(layers.rank)
    neighbours = layers.up if from_below else layers.down
    starts = sorted(range(len(found)), key=lambda vertex: -layers.rank[vertex] if from_below else layers.rank[vertex])
    time = 0
    for start in starts:
        stack = [start]
        while stack:
            vertex = stack.pop()
            if found[vertex] < 0:
                found[vertex] = time
                time += 1
                stack.extend(reversed(neighbours[vertex]))
    return found
