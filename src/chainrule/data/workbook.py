"""Workbooks: the first sheet of an .xlsx file as the text of a table, which is then read, checked and told of like any other."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from chainrule.data.files import regular_file
from chainrule.errors import FileFormatError, MissingPackageError

ENDING = ".xlsx"


def sheet_text(path: str | Path, decimal: str, max_bytes: int) -> bytes:
    """The first sheet as CSV in UTF-8, a line to each of its rows; columns that are empty from top to bottom are left out.

    Numbers keep all their digits, with the decimal mark that the reader goes by; of formulas the values count that were kept with them.
    Raises: MissingFileError, MissingPackageError without openpyxl, FileFormatError for a damaged file and for formulas without values.
    """
    file = regular_file(path, max_bytes=max_bytes)
    rows = _cells(file, values=True)
    used = [
        place
        for place in range(max(map(len, rows), default=0))
        if any(row[place : place + 1] not in ((), (None,)) for row in rows)
    ]
    if any(row[place : place + 1] in ((), (None,)) for row in rows for place in used):
        _require_values(file, rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        # A row without a cell is an empty line, which does not count.
        cells = [_text(row[place], decimal) if place < len(row) else "" for place in used]
        writer.writerow(cells if any(cells) else [])
    return text.getvalue().encode()


def _cells(file: Path, *, values: bool) -> list[tuple[Any, ...]]:
    """The cells of the first sheet: values, or formulas where there are such."""
    try:
        openpyxl: Any = import_module("openpyxl")
    except ImportError:
        raise MissingPackageError(
            f"nothing is installed that reads {file}",
            expected="openpyxl",
            remedy="pip install 'chainrule[spreadsheet]', or save it as CSV",
        ) from None
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=values)
        try:
            return [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        finally:
            book.close()
    except Exception as trouble:
        # It has errors of its own for bytes that are not what they should be.
        said = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        raise FileFormatError(
            f"{file} cannot be read as a .xlsx file: {said}", expected="a workbook", remedy="write it again, or save it as CSV"
        ) from trouble


def _require_values(file: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    """FileFormatError for a formula that was written by a program which did not compute it."""
    for number, (given, found) in enumerate(zip(_cells(file, values=False), rows, strict=False), 1):
        for place, (formula, value) in enumerate(zip(given, found, strict=False), 1):
            if value is None and formula is not None:
                said = getattr(formula, "text", formula)
                raise FileFormatError(
                    f"{file}, row {number}, column {place}: the formula {said} has no value",
                    expected="values, which a spreadsheet program keeps beside its formulas",
                    remedy="open the file in such a program and save it, or save it as CSV",
                )


def _text(cell: Any, decimal: str) -> str:
    if isinstance(cell, float):
        return repr(cell).replace(".", decimal)
    return "" if cell is None else cell.isoformat() if isinstance(cell, date | datetime) else str(cell)
