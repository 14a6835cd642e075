"""The target of a table: the column that is to be predicted, as labels or numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.data.advice import advice, literal
from chainrule.data.arrays import Meaning
from chainrule.data.cells import Cells, Texts, is_number, missing_cells, to_numbers, to_texts
from chainrule.data.columns import Column, not_a_number
from chainrule.data.distinct import distinct
from chainrule.data.examples import Array
from chainrule.data.table import Table
from chainrule.data.targets import MOST_WHOLE_CLASSES, Task, read_targets
from chainrule.data.writing import are_dates, is_written_otherwise
from chainrule.errors import DataError

_MOST_DIGITS = 18  # so many always fit an int64


def target_of(table: Table, name: str, task: Task | None, *, as_category: bool) -> tuple[Array, Meaning, Column]:
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
        return targets.parts[0], Meaning(None, notes=_perhaps_classes(name, targets.parts[0], task)), Column(name, "numeric")
    notes: tuple[str, ...] = ()
    if task is None and isinstance(values, np.ndarray) and values.dtype.kind == "i":
        count = len(targets.classes)
        words = f"the target {literal(name)} holds {count} distinct whole numbers, read as classes; {{0}} fits them"
        notes = (advice(words, ("task", "regression")),)
    return targets.parts[0], Meaning(targets.classes, notes=notes), Column(name, "category", targets.classes)


def _perhaps_classes(name: str, numbers: Array, task: Task | None) -> tuple[str, ...]:
    """A note on numbers with a point that are few whole ones: labels that were stored as floats, perhaps."""
    if task is not None or not np.array_equal(numbers, np.floor(numbers)):
        return ()
    found = [float(value) for value in distinct(numbers[:, 0]).values]
    if 2 * len(found) > len(numbers) or len(found) > MOST_WHOLE_CLASSES:
        return ()
    words = f"the target {literal(name)} holds {len(found)} distinct whole numbers with a point, which are fitted; {{0}} reads classes"
    return (advice(words, ("task", "classification")),)


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
    check_few_typos(table, name, cells, unreadable)
    if task == "regression":
        raise not_a_number(table, name, unreadable)
    most_differ = task is None and len(present) * 2 > len(table)
    if most_differ and are_dates(present):
        raise DataError(
            f"the target {name!r} holds dates, such as {present[0]!r}",
            expected="numbers or classes",
            remedy=advice(
                "write them as numbers, such as days since the first; if they are classes, {0}", ("categories", (name,))
            ),
        )
    if most_differ and len(present) > MOST_WHOLE_CLASSES:
        raise not_a_number(table, name, unreadable)
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


def check_few_typos(table: Table, name: str, texts: Texts, unreadable: NDArray[np.int64]) -> None:
    """DataError if a column is numbers but for a few texts, which are mistakes, or holds numbers in another writing."""
    present = int(np.count_nonzero(texts.codes >= 0))
    if len(unreadable) * 2 < present or is_written_otherwise(texts.present()):
        raise not_a_number(table, name, unreadable)
