"""Reads data frames into tables by their protocols, whatever package made them.

These are `columns` and `frame[name].to_numpy()` (pandas, polars), the Arrow stream (pyarrow, duckdb) and the interchange protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from importlib import import_module
from typing import Any, cast

import numpy as np

from chainrule.checks import shown
from chainrule.data.cells import Cells, Floats, Texts, is_number
from chainrule.data.examples import Array, plain
from chainrule.data.form import CellOptions, Form
from chainrule.data.table import Table
from chainrule.data.writing import plain_numbers
from chainrule.errors import ColumnError, DataError, MissingPackageError, OptionTypeError
from chainrule.spelling import listed


def as_table(
    frame: object,
    *,
    decimal: str = ".",
    thousands: str | None = None,
    na_values: str | float | Sequence[str | float] = (),
    keep_default_na: bool = True,
) -> Table:
    """The table of a data frame, of a mapping of names to sequences, or of a list of rows; errors as in `from_dataframe`.

    The options are those of `Form` on what stands in a cell. Texts such as "NA" are missing cells, as in files; without
    `keep_default_na` only empty ones are, and what the frame says is missing.

    >>> as_table({"hue": ["red", None], "size": [1, 2]}).columns
    {'hue': ('red', None), 'size': array([1, 2])}
    >>> as_table({"size": ["1,5", "-"]}, decimal=",", na_values="-").columns
    {'size': ('1.5', None)}
    """
    told: CellOptions = {
        "decimal": decimal, "thousands": thousands, "na_values": na_values, "keep_default_na": keep_default_na,
    }  # fmt: skip
    return table_of(frame, Form.from_options(told))


def table_of(frame: object, form: Form, texts: Collection[str] = ()) -> Table:
    """The table of a frame, its cells read as the form says; the columns named in `texts` stay as they are written."""
    found = dict(frame_columns(frame))
    declared = frozenset(name for name, values in found.items() if hasattr(getattr(values, "dtype", None), "categories"))
    columns = {name: _cells(name, values, form, name in declared or name in texts) for name, values in found.items()}
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(
            f"the columns of the frame have the lengths {sorted(lengths)}",
            expected="one column or more, of one length of at least 1",
            remedy="give all columns the same number of rows"
            if len(lengths) > 1
            else "give the frame that holds the data: it is empty",
        )
    return Table(
        columns, np.arange(*lengths, dtype=np.int64), "row", f"{type(frame).__name__} in memory", form=form, declared=declared
    )


def is_frame(value: object) -> bool:
    """Whether a value is a table with names for its columns: a data frame, a mapping of names to sequences, a list of rows, a `Table`.

    >>> is_frame({"x": [1.0]}), is_frame([{"x": 1.0}, {"x": 2.0}]), is_frame([[1.0]])
    (True, True, False)
    """
    named = _has(value, "columns") and (hasattr(value, "__getitem__") or hasattr(value, "__arrow_c_stream__"))
    return isinstance(value, Mapping | Table) or named or _are_rows(value)


def _are_rows(value: object) -> bool:
    """Whether these are the rows of a table, each a mapping of names to cells, as JSON has them."""
    rows = cast("Sequence[object]", value)
    return isinstance(value, list | tuple) and bool(rows) and all(isinstance(row, Mapping) for row in rows)


def _has(value: object, name: str) -> bool:
    """Whether there is such an attribute, without asking for it: a lazy frame would go and look."""
    return hasattr(type(value), name) or name in getattr(value, "__dict__", ())


def adopted(frame: Any) -> Any:
    """A frame that has columns by name: itself, or what the Arrow or the interchange protocol gives; a lazy one is collected first.

    Of rows with names the columns; a name that a row lacks is a missing cell.

    Raises: MissingPackageError where an Arrow stream needs pyarrow.
    """
    given: object = frame
    if isinstance(given, Mapping | Table) or hasattr(given, "to_numpy"):
        return cast("Any", given)
    if _are_rows(given):
        rows = cast("Sequence[Mapping[str, Any]]", given)
        return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    if hasattr(frame, "collect") and _has(frame, "columns"):
        return adopted(frame.collect())
    if hasattr(frame, "__arrow_c_stream__") and _has(frame, "columns"):
        try:
            table = import_module("pyarrow").table(frame)
        except ImportError:
            raise MissingPackageError(
                f"the columns of a {type(frame).__name__} come as an Arrow stream",
                expected="pyarrow to read it by",
                remedy="pip install 'chainrule[tables]'",
            ) from None
        return {str(name): table.column(place) for place, name in enumerate(table.column_names)}
    if hasattr(frame, "__dataframe__"):
        return import_module("pandas").api.interchange.from_dataframe(frame)
    return frame


def frame_names(frame: Any) -> tuple[str, ...]:
    """The names of the columns of a frame."""
    frame = adopted(frame)
    columns = cast("Iterable[Any]", frame if isinstance(frame, Mapping) else frame.columns)
    return tuple(str(name) for name in columns)


def in_order(frame: Any, names: tuple[str, ...]) -> Any:
    """The cells of a frame as an array (rows, columns), its columns in the order of the names; other values as they are.

    >>> in_order({"b": [1, 2], "a": [3, 4]}, ("a", "b"))
    array([[3, 1],
           [4, 2]])

    Raises ColumnError unless it has these columns and no others.
    """
    if not is_frame(frame):
        return frame
    frame = adopted(frame)
    found = frame_names(frame)
    if sorted(found) != sorted(names):
        wrong = [name for name in (*names, *found) if (name in names) != (name in found)]
        raise ColumnError(
            f"the frame has the columns {listed(found)}",
            expected=f"the columns {listed(names)}, in any order",
            remedy=f"add, drop or rename {listed(wrong)}",
        )
    if found == names and not isinstance(frame, Mapping | Table):
        return np.asarray(frame)
    columns: dict[str, Any] = dict(frame.columns if isinstance(frame, Table) else frame_columns(cast("object", frame)))
    if not names:
        raise ColumnError("a table without columns", expected="one column or more", remedy="give the columns by their names")
    arrays = {name: np.asarray(plain(columns[name], name)) for name in names}
    for name, array in arrays.items():
        if not array.ndim:
            raise DataError(
                f"column {name!r} has shape ()",
                expected="one value per row",
                remedy=f"put it in brackets: {{{name!r}: [{shown(columns[name])}]}}",
            )
    return np.stack(list(arrays.values()), axis=1)


def frame_columns(frame: object) -> Iterable[tuple[str, Any]]:
    """The columns of a frame with their names, as the frame gives them. Raises: DataError where two have one name."""
    frame = adopted(frame)
    if isinstance(frame, Mapping):
        mapping = cast("Mapping[str, Any]", frame)
        return [(str(name), values) for name, values in mapping.items()]
    names: Iterable[Any] | None = getattr(frame, "columns", None)
    if names is None or not hasattr(frame, "__getitem__"):
        raise OptionTypeError(
            f"the frame is a {type(frame).__name__}",
            expected="a data frame with `columns` and `frame[name].to_numpy()`, or a mapping of names to sequences",
            remedy="for arrays use from_arrays(x, y)",
        )
    labels = list(names)
    texts = [str(label) for label in labels]
    if len(set(texts)) < len(texts):
        raise DataError(
            f"the frame has the columns {listed(texts)}",
            expected="a different name for each column",
            remedy="rename the columns",
        )
    columns = cast("Any", frame)
    return [(text, columns[label]) for text, label in zip(texts, labels, strict=True)]


def _cells(name: str, column: Any, form: Form, stays_text: bool) -> Cells:
    """The cells of a frame's column: whole numbers and floats stay numbers, categories and everything else become texts."""
    is_array = issubclass(type(column), np.ndarray)  # with a mask, perhaps: what it hides is a missing cell
    try:
        values: Any = (
            column.to_numpy() if hasattr(column, "to_numpy") else np.asanyarray(column if is_array else plain(column, name))
        )
    except ValueError:  # lists of different lengths in a list
        values = np.fromiter(column, dtype=object)
    array: Array = np.asarray(values)
    if array.ndim != 1:
        remedy = "split it into columns" if array.ndim else f"put it in brackets: {{{name!r}: [{shown(column)}]}}"
        raise DataError(f"column {name!r} has shape {array.shape}", expected="one value per row", remedy=remedy)
    if array.dtype.kind == "m":
        raise _no_cell(name, 0, array[0], "write spans of time as numbers, such as hours: column / np.timedelta64(1, 'h')")
    if not hasattr(getattr(column, "dtype", None), "categories") and array.dtype.kind in "iuf":
        whole = array.dtype.kind == "i" or (array.dtype.kind == "u" and array.dtype.itemsize < 8)
        masked = np.ma.getmaskarray(values) | np.isin(array, [float(mark) for mark in form.marks if is_number(mark)])
        if masked.any():
            return _floats(array, masked)
        return array.astype(np.int64) if whole else array.astype(np.float64)
    if array.dtype.kind == "M":
        array = np.datetime_as_string(array)
    kept: Any = np.ma.array(array, mask=np.ma.getmaskarray(values))
    objects: list[object] = kept.tolist()
    for row, value in enumerate(objects):
        if isinstance(value, (list, tuple, dict, set, np.ndarray)):
            raise _no_cell(name, row, cast("object", value), "split it into columns of one value each")
        if isinstance(value, timedelta):
            raise _no_cell(name, row, value, "write spans of time as numbers, such as hours: value.total_seconds() / 3600")
    cells = Texts.of(None if is_missing(value) else form.read(_written(value)) for value in objects)
    return cells if stays_text else plain_numbers(cells, form)


def _no_cell(name: str, row: int, value: object, remedy: str) -> DataError:
    return DataError(f"row {row}, column {name!r}: the value is {shown(value)}", expected="a number or a text", remedy=remedy)


def _written(value: object) -> str:
    """A cell as a text; a fraction as the number that it is."""
    return str(float(value)) if isinstance(value, Fraction) else str(value)


def is_missing(value: object) -> bool:
    """None, NaN, NaT and pandas' NA: what is not equal to itself, or will not say whether it is."""
    if value is None or isinstance(value, str):
        return value is None
    try:
        return bool(value != value)
    except TypeError:
        return True  # pandas' NA
    except ValueError:
        return False  # an array


def _floats(array: Array, masked: Array) -> Floats:
    numbers = np.array(array, np.float64)
    numbers[masked] = np.nan
    return numbers
