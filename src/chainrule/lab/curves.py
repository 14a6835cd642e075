"""Curves of a session: the loss over the steps in at most a thousand bins, however long it plays."""

from __future__ import annotations

import numpy as np

from chainrule.display import Shown
from chainrule.graph import Array

MOST_BINS = 1024


class Curves(Shown):
    """The mean, the least and the largest loss of stretches of steps; stretches become longer with the session.

    >>> curves = Curves()
    >>> curves.add(0, np.array([[4.0, 3.0, 2.0]]))
    >>> curves.table().tolist()
    [[0.0, 4.0, 4.0, 4.0], [1.0, 3.0, 3.0, 3.0], [2.0, 2.0, 2.0, 2.0]]
    """

    def __init__(self) -> None:
        self.width = 1
        self._bins: list[list[float]] = []  # first step, number of steps, sum, least, largest

    def add(self, first: int, losses: Array) -> None:
        """Notes the losses (replicas, steps) of the steps from `first` on, averaged over the replicas."""
        means = losses.mean(axis=0, dtype=np.float64)
        places = (first + np.arange(len(means))) // self.width
        edges = np.flatnonzero(np.diff(places)) + 1
        starts = np.concatenate([[0], edges]).astype(int)
        sums, least, most = (reduce.reduceat(means, starts) for reduce in (np.add, np.minimum, np.maximum))
        counts = np.diff(np.concatenate([starts, [len(means)]]))
        for start, *numbers in zip(starts.tolist(), counts.tolist(), sums.tolist(), least.tolist(), most.tolist(), strict=True):
            self._note([float(int(places[start]) * self.width), *map(float, numbers)])
        while len(self._bins) > MOST_BINS:
            self.width *= 2
            bins, self._bins = self._bins, []
            for item in bins:
                self._note([float(int(item[0]) // self.width * self.width), *item[1:]])

    def _note(self, item: list[float]) -> None:
        if self._bins and self._bins[-1][0] == item[0]:
            last = self._bins[-1]
            last[1:] = [last[1] + item[1], last[2] + item[2], min(last[3], item[3]), max(last[4], item[4])]
        else:
            self._bins.append(item)

    def copy(self) -> Curves:
        """The same curves, to be gone on with apart."""
        made = Curves()
        made.width, made._bins = self.width, [list(item) for item in self._bins]
        return made

    def until(self, step: int) -> None:
        """Forgets what was noted of `step` and later; of the stretch that `step` lies in, all of it."""
        self._bins = [item for item in self._bins if item[0] + self.width <= step]

    def table(self) -> Array:
        """A row for each stretch: its first step, and mean, least and largest loss, shape (n, 4)."""
        return np.array([[first, total / count, least, most] for first, count, total, least, most in self._bins]).reshape(-1, 4)
