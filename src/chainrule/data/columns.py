"""Columns: what the columns of a table mean, kept with a network so that new tables can be encoded for it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.display import Shown
from chainrule.errors import ColumnError, DataError, FileFormatError
from chainrule.spelling import did_you_mean, listed

Floats = NDArray[np.float64]
Texts = tuple[str | None, ...]
Cells: TypeAlias = Texts | NDArray[np.int64] | NDArray[np.float64]

# "none" is not here: it is a category in many tables ("garage: none").
MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "<na>", "nat"})
_VERSION = 1
_MOST_BYTES = 2**32  # 4 GiB: an encoded table beyond this is a mistake (an identifier read as a category), not a data set
# Python's float() also reads "1_000" and Arabic digits; a table that means a number writes it in this way.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Table(Shown):
    """Named columns of cells, not yet encoded: texts with None for missing, or numbers with NaN for missing.

    `rows` numbers the rows as the source counts them; `row_word` is its word for a row ("line" of a file, "row" of a frame).
    """

    columns: Mapping[str, Cells]
    rows: NDArray[np.int64]
    row_word: str
    source: str

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, name: str) -> Cells:
        """The cells of one column; ColumnError, with the nearest name, if there is none of this name."""
        if name not in self.columns:
            raise ColumnError(
                f"{self.source} has no column {name!r}; it has {listed(self.columns)}",
                expected="the name of a column",
                remedy=f"check the spelling;{did_you_mean(name, self.columns) or ' capital letters count'}",
            )
        return self.columns[name]

    def place(self, index: int, name: str) -> str:
        """Words for one cell, as the user would look it up: "line 7, column 'height'"."""
        return f"{self.row_word} {self.rows[index]}, column {name!r}"

    def take(self, index: NDArray[Any]) -> Table:
        """The table of some of the rows."""
        columns = {name: _taken(cells, index) for name, cells in self.columns.items()}
        return replace(self, columns=columns, rows=self.rows[index])

    def without(self, names: Sequence[str]) -> Table:
        """The table without some of its columns; ColumnError if it lacks one of them."""
        for name in names:
            self.cells(name)
        return replace(self, columns={name: cells for name, cells in self.columns.items() if name not in names})


@dataclass(frozen=True)
class Column(Shown):
    """One column: a number, or a category that is encoded as one 0-or-1 feature per category.

    `fill` replaces missing cells (a number, or one of the categories); None refuses them.

    >>> Column("colour", "category", ("blue", "red")).features
    ('colour=blue', 'colour=red')
    """

    name: str
    kind: Literal["numeric", "category"]
    categories: tuple[str, ...] = ()
    fill: float | str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that the column becomes."""
        if self.kind == "numeric":
            return (self.name,)
        return tuple(f"{self.name}={category}" for category in self.categories)

    def encode(self, table: Table) -> Floats:
        """The column of a table as float64 of shape (n, features), missing cells filled.

        Raises DataError, naming row, column and value, for a missing cell without a fill, a text that is no number and a
        category that is not known; ColumnError if the table lacks the column.
        """
        cells = table.cells(self.name)
        if self.kind == "numeric":
            return self._numbers(table, cells)[:, None]
        return np.eye(len(self.categories), dtype=np.float64)[self._codes(table, cells)]

    def _numbers(self, table: Table, cells: Cells) -> Floats:
        numbers, unreadable = to_numbers(cells)
        if unreadable.size:
            raise not_a_number(table, self.name, int(unreadable[0]))
        missing = missing_cells(cells)
        if missing.any() and self.fill is None:
            raise missing_value(table, self.name, int(missing.argmax()))
        wrong = ~missing & ~np.isfinite(numbers)
        if wrong.any():
            index = int(wrong.argmax())
            raise DataError(
                f"{table.place(index, self.name)}: the value is {numbers[index]}",
                expected="finite numbers",
                remedy="correct the value, or delete the row",
            )
        return np.where(missing, np.float64(0 if self.fill is None else self.fill), numbers)

    def _codes(self, table: Table, cells: Cells) -> NDArray[np.int64]:
        known = {category: code for code, category in enumerate(self.categories)}
        codes = np.empty(len(cells), np.int64)
        for index, text in enumerate(to_texts(cells)):
            value = self.fill if text is None else text
            if value is None:
                raise missing_value(table, self.name, index)
            if value not in known:
                raise DataError(
                    f"{table.place(index, self.name)}: the category {value!r} is not known",
                    expected=f"one of {listed(self.categories)}",
                    remedy=f"correct the value, or train again on data that hold it;{did_you_mean(str(value), known)}",
                )
            codes[index] = known[str(value)]
        return codes

    def to_json(self) -> dict[str, object]:
        """A dictionary that JSON can keep."""
        return {"name": self.name, "kind": self.kind, "categories": list(self.categories), "fill": self.fill}

    @classmethod
    def from_json(cls, content: object) -> Column:
        """The column that `to_json` described; FileFormatError for anything else."""
        match content:
            case {"name": str(name), "kind": "numeric", "categories": [], "fill": None | int() | float() as fill}:
                if fill is None or math.isfinite(fill):
                    return cls(name, "numeric", (), None if fill is None else float(fill))
            case {"name": str(name), "kind": "category", "categories": list(), "fill": None | str() as fill}:
                # The pattern has shown that it is a list; its elements are looked at here.
                categories = cast("list[object]", cast("dict[str, object]", content)["categories"])
                names = tuple(category for category in categories if isinstance(category, str))
                if names and len(names) == len(categories) == len(set(names)) and (fill is None or fill in names):
                    return cls(name, "category", names, fill)
            case _:
                pass
        raise _not_columns(content)


@dataclass(frozen=True)
class Columns(Shown):
    """The schema of a table: its feature columns in their order, and the target column (its categories are the classes).

    >>> schema = Columns((Column("height", "numeric"), Column("sex", "category", ("f", "m"))), Column("weight", "numeric"))
    >>> schema.names
    ('height', 'sex=f', 'sex=m')
    >>> Columns.from_json(schema.to_json()) == schema
    True
    """

    features: tuple[Column, ...]
    target: Column

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the encoded features, in the order of the network's inputs."""
        return tuple(name for column in self.features for name in column.features)

    def encode(self, table: Table) -> Floats:
        """The inputs for the rows of a table, float64 of shape (n, features); further columns of the table are ignored.

        Raises ColumnError for a column that the table lacks, DataError for a value that cannot be encoded, with its place.

        >>> schema = Columns((Column("size", "numeric"), Column("hue", "category", ("blue", "red"))), Column("y", "numeric"))
        >>> table = Table({"hue": ("red", "blue"), "size": ("1.5", "2")}, np.array([2, 3]), "line", "new.csv")
        >>> schema.encode(table)
        array([[1.5, 0. , 1. ],
               [2. , 1. , 0. ]])
        """
        self._check_size(len(table))
        blocks = [column.encode(table) for column in self.features]
        return np.concatenate(blocks, axis=1) if blocks else np.empty((len(table), 0))

    def to_json(self) -> dict[str, object]:
        """A dictionary that JSON can keep, with the version of its form."""
        return {
            "version": _VERSION,
            "features": [column.to_json() for column in self.features],
            "target": self.target.to_json(),
        }

    @classmethod
    def from_json(cls, content: object) -> Columns:
        """The schema that `to_json` described; FileFormatError for anything else."""
        match content:
            case {"version": 1, "features": list(), "target": dict()}:
                described = cast("dict[str, Any]", content)
                features = cast("list[object]", described["features"])
                return cls(tuple(Column.from_json(column) for column in features), Column.from_json(described["target"]))
            case _:
                raise _not_columns(content)

    def _check_size(self, rows: int) -> None:
        size = rows * len(self.names) * 8
        if size > _MOST_BYTES:
            widest = max(self.features, key=lambda column: len(column.features))
            raise DataError(
                f"{rows} rows × {len(self.names)} features would take {size} bytes; column {widest.name!r} alone becomes "
                f"{len(widest.features)} features",
                expected=f"at most {_MOST_BYTES} bytes",
                remedy=f"leave that column out: drop=({widest.name!r},)",
            )


def to_numbers(cells: Cells) -> tuple[Floats, NDArray[np.int64]]:
    """The cells as float64 with NaN for missing ones, and the indices of the cells that are no numbers.

    >>> to_numbers(("1.5", None, "tall"))
    (array([1.5, nan, nan]), array([2]))
    """
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64), np.empty(0, np.int64)
    readable = [text is None or _NUMBER.fullmatch(text) is not None for text in cells]
    values = [float(text) if text is not None and good else math.nan for text, good in zip(cells, readable, strict=True)]
    return np.array(values, np.float64), np.flatnonzero(~np.array(readable, bool))


def to_texts(cells: Cells) -> Texts:
    """The cells as texts with None for missing ones; whole numbers of a float column are written without the point.

    >>> to_texts(np.array([1.0, 2.5, np.nan]))
    ('1', '2.5', None)
    """
    if not isinstance(cells, np.ndarray):
        return cells
    values: list[float] = cells.tolist()
    return tuple(None if math.isnan(value) else _text_of(value) for value in values)


def to_text(cell: str) -> str | None:
    """A cell without the spaces around it; None if it says that the value is missing.

    >>> to_text(" wet "), to_text("NA")
    ('wet', None)
    """
    stripped = cell.strip()
    return None if stripped.casefold() in MISSING else stripped


def missing_cells(cells: Cells) -> NDArray[np.bool_]:
    """True where a cell is missing."""
    if isinstance(cells, np.ndarray):
        return np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), bool)
    return np.array([text is None for text in cells], bool)


def missing_value(table: Table, name: str, index: int) -> DataError:
    """The error for a missing cell where no rule says what to do."""
    return DataError(
        f"{table.place(index, name)}: the value is missing",
        expected="a value in every cell",
        remedy="when reading, say what to do: missing='drop' (leave such rows out), 'mean' or 'most_frequent'",
    )


def not_a_number(table: Table, name: str, index: int) -> DataError:
    """The error for a text in a column of numbers."""
    value = to_texts(table.cells(name))[index]
    decimal_comma = value is not None and re.fullmatch(r"[+-]?\d+,\d+", value) is not None
    return DataError(
        f"{table.place(index, name)}: {value!r} is not a number",
        expected="numbers such as 3.14 in this column",
        remedy="write decimal points, not decimal commas"
        if decimal_comma
        else f"correct the value; if these are categories, read with categories=({name!r},)",
    )


def _text_of(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _taken(cells: Cells, index: NDArray[Any]) -> Cells:
    if isinstance(cells, np.ndarray):
        return cells[index]
    places = np.flatnonzero(index) if index.dtype == bool else index
    return tuple(cells[place] for place in places.tolist())


def _not_columns(content: object) -> FileFormatError:
    return FileFormatError(
        f"{str(content)[:80]} does not describe columns",
        expected=f"version {_VERSION} of the description of a table's columns",
        remedy="take the description that Columns.to_json wrote",
    )
