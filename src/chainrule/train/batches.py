"""Batches: how many examples each has when a number of them is cut into pieces."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array


def batch_sizes(count: int, batch: int) -> Array:
    """The sizes of the batches that `count` examples are cut into; the last, shorter one is a batch. Shape (batches,), int64.

    >>> batch_sizes(100, 32)
    array([32, 32, 32,  4])
    """
    full, rest = divmod(count, batch)
    return np.array([batch] * full + [rest] * (rest > 0), dtype=np.int64)
