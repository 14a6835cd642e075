"""Columns: what the columns of a table mean, kept with a network so that new tables can be encoded for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.advice import advice
from chainrule.data.cells import Cells, Floats, Texts, is_complete, is_number, missing_cells, side_by_side, to_numbers, to_texts
from chainrule.data.form import Form
from chainrule.data.rows import Rows
from chainrule.data.table import Table
from chainrule.data.writing import remedy_for
from chainrule.descriptions import Written, described
from chainrule.errors import DataError, OptionError
from chainrule.spelling import did_you_mean, listed

_VERSION = 1
_TO_BE_READ = advice(
    "when reading, say what to do: {0} (leave such rows out), or fill in by {1} or {2}",
    ("missing", "drop"), ("missing", "mean"), ("missing", "most_frequent"),
)  # fmt: skip
_TO_BE_ASKED = advice(
    "leave such rows out, or fill in the cells; a network that was trained with {0} does so", ("missing", "mean")
)
_BLOCK = 4096
_MOST_BYTES = 2**32  # 4 GiB: an encoded table beyond this is a mistake (an identifier read as a category), not a data set


@described
class Column(Written):
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

    def values(self, table: Table) -> Floats | NDArray[np.int64]:
        """The column of a table, missing cells filled: numbers, or for each row the place of its category; (n,).

        Raises DataError, naming row, column and value, for a missing cell without a fill, a text that is no number and a
        category that is not known; ColumnError if the table lacks the column.
        """
        cells = table.cells(self.name)
        if self.fill is None and not is_complete(cells):
            missing = missing_cells(cells)
            if missing.any():
                raise missing_value(table, self.name, int(missing.argmax()))
        return self._numbers(table, cells) if self.kind == "numeric" else self._known_codes(table, to_texts(cells))

    def encode(self, table: Table) -> Floats:
        """The column of a table as float64 of shape (n, features); errors as in `values`."""
        found = self.values(table)
        if self.kind == "numeric":
            return found.astype(np.float64, copy=False)[:, None]
        return np.eye(len(self.categories), dtype=np.float64)[found.astype(np.int64, copy=False)]

    def lacking(self, table: Table) -> NDArray[np.bool_]:
        """True in each row whose cell is missing and is not filled: (n,)."""
        missing = missing_cells(table.cells(self.name))
        return missing if self.fill is None else np.zeros_like(missing)

    def unknown(self, table: Table) -> NDArray[np.bool_]:
        """True in each row that holds a category which is not known: (n,)."""
        if self.kind == "numeric":
            return np.zeros(len(table), bool)
        texts = to_texts(table.cells(self.name))
        return self._codes(texts) < 0

    def _numbers(self, table: Table, cells: Cells) -> Floats:
        numbers, unreadable = to_numbers(cells)
        if unreadable.size:
            raise not_a_number(table, self.name, unreadable)
        if isinstance(cells, np.ndarray) and is_complete(cells):
            return numbers
        missing = missing_cells(cells)
        wrong = ~(np.isfinite(numbers) | missing)
        if wrong.any():
            index = int(wrong.argmax())
            raise DataError(
                f"{table.place(index, self.name)}: the value is {numbers[index]}",
                expected="finite numbers",
                remedy="correct the value, or delete the row",
            )
        return np.where(missing, np.float64(0 if self.fill is None else self.fill), numbers) if missing.any() else numbers

    def _codes(self, texts: Texts) -> NDArray[np.int64]:
        """The place of each row's category; −1 where it is not known."""
        known = {category: code for code, category in enumerate(self.categories)}
        # The code −1 of a missing cell finds the last entry, the fill's.
        filled = known.get(str(self.fill), -1) if self.fill is not None else -1
        return np.array([*(known.get(value, -1) for value in texts.values), filled], np.int64)[texts.codes]

    def _known_codes(self, table: Table, texts: Texts) -> NDArray[np.int64]:
        codes = self._codes(texts)
        unknown = np.flatnonzero(codes < 0)
        if unknown.size:
            index = int(unknown[0])
            value, count = str(texts[index]), len(unknown)
            more = "" if count == 1 else f"; {count} of {len(table)} rows hold such ones: {table.places(unknown)}"
            raise DataError(
                f"{table.place(index, self.name)}: the category {value!r} is not known{more}",
                expected=f"one of {listed(self.categories)}",
                remedy="correct the value, leave such rows out, or train again on data that hold it;"
                + did_you_mean(value, self.categories),
            )
        return codes

    def __post_init__(self) -> None:
        fits = isinstance(self.fill, float | int | None) and not self.categories
        if self.kind == "category":
            fits = bool(self.categories) and (self.fill is None or self.fill in self.categories)
        if not fits or len(set(self.categories)) < len(self.categories):
            raise OptionError(
                f"the {self.kind} column {self.name!r} with the categories {listed(self.categories)} and fill={self.fill!r}",
                expected="categories that differ, one of them as fill, for a category; a number as fill, and no categories, for numbers",
                remedy="make the column again with read_csv or from_dataframe",
            )


@described
class Columns(Written):
    """The schema of a table: its feature columns in their order, and the target column (its categories are the classes).

    `others` names the columns of the table that are neither; `form` is what its reader was told, so that new files are read alike.

    >>> schema = Columns((Column("height", "numeric"), Column("sex", "category", ("f", "m"))), Column("weight", "numeric"))
    >>> schema.names
    ('height', 'sex=f', 'sex=m')
    >>> Columns.from_json(schema.to_json()) == schema
    True
    """

    features: tuple[Column, ...]
    target: Column
    others: tuple[str, ...] = ()
    form: Form = field(default_factory=Form)

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
        for column in self.features:
            lacking = column.lacking(table)
            if lacking.any():
                raise missing_value(table, column.name, int(lacking.argmax()), _TO_BE_ASKED)
        return self.encode_parts(table, [np.arange(len(table))])[0]

    def whole(self, table: Table) -> Rows | None:
        """The inputs for all rows, without a copy, where the table has just these numbers side by side, and all of them; else None."""
        cells = [table.cells(column.name) for column in self.features]
        found = side_by_side(cells) if all(column.kind == "numeric" for column in self.features) else None
        rows = None if found is None else Rows(found)
        return rows if rows is not None and rows.is_finite else None

    def encode_parts(self, table: Table, parts: Sequence[NDArray[np.int64]]) -> list[Floats]:
        """The inputs for some rows of a table, and for others: as `encode`, without all of them ever standing in one array."""
        self._check_size(len(table))
        found = [column.values(table) for column in self.features]
        return [self._encoded(found, rows) for rows in parts]

    def _encoded(self, found: Sequence[Floats | NDArray[np.int64]], rows: NDArray[np.int64]) -> Floats:
        width = len(self.names)
        whole = all(column.kind == "numeric" for column in self.features)
        x = (np.empty if whole else np.zeros)((len(rows), width))
        flat, begins = x.reshape(-1), np.arange(0, _BLOCK * width, width)
        # Some rows at a time: then what is written from column to column is still in the cache.
        for start in range(0, len(rows), _BLOCK):
            block, some = x[start : start + _BLOCK], rows[start : start + _BLOCK]
            places = start * width + begins[: len(some)]
            place = 0
            for column, values in zip(self.features, found, strict=True):
                if column.kind == "numeric":
                    block[:, place] = values[some]
                else:
                    flat[places + (values[some].astype(np.int64, copy=False) + place)] = 1
                place += len(column.features)
        return x

    def usable(self, table: Table, *, with_target: bool = False) -> tuple[NDArray[np.bool_], list[str]]:
        """Which rows of a new table can be encoded, and sentences with counts and places on those that cannot.

        Those miss a value that is not filled, or hold a category that the training did not know. Raises ColumnError for a column
        that the table lacks.

        >>> schema = Columns((Column("hue", "category", ("blue", "red")),), Column("y", "numeric"))
        >>> schema.usable(Table({"hue": ("red", "pink", None)}, np.array([2, 3, 4]), "line", "new.csv"))[1]
        ["1 row misses a value of 'hue' (line 4)", "1 row holds a category of 'hue' that is not known, 'pink' (line 3)"]
        """
        good, said = np.ones(len(table), bool), list[str]()
        for column in (*self.features, *([self.target] if with_target else [])):
            lacking = column.lacking(table)
            unknown = column.unknown(table) & ~lacking
            if lacking.any():
                said.append(
                    f"{_rows(lacking, 'misses', 'miss')} a value of {column.name!r} ({table.places(np.flatnonzero(lacking))})"
                )
            if unknown.any():
                words = listed(to_texts(table.cells(column.name))[unknown].present(), most=3)
                said.append(
                    f"{_rows(unknown, 'holds', 'hold')} a category of {column.name!r} that is not known, {words} "
                    f"({table.places(np.flatnonzero(unknown))})"
                )
            good &= ~(lacking | unknown)
        return good, said

    def _check_size(self, rows: int) -> None:
        size = rows * len(self.names) * 8
        if size > _MOST_BYTES:
            widest = max(self.features, key=lambda column: len(column.features))
            raise DataError(
                f"{rows} rows × {len(self.names)} features would take {size} bytes; column {widest.name!r} alone becomes "
                f"{len(widest.features)} features",
                expected=f"at most {_MOST_BYTES} bytes",
                remedy=advice("leave that column out: {0}", ("drop", (widest.name,))),
            )


def missing_value(table: Table, name: str, index: int, remedy: str = _TO_BE_READ) -> DataError:
    """The error for a missing cell where no rule says what to do."""
    count = int(np.count_nonzero(missing_cells(table.cells(name))))
    return DataError(
        f"{table.place(index, name)}: the value is missing" + (f", as in {count} of {len(table)} rows" if count > 1 else ""),
        expected="a value in every cell",
        remedy=remedy,
    )


def not_a_number(table: Table, name: str, unreadable: NDArray[np.int64]) -> DataError:
    """The error for texts, in some of the rows, in a column of numbers."""
    index = int(unreadable[0])
    texts = to_texts(table.cells(name))
    value = str(texts[index])
    others = f", one of {len(unreadable)} such cells" if len(unreadable) > 1 else ""
    return DataError(
        f"{table.place(index, name)}: {value!r} is not a number{others}",
        expected="numbers such as 3.14 in this column",
        remedy=remedy_for(name, value, [text for text in texts.present() if not is_number(text)])
        if index or table.row_word != "line"
        else _units_remedy(name, value, texts[1:].present()),
    )


def _units_remedy(name: str, value: str, below: tuple[str, ...]) -> str:
    """The remedy for a text in the first row alone: units stand there, or the marks of a missing value."""
    others = [text for text in below if not is_number(text)]
    if others and not any(map(str.isdigit, value)):
        return remedy_for(name, others[0], others)
    if not any(map(str.isdigit, value)):
        return advice(
            "if it is a unit, say that the row below the names holds units: {0}; if it marks a missing value, read with {1}",
            ("units", True),
            ("na_values", (value,)),
        )
    return remedy_for(name, value, [value, *(text for text in below if not is_number(text))])


def _rows(which: NDArray[np.bool_], one: str, several: str) -> str:
    count = int(np.count_nonzero(which))
    return f"1 row {one}" if count == 1 else f"{count} rows {several}"
