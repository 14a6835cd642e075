"""Batches: how many examples each has when a number of them is cut into pieces, and which examples each step takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.engines import Engine
from chainrule.graph import Array
from chainrule.train.orders import Order, order_of_epochs


def batch_sizes(count: int, batch: int) -> Array:
    """The sizes of the batches that `count` examples are cut into; the last, shorter one is a batch. Shape (batches,), int64.

    >>> batch_sizes(100, 32)
    array([32, 32, 32,  4])
    """
    full, rest = divmod(count, batch)
    return np.array([batch] * full + [rest] * (rest > 0), dtype=np.int64)


class Queue:
    """Which rows of the training part each step takes, for each seed; what was found for the last epochs asked for is kept.

    `order`: None where the engine shuffles the examples for each epoch.
    """

    def __init__(self, count: int, batch: int, seeds: Sequence[int], order: Order | None, engine: Engine) -> None:
        self.count, self.batch, self.seeds, self.order, self.engine = count, batch, seeds, order, engine
        self.sizes = batch_sizes(count, batch)
        self._orders: tuple[range, Array] | None = None

    def apart(self) -> Queue:
        """The same rows, found anew."""
        return Queue(self.count, self.batch, self.seeds, self.order, self.engine)

    def rows(self, first: int, last: int) -> Array:
        """The rows of steps first ... last − 1 for each seed, one behind the other: (seeds, Σ sizes)."""
        steps = len(self.sizes)
        epochs = range(first // steps, -(-last // steps))
        begin = (first - epochs.start * steps) * self.batch
        # The last batch of each epoch may be shorter, so the end of a whole epoch is found by counting epochs.
        whole, rest = divmod(last - epochs.start * steps, steps)
        end = whole * self.count + rest * self.batch
        return self._orders_of(epochs)[:, begin:end]

    def _orders_of(self, epochs: range) -> Array:
        """The order of the examples in each of these epochs, one behind the other, for each seed: (seeds, epochs · count)."""
        if self._orders is None or self._orders[0] != epochs:
            if self.order is None:
                old = self._orders[1] if self._orders else None
                found = self.engine.epoch_orders(self.seeds, epochs, self.count, old)
            else:
                found = np.stack([order_of_epochs(self.order, seed, epochs, self.count) for seed in self.seeds])
            self._orders = (epochs, found.reshape(len(self.seeds), -1))
        return self._orders[1]
