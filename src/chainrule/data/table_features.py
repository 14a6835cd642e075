"""The features of a table: which columns are numbers and which categories, what is refused, what is filled in, and what is said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from chainrule.data.advice import advice, literal
from chainrule.data.cells import Cells, Texts, missing_cells, to_numbers, to_texts
from chainrule.data.columns import Column
from chainrule.data.distinct import distinct
from chainrule.data.examples import Array
from chainrule.data.splits import Indices
from chainrule.data.table import Table
from chainrule.data.table_target import check_few_typos
from chainrule.data.targets import MOST_WHOLE_CLASSES
from chainrule.data.writing import are_dates
from chainrule.errors import DataError

Missing = Literal["refuse", "drop", "mean", "most_frequent"]
_FEW_ROWS = 10  # in so few rows, texts that are all different prove nothing
_FIRST_ROWS = 256


def features_of(table: Table, categories: Sequence[str]) -> tuple[list[Column], list[str]]:
    """The columns of the schema, not yet with fills, and notes on those that were left out or look odd."""
    columns: list[Column] = []
    notes: list[str] = []
    taken: list[str] = []
    for name, cells in table.columns.items():
        column = _feature(table, name, cells, name in categories)
        if column.kind == "category" and len(column.categories) == 1:
            empty = int(missing_cells(cells).sum())
            gaps = f", and no value in {empty} of {len(cells)} rows," if empty else ""
            notes.append(f"column {name!r} holds only {column.categories[0]!r}{gaps} and was left out")
            continue
        columns.append(column)
        if column.kind == "category" and name not in categories:
            taken.append(f"{name!r} ({len(column.categories)})")
        notes.extend(_odd(name, cells) if column.kind == "numeric" else [])
    if not columns:
        raise DataError(
            f"no column of {table.source} is left as a feature" + "".join(f"; {note}" for note in notes),
            expected="at least one column with different values beside the target",
            remedy="leave columns out of drop, or choose another target",
        )
    if taken:
        notes.insert(0, f"texts were taken for categories: {', '.join(taken[:8])}" + (", ..." if len(taken) > 8 else ""))
    return columns, notes


def twin_notes(table: Table, targets: Array) -> list[str]:
    """Notes on columns that are the targets in other words: the same numbers (n, 1), or one value to a class (n,)."""
    if len(targets) <= _FEW_ROWS:
        return []
    return [
        f"column {name!r} tells the target exactly: leave it out if it is the target in other words"
        for name, cells in table.columns.items()
        # Most columns are none already in the first rows: these are looked at alone before all of them.
        if all(_is_twin(cells[:count], targets[:count]) for count in (_FIRST_ROWS, len(targets))) and bool(np.ptp(targets))
    ]


def _is_twin(cells: Cells, targets: Array) -> bool:
    """Whether, in some of the rows, each value goes with one class, and each class with one value; or numbers are the targets."""
    if missing_cells(cells).any():
        return False
    if targets.ndim == 1:
        codes = cells.codes if isinstance(cells, Texts) else distinct(cells).codes
        classes = int(targets.max()) + 1
        pairs = np.unique(codes.astype(np.int64) * classes + targets)
        return len(pairs) == len(np.unique(codes)) == len(np.unique(targets))
    numbers, unreadable = to_numbers(cells)
    return not unreadable.size and np.array_equal(numbers, targets[:, 0])


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
        check_few_typos(table, name, texts, unreadable)
        _check_no_dates(name, texts)
        _check_no_identifier(table, name, texts)
    return Column(name, "category", tuple(sorted(texts.present())))


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


def filled(column: Column, table: Table, train: Indices, missing: Missing) -> Column:
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
    numbers = to_numbers(cells)[0]
    numbers = numbers if present.all() else numbers[present]
    if missing == "most_frequent":
        return replace(column, fill=_most_frequent(numbers.tolist()))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(numbers.mean())
    # A value that is not finite is reported with its place when the column is encoded; until then any number will do.
    return replace(column, fill=mean if np.isfinite(mean) else 0.0)


def _most_frequent(values: Sequence[float]) -> float:
    counts = Counter(values)
    return max(sorted(counts), key=counts.__getitem__)  # the least of several that are equally frequent


def filled_notes(columns: Sequence[Column], table: Table) -> list[str]:
    """A sentence on how many cells were filled with what."""
    said: list[str] = []
    for column in columns:
        count = int(np.count_nonzero(missing_cells(table.cells(column.name)))) if column.fill is not None else 0
        if count:
            value = f"{column.fill:.6g}" if isinstance(column.fill, float) else repr(column.fill)
            said.append(f"{count} of {column.name!r} with {value}")
    return [f"missing cells were filled: {', '.join(said[:8])}" + (", ..." if len(said) > 8 else "")] if said else []
