"""Reads CSV files into tables: UTF-8, one header line, cells as texts; bounded, and strict about its form."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chainrule.data.columns import Table, to_numbers, to_text
from chainrule.data.files import read_bounded
from chainrule.errors import FileFormatError
from chainrule.spelling import listed

_DELIMITERS = ",;\t"
_MOST_COLUMNS = 100_000
_LONGEST_LINE = 2**22


def read_table(path: str | Path, *, max_bytes: int = 2**28, max_rows: int = 2_000_000) -> Table:
    r"""The cells of a CSV file as texts: for `from_table`, and for `Columns.encode` when predicting on a new file.

    The file is UTF-8 (a byte order mark is fine) with one header line of different names. The delimiter is the one of comma,
    semicolon and tab that divides the header into most names. Spaces around a cell and empty lines do not count.
    Raises MissingFileError; FileFormatError naming the line for anything that is not such a file or exceeds the bounds.

    >>> path = getfixture("tmp_path") / "new.csv"
    >>> _ = path.write_text("a;b\n1;wet\n2;NA\n")
    >>> read_table(path).columns
    {'a': ('1', '2'), 'b': ('wet', None)}
    """
    text = _decoded(read_bounded(path, max_bytes=max_bytes), str(path))
    delimiter = _delimiter(text)
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(_short_lines(text, str(path)), delimiter=delimiter, skipinitialspace=True, strict=True)
    start = 1
    try:
        for row in reader:
            if row:
                _check_row(row, rows, start, str(path), max_rows)
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1  # a cell in quotes can hold line breaks: the next row begins after them
    except csv.Error as trouble:
        raise FileFormatError(
            f"{path}, line {start}: {trouble}",
            expected=f"cells of at most {csv.field_size_limit()} characters, quotes in pairs",
            remedy="correct this line: a quote inside a quoted cell is written twice",
        ) from trouble
    return _table(rows, lines, str(path))


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        raise FileFormatError(
            f"{path}: byte {trouble.start} ({content[trouble.start]:#04x}) is not part of a UTF-8 text",
            expected="a text file in UTF-8",
            remedy="save it again as CSV in UTF-8",
        ) from trouble


def _short_lines(text: str, path: str) -> Iterator[str]:
    # Millions of delimiters in one line would become millions of cells before the line could be compared with the header.
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > _LONGEST_LINE:
            raise FileFormatError(
                f"{path}, line {number} has {len(line)} characters",
                expected=f"lines of at most {_LONGEST_LINE} characters",
                remedy="check that this is a CSV file",
            )
        yield line


def _delimiter(text: str) -> str:
    """The delimiter that divides the first line with content into most cells; the comma if none does."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    outside_quotes = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=outside_quotes.count)


def _check_row(row: list[str], rows: list[list[str]], line: int, path: str, max_rows: int) -> None:
    """Compares a new row with the header, `rows[0]`; the header itself is checked when it comes."""
    if not rows:
        _check_header([name.strip() for name in row], line, path)
    elif len(row) != len(rows[0]):
        raise FileFormatError(
            f"{path}, line {line} has {len(row)} cells, and the header has {len(rows[0])}",
            expected="as many cells in each line as there are names in the header",
            remedy="correct this line; a cell that contains the delimiter needs quotes",
        )
    elif len(rows) > max_rows:
        raise FileFormatError(
            f"{path} has more than {max_rows} rows",
            expected=f"at most {max_rows} rows",
            remedy="pass a larger max_rows to read_table if the file is meant to be this long",
        )


def _check_header(names: list[str], line: int, path: str) -> None:
    trouble = None
    if len(names) > _MOST_COLUMNS:
        trouble = f"it has {len(names)} columns, more than {_MOST_COLUMNS}"
    elif "" in names:
        trouble = f"column {names.index('') + 1} has no name"
    elif len(set(names)) < len(names):
        trouble = f"two columns are named {Counter(names).most_common(1)[0][0]!r}"
    elif not to_numbers(tuple(names))[1].size:
        trouble = f"it holds only numbers ({listed(names, most=3)}): the names seem to be missing"
    if trouble is not None:
        raise FileFormatError(
            f"{path}, line {line}, the header: {trouble}",
            expected="a first line of different names, one per column",
            remedy="write the names of the columns into the first line",
        )


def _table(rows: list[list[str]], lines: list[int], path: str) -> Table:
    if len(rows) < 2:
        raise FileFormatError(
            f"{path} has {'a header and no rows' if rows else 'no content'}",
            expected="a header line and at least one row",
            remedy="check that this is the right file",
        )
    names = [name.strip() for name in rows[0]]
    columns = {name: tuple(to_text(row[place]) for row in rows[1:]) for place, name in enumerate(names)}
    return Table(columns, np.array(lines[1:], np.int64), "line", path)
