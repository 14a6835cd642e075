"""Duplicates: examples that stand in two parts, found by a number for each row, and then compared."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Constraint, checked
from chainrule.data.examples import Array
from chainrule.data.rows import Rows, as_rows, shared

SomeRows: TypeAlias = Annotated[
    Array, Constraint(lambda rows: rows.ndim > 0 and rows.size > 0, "rows: an array with axes, not empty")
]
"""One row or more."""

_MOST_BITS = 30
Words = NDArray[np.uint64]


@checked
def duplicates(x: SomeRows, others: SomeRows) -> int:
    """How many examples of `x` stand also in `others`, with the same value in every feature (0.0 and −0.0 are the same).

    >>> duplicates(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    1
    """
    return count_duplicates(Rows(x), sums_of(x), Rows(others), sums_of(others))


def duplicate_note(name: str, count: int, size: int, other_name: str) -> str | None:
    """A sentence about `count` of `size` examples that stand in another part too, or None if there are none.

    >>> duplicate_note("test", 2, 5, "training")
    '2 of 5 test examples also stand in the training part'
    """
    if not count:
        return None
    return f"{count} of {size} {name} examples also {'stands' if count == 1 else 'stand'} in the {other_name} part"


def sums_of(x: Array | Rows) -> Words:
    """A number for each row, the same for equal rows: a weighted sum of its words modulo 2⁶⁴."""
    rows = as_rows(x)
    found = np.empty(len(rows), np.uint64)

    width = rows.dtype.itemsize if rows.dtype.kind in "uf" else 8
    drawn = np.random.default_rng(0).integers(1, 2**63, -(-prod(rows.shape[1:]) * width // 8), dtype=np.uint64)
    weights: Words = drawn * np.uint64(2) + np.uint64(1)

    def look(start: int, stop: int) -> None:
        for begin, block in rows.blocks(start, stop):
            words = _words(block)
            # The last digits of few-digit floats are zeros, which a product keeps.
            words ^= words >> np.uint64(32)
            np.dot(words, weights, out=found[begin : begin + len(block)])

    shared(look, len(rows), rows.nbytes)
    return found


def sums_of_parts(parts: Sequence[Rows]) -> list[Words]:
    """The `sums_of` some parts; of parts of one table as all of its rows have them, which are read in their order."""
    first = parts[0]
    if first.lies and all(part.table is first.table and part.index is not None for part in parts):
        sums = sums_of(Rows(first.table))
        return [sums[part.index] for part in parts]
    return [sums_of(part) for part in parts]


def count_duplicates(x: Rows, sums: Words, others: Rows, other_sums: Words) -> int:
    """How many rows of `x` stand in `others` too, whose `sums_of` are known: rows with equal sums are compared."""
    some = _marked(sums, other_sums, 0)
    if not some.size:
        return 0
    known = _marked(other_sums, sums[some], 32)
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


def _words(rows: Array) -> Words:
    """The bytes of some rows as words of 8 (rows, words), in memory of their own; 0.0 and −0.0 have the same."""
    flat = rows.reshape(len(rows), -1)
    flat = flat if flat.dtype.kind in "uf" else flat.astype(np.float64)
    count = -(-flat.shape[1] * flat.itemsize // 8)
    padded = np.empty((len(flat), count * 8 // flat.itemsize), flat.dtype)
    padded[:, flat.shape[1] :] = 0
    if flat.dtype.kind == "u":
        padded[:, : flat.shape[1]] = flat
    else:
        np.add(flat, flat.dtype.type(0), out=padded[:, : flat.shape[1]])
    return padded.view(np.uint64)
