"""Makes data sets of tables, CSV files and data frames: one row an example, one column the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from chainrule.checks import checked
from chainrule.data.advice import advice
from chainrule.data.arrays import Options, assemble, check_options, choose_split, finish
from chainrule.data.cells import missing_cells
from chainrule.data.columns import Columns, missing_value
from chainrule.data.csv_file import table_in
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Array, Examples
from chainrule.data.form import CELL_WORDS, WORDS, CellOptions, Form, FormOptions
from chainrule.data.frame import table_of
from chainrule.data.origin import remembered
from chainrule.data.rows import Rows
from chainrule.data.splits import split_column, with_values
from chainrule.data.table import Table
from chainrule.data.table_features import Missing, features_of, filled, filled_notes, twin_notes
from chainrule.data.table_target import target_of
from chainrule.errors import DataError, OptionError, OptionTypeError

Name = str | int
"""A column's name; a whole number stands for the text that it is written as, as frames without names have it."""


class TableOptions(Options, FormOptions, total=False):
    """What the readers of tables in files take beside the data."""


class FrameOptions(Options, CellOptions, total=False):
    """What the readers of frames take beside the data."""


@remembered()
@checked
def read_csv(
    path: str | Path,
    *,
    target: Name,
    missing: Missing = "refuse",
    categories: Sequence[Name] = (),
    drop: Sequence[Name] = (),
    **options: Unpack[TableOptions],
) -> Dataset:
    r"""A data set from a table in a text file or a workbook: `read_table`, then `from_table`; options of both, and of `data.Form`.

    For a file beyond the bounds of `read_table` write the two steps: `from_table(read_table(path, max_rows=...), target=...)`.

    >>> path = getfixture("tmp_path") / "plants.csv"
    >>> _ = path.write_text("height;soil;kind\n1,5;wet;fern\n2,5;dry;moss\n1,0;wet;fern\n2,0;dry;moss\n3,0;dry;moss\n")
    >>> plants = read_csv(path, target="kind", decimal=",")
    >>> plants
    Dataset('plants': 4 train, 1 test; inputs (3,) float64; 2 classes)
    >>> plants.features
    ('height', 'soil=dry', 'soil=wet')
    """
    check_options(options, ("missing", "categories", "drop", *WORDS))
    as_written = () if isinstance(categories, str) else tuple(map(str, categories))
    by = split_column(options.get("split"))
    # A wrong kind of names is refused by `from_table`.
    unread: set[str] = set() if isinstance(drop, str) else {str(name) for name in drop} - {str(target), str(by)}
    form, others = Form.from_options(options), () if by is None else (by,)
    table = table_in(path, form, texts=as_written, target=str(target), others=others, unread=unread)
    name = Path(Path(path).stem).stem if str(path).endswith(".gz") else Path(path).stem
    settled: Any = {"name": name, **{key: value for key, value in options.items() if key not in WORDS}}
    return from_table(table, target=target, missing=missing, categories=categories, drop=drop, **settled)


@checked
def from_dataframe(
    frame: object,
    *,
    target: Name,
    missing: Missing = "refuse",
    categories: Sequence[Name] = (),
    drop: Sequence[Name] = (),
    **options: Unpack[FrameOptions],
) -> Dataset:
    """A data set from a data frame (pandas, polars, and others alike), a mapping of names to sequences, or a list of rows.

    A frame is anything with `columns`, the names, and with `frame[name].to_numpy()`; no such package is imported. Options as in
    `from_table`, and those of `as_table`, such as decimal="," for texts. Raises OptionTypeError for anything else, DataError for a
    column with more than one axis.

    >>> from_dataframe({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [1.0, 4.0, 9.0, 16.0, 25.0]}, target="y")
    Dataset('frame': 4 train, 1 test; inputs (1,) float64; 1 number to fit)
    """
    check_options(options, ("missing", "categories", "drop", *CELL_WORDS))
    form, as_written = Form.from_options(options), () if isinstance(categories, str) else tuple(map(str, categories))
    table = table_of(frame, form, as_written)
    settled: Any = {"name": "frame", **{key: value for key, value in options.items() if key not in CELL_WORDS}}
    return from_table(table, target=target, missing=missing, categories=categories, drop=drop, **settled)


@checked
def from_table(
    table: Table,
    *,
    target: Name,
    missing: Missing = "refuse",
    categories: Sequence[Name] = (),
    drop: Sequence[Name] = (),
    **options: Unpack[Options],
) -> Dataset:
    """A data set from a table: the column `target` is to be predicted, all others but those in `drop` are features.

    A column in which every cell is a number is numeric. Others, and those named in `categories`, are categories: one feature
    "column=category" each, 0 or 1. A category column with a single value is left out with a note.

    The target is classes if it holds texts or truth values, or at most 20 distinct whole numbers with at least two rows each on
    average (a note says so); any other column of numbers is fitted. `task="regression"` or `"classification"` overrides, and
    so does naming the target in `categories`.

    Dates, numbers in another writing (5%, 1,000) and texts of which most are different are refused, unless `categories` names them.
    Notes say what was taken for categories, left out or filled, with counts.

    Missing cells (empty, NA, N/A, NaN, NULL, ?, and errors such as #DIV/0!) are refused by default. "drop" leaves such rows out. "mean"
    fills numbers with the mean and categories with the most frequent value of the training part; "most_frequent" fills both with the
    latter. A missing target is never filled.

    `split`, `scaling` and the other options are those of `from_arrays`; GroupSplit and TimeSplit may name a column, which is
    then no feature. Raises ColumnError for a column that is not there, DataError with row and column for what cannot be used.
    """
    check_options(options, ("missing", "categories", "drop"))
    if missing not in ("refuse", "drop", "mean", "most_frequent"):
        raise OptionError(
            f"missing={missing!r}", expected="'refuse', 'drop', 'mean' or 'most_frequent'", remedy="write missing='drop'"
        )
    by = split_column(options.get("split"))
    target, categories, drop = str(target), _names("categories", categories), _names("drop", drop)
    _check_used(table, target, categories, drop, by)
    known = table.columns
    table = table.without(drop)
    notes = list(table.notes)
    if missing == "drop":
        table, dropped = _complete_rows(table)
        notes += dropped
    categories = (*categories, *table.declared)
    labels, meaning, target_column = target_of(table, target, options.get("task"), as_category=target in categories)
    split = choose_split(options, labels)
    if by is not None:
        split = with_values(split, _split_values(table, by))
    parts = split.parts(labels)
    inputs = table.without([target, *([by] if by is not None else [])])
    features, noticed = features_of(inputs, categories)
    schema = tuple(filled(column, inputs, parts.train, missing) for column in features)
    used = {target, *(column.name for column in schema)}
    others = tuple(name for name in known if name not in used)
    columns = Columns(schema, target_column, others, table.form)
    notes = (*meaning.notes, *notes, *noticed, *filled_notes(schema, inputs), *twin_notes(inputs, labels))
    meaning = replace(meaning, features=columns.names, columns=columns, notes=notes)
    settled: Options = {"name": "table", "source": table.source, **options}
    rows = (parts.train, parts.validation, parts.test)
    whole = columns.whole(inputs)
    if whole is not None:
        return assemble(Examples(whole, labels), parts, meaning, settled)
    encoded = columns.encode_parts(inputs, rows)
    train, validation, test = (
        # Numbers that are not finite were refused with the names of their columns.
        Examples(Rows(x, finite=True), labels[index]) if len(index) else None
        for x, index in zip(encoded, rows, strict=True)
    )
    assert train is not None  # noqa: S101  (a split leaves something for training)
    return finish(train, validation, test, meaning, settled)


def _names(option: str, names: Sequence[Name]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise OptionTypeError(f"{option}={names!r}", expected="a list of names", remedy=f"write {option}=[{names!r}]")
    return tuple(map(str, names))


def _check_used(table: Table, target: str, categories: Sequence[str], drop: Sequence[str], by: str | None) -> None:
    """ColumnError for a name that the table lacks, OptionError for a target that is dropped or used for the split."""
    used = [target, *categories, *drop, *([by] if by is not None else [])]
    for name in used:
        table.cells(name)
    if target in drop or target == by or by in drop:
        raise OptionError(
            f"target={target!r}, drop={list(drop)}" + (f", the split goes by {by!r}" if by else ""),
            expected="the target and the split's column in no second role",
            remedy="name different columns",
        )


def _complete_rows(table: Table) -> tuple[Table, list[str]]:
    """The rows in which no cell is missing, and a note on how many were left out for which columns."""
    missing = {name: missing_cells(cells) for name, cells in table.columns.items()}
    complete = ~np.logical_or.reduce(list(missing.values()))
    counts = Counter({name: int(np.count_nonzero(cells)) for name, cells in missing.items() if cells.any()})
    if not counts:
        return table, []
    worst = [name for name, _ in counts.most_common()]
    if not complete.any():
        raise DataError(
            f"each of the {len(table)} rows of {table.source} misses a value, most of them one of {worst[0]!r}",
            expected="some complete rows",
            remedy=advice("leave the emptiest columns out: {0}, or fill them: {1}", ("drop", (worst[0],)), ("missing", "mean")),
        )
    words = ", ".join(f"{counts[name]} miss {name!r}" for name in worst[:3]) + (", ..." if len(worst) > 3 else "")
    count = int(np.count_nonzero(~complete))
    note = f"rows with missing cells were left out: {count} of {len(table)}, {count / len(table):.0%} ({words})"
    return table.take(np.flatnonzero(complete)), [note]


def _split_values(table: Table, name: str) -> Array | list[str]:
    cells = table.cells(name)
    absent = missing_cells(cells)
    if absent.any():
        raise missing_value(table, name, int(absent.argmax()))
    return cells if isinstance(cells, np.ndarray) else [str(text) for text in cells]
