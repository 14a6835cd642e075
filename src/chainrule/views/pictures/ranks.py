"""Places in the order of size: what rank correlations, and how well a number tells one kind from another, are made of."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array


def ranks(values: Array) -> Array:
    """The ranks 1 ... n of values (n,), float64; equal ones share the mean of theirs.

    >>> ranks(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's rank correlation of two rows (n,); −1 where less of one always means more of the other, NaN where one never changes.

    >>> rank_correlation(np.array([0.5, 0.4, 0.3]), np.array([0.7, 0.8, 0.9]))
    -1.0
    """
    one, other = ranks(first), ranks(second)
    if len(first) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def separation(values: Array, mask: Array) -> float:
    """The probability that a value where the mask is true is larger than one where it is false; equal ones count half.

    >>> separation(np.array([1.0, 2.0, 3.0, 3.0]), np.array([False, False, True, False]))
    0.833...
    """
    having = int(np.count_nonzero(mask))
    return float((ranks(values)[mask].sum() - having * (having + 1) / 2) / (having * (len(values) - having)))
