"""Duplicates: examples that stand in two parts, found by a number for each row, and then compared."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Constraint, checked
from chainrule.data.examples import Array
from chainrule.data.rows import BLOCK, Rows, as_rows, shared

SomeRows: TypeAlias = Annotated[
    Array, Constraint(lambda rows: rows.ndim > 0 and rows.size > 0, "rows: an array with axes, not empty")
]
"""One row or more."""

_MOST_BITS = 30
_FEW_WORDS = 4
"""So many words of long rows are looked at first: they stand in one line of a cache, or two."""
_SAMPLE = 4096
"""In so many rows it is tried whether these words tell rows from each other."""
Words = NDArray[np.uint64]


@checked
def duplicates(x: SomeRows, others: SomeRows) -> int:
    """How many examples of `x` stand also in `others`, with the same value in every feature (0.0 and −0.0 are the same).

    >>> duplicates(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    1
    """
    parts = (Rows(x), Rows(others))
    (sums, other_sums), columns = sums_of_parts(parts)
    return count_duplicates(parts[0], sums, parts[1], other_sums, columns)


def duplicate_note(name: str, count: int, size: int, other_name: str) -> str | None:
    """A sentence about `count` of `size` examples that stand in another part too, or None if there are none.

    >>> duplicate_note("test", 2, 5, "training")
    '2 of 5 test examples also stand in the training part'
    """
    if not count:
        return None
    return f"{count} of {size} {name} examples also {'stands' if count == 1 else 'stand'} in the {other_name} part"


def sums_of(x: Array | Rows, columns: slice = slice(None)) -> Words:
    """A number for each row, the same for equal rows: a weighted sum of its words, or of those in some columns, modulo 2⁶⁴."""
    rows = as_rows(x)
    found = np.empty(len(rows), np.uint64)
    width = _width(rows, columns)
    drawn = np.random.default_rng(0).integers(1, 2**63, width, dtype=np.uint64)
    weights: Words = drawn * np.uint64(2) + np.uint64(1)
    # Of an array in its order the columns are enough; elsewhere rows are taken as a whole.
    each = 8 * width if rows.lies and rows.index is None else rows.nbytes // max(1, len(rows))
    size = max(1, BLOCK // max(1, each))

    def look(start: int, stop: int) -> None:
        for begin in range(start, stop, size):
            end = min(begin + size, stop)
            words = _words(rows.range(begin, end), columns)
            # The last digits of few-digit floats are zeros, which a product keeps.
            words ^= words >> np.uint64(32)
            np.einsum("ij,j->i", words, weights, out=found[begin:end])

    shared(look, len(rows), rows.nbytes)
    return found


def sums_of_parts(parts: Sequence[Rows]) -> tuple[list[Words], slice]:
    """The `sums_of` some parts, and the columns that they are of: a few, where most rows differ in them.

    Of parts of one table they are taken as all of its rows have them, which are read in their order.
    """
    first = parts[0]
    columns = _telling(first)
    if first.lies and all(part.table is first.table and part.index is not None for part in parts):
        sums = sums_of(Rows(first.table), columns)
        return [sums[part.index] for part in parts], columns
    return [sums_of(part, columns) for part in parts], columns


def count_duplicates(x: Rows, sums: Words, others: Rows, other_sums: Words, columns: slice = slice(None)) -> int:
    """How many rows of `x` stand in `others` too, whose `sums_of` some columns are known: rows with equal sums are compared."""
    some, known = _alike(sums, other_sums)
    if some.size and columns != slice(None):
        # What is alike in a few columns may differ in the others.
        x, others = x.staying(some), others.staying(known)
        sums, other_sums = sums_of(x), sums_of(others)
        some, known = _alike(sums, other_sums)
    if not some.size:
        return 0
    # Of the known rows with one sum the first is compared; only where that is another row, all of them are.
    first_sums, first = np.unique(other_sums[known], return_index=True)
    place = np.searchsorted(first_sums, sums[some])
    found = place < len(first_sums)
    found[found] = first_sums[place[found]] == sums[some][found]
    some, place = some[found], place[found]
    same = _are_same(x, some, others, known[first[place]])
    rest = some[~same]
    if not rest.size:
        return len(some)
    texts = {row.tobytes() for row in _words(others.at(known[np.isin(other_sums[known], sums[rest])]))}
    return int(np.count_nonzero(same)) + sum(row.tobytes() in texts for row in _words(x.at(rest)))


def _alike(sums: Words, others: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of sums that may stand among the others, and of others that may stand among them, by some of their bits at a time."""
    some = _marked(sums, others, 0)
    known = _marked(others, sums[some], 32)
    for shift in (16, 8, 40):
        if not some.size:
            break
        some = some[_marked(sums[some], others[known], shift)]
        known = known[_marked(others[known], sums[some], shift)]
    return some, known


def _marked(sums: Words, others: Words, shift: int) -> NDArray[np.int64]:
    """The places of sums that may stand among others: those that share some bits with one of them."""
    bits = min((4 * len(others)).bit_length(), _MOST_BITS)  # so a quarter of the marks is set at most
    marks, mask = np.zeros(2**bits, np.bool_), np.uint64(2**bits - 1)
    marks[(others >> np.uint64(shift)) & mask] = True
    return np.flatnonzero(marks[(sums >> np.uint64(shift)) & mask])


def _are_same(x: Rows, places: NDArray[np.int64], others: Rows, other_places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the rows at some places of x and of others are the same, pair by pair."""
    found = np.empty(len(places), np.bool_)
    for begin in range(0, len(places), 1024):
        some = slice(begin, begin + 1024)
        found[some] = (_words(x.at(places[some])) == _words(others.at(other_places[some]))).all(axis=1)
    return found


def _words(rows: Array, columns: slice = slice(None)) -> Words:
    """The bytes of some columns of rows as words of 8 (rows, words), in memory of their own; 0.0 and −0.0 have the same."""
    flat = rows.reshape(len(rows), -1)[:, columns]
    flat = flat if flat.dtype.kind in "uf" else flat.astype(np.float64)
    count = -(-flat.shape[1] * flat.itemsize // 8)
    padded = np.empty((len(flat), count * 8 // flat.itemsize), flat.dtype)
    padded[:, flat.shape[1] :] = 0
    if flat.dtype.kind == "u":
        padded[:, : flat.shape[1]] = flat
    else:
        np.add(flat, flat.dtype.type(0), out=padded[:, : flat.shape[1]])
    return padded.view(np.uint64)


def _width(rows: Rows, columns: slice) -> int:
    """How many words the bytes of some columns of a row are."""
    count = len(range(*columns.indices(prod(rows.shape[1:]))))
    return -(-count * (rows.dtype.itemsize if rows.dtype.kind in "uf" else 8) // 8)


def _telling(rows: Rows) -> slice:
    """Columns in the middle of long rows, where some of the rows all differ in them; else all columns."""
    columns = prod(rows.shape[1:])
    few = _FEW_WORDS * 8 // rows.dtype.itemsize
    if columns < 2 * few or len(rows) < 2 * _SAMPLE:
        return slice(None)
    chosen = slice((columns - few) // 2, (columns + few) // 2)
    sample = rows.staying(np.arange(_SAMPLE) * (len(rows) // _SAMPLE))
    return chosen if len(np.unique(sums_of(sample, chosen))) >= _SAMPLE - _SAMPLE // 1000 else slice(None)
