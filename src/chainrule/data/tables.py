"""Makes data sets of tables, CSV files and data frames: one row an example, one column the target."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.arrays import Meaning, Options, assemble, check_options, choose_split
from chainrule.data.columns import (
    Cells,
    Column,
    Columns,
    Table,
    Texts,
    missing_cells,
    missing_value,
    not_a_number,
    to_numbers,
    to_texts,
)
from chainrule.data.csv_file import read_table
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Array, Examples
from chainrule.data.frame import as_table
from chainrule.data.origin import remembered
from chainrule.data.splits import Indices, split_column, with_values
from chainrule.data.targets import MOST_WHOLE_CLASSES, Task, read_targets
from chainrule.errors import DataError, OptionError, OptionTypeError

Missing = Literal["refuse", "drop", "mean", "most_frequent"]

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)  # 18 digits always fit an int64
_FEW_ROWS = 10  # in so few rows, texts that are all different prove nothing


@remembered()
@checked
def read_csv(
    path: str | Path,
    *,
    target: str,
    missing: Missing = "refuse",
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    **options: Unpack[Options],
) -> Dataset:
    r"""A data set from a CSV file with a header line: `read_table`, then `from_table`, whose options these are.

    For a file beyond the bounds of `read_table` write the two steps: `from_table(read_table(path, max_rows=...), target=...)`.

    >>> path = getfixture("tmp_path") / "plants.csv"
    >>> _ = path.write_text("height,soil,kind\n1.5,wet,fern\n2.5,dry,moss\n1.0,wet,fern\n2.0,dry,moss\n3.0,dry,moss\n")
    >>> plants = read_csv(path, target="kind")
    >>> plants
    Dataset('plants': 4 train, 1 test; inputs (3,) float64; 2 classes)
    >>> plants.features
    ('height', 'soil=dry', 'soil=wet')
    """
    settled: Options = {"name": Path(path).stem, **options}
    return from_table(read_table(path), target=target, missing=missing, categories=categories, drop=drop, **settled)


@checked
def from_dataframe(
    frame: object,
    *,
    target: str,
    missing: Missing = "refuse",
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    **options: Unpack[Options],
) -> Dataset:
    """A data set from a data frame (pandas, polars, and others alike) or a mapping of names to sequences.

    A frame is anything with `columns`, the names, and with `frame[name].to_numpy()`; no such package is imported. Options as in
    `from_table`. Raises OptionTypeError for anything else, DataError for a column with more than one axis.

    >>> from_dataframe({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [1.0, 4.0, 9.0, 16.0, 25.0]}, target="y")
    Dataset('frame': 4 train, 1 test; inputs (1,) float64; 1 number to fit)
    """
    settled: Options = {"name": "frame", **options}
    return from_table(as_table(frame), target=target, missing=missing, categories=categories, drop=drop, **settled)


@checked
def from_table(
    table: Table,
    *,
    target: str,
    missing: Missing = "refuse",
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    **options: Unpack[Options],
) -> Dataset:
    """A data set from a table: the column `target` is to be predicted, all others but those in `drop` are features.

    A column in which every cell is a number is numeric. Others, and those named in `categories`, are categories: one feature
    "column=category" each, 0 or 1. A category column with a single value is left out with a note.

    The target is classes if it holds texts or truth values, or at most 20 distinct whole numbers with at least two rows each on
    average (a note says so); any other column of numbers is fitted. `task="regression"` or `"classification"` overrides, and
    so does naming the target in `categories`.

    Missing cells (empty, NA, N/A, NaN, NULL, ?) are refused by default. "drop" leaves such rows out. "mean" fills numbers with
    the mean and categories with the most frequent value of the training part; "most_frequent" fills both with the latter. A
    missing target is never filled.

    `split`, `scaling` and the other options are those of `from_arrays`; GroupSplit and TimeSplit may name a column, which is
    then no feature. Raises ColumnError for a column that is not there, DataError with row and column for what cannot be used.
    """
    check_options(options, ("missing", "categories", "drop"))
    if missing not in ("refuse", "drop", "mean", "most_frequent"):
        raise OptionError(
            f"missing={missing!r}", expected="'refuse', 'drop', 'mean' or 'most_frequent'", remedy="write missing='drop'"
        )
    by = split_column(options.get("split"))
    _check_used(table, target, categories, drop, by)
    table = table.without(drop)
    if missing == "drop":
        table = _complete_rows(table)
    labels, meaning, target_column = _target(table, target, options.get("task"), as_category=target in categories)
    split = choose_split(options, labels)
    if by is not None:
        split = with_values(split, _split_values(table, by))
    parts = split.parts(labels)
    inputs = table.without([target, *([by] if by is not None else [])])
    features, notes = _features(inputs, categories)
    columns = Columns(tuple(_filled(column, inputs, parts.train, missing) for column in features), target_column)
    meaning = replace(meaning, features=columns.names, columns=columns, notes=(*meaning.notes, *notes))
    settled: Options = {"name": "table", "source": table.source, **options}
    return assemble(Examples(columns.encode(inputs), labels), parts, meaning, settled)


def _check_used(table: Table, target: str, categories: Sequence[str], drop: Sequence[str], by: str | None) -> None:
    """ColumnError for a name that the table lacks, OptionError for a target that is dropped or used for the split."""
    for option, names in (("categories", categories), ("drop", drop)):
        if isinstance(names, str):
            raise OptionTypeError(f"{option}={names!r}", expected="a list of names", remedy=f"write {option}=[{names!r}]")
    used = [target, *categories, *drop, *([by] if by is not None else [])]
    for name in used:
        table.cells(name)
    if target in drop or target == by or by in drop:
        raise OptionError(
            f"target={target!r}, drop={list(drop)}, the split goes by {by!r}",
            expected="the target and the split's column in no second role",
            remedy="name different columns",
        )


def _complete_rows(table: Table) -> Table:
    complete = ~np.logical_or.reduce([missing_cells(cells) for cells in table.columns.values()])
    if not complete.any():
        raise DataError(
            f"each of the {len(table)} rows of {table.source} misses a value",
            expected="some complete rows",
            remedy="leave the emptiest columns out: drop=(...,), or fill them: missing='mean'",
        )
    return table.take(np.flatnonzero(complete))


def _target(table: Table, name: str, task: Task | None, *, as_category: bool) -> tuple[Array, Meaning, Column]:
    """Labels or numbers from the target column, with the classes, a note on how it was read, and its column in the schema."""
    cells = table.cells(name)
    absent = missing_cells(cells)
    if absent.any():
        raise DataError(
            f"{table.place(int(absent.argmax()), name)}: the target is missing",
            expected="a target in every row: it is never made up",
            remedy="leave such rows out with missing='drop'",
        )
    values = np.array(to_texts(cells), str) if as_category else _target_values(table, name, cells, task)
    targets = read_targets([values], task or _task_of(values))
    if targets.classes is None:
        return targets.parts[0], Meaning(None), Column(name, "numeric")
    notes: tuple[str, ...] = ()
    if task is None and values.dtype.kind == "i":
        count = len(targets.classes)
        notes = (f"the target {name!r} holds {count} distinct whole numbers, read as classes; task='regression' fits them",)
    return targets.parts[0], Meaning(targets.classes, notes=notes), Column(name, "category", targets.classes)


def _target_values(table: Table, name: str, cells: Cells, task: Task | None) -> Array:
    """The target's cells as whole numbers, floats or texts."""
    if isinstance(cells, np.ndarray):
        return cells if cells.dtype == np.int64 else _finite(table, name, cells.astype(np.float64))
    texts = [text for text in cells if text is not None]
    if all(_WHOLE.fullmatch(text) for text in texts):
        return np.array([int(text) for text in texts], np.int64)
    numbers, unreadable = to_numbers(cells)
    if not unreadable.size:
        return _finite(table, name, numbers)
    _check_few_typos(table, name, cells, unreadable)
    if task == "regression":
        raise not_a_number(table, name, int(unreadable[0]))
    return np.array(texts)


def _finite(table: Table, name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(numbers).all():
        index = int((~np.isfinite(numbers)).argmax())
        raise DataError(
            f"{table.place(index, name)}: the target is {numbers[index]}", expected="finite numbers", remedy="correct the value"
        )
    return numbers


def _task_of(values: Array) -> Task | None:
    """The rule for whole numbers; None leaves texts and floats to `read_targets`."""
    if values.dtype.kind == "i":
        distinct = len(np.unique(values))
        return "classification" if distinct <= MOST_WHOLE_CLASSES and 2 * distinct <= len(values) else "regression"
    return None


def _split_values(table: Table, name: str) -> list[str | float]:
    cells = table.cells(name)
    absent = missing_cells(cells)
    if absent.any():
        raise missing_value(table, name, int(absent.argmax()))
    values: list[str | float] = (
        cells.tolist() if isinstance(cells, np.ndarray) else [text for text in cells if text is not None]
    )
    return values


def _features(table: Table, categories: Sequence[str]) -> tuple[list[Column], list[str]]:
    """The columns of the schema, not yet with fills, and notes on those that were left out or look odd."""
    columns: list[Column] = []
    notes: list[str] = []
    for name, cells in table.columns.items():
        column = _feature(table, name, cells, name in categories)
        if column.kind == "category" and len(column.categories) == 1:
            notes.append(f"column {name!r} holds only {column.categories[0]!r} and was left out")
            continue
        columns.append(column)
        notes.extend(_odd(name, cells) if column.kind == "numeric" else [])
    if not columns:
        raise DataError(
            f"no column of {table.source} is left as a feature" + "".join(f"; {note}" for note in notes),
            expected="at least one column with different values beside the target",
            remedy="check target and drop",
        )
    return columns, notes


def _feature(table: Table, name: str, cells: Cells, as_category: bool) -> Column:
    if missing_cells(cells).all():
        raise DataError(
            f"column {name!r} of {table.source} holds no value at all",
            expected="values in every feature column",
            remedy=f"leave it out: drop=({name!r},)",
        )
    _, unreadable = to_numbers(cells)
    if not as_category and not unreadable.size:
        return Column(name, "numeric")
    texts = to_texts(cells)
    if not as_category:
        _check_few_typos(table, name, texts, unreadable)
        _check_no_identifier(table, name, texts)
    return Column(name, "category", tuple(sorted({text for text in texts if text is not None})))


def _check_few_typos(table: Table, name: str, texts: Texts, unreadable: Indices) -> None:
    """DataError if a column is numbers but for a few texts: those are mistakes, not categories."""
    present = sum(text is not None for text in texts)
    first = int(unreadable[0])
    decimal_comma = re.fullmatch(r"[+-]?\d+,\d+", texts[first] or "") is not None
    if decimal_comma or len(unreadable) * 2 < present:
        raise not_a_number(table, name, first)


def _check_no_identifier(table: Table, name: str, texts: Texts) -> None:
    present = [text for text in texts if text is not None]
    if len(present) > _FEW_ROWS and len(set(present)) == len(present):
        raise DataError(
            f"column {name!r} of {table.source} holds {len(present)} texts that are all different, such as {present[0]!r}",
            expected="categories that occur again, or numbers: nothing can be learned from an identifier",
            remedy=f"leave it out: drop=({name!r},); or insist: categories=({name!r},)",
        )


def _odd(name: str, cells: Cells) -> list[str]:
    """Notes on a numeric column that is constant or counts the rows."""
    numbers, _ = to_numbers(cells)
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.diff(numbers)
    if len(steps) and (steps == 0).all():
        return [f"column {name!r} is {numbers[0]:g} in every row"]
    if len(numbers) > _FEW_ROWS and (steps == 1).all():
        return [f"column {name!r} counts the rows: if it is an identifier, leave it out with drop=({name!r},)"]
    return []


def _filled(column: Column, table: Table, train: Indices, missing: Missing) -> Column:
    """The column with the fill that the rule learns from the training rows, where the rule fills at all."""
    if missing in ("refuse", "drop"):
        return column
    cells = table.take(train).cells(column.name)
    present = ~missing_cells(cells)
    if not present.any():
        raise DataError(
            f"column {column.name!r} has no value in the training part",
            expected="at least one value to learn a fill from",
            remedy=f"leave it out: drop=({column.name!r},)",
        )
    if column.kind == "category":
        return replace(column, fill=_most_frequent(list(compress(to_texts(cells), present))))
    numbers = to_numbers(cells)[0][present]
    if missing == "most_frequent":
        return replace(column, fill=_most_frequent(numbers.tolist()))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(numbers.mean())
    # A value that is not finite is reported with its place when the column is encoded; until then any number will do.
    return replace(column, fill=mean if np.isfinite(mean) else 0.0)


def _most_frequent(values: Sequence[Any]) -> Any:
    counts = Counter(values)
    return max(sorted(counts), key=counts.__getitem__)  # the least of several that are equally frequent
