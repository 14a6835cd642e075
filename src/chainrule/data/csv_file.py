"""Reads tables in text files, as people have them: the form is found out or told, and the cells are read by pandas."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.advice import advice, literal
from chainrule.data.cells import MISSING, Cells, Texts, is_number, to_text
from chainrule.data.files import read_bounded
from chainrule.data.form import Form, FormOptions
from chainrule.data.layout import Layout, Row, RowError, bad_header, decoded_lines, layout, rows_of, too_long
from chainrule.data.table import Table
from chainrule.errors import FileFormatError

MOST_BYTES = 2**32
MOST_ROWS = 20_000_000
_LONGEST_LINE = 2**22
_LONGEST_CELL = 2**17
_MARKS = sorted({form for word in MISSING for form in (word, word.upper(), word.capitalize(), word.title())} | {"NaN", "NaT"})
_QUOTED = re.compile(rb'"(?:[^"]|"")*"')
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


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

    The file may be CSV or one of its kin, also compressed by gzip. What divides the cells, a header, lines with # above it, an
    index that pandas or R wrote, and a mark of the encoding are found out; what cannot be, the options say, see `data.Form`. Spaces
    around a cell and empty lines do not count. Columns of numbers become arrays, others texts; `texts` names columns that stay
    texts as they are written, such as postal codes.

    Raises MissingFileError; FileFormatError naming the line for what is no such table or exceeds the bounds; OptionError.

    >>> path = getfixture("tmp_path") / "new.csv"
    >>> _ = path.write_text("a;b\n1,5;wet\n2;NA\n")
    >>> read_table(path, decimal=",").columns
    {'a': array([1.5, 2. ]), 'b': ('wet', None)}
    """
    content = read_bounded(path, max_bytes=max_bytes)
    return parse_table(content, str(path), Form.from_options(form), texts=texts, max_bytes=max_bytes, max_rows=max_rows)


def parse_table(
    content: bytes,
    name: str,
    form: Form,
    *,
    texts: Sequence[str] = (),
    whole: str | None = None,
    max_bytes: int = MOST_BYTES,
    max_rows: int = MOST_ROWS,
) -> Table:
    """The table in the bytes of a file of that name, as `read_table`; `whole` names a column whose whole numbers stay whole beside gaps."""
    content = _utf8(_unpacked(content, name, max_bytes), form, name)
    _check_lines(content, name)
    if not content or content.isspace():
        raise FileFormatError(
            f"{name} has no content",
            expected="a header line and at least one row",
            remedy="check that this is the right file",
        )
    source = _Source(content, layout(content, form, name), form, name)
    frame = source.frame(max_rows + 1)
    count = len(frame)
    if count > max_rows:
        raise FileFormatError(
            f"{name} has more than {max_rows} rows",
            expected=f"at most {max_rows} rows",
            remedy="pass a larger max_rows to read_table if the file is meant to be this long",
        )
    if not count:
        raise FileFormatError(
            f"{name} has a header and no rows",
            expected="a header line and at least one row",
            remedy="check that this is the right file",
        )
    source.check_widths(frame)
    rows = source.lines(count)
    columns, notes = source.columns(frame, texts, whole)
    return Table(columns, rows, "line", name, (*source.layout.notes, *notes), form)


@dataclass(frozen=True)
class _Source:
    """The bytes of a table with what is known of their layout."""

    content: bytes
    layout: Layout
    form: Form
    path: str

    def frame(self, most: int | None = None, *, only: list[int] | None = None) -> Any:
        """The cells as a pandas frame, its columns by position; those in `only` as texts, each as it is written."""
        pd = _pandas()
        file = io.BytesIO(self.content)
        file.seek(self.layout.start)
        older = tuple(int(part) for part in pd.__version__.split(".")[:2]) < (
            3,
            1,
        )  # there the quick reader of numbers is not exact
        options: dict[str, Any] = {"float_precision": "round_trip"} if older else {}
        options |= {"dtype": str, "usecols": only} if only is not None else {}
        try:
            return pd.read_csv(
                file,
                sep=r"\s+" if self.layout.delimiter == " " else self.layout.delimiter,
                header=None,
                names=list(range(len(self.layout.names))),
                index_col=False,
                skipinitialspace=True,
                keep_default_na=False,
                na_values=[*_MARKS, *self.form.marks],
                decimal=self.form.decimal,
                thousands=self.form.thousands,
                comment=self.form.comment,
                nrows=most if most is not None and most < MOST_ROWS else None,
                low_memory=True,
                encoding="utf-8",
                **options,
            )
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=list(range(len(self.layout.names))))
        except (pd.errors.ParserError, pd.errors.ParserWarning) as trouble:
            self._find_fault()
            raise FileFormatError(
                f"{self.path} cannot be read: {trouble}",
                expected="rows of cells with one delimiter between",
                remedy=advice("say how it is written: {0} ...", ("delimiter", ";")),
            ) from trouble

    def scan(self) -> Iterator[Row]:
        """The rows of data one by one: slow, and only for what pandas does not say."""
        lines = decoded_lines(self.content, self.layout.newline, self.layout.start)
        return rows_of(lines, self.layout.delimiter, self.form, self.layout.first_line)

    def check_widths(self, frame: Any) -> None:
        """FileFormatError for a row with fewer cells than names, which pandas would fill, and for quotes that are not in pairs."""
        data = memoryview(self.content)[self.layout.start :]
        quoted = b'"' in self.content
        bare = _QUOTED.sub(b"", data) if quoted else data
        if (quoted and b'"' in bytes(bare)) or self._has_long_line():
            self._find_fault()
        last = len(self.layout.names) - 1
        if last and frame[last].isna().any() and (
            self.layout.delimiter == " "
            or self.form.comment is not None
            or _count(bare, self.layout.delimiter) != last * len(frame)
        ):  # fmt: skip
            self._find_fault()

    def _has_long_line(self) -> bool:
        """Whether a cell could be longer than any text of a table."""
        steps = range(self.layout.start, len(self.content) - _LONGEST_CELL, _LONGEST_CELL // 2)
        return any(self.content.rfind(self.layout.newline, start, start + _LONGEST_CELL // 2) < 0 for start in steps)

    def lines(self, count: int) -> NDArray[np.int64]:
        """The number of the line that each of the rows begins in."""
        ends = _count(memoryview(self.content)[self.layout.start :], self.layout.newline.decode())
        ends += not self.content.endswith(self.layout.newline)
        if ends == count:
            return np.arange(self.layout.first_line, self.layout.first_line + count)
        found = np.array([line for line, _ in self.scan()], np.int64)
        return found if len(found) == count else np.arange(1, count + 1)

    def columns(self, frame: Any, texts: Sequence[str], whole: str | None) -> tuple[dict[str, Cells], list[str]]:
        """The columns by name, and notes on those that are none."""
        places = {name: place for place, name in enumerate(self.layout.names)}
        again = [places[name] for name in texts if name in places]
        if whole in places and _whole_with_gaps(frame[places[whole]]):
            again.append(places[whole])
        left_out, notes = self._no_columns(frame)
        again += [place for place in frame.columns if place not in (*again, *left_out) and _needs_texts(frame[place])]
        written = self.frame(len(frame), only=sorted(set(again))) if again else None
        found: dict[str, Cells] = {}
        for place, name in enumerate(self.layout.names):
            series = frame.pop(place)
            if place not in left_out:
                as_written = name in texts
                cells = _cells(series if written is None or place not in again else written[place])
                found[name] = cells if as_written or not isinstance(cells, Texts) else self._plain_numbers(cells)
        return found, notes

    def _plain_numbers(self, cells: Texts) -> Texts:
        """Texts, most of them numbers with the marks that were told: these with a point. pandas reads none where one is a text."""
        if self.form.decimal == "." and self.form.thousands is None:
            return cells
        plain = [text.replace(self.form.thousands or "\0", "").replace(self.form.decimal, ".") for text in cells.values]
        found = [new if is_number(new) else text for text, new in zip(cells.values, plain, strict=True)]
        return Texts(cells.codes, found) if 2 * sum(map(is_number, found)) > len(found) else cells

    def _no_columns(self, frame: Any) -> tuple[set[int], list[str]]:
        """The positions of what is no column: an index, and empty cells at the ends of rows."""
        out, notes = set[int](), list[str]()
        index = self.layout.index
        if index is not None:
            name = self.layout.names[index]
            if self.layout.guessed and not _is_index(frame[index]):
                raise bad_header(self.path, self.layout.header_line, f"column {index + 1} has no name")
            words = f"column {name!r}" if name else "first column, which has no name,"
            notes.append(f"the {words} was taken for an index of the rows and left out")
            out.add(index)
        empty = [place for place, name in enumerate(self.layout.names) if not name and place != index]
        for place in empty:
            if not frame[place].isna().all():
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
        lines = list(decoded_lines(self.content, self.layout.newline))
        if len(lines) > 100_000:
            return 0, 0, False
        rows = [(number, row.split()) for number, row in enumerate(lines, 1) if row.strip()]
        width = len(rows[-1][1])
        run = len(rows)
        while run and len(rows[run - 1][1]) == width and all(_NUMERIC.fullmatch(cell) for cell in rows[run - 1][1]):
            run -= 1
        above = rows[run - 1][0] if run else 0
        return (above, width, True) if width > 1 and len(rows) - run >= 3 and above >= line else (0, 0, False)


_NUMERIC = re.compile(r"[+-]?[\d.]+([eE][+-]?\d+)?")


# ---- bytes


def _unpacked(content: bytes, path: str, most: int) -> bytes:
    """What a file compressed by gzip holds; other bytes as they are."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as trouble:
        raise FileFormatError(
            f"{path} cannot be unpacked: {trouble}", expected="a file that gzip wrote", remedy="restore the file"
        ) from trouble
    if len(found) > most:
        raise FileFormatError(
            f"{path} holds more than {most} bytes, unpacked",
            expected=f"at most {most} bytes",
            remedy="pass a larger max_bytes if the file is meant to be this large",
        )
    return found


def _utf8(content: bytes, form: Form, path: str) -> bytes:
    """The bytes of the text in UTF-8, without a byte order mark."""
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    encoding = form.encoding or marked or "utf-8"
    if marked == "utf-8-sig" and form.encoding in (None, "utf-8", "utf8", "UTF-8", "utf-8-sig"):
        content, encoding = content[3:], "utf-8"
    if encoding == "utf-8" and content.isascii():
        return content
    try:
        text = content.decode(encoding)
        # What cannot be written as UTF-8 is refused as what cannot be read.
        return content if encoding == "utf-8" else text.lstrip("\ufeff").encode()
    except (UnicodeError, LookupError) as trouble:
        raise _not_decoded(content, encoding, path, trouble) from trouble


def _not_decoded(content: bytes, encoding: str, path: str, trouble: Exception) -> FileFormatError:
    start = trouble.start if isinstance(trouble, UnicodeDecodeError) else 0
    line = content[max(content.rfind(b"\n", 0, start) + 1, start - 30) :].split(b"\n", 1)[0][:60]
    guess = advice(f"if it should read {literal(line.decode('cp1252', 'replace'))}, read with {{0}}", ("encoding", "cp1252"))
    if b"\0" in content[:200]:
        guess = advice("if it is UTF-16, as Excel writes it, read with {0}", ("encoding", "utf-16"))
    return FileFormatError(
        f"{path}: byte {start} ({content[start]:#04x}) is not part of a {encoding.upper()} text",
        expected="a text file in UTF-8, or to be told which letters its bytes mean",
        remedy=guess if encoding == "utf-8" else "save the file again as CSV in UTF-8",
    )


def _check_lines(content: bytes, path: str) -> None:
    """FileFormatError for a line of millions of characters: its cells would be counted only when all were read."""
    newline = b"\n" if b"\n" in content else b"\r"
    for start in range(0, len(content) - _LONGEST_LINE, _LONGEST_LINE // 2):
        if content.rfind(newline, start, start + _LONGEST_LINE // 2) < 0:
            begin = content.rfind(newline, 0, start) + 1
            end = content.find(newline, start)
            length = (end if end >= 0 else len(content)) - begin
            if length > _LONGEST_LINE:
                raise too_long(path, content.count(newline, 0, start) + 1, length)


def _count(data: bytes | memoryview, mark: str) -> int:
    """How often a character stands in some bytes."""
    found, array = 0, np.frombuffer(data, np.uint8)
    for start in range(0, len(array), 2**20):
        found += int(np.count_nonzero(array[start : start + 2**20] == ord(mark)))
    return found


# ---- cells


def _pandas() -> Any:
    """pandas, loaded when a table is read: nothing else needs it."""
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    return pd


def _cells(series: Any) -> Cells:
    """A column as pandas read it: numbers as they are, texts without the spaces around them."""
    kind = series.dtype.kind
    if kind in "iu":
        return series.to_numpy().astype(np.int64 if kind == "i" else np.float64, copy=False)
    if kind == "f":
        return series.to_numpy()
    codes, values = series.factorize()
    return Texts(codes, [to_text(str(value)) for value in values])


def _needs_texts(series: Any) -> bool:
    """Whether pandas read texts as something else, or not all of a column in one way."""
    pd = _pandas()
    return series.dtype.kind == "b" or (series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) != "string")


def _whole_with_gaps(series: Any) -> bool:
    if series.dtype.kind != "f" or not series.isna().any():
        return False
    present = series.dropna().to_numpy()
    return bool(len(present) and np.all(np.isfinite(present)) and np.all(present == np.floor(present)))


def _is_index(series: Any) -> bool:
    """Whether a column counts the rows, or names each row by a text of its own."""
    if series.dtype.kind == "i":
        first = int(series.iloc[0])
        return first in (0, 1) and bool(np.array_equal(series.to_numpy(), np.arange(first, first + len(series))))
    return series.dtype.kind not in "fub" and bool(series.is_unique) and not series.isna().any()
