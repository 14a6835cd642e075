"""The order in which an epoch takes the examples: shuffled anew each time, one after the other, or a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from chainrule.checks import Count, checked
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable

Order: TypeAlias = Callable[[int, int, int], Array]
"""A function of (seed, epoch, count) that gives the order of the examples, a permutation of 0 ... count − 1."""

OrderName: TypeAlias = Literal["shuffled", "consecutive"]
"""The orders that are known by name."""


@immutable
@checked
class ConsecutiveOrder(Shown):
    """Row r of a batch goes on where row r of the batch before stopped: the examples are cut into `rows` runs of equal length.

    Batch k holds the k-th example of each run. Where the examples are sequences' chunks, one sequence behind the other, and `rows`
    is the number of sequences, each row of a batch goes along one sequence.

    >>> ConsecutiveOrder(2)(0, 0, 6).reshape(3, 2)
    array([[0, 3],
           [1, 4],
           [2, 5]])
    """

    rows: Count

    def __call__(self, seed: int, epoch: int, count: int) -> Array:
        """The same order for each seed and epoch: (count,), int64. OptionError where runs of equal length cannot be cut."""
        if count % self.rows:
            raise OptionError(
                f"{count} training examples in consecutive batches of {self.rows}",
                expected="a batch_size that divides the number of examples: one row of the batch for each run of them",
                remedy="take the number of sequences for batch_size, or leave out some examples",
            )
        return np.arange(count).reshape(self.rows, -1).T.ravel()


def _whole(given: object) -> Array:
    """Whole numbers as an array; nothing at all for anything else."""
    try:
        found = np.asarray(given)
    except ValueError:
        return np.empty((0, 0))
    return found.astype(np.int64) if found.dtype.kind in "iu" else np.empty((0, 0))


def order_of_epochs(order: Order, seed: int, epochs: range, count: int) -> Array:
    """The orders of these epochs, one behind the other: (epochs · count,), int64. OptionError for one that is no permutation."""
    found = np.empty((len(epochs), count), dtype=np.int64)
    for place, epoch in enumerate(epochs):
        given = _whole(order(seed, epoch, count))
        if given.shape != (count,) or not np.array_equal(np.sort(given), np.arange(count)):
            raise OptionError(
                f"the order given for epoch {epoch} is no permutation of whole numbers: shape {given.shape}",
                expected=f"each of 0 ... {count - 1} once",
                remedy="let the function given as order= return a permutation",
            )
        found[place] = given
    return found.ravel()
