"""Cells: what stands in one column of a table, numbers as arrays and texts as codes of the different ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias, cast, overload

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import is_finite
from chainrule.display import Shown

Floats = NDArray[np.float64]

# "none" is not here: it is a category in many tables ("garage: none").
MISSING = frozenset(
    {
        "",
        "?",
        "na",
        "n/a",
        "nan",
        "-nan",
        "null",
        "<na>",
        "nat",
        "#n/a",
        "#div/0!",
        "#num!",
        "#value!",
        "#ref!",
        "#name?",
        "#null!",
    }
    | {f"{sign}1.#{word}" for sign in ("", "-") for word in ("ind", "qnan")}
)
"""Marks of a missing value in small letters, also the errors of spreadsheets and of Microsoft's C."""
ONLY_EMPTY = frozenset({""})
# Python's float() also reads "1_000" and Arabic digits; a table that means a number writes it in this way.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.ASCII | re.IGNORECASE)


class Texts(Shown, Sequence["str | None"]):
    """The texts of a column, None for missing ones: each different text once, in `values`, and a code for each row, −1 for none.

    It reads and compares like a tuple. What is asked of the texts is asked of `values` alone, which are few where rows are many.

    >>> cells = Texts.of(["wet", None, "dry", "wet"])
    >>> cells.values, cells.codes
    (('wet', 'dry'), array([ 0, -1,  1,  0]))
    >>> cells
    ('wet', None, 'dry', 'wet')
    """

    __slots__ = ("codes", "values")

    def __init__(self, codes: NDArray[np.int64], values: Sequence[str | None]) -> None:
        """Values that are equal, and those that are None, may stand several times: they become one, and missing cells."""
        places: dict[str, int] = {}
        to = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
        self.values = tuple(places)
        same = to == list(range(len(to)))
        self.codes = codes.astype(np.int64, copy=False) if same else np.array([*to, -1], np.int64)[codes]

    @classmethod
    def of(cls, cells: Iterable[str | None]) -> Texts:
        """The texts of a column, row by row."""
        places: dict[str | None, int] = {None: -1}
        codes = [places.setdefault(cell, len(places) - 1) for cell in cells]
        return cls(np.array(codes, np.int64), [value for value in places if value is not None])

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, which: int) -> str | None: ...
    @overload
    def __getitem__(self, which: slice | NDArray[Any]) -> Texts: ...
    def __getitem__(self, which: int | slice | NDArray[Any]) -> str | Texts | None:
        if isinstance(which, slice | np.ndarray):
            # Codes of the parts of a table go on meaning the same values.
            part = object.__new__(Texts)
            part.codes, part.values = self.codes[which], self.values
            return part
        code = int(self.codes[which])
        return None if code < 0 else self.values[code]

    def __iter__(self) -> Iterator[str | None]:
        words = (*self.values, None)
        return (words[code] for code in cast("list[int]", self.codes.tolist()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texts | tuple) and tuple(self) == tuple(cast("Iterable[object]", other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def present(self) -> tuple[str, ...]:
        """The different texts that stand in some row, in the order of `values`."""
        counts = self.counts()
        return tuple(value for value, count in zip(self.values, counts, strict=True) if count)

    def counts(self) -> list[int]:
        """How many rows hold each of `values`."""
        return np.bincount(self.codes + 1, minlength=len(self.values) + 1)[1:].tolist()


Cells: TypeAlias = Texts | NDArray[np.int64] | NDArray[np.float64]


def is_number(text: str) -> bool:
    """Whether a text is a number as tables write it.

    >>> is_number("-1.5e3"), is_number("1_000"), is_number("1,5")
    (True, False, False)
    """
    return _NUMBER.fullmatch(text) is not None


def are_numbers(texts: Iterable[str]) -> bool:
    """Whether all of some texts are numbers: as `is_number` of each, in half of the time.

    >>> are_numbers(["1", "2e5"]), are_numbers(["1", "x"])
    (True, False)
    """
    return all(map(_NUMBER.fullmatch, texts))


def to_numbers(cells: Cells | Sequence[str | None]) -> tuple[Floats, NDArray[np.int64]]:
    """The cells as float64 with NaN for missing ones, and the indices of the cells that are no numbers.

    >>> to_numbers(("1.5", None, "tall"))
    (array([1.5, nan, nan]), array([2]))
    """
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64, copy=False), np.empty(0, np.int64)
    texts = cells if isinstance(cells, Texts) else Texts.of(cells)
    readable = [is_number(text) for text in texts.values]
    values = [float(text) if good else math.nan for text, good in zip(texts.values, readable, strict=True)]
    # The code −1 of a missing cell finds the last entry.
    return np.array([*values, math.nan])[texts.codes], np.flatnonzero(~np.array([*readable, True])[texts.codes])


def to_texts(cells: Cells) -> Texts:
    """The cells as texts with None for missing ones; whole numbers of a float column are written without the point.

    >>> to_texts(np.array([1.0, 2.5, np.nan]))
    ('1', '2.5', None)
    """
    if isinstance(cells, Texts):
        return cells
    values, codes = np.unique(cells, return_inverse=True)
    numbers: list[float] = values.tolist()
    return Texts(codes, [None if math.isnan(value) else _text_of(value) for value in numbers])


def to_text(cell: str, missing: frozenset[str] = MISSING) -> str | None:
    """A cell without the spaces around it; None if it says that the value is missing, in large or small letters.

    >>> to_text(" wet "), to_text("NA"), to_text("NA", ONLY_EMPTY)
    ('wet', None, 'NA')
    """
    stripped = cell.strip()
    return None if stripped.casefold() in missing else stripped


def missing_cells(cells: Cells) -> NDArray[np.bool_]:
    """True where a cell is missing."""
    if isinstance(cells, Texts):
        return cells.codes < 0
    return np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), bool)


def side_by_side(columns: Sequence[Cells]) -> Floats | None:
    """The array (rows, columns) whose columns these are, all and in order, if there is one.

    >>> x = np.eye(2)
    >>> side_by_side([x[:, 0], x[:, 1]]) is x, side_by_side([x[:, 1], x[:, 0]])
    (True, None)
    """
    first = columns[0]
    whole = first.base if isinstance(first, np.ndarray) else None
    if not isinstance(whole, np.ndarray) or whole.ndim != 2 or whole.dtype != np.float64 or not whole.flags.c_contiguous:
        return None
    rows, start = len(first), whole.__array_interface__["data"][0]
    if whole.shape[1] != len(columns) or rows > len(whole):
        return None
    for place, cells in enumerate(columns):
        if (
            not isinstance(cells, np.ndarray)
            or cells.base is not whole
            or cells.strides != whole.strides[:1]
            or cells.__array_interface__["data"][0] != start + place * whole.itemsize
        ):
            return None
    return whole if rows == len(whole) else whole[:rows]


def is_complete(cells: Cells) -> bool:
    """Whether no cell is missing, and no number infinite."""
    if isinstance(cells, Texts):
        return not len(cells) or bool(cells.codes.min() >= 0)
    return is_finite(cells)


def _text_of(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
