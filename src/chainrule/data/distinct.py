"""The distinct values of an array, and which of them stands at each place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.data.rows import Array
from chainrule.immutable import immutable

_NARROW = 2**16
"""Whole numbers that span less are counted, not sorted."""


@immutable
class Distinct:
    """The values in rising order, how often each stands in the array, and for each place the number of its value."""

    values: Array
    counts: NDArray[np.int64]
    codes: NDArray[np.uint16] | NDArray[np.int64]


def distinct(array: Array) -> Distinct:
    """What `np.unique` finds of an array (n,), ten times as fast for whole numbers that lie close together.

    >>> distinct(np.array([7, 5, 7]))
    Distinct(values=array([5, 7]), counts=array([1, 2]), codes=array([1, 0, 1], dtype=uint16))
    """
    low, high = (int(array.min()), int(array.max())) if array.dtype.kind in "iu" and array.size else (0, _NARROW)
    if high - low >= _NARROW:
        values, codes, counts = np.unique(array, return_inverse=True, return_counts=True)
        return Distinct(values, counts, codes)
    # Small signed types have no room for the difference.
    wide = np.dtype(np.int64) if array.dtype.kind == "i" else array.dtype
    places = np.subtract(array, low, dtype=wide).astype(np.uint16)
    every = np.bincount(places, minlength=high - low + 1)
    found = np.flatnonzero(every)
    number = np.zeros(len(every), np.uint16)
    number[found] = np.arange(len(found))
    values = (found.astype(wide) + wide.type(low)).astype(array.dtype)
    return Distinct(values, every[found], places if len(found) == len(every) else number[places])
