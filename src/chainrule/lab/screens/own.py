"""Own data: a table dropped on the page, read by the library's bounded readers, and points that are put by hand."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal

import numpy as np

from chainrule.checks import checked
from chainrule.data import Form, Table, from_table
from chainrule.data.csv_file import Bytes, table_in
from chainrule.errors import DataError
from chainrule.lab.room import Action, Room, Screen
from chainrule.lab.session import Session
from chainrule.lab.usual import usual_network
from chainrule.train import Adam, Training

MOST_BYTES, MOST_ROWS = 4 * 2**20, 100_000
FEW_ROWS = 5


class Own(Screen):
    """A table is read when it comes, and becomes data when its target is chosen. It lies in memory only; no path is taken."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._bytes = Bytes(b"", "")
        self._read: Table | None = None

    def actions(self) -> Mapping[str, Action]:
        """A table, its target, and points."""
        return {
            "table": Action(self.table, "Drop a table here, as CSV: it stays on this machine, and the library reads it."),
            "take_table": Action(self.take_table, "Begin anew with this table: all other columns are the inputs."),
            "point": Action(self.point, "Put an example into the plane of the answer by a click; it is learned from then on."),
        }

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """The columns of the table that was dropped."""
        return {"columns": self.columns}

    @checked
    def table(self, name: str, content: str) -> None:
        """Reads a table from bytes in base64. Raises: what the readers raise, and DataError for no base64."""
        try:
            found = Bytes(base64.b64decode(content, validate=True), PurePath(name).name[:100] or "table.csv")
        except binascii.Error as error:
            raise DataError("bytes that are no base64", expected="base64", remedy="drop the file again") from error
        self._read = table_in(found, Form(), max_bytes=MOST_BYTES, max_rows=MOST_ROWS)
        self._bytes = found

    def columns(self) -> dict[str, Any]:
        """Name, rows, and of each column its name, whether it holds numbers, and its first cells."""
        if self._read is None:
            return {"name": "", "rows": 0, "columns": []}
        told = [
            {"name": name, "numbers": isinstance(cells, np.ndarray), "first": [_cell(cell) for cell in list(cells[:FEW_ROWS])]}
            for name, cells in self._read.columns.items()
        ]
        rows = len(next(iter(self._read.columns.values()), ()))
        return {"name": self._bytes.name, "rows": rows, "columns": told, "notes": list(self._read.notes)}

    @checked
    def take_table(self, target: str, missing: Literal["refuse", "drop", "mean", "most_frequent"] = "refuse") -> None:
        """A new session on the table, with a small network. Raises: what misfits raise, as the library says it."""
        if self._read is None:
            raise DataError("no table", expected="one that was dropped before", remedy="drop a CSV file on the page")
        read = table_in(self._bytes, Form(), target=target, max_bytes=MOST_BYTES, max_rows=MOST_ROWS)
        data = from_table(read, target=target, missing=missing, name=PurePath(self._bytes.name).stem or "table")
        training = Training(usual_network(data), data, optimizer=Adam(0.01), batch_size=min(10, len(data.train)))
        self.room.begin(Session(training))

    @checked
    def point(self, x: Sequence[float], y: float) -> None:
        """Adds an example to the training part of data with one or two inputs."""
        self.room.session.add_point(x, y)


def _cell(cell: Any) -> str:
    return "" if cell is None else f"{cell:.6g}" if isinstance(cell, float | np.floating) else str(cell)[:40]
