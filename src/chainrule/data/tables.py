"""Makes data sets of tables, CSV files and data frames: one row an example, one column the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.advice import advice, literal
from chainrule.data.arrays import Meaning, Options, assemble, check_options, choose_split, finish
from chainrule.data.cells import Cells, Texts, is_number, missing_cells, to_numbers, to_texts
from chainrule.data.columns import Column, Columns, missing_value, not_a_number
from chainrule.data.csv_file import table_in
from chainrule.data.dataset import Dataset
from chainrule.data.distinct import distinct
from chainrule.data.examples import Array, Examples
from chainrule.data.form import WORDS, Form, FormOptions
from chainrule.data.frame import as_table
from chainrule.data.origin import remembered
from chainrule.data.splits import Indices, split_column, with_values
from chainrule.data.table import Table
from chainrule.data.targets import MOST_WHOLE_CLASSES, Task, read_targets
from chainrule.data.writing import are_dates, is_written_otherwise
from chainrule.errors import DataError, OptionError, OptionTypeError

Missing = Literal["refuse", "drop", "mean", "most_frequent"]

Name = str | int
"""A column's name; a whole number stands for the text that it is written as, as frames without names have it."""

_MOST_DIGITS = 18  # so many always fit an int64
_FEW_ROWS = 10  # in so few rows, texts that are all different prove nothing


class TableOptions(Options, FormOptions, total=False):
    """What the readers of tables in files take beside the data."""


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
    r"""A data set from a table in a text file: `read_table`, then `from_table`, whose options these are, and those of `data.Form`.

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
    keep_default_na: bool = True,
    **options: Unpack[Options],
) -> Dataset:
    """A data set from a data frame (pandas, polars, and others alike) or a mapping of names to sequences.

    A frame is anything with `columns`, the names, and with `frame[name].to_numpy()`; no such package is imported. Options as in
    `from_table`; without `keep_default_na` texts such as "NA" are texts like others. Raises OptionTypeError for anything else,
    DataError for a column with more than one axis.

    >>> from_dataframe({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [1.0, 4.0, 9.0, 16.0, 25.0]}, target="y")
    Dataset('frame': 4 train, 1 test; inputs (1,) float64; 1 number to fit)
    """
    settled: Options = {"name": "frame", **options}
    table = as_table(frame, keep_default_na=keep_default_na)
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
    target, categories, drop = str(target), _names("categories", categories), _names("drop", drop)
    _check_used(table, target, categories, drop, by)
    known = table.columns
    table = table.without(drop)
    notes = list(table.notes)
    if missing == "drop":
        table, dropped = _complete_rows(table)
        notes += dropped
    categories = (*categories, *table.declared)
    labels, meaning, target_column = _target(table, target, options.get("task"), as_category=target in categories)
    split = choose_split(options, labels)
    if by is not None:
        split = with_values(split, _split_values(table, by))
    parts = split.parts(labels)
    inputs = table.without([target, *([by] if by is not None else [])])
    features, noticed = _features(inputs, categories)
    filled = tuple(_filled(column, inputs, parts.train, missing) for column in features)
    others = tuple(name for name in known if name != target and all(column.name != name for column in filled))
    columns = Columns(filled, target_column, others, table.form)
    notes = (*meaning.notes, *notes, *noticed, *_filled_notes(filled, inputs))
    meaning = replace(meaning, features=columns.names, columns=columns, notes=notes)
    settled: Options = {"name": "table", "source": table.source, **options}
    rows = (parts.train, parts.validation, parts.test)
    whole = columns.whole(inputs)
    if whole is not None:
        return assemble(Examples(whole, labels), parts, meaning, settled)
    encoded = columns.encode_parts(inputs, rows)
    train, validation, test = (
        Examples(x, labels[index]) if len(index) else None for x, index in zip(encoded, rows, strict=True)
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
            f"target={target!r}, drop={list(drop)}, the split goes by {by!r}",
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


def _target(table: Table, name: str, task: Task | None, *, as_category: bool) -> tuple[Array, Meaning, Column]:
    """Labels or numbers from the target column, with the classes, a note on how it was read, and its column in the schema."""
    cells = table.cells(name)
    absent = missing_cells(cells)
    count = int(np.count_nonzero(absent))
    if count:
        raise DataError(
            f"{table.place(int(absent.argmax()), name)}: the target is missing"
            + (f", as in {count} of {len(table)} rows" if count > 1 else ""),
            expected="a target in every row: it is never made up",
            remedy=advice("leave such rows out: {0}", ("missing", "drop")),
        )
    values = to_texts(cells) if as_category else _target_values(table, name, cells, task)
    targets = read_targets([values], task or _task_of(values))
    if targets.classes is None:
        return targets.parts[0], Meaning(None), Column(name, "numeric")
    notes: tuple[str, ...] = ()
    if task is None and isinstance(values, np.ndarray) and values.dtype.kind == "i":
        count = len(targets.classes)
        words = f"the target {literal(name)} holds {count} distinct whole numbers, read as classes; {{0}} fits them"
        notes = (advice(words, ("task", "regression")),)
    return targets.parts[0], Meaning(targets.classes, notes=notes), Column(name, "category", targets.classes)


def _target_values(table: Table, name: str, cells: Cells, task: Task | None) -> Array | Texts:
    """The target's cells as whole numbers, floats or texts."""
    if isinstance(cells, np.ndarray):
        return cells if cells.dtype == np.int64 else _finite(table, name, cells.astype(np.float64))
    present = cells.present()
    if all(text.lstrip("+-").isdecimal() and len(text) <= _MOST_DIGITS and is_number(text) for text in present):
        return np.array([int(text) for text in cells.values], np.int64)[cells.codes]
    numbers, unreadable = to_numbers(cells)
    if not unreadable.size:
        return _finite(table, name, numbers)
    _check_few_typos(table, name, cells, unreadable)
    if task == "regression":
        raise not_a_number(table, name, unreadable)
    if task is None and len(present) * 2 > len(table) and are_dates(present):
        raise DataError(
            f"the target {name!r} holds dates, such as {present[0]!r}",
            expected="numbers or classes",
            remedy=advice(
                "write them as numbers, such as days since the first; if they are classes, {0}", ("categories", (name,))
            ),
        )
    return cells


def _finite(table: Table, name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(numbers).all():
        index = int((~np.isfinite(numbers)).argmax())
        raise DataError(
            f"{table.place(index, name)}: the target is {numbers[index]}", expected="finite numbers", remedy="correct the value"
        )
    return numbers


def _task_of(values: Array | Texts) -> Task | None:
    """The rule for whole numbers; None leaves texts and floats to `read_targets`."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "i":
        different = len(distinct(values).values)
        return "classification" if different <= MOST_WHOLE_CLASSES and 2 * different <= len(values) else "regression"
    return None


def _split_values(table: Table, name: str) -> Array | list[str]:
    cells = table.cells(name)
    absent = missing_cells(cells)
    if absent.any():
        raise missing_value(table, name, int(absent.argmax()))
    return cells if isinstance(cells, np.ndarray) else [str(text) for text in cells]


def _features(table: Table, categories: Sequence[str]) -> tuple[list[Column], list[str]]:
    """The columns of the schema, not yet with fills, and notes on those that were left out or look odd."""
    columns: list[Column] = []
    notes: list[str] = []
    taken: list[str] = []
    for name, cells in table.columns.items():
        column = _feature(table, name, cells, name in categories)
        if column.kind == "category" and len(column.categories) == 1:
            notes.append(f"column {name!r} holds only {column.categories[0]!r} and was left out")
            continue
        columns.append(column)
        if column.kind == "category" and name not in categories:
            taken.append(f"{name!r} ({len(column.categories)})")
        notes.extend(_odd(name, cells) if column.kind == "numeric" else [])
    if not columns:
        raise DataError(
            f"no column of {table.source} is left as a feature" + "".join(f"; {note}" for note in notes),
            expected="at least one column with different values beside the target",
            remedy="check target and drop",
        )
    if taken:
        notes.insert(0, f"texts were taken for categories: {', '.join(taken[:8])}" + (", ..." if len(taken) > 8 else ""))
    return columns, notes


def _has_value(cells: Cells) -> bool:
    """Whether some cell is not missing."""
    return not missing_cells(cells[:1]).all() or not missing_cells(cells).all()


def _feature(table: Table, name: str, cells: Cells, as_category: bool) -> Column:
    if not _has_value(cells):
        raise DataError(
            f"column {name!r} of {table.source} holds no value at all",
            expected="values in every feature column",
            remedy=advice("leave it out: {0}", ("drop", (name,))),
        )
    if isinstance(cells, np.ndarray) and not as_category:
        return Column(name, "numeric")
    _, unreadable = to_numbers(cells)
    if not as_category and not unreadable.size:
        return Column(name, "numeric")
    texts = to_texts(cells)
    if not as_category:
        _check_few_typos(table, name, texts, unreadable)
        _check_no_dates(name, texts)
        _check_no_identifier(table, name, texts)
    return Column(name, "category", tuple(sorted(texts.present())))


def _check_few_typos(table: Table, name: str, texts: Texts, unreadable: Indices) -> None:
    """DataError if a column is numbers but for a few texts, which are mistakes, or holds numbers in another writing."""
    present = int(np.count_nonzero(texts.codes >= 0))
    if len(unreadable) * 2 < present or is_written_otherwise(texts.present()):
        raise not_a_number(table, name, unreadable)


def _check_no_dates(name: str, texts: Texts) -> None:
    present = texts.present()
    if are_dates(present):
        raise DataError(
            f"column {name!r} holds {len(present)} dates, such as {present[0]!r}",
            expected="numbers, or categories that occur again",
            remedy=advice(
                "leave it out: {0}; in Python split=TimeSplit(...) may go by it; if these are categories, read with {1}",
                ("drop", (name,)),
                ("categories", (name,)),
            ),
        )


def _check_no_identifier(table: Table, name: str, texts: Texts) -> None:
    present, rows = texts.present(), int(np.count_nonzero(texts.codes >= 0))
    different = len(present)
    if rows > _FEW_ROWS and (different == rows or (different > MOST_WHOLE_CLASSES and 2 * different > rows)):
        words = "that are all different" if different == rows else f"of which {different} are different"
        raise DataError(
            f"column {name!r} of {table.source} holds {rows} texts {words}, such as {present[0]!r}",
            expected="categories that occur again, or numbers: nothing can be learned from an identifier",
            remedy=advice("leave it out: {0}; or insist: {1}", ("drop", (name,)), ("categories", (name,))),
        )


def _odd(name: str, cells: Cells) -> list[str]:
    """Notes on a numeric column that is constant or counts the rows."""
    numbers, _ = to_numbers(cells)
    with np.errstate(invalid="ignore", over="ignore"):
        first = np.diff(numbers[: _FEW_ROWS + 1])
        if not len(first) or not ((first == 0).all() or (first == 1).all()):
            return []
        steps = np.diff(numbers)
    if len(steps) and (steps == 0).all():
        return [f"column {name!r} is {numbers[0]:g} in every row"]
    if len(numbers) > _FEW_ROWS and (steps == 1).all():
        return [
            advice(
                f"column {literal(name)} counts the rows: if it is an identifier, leave it out with {{0}}", ("drop", (name,))
            )
        ]
    return []


def _filled(column: Column, table: Table, train: Indices, missing: Missing) -> Column:
    """The column with the fill that the rule learns from the training rows, where the rule fills at all."""
    if missing in ("refuse", "drop"):
        return column
    cells = table.cells(column.name)[train]
    present = ~missing_cells(cells)
    if not present.any():
        raise DataError(
            f"column {column.name!r} has no value in the training part",
            expected="at least one value to learn a fill from",
            remedy=advice("leave it out: {0}", ("drop", (column.name,))),
        )
    if column.kind == "category":
        texts = to_texts(cells)
        frequent = dict(zip(texts.values, texts.counts(), strict=True))
        return replace(column, fill=max(sorted(frequent), key=frequent.__getitem__))
    numbers = to_numbers(cells)[0][present]
    if missing == "most_frequent":
        return replace(column, fill=_most_frequent(numbers.tolist()))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(numbers.mean())
    # A value that is not finite is reported with its place when the column is encoded; until then any number will do.
    return replace(column, fill=mean if np.isfinite(mean) else 0.0)


def _most_frequent(values: Sequence[float]) -> float:
    counts = Counter(values)
    return max(sorted(counts), key=counts.__getitem__)  # the least of several that are equally frequent


def _filled_notes(columns: Sequence[Column], table: Table) -> list[str]:
    """A sentence on how many cells were filled with what."""
    said: list[str] = []
    for column in columns:
        count = int(np.count_nonzero(missing_cells(table.cells(column.name)))) if column.fill is not None else 0
        if count:
            value = f"{column.fill:.6g}" if isinstance(column.fill, float) else repr(column.fill)
            said.append(f"{count} of {column.name!r} with {value}")
    return [f"missing cells were filled: {', '.join(said[:8])}" + (", ..." if len(said) > 8 else "")] if said else []
