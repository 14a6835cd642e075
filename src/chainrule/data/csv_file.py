"""Reads tables in text files, as people have them: the form is found out or told, and the cells are read by pandas."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.advice import advice, literal
from chainrule.data.cells import Cells, Texts
from chainrule.data.content import Content, Survey, count_outside_quotes
from chainrule.data.decoding import decoded, opened
from chainrule.data.form import Form, FormOptions
from chainrule.data.header import Row, bad_header
from chainrule.data.layout import RowError, TableLayout, layout, rows_of
from chainrule.data.pieces import Pieces
from chainrule.data.table import Table
from chainrule.data.workbook import ENDING, sheet_text
from chainrule.data.writing import plain_numbers
from chainrule.errors import FileFormatError
from chainrule.immutable import immutable

MOST_BYTES = 2**32
MOST_ROWS = 20_000_000


@checked
def read_table(
    path: str | Path,
    *,
    texts: Sequence[str] = (),
    max_bytes: int = MOST_BYTES,
    max_rows: int = MOST_ROWS,
    **form: Unpack[FormOptions],
) -> Table:
    r"""The cells of a table in a text file: for `from_table`, and for `Columns.encode` when predicting on a new file.

    The file may be CSV or one of its kin, also compressed by gzip, or a workbook, .xlsx, of which the first sheet is read. What divides
    the cells, a header, lines with # above it, an index that pandas or R wrote, and a mark of the encoding are found out; what cannot
    be, the options say, see `data.Form`. Spaces around a cell and empty lines do not count. Columns of numbers become arrays, others
    texts; `texts` names columns that stay texts as they are written, such as postal codes.

    Raises MissingFileError; FileFormatError naming the line for what is no such table or exceeds the bounds; OptionError.

    >>> path = getfixture("tmp_path") / "new.csv"
    >>> _ = path.write_text("a;b\n1,5;wet\n2;NA\n")
    >>> read_table(path, decimal=",").columns
    {'a': array([1.5, 2. ]), 'b': ('wet', None)}
    """
    return table_in(path, Form.from_options(form), texts=texts, max_bytes=max_bytes, max_rows=max_rows)


def table_in(
    source: str | Path | Bytes,
    form: Form,
    *,
    texts: Sequence[str] = (),
    target: str | None = None,
    others: Collection[str] = (),
    unread: Collection[str] = (),
    max_bytes: int = MOST_BYTES,
    max_rows: int = MOST_ROWS,
) -> Table:
    """The table in a file, or in bytes with a name, as `read_table`.

    With a `target`, whose whole numbers stay whole beside gaps, columns of numbers are features but for it and for `others`: they are
    float64, and lie beside each other. Of the columns in `unread` the names are enough: they come without cells.
    """
    told = form
    if not isinstance(source, Bytes) and Path(source).suffix.lower() == ENDING:
        source = Bytes(sheet_text(source, form.decimal, max_bytes), str(source))
        form = form.changed({"delimiter": ",", "encoding": "utf-8", "thousands": None})
    if isinstance(source, Bytes):
        content, found_out = decoded(source.content, source.name, form, max_bytes)
    else:
        content, found_out = opened(source, form, max_bytes)
    name = content.name
    if found_out.is_blank:
        raise FileFormatError(
            f"{name} has no content",
            expected="a header line and at least one row",
            remedy="check that this is the right file",
        )
    table = _Source(content, found_out, layout(content, form), form)
    out = table.unneeded(unread)
    features = [] if target is None else table.features({target, *others, *unread})
    seen = table.layout
    beside = [place for place in features if place not in seen.texts and seen.names[place] not in texts]
    # Where there are texts too, numbers become inputs column by column.
    found = table.read(max_rows + 1, beside=beside, by_rows=beside == features, out=out)
    if len(found) > max_rows:
        raise FileFormatError(
            f"{name} has more than {max_rows} rows",
            expected=f"at most {max_rows} rows",
            remedy="pass a larger max_rows to read_table if the file is meant to be this long",
        )
    if not len(found):
        raise FileFormatError(
            f"{name} has a header and no rows",
            expected="a header line and at least one row",
            remedy="check that this is the right file",
        )
    table.check_widths(found)
    rows = table.lines(len(found))
    columns, notes = table.columns(found, texts, target, out)
    notes += [
        advice(
            f"the numbers of {literal(name)} begin with 0: if they are codes, {{0}} keeps them as they are written",
            ("categories", (name,)),
        )
        for place, name in enumerate(seen.names)
        if place in seen.codes - out and name not in texts and isinstance(columns.get(name), np.ndarray)
    ]
    return Table(columns, rows, "line", name, (*table.layout.notes, *notes), told)


@immutable
class Bytes:
    """What stands in a table that comes from no file, and what it is called."""

    content: bytes
    name: str


@immutable
class _Source:
    """The text of a table with what is known of it."""

    content: Content
    survey: Survey
    layout: TableLayout
    form: Form

    @property
    def path(self) -> str:
        """The name of the file."""
        return self.content.name

    @property
    def most(self) -> int:
        """How many rows there are at most."""
        return max(1, self.survey.lines - self.layout.first_line + 1)

    def features(self, others: Collection[str]) -> list[int]:
        """The positions of columns that have a name, and none of these."""
        layout = self.layout
        return [place for place, name in enumerate(layout.names) if name and name not in others and place != layout.index]

    def unneeded(self, names: Collection[str]) -> set[int]:
        """The positions of columns of these names, but for the last one and the index, which tell of the rows."""
        layout = self.layout
        return {place for place, name in enumerate(layout.names[:-1]) if name in names and place != layout.index}

    def read(
        self,
        most: int | None = None,
        *,
        only: Sequence[int] | None = None,
        beside: Sequence[int] = (),
        by_rows: bool = True,
        out: Collection[int] = (),
    ) -> Pieces:
        """The cells, columns by position; those in `only` as texts, each as it is written; those `beside` as `Pieces` says."""
        layout = self.layout
        width = len(layout.names)
        places = [place for place in range(width) if place not in out] if only is None else only
        found = Pieces(places, self.most, self.form, beside, by_rows=by_rows)
        try:
            found.read(
                self.content,
                layout.start,
                layout.delimiter,
                width,
                most,
                as_texts=layout.texts.difference(out) if only is None else only,
                kind="category" if only is None else "str",
                has_blanks=self.survey.has_blanks or layout.delimiter == " ",
                has_quotes=self.survey.has_quotes,
            )
        except ValueError as trouble:  # pandas' errors of parsing are such
            self._find_fault()
            raise FileFormatError(
                f"{self.path} cannot be read: {trouble}",
                expected="rows of cells with one delimiter between",
                remedy=advice("say how it is written, for example {0}", ("delimiter", ";")),
            ) from trouble
        return found

    def scan(self) -> Iterator[Row]:
        """The rows of data one by one: slow, and only for what pandas does not say."""
        return rows_of(self.content.lines(self.layout.start), self.layout.delimiter, self.form, self.layout.first_line)

    def check_widths(self, found: Pieces) -> None:
        """FileFormatError for a row with fewer cells than names, which pandas would fill, and for quotes that are not in pairs."""
        if not self.survey.quotes_pair or self.survey.has_long_line:
            self._find_fault()
        last = len(self.layout.names) - 1
        if last and found.missing(last).any() and (
            self.layout.delimiter == " "
            or self.form.comment is not None
            or count_outside_quotes(self.content, self.layout.start, self.layout.delimiter) != last * len(found)
        ):  # fmt: skip
            self._find_fault()

    def lines(self, rows: int) -> NDArray[np.int64]:
        """The number of the line that each of the rows begins in."""
        if self.most == rows:
            return np.arange(self.layout.first_line, self.layout.first_line + rows)
        found = np.array([line for line, _ in self.scan()], np.int64)
        return found if len(found) == rows else np.arange(1, rows + 1)

    def columns(
        self, read: Pieces, texts: Sequence[str], whole: str | None, out: Collection[int]
    ) -> tuple[dict[str, Cells], list[str]]:
        """The columns by name, and notes on those that are none."""
        left_out, notes = self._no_columns(read)
        named = [(place, name) for place, name in enumerate(self.layout.names) if place not in left_out]
        again = [
            place
            for place, name in named
            if place not in out and (name in texts or read.is_mixed(place) or (name == whole and read.has_gaps_in_whole(place)))
        ]
        written = self.read(len(read), only=again) if again else read
        found: dict[str, Cells] = {}
        for place, name in named:
            if place in out:
                found[name] = Texts(np.broadcast_to(np.int64(-1), len(read)), ())
                continue
            cells = (written if place in again else read).pop(place)
            found[name] = cells if name in texts or not isinstance(cells, Texts) else plain_numbers(cells, self.form)
        return found, notes

    def _no_columns(self, read: Pieces) -> tuple[set[int], list[str]]:
        """The positions of what is no column: an index, and empty cells at the ends of rows."""
        out, notes = set[int](), list[str]()
        index = self.layout.index
        if index is not None:
            name = self.layout.names[index]
            if self.layout.guessed and not read.is_index(index):
                raise bad_header(self.path, self.layout.header_line, f"column {index + 1} has no name")
            words = f"column {name!r}" if name else "first column, which has no name,"
            notes.append(f"the {words} was taken for an index of the rows and left out")
            out.add(index)
        empty = [place for place, name in enumerate(self.layout.names) if not name and place != index]
        for place in empty:
            if not read.missing(place).all():
                raise bad_header(self.path, self.layout.header_line, f"column {place + 1} has no name")
        if empty:
            words = "1 empty column" if len(empty) == 1 else f"{len(empty)} empty columns"
            notes.append(f"left out: {words} behind the last delimiter")
        return out | set(empty), notes

    def _find_fault(self) -> None:
        """FileFormatError for the first row that does not fit, if one is found."""
        width = len(self.layout.names)
        line = self.layout.first_line
        try:
            for begin, cells in self.scan():
                line = begin
                if len(cells) != width:
                    raise self._wrong_width(line, cells)
        except RowError as error:
            raise error.at(self.path) from error

    def _wrong_width(self, line: int, cells: list[str]) -> FileFormatError:
        width = len(self.layout.names)
        remedy = "correct this line; a cell that contains the delimiter needs quotes"
        if cells[0].startswith(("#", "%", "//")):
            remedy = advice("if the line is a comment, read with {0}", ("comment", cells[0][0]))
        else:
            skipped, wide, numbers = self._table_below(line)
            if skipped:
                options: list[tuple[str, object]] = [("skiprows", skipped), *([("header", None)] if numbers else [])]
                places = ", ".join(f"{{{place}}}" for place in range(len(options)))
                remedy = advice(f"if the table of {wide} columns below line {skipped} is meant, read with {places}", *options)
        return FileFormatError(
            f"{self.path}, line {line} has {len(cells)} cells, and the header has {width}",
            expected="as many cells in each line as there are names in the header",
            remedy=remedy,
        )

    def _table_below(self, line: int) -> tuple[int, int, bool]:
        """How many lines stand above the longest run of rows of one width at the end, the width, and whether its first row are numbers.

        0 lines if most rows do not belong to such a run, so that a mistake in one line is not taken for a text above the table.
        """
        if self.survey.lines > 100_000:
            return 0, 0, False
        lines = self.content.lines()
        rows = [(number, row.split()) for number, row in enumerate(lines, 1) if row.strip()]
        width = len(rows[-1][1])
        run = len(rows)
        while run and len(rows[run - 1][1]) == width and all(_NUMERIC.fullmatch(cell) for cell in rows[run - 1][1]):
            run -= 1
        above = rows[run - 1][0] if run else 0
        return (above, width, True) if width > 1 and len(rows) - run >= 3 and above >= line else (0, 0, False)


_NUMERIC = re.compile(r"[+-]?[\d.]+([eE][+-]?\d+)?")
