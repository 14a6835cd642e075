"""Rows: examples where they lie, in memory or on a disk, all of a table or some; what is asked of all of them is asked block by block."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.checks import is_finite
from chainrule.display import Shown

Array = NDArray[Any]
Indices = NDArray[np.int64]
S = TypeVar("S")
T = TypeVar("T")

COPIED = 2**26
"""Rows of fewer bytes (64 MiB) are copied when they are chosen from a table; others stay where they lie."""
COPIED_OF_A_FILE = 2**20
"""The same for a table on a disk."""
BLOCK = 2**18
"""About so many bytes are looked at together: they stay in the cache from one question to the next."""
_LONG = 2**10
"""So many numbers of a row are worth a call of NumPy's."""
_SHARED = 2**26
"""From so many bytes on a question is worth a second thread."""
_MOST_THREADS = 8


class Source(Protocol):
    """A table that is no array: files that together hold one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its numbers."""
        ...

    def take(self, index: Indices | slice) -> Array:
        """Some rows, in the order of the index."""
        ...


class Rows(Shown):
    """The rows of a table that an index names, or all of them, as numbers of a type; nothing is copied before it is asked for.

    The table may be an array, a memory map, or another `Source`. Whoever goes on writing into it changes these rows too.

    >>> rows = Rows(np.arange(10.0).reshape(5, 2))[np.array([4, 0])]
    >>> rows
    Rows((2, 2) float64)
    >>> rows.array()
    array([[8., 9.],
           [0., 1.]])
    """

    def __init__(
        self, table: Array | Source, index: Indices | None = None, dtype: DTypeLike | None = None, *, finite: bool = False
    ) -> None:
        if isinstance(table, np.ndarray) and any(stride < 0 for stride in table.strides):
            table = np.ascontiguousarray(table)  # an array read backwards: programs go forwards only
        self.table, self.index = table, index
        self.dtype: np.dtype[Any] = table.dtype if dtype is None else np.dtype(dtype)
        self.shape: tuple[int, ...] = (len(index), *table.shape[1:]) if index is not None else tuple(table.shape)
        self.known_finite = finite
        self._kept: Array | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Rows({self.shape} {self.dtype.name})"

    @property
    def nbytes(self) -> int:
        """How much memory they take as an array."""
        return prod(self.shape) * self.dtype.itemsize

    @cached_property
    def lies(self) -> bool:
        """Whether they can be read where they are: rows of one array, one number behind the other, of the right type."""
        table = self.table
        return isinstance(table, np.ndarray) and table.dtype == self.dtype and table.flags.c_contiguous and table.flags.aligned

    @property
    def stays_in_a_file(self) -> bool:
        """Whether their table is no array in memory, and will not be copied into one."""
        kept = not isinstance(self.table, np.ndarray) or self.table.flags.c_contiguous
        return kept and is_mapped(self.table) and self.nbytes > COPIED_OF_A_FILE

    def array(self) -> Array:
        """They as one array, which cannot be written into; made when it is first asked for, but for a table that lies so already."""
        if self._kept is not None:
            return self._kept
        found = self.taken(slice(None) if self.index is None else self.index)
        found = found.view()
        found.flags.writeable = False
        if not is_mapped(self.table):
            self._kept = found
        return found

    def taken(self, index: Indices | slice) -> Array:
        """Rows of the table by their places there."""
        found = self.table[index] if isinstance(self.table, np.ndarray) else self.table.take(index)
        return found.astype(self.dtype, copy=False)

    def at(self, places: Indices) -> Array:
        """Some of these rows by their places among them: a new array."""
        return self.taken(places if self.index is None else self.index[places])

    def row(self, place: int) -> Array:
        """One of them; IndexError where there is none."""
        if self._kept is None and (self.index is not None or not isinstance(self.table, np.ndarray)):
            return self.at(np.array([range(len(self))[place]]))[0]
        return self.array()[place]

    def __getitem__(self, which: slice | Array) -> Rows:
        """Some of them: copied where they are few, else still where they lie."""
        if self.index is None and isinstance(which, slice) and isinstance(self.table, np.ndarray):
            return Rows(self.table[which], None, self.dtype, finite=self.known_finite)
        found = self.staying(which)
        contiguous = not isinstance(self.table, np.ndarray) or self.table.flags.c_contiguous
        if contiguous and found.nbytes > (COPIED_OF_A_FILE if is_mapped(self.table) else COPIED):
            return found
        return Rows(found.array(), finite=self.known_finite)

    def staying(self, which: slice | Array) -> Rows:
        """Some of them, where they lie."""
        if self.index is not None:
            return Rows(self.table, self.index[which], self.dtype, finite=self.known_finite)
        # Of the places of all rows, so that masks, places from the end and errors are NumPy's.
        return Rows(self.table, np.arange(len(self))[which], self.dtype, finite=self.known_finite)

    def range(self, start: int, stop: int) -> Array:
        """These rows from a place to another."""
        return self.taken(slice(start, stop) if self.index is None else self.index[start:stop])

    def write(self, out: Array, start: int, stop: int, columns: slice = slice(None)) -> None:
        """Writes these rows from a place to another, or some places on their last axis, into an array of as many numbers."""
        whole = columns.stop is None or (columns.start, columns.stop) == (0, self.shape[-1])
        if self.lies and self.index is not None and whole and out.dtype == self.dtype:
            places = self.index[start:stop]
            # "clip" spares a check of an index that is known to be right, and a second buffer.
            np.take(cast("Array", self.table), places, axis=0, out=out.reshape(len(places), *self.shape[1:]), mode="clip")
        elif self.lies and self.index is not None and not whole and len(self.shape) == 2:
            some = cast("Array", self.table)[:, columns]
            # What belongs to a row is taken as one thing: NumPy copies that at once.
            taken = some.view(f"V{some.shape[1] * some.itemsize}")[self.index[start:stop], 0]
            out[...] = taken.view(self.dtype).reshape(out.shape)
        else:
            out[...] = self.range(start, stop)[..., columns].reshape(out.shape)

    @cached_property
    def is_contiguous(self) -> bool:
        """Whether the numbers of these rows, as an array, lie one behind the other."""
        return self.index is not None or not isinstance(self.table, np.ndarray) or self.table.flags.c_contiguous

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Array]]:
        """Some rows after the other, beside the place of the first of them; the next block may take the memory of this one."""
        stop = len(self) if stop is None else stop
        size = max(1, BLOCK // max(1, prod(self.shape[1:]) * self.dtype.itemsize))
        room = (
            np.empty((min(size, stop - start), *self.shape[1:]), self.dtype) if self.lies and self.index is not None else None
        )
        for begin in range(start, stop, size):
            end = min(begin + size, stop)
            if self.index is None:
                yield begin, self.taken(slice(begin, end))
            elif room is None:
                yield begin, self.taken(self.index[begin:end])
            else:
                block = room[: end - begin]
                # "clip" spares a check of an index that is known to be right, and a second buffer.
                np.take(cast("Array", self.table), self.index[begin:end], axis=0, out=block, mode="clip")
                yield begin, block

    @cached_property
    def limits(self) -> tuple[Array, Array]:
        """The least and the largest number of each place on the last axis, over all others: (features,) each; NaN where there is one."""
        features = self.shape[-1] if len(self.shape) > 1 else 1

        def look(start: int, stop: int) -> tuple[Array, Array]:
            found = [
                (of_features(np.minimum.reduce, block, features), of_features(np.maximum.reduce, block, features))
                for _, block in self.blocks(start, stop)
            ]
            return np.min([low for low, _ in found], axis=0), np.max([high for _, high in found], axis=0)

        parts = shared(look, len(self), self.nbytes)
        return np.min([low for low, _ in parts], axis=0), np.max([high for _, high in parts], axis=0)

    @property
    def is_finite(self) -> bool:
        """Whether there is neither NaN nor infinity: found out once, for all that is chosen of these rows later, too."""
        if self.known_finite or self.dtype.kind != "f":
            return True

        def look(start: int, stop: int) -> bool:
            return all(is_finite(block) for _, block in self.blocks(start, stop))

        limits = self.__dict__.get("limits")
        found = shared(look, len(self), self.nbytes) if limits is None else [is_finite(limit) for limit in limits]
        self.known_finite = all(found)
        return self.known_finite

    def first_not_finite(self) -> tuple[int, ...]:
        """Where the first NaN or infinity stands."""
        for begin, block in self.blocks():
            wrong = ~np.isfinite(block)
            if wrong.any():
                index, *rest = (int(place) for place in np.argwhere(wrong)[0])
                return (begin + index, *rest)
        raise LookupError


def of_features(question: Callable[..., Array], block: Array, features: int) -> Array:
    """The least or the largest number of each place on the last axis.

    Several rows are looked at as one long one, with which NumPy is faster than with many short ones.

    >>> of_features(np.maximum.reduce, np.arange(10.0).reshape(5, 2), 2)
    array([8., 9.])
    """
    flat = block.reshape(-1, features)
    together = min(len(flat), max(1, _LONG // features))
    whole = len(flat) // together * together
    found = question(flat[:whole].reshape(-1, together * features), axis=0).reshape(together, features)
    return question(np.concatenate([found, flat[whole:]]), axis=0)


def as_rows(values: ArrayLike | Rows) -> Rows:
    """The rows of an array; rows as they are."""
    return values if isinstance(values, Rows) else Rows(np.asarray(values))


def is_mapped(table: object) -> bool:
    """Whether an array is a view of a file, or another source of rows, that is not in memory.

    >>> is_mapped(np.zeros(3))
    False
    """
    if not isinstance(table, np.ndarray):
        return True
    while isinstance(table, np.ndarray) and not isinstance(table, np.memmap):
        table = cast("object", table.base)
    return isinstance(table, np.memmap | mmap.mmap)


def threads() -> int:
    """How many threads this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MOST_THREADS)


def is_worth_sharing(nbytes: int) -> bool:
    """Whether a question about so many bytes is worth a second thread."""
    return nbytes >= _SHARED


def shared(look: Callable[[int, int], T], count: int, nbytes: int) -> list[T]:
    """What `look(start, stop)` finds in stretches of 0 … count, in their order; by several threads where there is much to look at."""
    parts = min(threads(), count) if is_worth_sharing(nbytes) else 1
    bounds = [count * part // parts for part in range(parts + 1)]
    return at_once([lambda a=a, b=b: look(a, b) for a, b in pairwise(bounds)])


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """What some functions give, each in a thread of its own."""
    if len(jobs) == 1:
        return [jobs[0]()]
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [found.result() for found in [pool.submit(job) for job in jobs]]


def in_turn(work: Callable[[S], T], items: Iterable[S], count: int) -> Iterator[T]:
    """What `work` makes of each item, in their order: by `count` threads, which are no further ahead than one item each.

    >>> list(in_turn(abs, [-3, 1, -2], 2))
    [3, 1, 2]
    """
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[T]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
