"""Statistics: least value, spread, mean and deviation of each feature, in float64, without ever holding all examples in float64."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.data.rows import BLOCK, Rows, as_rows, at_once, is_worth_sharing, threads
from chainrule.errors import DataError
from chainrule.immutable import immutable

Floats = NDArray[np.float64]
_SEGMENT = BLOCK // 16
"""So many numbers, one after the other, are summed up by NumPy at once: no fewer than the 128 that it does not halve any more."""

_LONG = 2**10
"""So many numbers, of several rows, are worth a call of NumPy's."""

_WIDE = 32
"""So many features are worth a thread of their own: NumPy takes as long to add up short rows as rows of half their length."""


@immutable
class UnitRange:
    """Least value, spread and constancy of each feature, the last axis of `rows`; () for rows of shape (n,).

    Mean and deviation are taken of the values mapped to 0 … 1 by these: squares of very large or very small numbers would leave the range
    of float64, and a constant column such as 0.1, 0.1, 0.1 would get a deviation of one rounding error.
    """

    rows: Rows
    low: Floats
    spread: Floats
    constant: NDArray[np.bool_]

    @classmethod
    def of(cls, x: ArrayLike | Rows) -> UnitRange:
        """The range of examples (n, ..., features). Raises: DataError where there is none."""
        rows = as_rows(x)
        if not rows.shape or not len(rows):
            raise DataError(f"x has shape {rows.shape}", expected="at least one example", remedy="give the training part")
        low, high = (np.asarray(limit, np.float64) for limit in rows.limits)
        low, high = (limit.reshape(() if len(rows.shape) == 1 else limit.shape) for limit in (low, high))
        with np.errstate(over="ignore", invalid="ignore"):
            spread = high - low
        return cls(rows, low, spread, spread == 0)

    def moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each feature, in the unit range: the same bits as NumPy's of the whole array."""
        with np.errstate(over="ignore", invalid="ignore"):
            width = np.where(self.constant, 1.0, self.spread)
            count = np.float64(np.prod(self.rows.shape[:-1] or self.rows.shape))
            mean = np.asarray(_sum(self.rows, _Unit(self.low, width)) / count)
            return mean, np.sqrt(_sum(self.rows, _Unit(self.low, width, mean)) / count)


@immutable
class _Unit:
    """Numbers in the unit range; with a mean the squares of what they differ from it."""

    low: Floats
    width: Floats
    mean: Floats | None = None

    def write(self, numbers: Floats) -> Floats:
        """Those of some numbers, in their place: (n, ...), as many as low, width and mean in each row."""
        np.subtract(numbers, self.low, out=numbers)
        np.divide(numbers, self.width, out=numbers)
        if self.mean is not None:
            np.subtract(numbers, self.mean, out=numbers)
            np.multiply(numbers, numbers, out=numbers)
        return numbers

    def tiled(self, count: int, columns: slice) -> _Unit:
        """The same for some features of `count` rows that are taken as one long row, with which NumPy is faster."""

        def repeated(part: Floats) -> Floats:
            return np.tile(part[columns], count)

        return _Unit(repeated(self.low), repeated(self.width), None if self.mean is None else repeated(self.mean))


def adding_threads(rows: Rows) -> int:
    """How many threads add up the features of some rows."""
    return min(threads(), max(1, rows.shape[-1] // _WIDE)) if is_worth_sharing(rows.nbytes) and len(rows.shape) > 1 else 1


def _sum(rows: Rows, unit: _Unit) -> Floats:
    """The sum of what `unit` makes of all numbers over all axes but the last one, in the order in which NumPy adds up an array.

    That order follows from how an array lies: several features row by row, a single one in halves of halves.
    """
    features = rows.shape[-1] if len(rows.shape) > 1 else 1
    if not rows.is_contiguous:
        whole = rows.array().astype(np.float64)
        return np.asarray(unit.write(whole).sum(axis=tuple(range(max(1, whole.ndim - 1)))))
    if features == 1:
        return np.asarray(_in_halves(rows, unit)).reshape(unit.low.shape)
    parts = adding_threads(rows)
    bounds = [features * part // parts for part in range(parts + 1)]
    jobs = [lambda a=a, b=b: _row_by_row(rows, unit, slice(a, b)) for a, b in pairwise(bounds)]
    return np.concatenate(at_once(jobs))


def _row_by_row(rows: Rows, unit: _Unit, columns: slice) -> Floats:
    """The sum of some features over all rows, one row after the other."""
    features = columns.stop - columns.start
    each = prod(rows.shape[1:-1])
    together = max(1, _LONG // features)
    unit = unit.tiled(together, columns)
    size = max(1, 2 * BLOCK // (8 * each * features))
    # Before the rows of a block stands what was summed up so far; behind them there is room for the last of the long rows.
    room = np.empty((1 + min(size, len(rows)) * each + together, features))
    total: Floats | None = None
    for start in range(0, len(rows), size):
        stop = min(start + size, len(rows))
        count = (stop - start) * each
        end = 1 + -(-count // together) * together
        rows.write(room[1 : count + 1], start, stop, columns)
        room[count + 1 : end] = room[1]
        unit.write(room[1:end].reshape(-1, together * features))
        room[0] = 0.0 if total is None else total
        # Row by row, as `np.add.reduce` does, in half of its time where rows are short.
        total = np.einsum("ij->j", room[total is None : count + 1])
    assert total is not None  # noqa: S101  (there is at least one row)
    return total


def _in_halves(rows: Rows, unit: _Unit) -> np.float64:
    """The sum of all numbers, as NumPy takes it of an array in one piece: of halves, whose halves are summed up likewise."""
    each = int(np.prod(rows.shape[1:]))
    room = np.empty(_SEGMENT)

    def total(start: int, stop: int) -> np.float64:
        count = stop - start
        if count <= _SEGMENT:
            first = start // each
            room[:count] = rows.range(first, -(-stop // each)).reshape(-1)[start - first * each : stop - first * each]
            return np.add.reduce(unit.write(room[:count]))
        half = count // 2
        half -= half % 8
        return total(start, start + half) + total(start + half, stop)

    return total(0, len(rows) * each)
