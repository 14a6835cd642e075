"""A table: named columns of cells with the places of its rows, before anything is encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.data.cells import Cells, Texts
from chainrule.data.form import Form
from chainrule.display import Shown
from chainrule.errors import ColumnError
from chainrule.immutable import immutable
from chainrule.spelling import did_you_mean, listed


@immutable(eq=False)
class Table(Shown):
    """Named columns of cells, not yet encoded: texts with None for missing, or numbers with NaN for missing.

    `rows` numbers the rows as the source counts them; `row_word` is its word for a row ("line" of a file, "row" of a frame).
    `notes` are sentences on what was read and what was left out; `form` is what the reader was told; `declared` names columns that
    the source itself calls categories, whatever stands in them. Texts may be given as a tuple.
    """

    columns: Mapping[str, Cells]
    rows: NDArray[np.int64]
    row_word: str
    source: str
    notes: tuple[str, ...] = ()
    form: Form = field(default_factory=Form)
    declared: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        columns = {
            name: cells
            if isinstance(cast("object", cells), Texts | np.ndarray)
            else Texts.of(cast("Sequence[str | None]", cells))
            for name, cells in self.columns.items()
        }
        object.__setattr__(self, "columns", columns)

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

    def places(self, index: NDArray[np.int64], most: int = 3) -> str:
        """Words for some rows: "lines 3, 7, 9, ..."."""
        shown = ", ".join(str(row) for row in self.rows[index[:most]].tolist()) + (", ..." if len(index) > most else "")
        return f"{self.row_word}{'s' if len(index) > 1 else ''} {shown}"

    def take(self, index: NDArray[Any]) -> Table:
        """The table of some of the rows."""
        columns = {name: cells[index] for name, cells in self.columns.items()}
        return replace(self, columns=columns, rows=self.rows[index])

    def without(self, names: Sequence[str]) -> Table:
        """The table without some of its columns; ColumnError if it lacks one of them."""
        for name in names:
            self.cells(name)
        return replace(self, columns={name: cells for name, cells in self.columns.items() if name not in names})
