"""Reads data frames into tables by their protocol, `columns` and `frame[name].to_numpy()`, whatever package made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from chainrule.data.columns import Cells, Table, to_text
from chainrule.data.examples import Array
from chainrule.errors import DataError, OptionTypeError
from chainrule.spelling import listed


def as_table(frame: object) -> Table:
    """The table of a data frame, or of a mapping of names to sequences; errors as in `from_dataframe`.

    >>> as_table({"hue": ["red", None], "size": [1, 2]}).columns
    {'hue': ('red', None), 'size': array([1, 2])}
    """
    columns = {name: _cells(name, values) for name, values in _frame_columns(frame)}
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(
            f"the columns of the frame have the lengths {sorted(lengths)}",
            expected="one column or more, of one length of at least 1",
            remedy="check the frame",
        )
    return Table(columns, np.arange(*lengths, dtype=np.int64), "row", f"{type(frame).__name__} in memory")


def _frame_columns(frame: object) -> Iterable[tuple[str, Array]]:
    if isinstance(frame, Mapping):
        mapping = cast("Mapping[str, Any]", frame)
        return [(str(name), np.asarray(values)) for name, values in mapping.items()]
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
    return [(text, columns[label].to_numpy()) for text, label in zip(texts, labels, strict=True)]


def _cells(name: str, values: Array) -> Cells:
    """The cells of a frame's column: whole numbers and floats stay numbers, everything else becomes texts."""
    if values.ndim != 1:
        raise DataError(
            f"column {name!r} has shape {values.shape}", expected="one value per row", remedy="split it into columns"
        )
    if values.dtype.kind == "i" or (values.dtype.kind == "u" and values.dtype.itemsize < 8):
        return values.astype(np.int64)
    if values.dtype.kind in "fu":
        return values.astype(np.float64)
    if values.dtype.kind == "M":
        values = np.datetime_as_string(values)
    objects: list[object] = values.tolist()
    return tuple(None if value is None else to_text(str(value)) for value in objects)
