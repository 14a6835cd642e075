"""Layout: where in a text file the table begins, what divides its cells, and what its columns are called."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from chainrule.data.advice import advice
from chainrule.data.cells import is_number
from chainrule.data.form import Form
from chainrule.errors import ColumnError, FileFormatError
from chainrule.spelling import did_you_mean, listed

_DELIMITERS = ",;\t|"
_MOST_COLUMNS = 100_000
_LONGEST_LINE = 2**22
_SAMPLE_LINES = 200
_SAMPLE_SIZE = 2**23
_QUOTED = re.compile(r'"[^"]*"')
Row = tuple[int, list[str]]
"""The number of the line that a row begins in, counted from 1, and its cells without the spaces around them."""


class RowError(Exception):
    """A row that the standard library's reader refuses, and the line that it begins in."""

    def __init__(self, line: int, trouble: str) -> None:
        super().__init__(line, trouble)
        self.line, self.trouble = line, trouble

    def at(self, path: str) -> FileFormatError:
        """What the user is told."""
        return FileFormatError(
            f"{path}, line {self.line}: {self.trouble}",
            expected=f"cells of at most {csv.field_size_limit()} characters, quotes in pairs",
            remedy="correct this line: a quote inside a quoted cell is written twice",
        )


@dataclass(frozen=True)
class Layout:
    """What the first lines of a file tell of all of it.

    `names` has a name for each cell of a row; "" for those that are no columns: an index, the empty cells behind a trailing delimiter.
    `index`: the position of the index, where one was told or found; `guessed` where it has yet to prove to be one.
    `header_line`: where the names stand. `first_line` holds the first row of data, and begins at byte `start`.
    """

    delimiter: str
    names: tuple[str, ...]
    index: int | None
    guessed: bool
    header_line: int
    first_line: int
    start: int
    newline: bytes
    notes: tuple[str, ...]


def layout(content: bytes, form: Form, path: str) -> Layout:
    """The layout of a table in UTF-8. Raises: FileFormatError where there is none, or where it has to be told; ColumnError."""
    newline = b"\n" if b"\n" in content[:_LONGEST_LINE] else b"\r"
    lines = _first_lines(content, newline, form.skiprows, path)
    begin, notes = min(form.skiprows, len(lines)), list[str]()
    told = re.fullmatch(r'"?sep=(.)"?', lines[begin].strip(" \r")) if begin < len(lines) else None
    if told is not None:
        begin, form = begin + 1, form.changed({"delimiter": form.delimiter or told[1]})
    begin, named, found = _behind_comments(lines, begin, form)
    notes += found
    delimiter = form.delimiter or _delimiter(lines[begin:], form)
    sample = list(_sample(lines, begin, delimiter, form, path))
    if named is not None:
        sample.insert(0, (begin, _cells([named], delimiter)[0]))
    if not sample:
        raise _no_rows(path, "no content")
    header_line = sample[0][0]
    names, data = _names(sample, form, path)
    names, index, guessed = _without_index(names, data, form, header_line, path)
    _check_names(names, index, data, header_line, path)
    if form.units and data:
        _check_units(data[0], path)
        notes.append(f"the row of units ({', '.join(data[0][1])}) was left out")
        data = data[1:]
    if not data:
        raise _no_rows(path, "a header and no rows")
    first = data[0][0]
    start = sum(len(line.encode()) + 1 for line in lines[: first - 1])
    return Layout(delimiter, tuple(names), index, guessed, header_line, first, start, newline, tuple(notes))


def rows_of(lines: Iterable[str], delimiter: str, form: Form, first_line: int = 1) -> Iterator[Row]:
    """The rows in some lines; blank lines and comments are none. Raises: RowError for quotes that are not in pairs."""
    numbers: list[int] = []

    def fed() -> Iterator[str]:
        for number, line in enumerate(lines, first_line):
            numbers.append(number)
            yield _tidied(line, delimiter, form)

    reader = csv.reader(fed(), delimiter=delimiter, skipinitialspace=True, strict=True)
    begin = first_line
    try:
        for cells in reader:
            blank = len(cells) == 1 and not cells[0].strip() and begin == numbers[-1]
            if cells and not blank:
                yield begin, [cell.strip() for cell in cells]
            begin = numbers[-1] + 1
    except csv.Error as trouble:
        raise RowError(begin, str(trouble)) from trouble


def decoded_lines(content: bytes, newline: bytes, start: int = 0) -> Iterator[str]:
    """The lines from byte `start` on, each with its end; FileFormatError is for others to raise."""
    while start < len(content):
        end = content.find(newline, start) + 1 or len(content)
        yield content[start:end].decode("utf-8", "replace")
        start = end


# ---- the first lines


def _first_lines(content: bytes, newline: bytes, skipped: int, path: str) -> list[str]:
    lines: list[str] = []
    size = 0
    for line in islice(decoded_lines(content, newline), skipped + _SAMPLE_LINES):
        if len(line) > _LONGEST_LINE:
            raise too_long(path, len(lines) + 1, len(line.rstrip("\r\n")))
        lines.append(line.removesuffix(newline.decode()))
        size += len(line)
        if size > _SAMPLE_SIZE:
            break
    return lines


def too_long(path: str, line: int, length: int) -> FileFormatError:
    """The error for a line that cannot be one of a table."""
    return FileFormatError(
        f"{path}, line {line} has {length} characters",
        expected=f"lines of at most {_LONGEST_LINE} characters",
        remedy="check that this is a table",
    )


def _behind_comments(lines: list[str], begin: int, form: Form) -> tuple[int, str | None, list[str]]:
    """The line behind leading comments, the names where the last comment holds them, as numpy.savetxt writes them, and notes."""
    if form.comment is not None:
        return begin, None, []
    place, comments = begin, list[int]()
    while place < len(lines) and (not lines[place].strip() or lines[place].lstrip().startswith("#")):
        comments += [place] if lines[place].strip() else []
        place += 1
    if not comments or place == len(lines):
        return begin, None, []
    last = lines[comments[-1]].strip().lstrip("#")
    delimiter = form.delimiter or _delimiter(lines[place:], form)
    below, above = _cells(lines[place : place + 1], delimiter)[0], _cells([last], delimiter)[0]
    if form.header == "guess" and len(above) == len(below) and all(map(is_number, below)) and not any(map(is_number, above)):
        return place, last, _comments_note(len(comments) - 1)
    return place, None, _comments_note(len(comments))


def _comments_note(count: int) -> list[str]:
    return (
        [f"{count} line{'s' * (count > 1)} at the beginning, with #, {'were' if count > 1 else 'was'} left out"]
        if count
        else []
    )


def _tidied(line: str, delimiter: str, form: Form) -> str:
    if form.comment is not None and form.comment in line:
        parts = re.split(r'("[^"]*")', line)
        for place in range(0, len(parts), 2):
            if form.comment in parts[place]:
                return "".join(parts[:place]) + parts[place].split(form.comment)[0].rstrip()
    return re.sub(r"[ \t]+", " ", line.strip()) if delimiter == " " else line


def _cells(lines: list[str], delimiter: str) -> list[list[str]]:
    """The cells of a few lines, as good as they can be told."""
    try:
        return [cells for _, cells in rows_of(lines, delimiter, Form())] or [[]]
    except RowError:
        return [[]]


def _delimiter(lines: list[str], form: Form) -> str:
    """The mark that divides the header into most names; another one, where only that divides all rows alike."""
    marks = [mark for mark in _DELIMITERS if mark not in (form.decimal, form.comment)]
    some = [line for line in lines if line.strip()][:50]
    if not some:
        return marks[0]
    header = _QUOTED.sub("", some[0])
    usual = max(marks, key=header.count)
    if usual not in header and form.decimal in header and _width(some, form.decimal) > 1:
        return form.decimal  # its other use is in quoted cells
    if usual in header and _width(some, usual):
        return usual
    widths = {mark: _width(some, mark) for mark in [*marks, " "]}
    best = max(widths, key=lambda mark: widths[mark])
    return best if widths[best] > 1 else usual


def _width(lines: list[str], delimiter: str) -> int:
    """The number of cells that all lines below the first have; 0 if they differ, or if the first has neither as many nor one less."""
    rows = _cells(lines, delimiter)
    widths = {len(cells) for cells in rows[1:]} or {len(rows[0])}
    (width,) = widths if len(widths) == 1 else (0,)
    return width if width - len(rows[0]) in (0, 1, -1) else 0


def _sample(lines: list[str], begin: int, delimiter: str, form: Form, path: str) -> Iterator[Row]:
    try:
        # A quoted cell can be cut in two at the end of the sample.
        yield from rows_of((line + "\n" for line in lines[begin:]), delimiter, form, begin + 1)
    except RowError as error:
        if "unexpected end of data" not in error.trouble or len(lines) < _SAMPLE_LINES:
            raise error.at(path) from error


def _no_rows(path: str, what: str) -> FileFormatError:
    return FileFormatError(
        f"{path} has {what}", expected="a header line and at least one row", remedy="check that this is the right file"
    )


# ---- the names


def _names(sample: list[Row], form: Form, path: str) -> tuple[list[str], list[Row]]:
    """A name for each cell of a row, and the rows of data."""
    usual = Counter(len(cells) for _, cells in sample[1:] or sample).most_common(1)[0][0]
    if form.header == "none" or (form.names is not None and form.header == "guess"):
        names, data = [str(place) for place in range(usual)], sample
        if all(not cells[-1] for _, cells in sample if len(cells) == usual) and usual > 1:
            names[-1] = ""
    else:
        names, data = sample[0][1], sample[1:]
        if form.header == "guess" and form.names is None:
            _check_is_header(names, [cells for _, cells in data], sample[0][0], path)
    if usual == len(names) + 1 and data and all(len(cells) == usual for _, cells in data):
        # R writes no name above the names of its rows; other programs end the rows with a delimiter, but not the header.
        names = [*names, ""] if not any(cells[-1] for _, cells in data) else ["", *names]
    if form.names is not None:
        wanted = [place for place, name in enumerate(names) if name or form.header != "guess"] or list(range(len(names)))
        if len(form.names) != len(wanted):
            raise FileFormatError(
                f"{path} has {len(wanted)} columns, and {len(form.names)} names were given: {listed(form.names)}",
                expected="a name for each column",
                remedy="give as many names",
            )
        names = [form.names[wanted.index(place)] if place in wanted else "" for place in range(len(names))]
    return names, data


def _check_is_header(names: list[str], rows: list[list[str]], line: int, path: str) -> None:
    """FileFormatError for a first row that looks like the rows below it: it would be lost as names."""
    below = [[row[place] for row in rows if place < len(row) and row[place]] for place in range(len(names))]
    numeric = [bool(cells) and all(map(is_number, cells)) for cells in below]
    over_numbers = [name for name, number in zip(names, numeric, strict=True) if number and name]
    texts = [place for place, name in enumerate(names) if name and not numeric[place] and not is_number(name)]
    again = [names[place] for place in texts if names[place] in below[place]]
    all_numbers = bool(names) and all(map(is_number, names))
    if over_numbers and not all(map(is_number, over_numbers)):
        return
    measured = any(not name.lstrip("+-").isdigit() for name in over_numbers)
    if not (all_numbers or measured or (over_numbers and not _rising(over_numbers)) or len(again) * 2 > len(texts)):
        return
    shown = f"only numbers ({listed(names, most=3)})" if all_numbers else f"{listed(names, most=4)}, like the rows below"
    raise FileFormatError(
        f"{path}, line {line}, the header: it holds {shown}: the names seem to be missing",
        expected="a first line of different names, one per column",
        remedy=advice(
            "if it is a row of data, read with {0}, which names the columns 0, 1, ...; if these are names, with {1}",
            ("header", None),
            ("header", "first"),
        ),
    )


def _rising(names: list[str]) -> bool:
    """Whether names are whole numbers that rise, as years do over columns."""
    values = [int(name) for name in names]
    return len(values) > 1 and all(later > earlier for earlier, later in pairwise(values))


def _check_units(row: Row, path: str) -> None:
    line, cells = row
    if any(is_number(cell) and cell != "1" for cell in cells):  # what has no unit may say 1
        raise FileFormatError(
            f"{path}, line {line}, the row of units, holds {listed(cells, most=4)}",
            expected="units, and no numbers",
            remedy=advice("if it is a row of data, read with {0}", ("units", False)),
        )


def _without_index(names: list[str], data: list[Row], form: Form, line: int, path: str) -> tuple[list[str], int | None, bool]:
    """The names, the position of the index, and whether that was guessed; without names for the empty cells at the ends of rows."""
    if form.index_col is not None:
        return names, _position(form.index_col, names, path), False
    if names and not names[0] and any(names[1:]):
        first = [cells[0] for _, cells in data if cells]
        if _counts(first) or (len(set(first)) == len(first) and not any(map(is_number, first))):
            return names, 0, True
        raise FileFormatError(
            f"{path}, line {line}, the header: column 1 has no name",
            expected="a first line of different names, one per column",
            remedy=advice("write its name into the file; or, if it only names the rows, leave it out: {0}", ("index_col", 0)),
        )
    return names, None, False


def _counts(cells: Sequence[str]) -> bool:
    """Whether cells count 0, 1, ... or 1, 2, ..."""
    return bool(cells) and cells[0] in {"0", "1"} and list(cells) == [str(int(cells[0]) + k) for k in range(len(cells))]


def _position(column: str | int, names: list[str], path: str) -> int:
    place = names.index(str(column)) if str(column) in names else column
    if isinstance(place, str) or place >= len(names):
        raise ColumnError(
            f"{path} has no column {column!r}; it has {listed(names)}",
            expected="the name or the position of a column",
            remedy=f"check the spelling;{did_you_mean(str(column), names) or ' positions count from 0'}",
        )
    return place


def _check_names(names: list[str], index: int | None, data: list[Row], line: int, path: str) -> None:
    """FileFormatError for names that are missing or not different; only empty cells at the ends of rows need none."""
    empty = {place for place in range(len(names)) if not any(cells[place : place + 1] != [""] for _, cells in data)}
    last = max((place for place, name in enumerate(names) if name), default=-1)
    known = [name for name in names if name]
    unnamed = [
        place for place, name in enumerate(names) if not name and place != index and (place < last or place not in empty)
    ]
    if len(names) > _MOST_COLUMNS:
        raise bad_header(path, line, f"it has {len(names)} columns, more than {_MOST_COLUMNS}")
    if unnamed or not known:
        raise bad_header(path, line, f"column {unnamed[0] + 1 if unnamed else 1} has no name")
    if len(set(known)) < len(known):
        raise bad_header(path, line, f"two columns are named {Counter(known).most_common(1)[0][0]!r}")


def bad_header(path: str, line: int, trouble: str) -> FileFormatError:
    """The error for a line of names that lacks some."""
    return FileFormatError(
        f"{path}, line {line}, the header: {trouble}",
        expected="a first line of different names, one per column",
        remedy="write the names of the columns into the first line, or give them: names=[...], at the command line --names a,b",
    )
