"""Layout: where in a text file the table begins, what divides its cells, and what its columns are called."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from chainrule.data.cells import is_number
from chainrule.data.content import Content
from chainrule.data.form import Form
from chainrule.data.header import Row, check_names, check_units, names_of, without_index
from chainrule.errors import FileFormatError
from chainrule.immutable import immutable

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 200
_LOOKED_AT = 50  # rows, for what kind a column is of: who is wrong only reads it a second time
_LOOKED_AT_CELLS = 10_000  # the same in long rows
_SAMPLE_SIZE = 2**23
_QUOTED = re.compile(r'"[^"]*"')


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


@immutable
class TableLayout:
    """What the first lines of a file tell of all of it.

    `names` has a name for each cell of a row; "" for those that are no columns: an index, the empty cells behind a trailing delimiter.
    `index`: the position of the index, where one was told or found; `guessed` where it has yet to prove to be one.
    `header_line`: where the names stand. `first_line` holds the first row of data, and begins at byte `start`.
    `texts`: the positions of the columns that hold texts already in the first rows; `codes`: of those whose numbers begin with 0 there.
    """

    delimiter: str
    names: tuple[str, ...]
    index: int | None
    guessed: bool
    header_line: int
    first_line: int
    start: int
    texts: frozenset[int]
    codes: frozenset[int]
    notes: tuple[str, ...]


def layout(content: Content, form: Form) -> TableLayout:
    """The layout of a table. Raises: FileFormatError where there is none, or where it has to be told; ColumnError."""
    path = content.name
    lines = _first_lines(content, form.skiprows)
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
    names, data = names_of(sample, form, path)
    names, index, guessed = without_index(names, data, form, header_line, path)
    check_names(names, index, data, header_line, path)
    if form.units and data:
        check_units(data[0], path)
        notes.append(f"the row of units ({', '.join(data[0][1])}) was left out")
        data = data[1:]
    if not data:
        raise _no_rows(path, "a header and no rows")
    first = data[0][0]
    start = sum(len(line.encode()) + 1 for line in lines[: first - 1])
    looked_at = max(2, min(_LOOKED_AT, _LOOKED_AT_CELLS // len(names)))
    rows = [cells for _, cells in data[:looked_at]]
    texts, codes = _text_columns(rows, len(names), form), _code_columns(rows, len(names))
    return TableLayout(delimiter, tuple(names), index, guessed, header_line, first, start, texts, codes, tuple(notes))


def _code_columns(rows: list[list[str]], width: int) -> frozenset[int]:
    """The positions of columns of digits alone, of one length, some of which begin with 0, as postal codes do."""

    def are_codes(cells: list[str]) -> bool:
        return (
            all(map(str.isdecimal, cells)) and len({len(cell) for cell in cells}) == 1 < len(cells[0]) and min(cells)[0] == "0"
        )

    columns = ([row[place] for row in rows if place < len(row) and row[place]] for place in range(width))
    return frozenset(place for place, cells in enumerate(columns) if cells and are_codes(cells))


def _text_columns(rows: list[list[str]], width: int, form: Form) -> frozenset[int]:
    """The positions of columns in which some cell of the first rows holds a text that is no number."""

    def is_text(cell: str) -> bool:
        plain = cell if form.decimal == "." and form.thousands is None else _with_point(cell, form)
        return not is_number(plain) and form.read(cell) is not None

    return frozenset(place for place in range(width) if any(is_text(row[place]) for row in rows if place < len(row)))


def _with_point(cell: str, form: Form) -> str:
    """A cell with the marks of numbers that this reader is told as Python has them."""
    return cell.replace(form.thousands or "\0", "").replace(form.decimal, ".")


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


# ---- the first lines


def _first_lines(content: Content, skipped: int) -> list[str]:
    lines: list[str] = []
    size = 0
    for line in islice(content.lines(), skipped + _SAMPLE_LINES):
        lines.append(line.removesuffix(content.newline.decode()))
        size += len(line)
        if size > _SAMPLE_SIZE:
            break
    return lines


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
