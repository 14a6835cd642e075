"""Pieces: the columns of a long table, gathered from the pieces that pandas reads, without all of it ever standing there twice."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.cells import MISSING, Cells, Texts, missing_cells
from chainrule.data.content import Content
from chainrule.data.form import Form
from chainrule.data.layout import rows_of
from chainrule.data.progress import tell
from chainrule.data.rows import in_turn, threads

_MARKS = sorted(
    {form for word in MISSING for form in (word, word.upper(), word.capitalize(), word.title())} | {"NaN", "-NaN", "NaT"}
)
_CELLS = 2**19
"""How many cells a piece has, about: they stay in the cache from the file to their columns."""
_BYTES = 2**22
"""How long the lines are that a thread reads at once, about."""
_BYTES_OF_A_COLUMN = 2**15
_MOST_BYTES = 2**26
"""The same where there are many columns: for each of them and each piece pandas takes as long as for some thousands of bytes."""
_LEAST = 2**23
"""From so many bytes for each thread, the lines are shared out: each begins with memory of its own, which costs as much as some of them."""
_ROWS = 1024


class Feed:
    """The bytes of a text from a place on, or to another, as pandas asks for them: it takes them as they are from what is no file."""

    def __init__(self, content: Content, start: int, stop: int | None = None) -> None:
        self._blocks = content.blocks(start, stop)
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        if not len(self._rest):
            block = next(self._blocks, b"")
            if 0 <= len(block) <= size:
                return block
            self._rest = memoryview(block)
        size = len(self._rest) if size < 0 else size
        found, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return found

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks


class _ToldFeed(Feed):
    """A feed that tells whoever listens how far it is."""

    def __init__(self, content: Content, start: int) -> None:
        super().__init__(content, start)
        self._given, self._size = start, content.size

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        found = super().read(size)
        self._given += len(found)
        if found:
            tell("reading", self._given / self._size)
        return found


def _told(content: Content, start: int, width: int) -> Iterator[tuple[int, int]]:
    """Where some lines of so many cells begin and end, from a byte on; whoever listens is told how far it is."""
    for begin, end in content.stretches(start, _stretch(content.size - start, width)):
        yield begin, end
        tell("reading", end / content.size)


def _stretch(size: int, width: int) -> int:
    """How many bytes of lines of so many cells a thread reads at once, so that all have about as much to do."""
    count = max(1, round(size / max(_BYTES, min(width * _BYTES_OF_A_COLUMN, _MOST_BYTES))))
    return -(-size // (-(-count // threads()) * threads() if _is_shared(size) else count))


def _is_shared(size: int) -> bool:
    """Whether several threads read so many bytes."""
    return size >= _LEAST * threads()


class Pieces:
    """The columns of a table of at most `most` rows, by position, as far as they have been read.

    Those in `beside` are expected to be numbers, and lie beside each other in one array: row by row, as a network takes them, or one
    column after the other, where they will be looked at one by one.
    """

    def __init__(
        self, places: Collection[int], most: int, form: Form, beside: Sequence[int] = (), *, by_rows: bool = True
    ) -> None:
        room = np.empty((most, len(beside)), order="C" if by_rows else "F")
        among = {place: number for number, place in enumerate(beside)}
        self._columns = {
            place: _Column(most, form, room[:, among[place]] if place in among else room[:0, 0:0]) for place in places
        }
        self._form, self._by_rows = form, by_rows
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def read(
        self,
        content: Content,
        start: int,
        delimiter: str,
        width: int,
        most: int | None,
        *,
        as_texts: Collection[int],
        kind: str,
        has_blanks: bool,
        has_quotes: bool,
    ) -> None:
        """Reads rows of `width` cells each from a byte on, the columns that were asked for, those in `as_texts` as texts of a kind.

        As "str" they are what is written; as "category" they are found faster, but numbers among them may be read as such. A little more
        than `most` rows may be read. Without quotes each line is a row, and several threads read some lines each.

        Raises: pandas' ParserError, a ValueError, for what are no such rows.
        """
        import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

        reader: Any = pd
        form = self._form
        older = tuple(int(part) for part in reader.__version__.split(".")[:2]) < (3, 1)
        # Before that, pandas' quick reader of numbers was not exact.
        options: dict[str, Any] = {"float_precision": "round_trip"} if older else {}

        def parsed(source: Any, **more: Any) -> Any:
            return reader.read_csv(
                source,
                sep=r"\s+" if delimiter == " " else delimiter,
                header=None,
                names=list(range(width)),
                # With some columns alone pandas takes rows of any length: first of all it reads them all.
                usecols=None if kind == "category" else list(self._columns),
                dtype=dict.fromkeys(as_texts, kind),
                index_col=False,
                skipinitialspace=has_blanks,
                keep_default_na=False,
                na_values=[*(_MARKS if form.keep_default_na else [""]), *form.marks],
                decimal=form.decimal,
                thousands=form.thousands,
                comment=form.comment,
                low_memory=False,
                encoding="utf-8",
                **options,
                **more,
            )

        def some(place: tuple[int, int]) -> Any:
            # As pandas does, each of the usual ends of a line is taken for one.
            lines = (line for given in content.lines(*place) for line in StringIO(given, newline=None))
            _, cells = next(rows_of(lines, delimiter, form), (0, list[str]()))
            # pandas lets the first row have an empty cell more than the others.
            if len(cells) > width:
                raise ValueError(f"{len(cells)} cells in a row of {width}")
            return parsed(Feed(content, *place)) if cells else None

        with warnings.catch_warnings():
            warnings.simplefilter("error", reader.errors.ParserWarning)  # it says that cells are lost
            try:
                if has_quotes:
                    with parsed(_ToldFeed(content, start), nrows=most, chunksize=max(1000, _CELLS // width)) as pieces:
                        self._add_all(pieces, most)
                elif _is_shared(content.size - start):
                    self._add_all(in_turn(some, _told(content, start, width), threads()), most)
                else:
                    for piece in map(some, _told(content, start, width)):
                        if most is not None and self._count >= most:
                            break
                        self._add(piece)
            except reader.errors.EmptyDataError:
                return
            except reader.errors.ParserWarning as trouble:
                raise ValueError(str(trouble)) from trouble

    def _add_all(self, pieces: Iterable[Any], most: int | None) -> None:
        """Takes one piece after the other, each while pandas reads the next ones, until there are `most` rows."""
        with ThreadPoolExecutor(1) as pool:
            before: Future[None] | None = None
            for piece in pieces:
                if before is not None:
                    before.result()
                if most is not None and self._count >= most:
                    return
                before = pool.submit(self._add, piece)
            if before is not None:
                before.result()

    def _add(self, piece: Any) -> None:
        """Takes a piece, if there is one; numbers that lie row by row are written some rows at a time, which then are in the cache."""
        if piece is None:
            return
        begin, count = self._count, len(piece)
        beside: list[tuple[_Column, NDArray[Any]]] = []
        for place, cells in piece.items():
            column = self._columns.get(place)
            if column is None:
                continue
            if column.takes_numbers(cells.dtype):
                beside.append((column, cells.to_numpy()))
            else:
                column.add(cells)
        size = _ROWS if self._by_rows else max(1, count)
        for start in range(0, count, size):
            stop = min(start + size, count)
            for column, numbers in beside:
                column.room[begin + start : begin + stop] = numbers[start:stop]
        for column, _ in beside:
            column.numbers, column.count = column.room, begin + count
        self._count += count

    def pop(self, place: int) -> Cells:
        """A column, which is no longer kept here."""
        return self._columns.pop(place).cells()

    def missing(self, place: int) -> NDArray[np.bool_]:
        """True where a cell of the column is missing."""
        return missing_cells(self._columns[place].cells())

    def is_mixed(self, place: int) -> bool:
        """Whether pandas read some cells as other than what is written, or not all alike: the column has to be read again, as texts."""
        return self._columns[place].mixed

    def has_gaps_in_whole(self, place: int) -> bool:
        """Whether a column holds whole numbers and gaps: only what is written tells whether they were written as whole."""
        cells = self._columns[place].cells()
        if isinstance(cells, Texts) or not np.isnan(cells).any():
            return False
        present = cells[~np.isnan(cells)]
        return bool(len(present) and np.all(present == np.floor(present)))

    def is_index(self, place: int) -> bool:
        """Whether a column counts the rows, or names each of them by a text of its own."""
        cells = self._columns[place].cells()
        if isinstance(cells, Texts):
            return len(cells.values) == len(cells) and not (cells.codes < 0).any()
        first = cells[0] if len(cells) else -1
        return first in (0, 1) and bool(np.array_equal(cells, np.arange(first, first + len(cells))))


class _Column:
    """A column as it grows; `mixed` once its pieces are of kinds that do not go together."""

    def __init__(self, most: int, form: Form, room: NDArray[np.float64]) -> None:
        self.most, self.form, self.count, self.mixed = most, form, 0, False
        self.room = room
        self.numbers: NDArray[Any] | None = None
        self.codes: NDArray[np.int64] | None = None
        self.values: dict[str, int] = {}
        """The different texts, each with its code."""
        self.known: dict[object, int] = {}
        """The same, as they are written."""

    def takes_numbers(self, dtype: Any) -> bool:
        """Whether numbers of this type go into the room beside others."""
        return self.room.size > 0 and not self.mixed and self.codes is None and dtype.kind in "iuf"

    def add(self, piece: Any) -> None:
        """Takes the cells of a piece, a pandas series."""
        begin, self.count = self.count, self.count + len(piece)
        if self.mixed:
            return
        if hasattr(piece.dtype, "categories"):
            self._add_categories(piece.cat.codes.to_numpy(), piece.cat.categories, begin)
        elif piece.dtype.kind in "iuf":
            self._add_numbers(piece.to_numpy(), begin)
        elif piece.dtype.kind == "b" or (piece.dtype == object and not _all_texts(piece)):
            self._give_up()
        else:
            codes, values = piece.factorize()
            self._add_texts(codes, values.tolist(), begin)

    def cells(self) -> Cells:
        """All that was taken."""
        if self.numbers is not None:
            return self.numbers[: self.count]
        codes = np.full(self.count, -1) if self.codes is None else self.codes[: self.count]
        return Texts(codes, list(self.values))

    def _add_numbers(self, numbers: NDArray[Any], begin: int) -> None:
        if self.codes is not None:
            if numbers.dtype.kind == "f" and np.isnan(numbers).all():
                self.codes[begin : self.count] = -1
            else:
                self._give_up()
            return
        kind = np.int64 if numbers.dtype.kind == "i" else np.float64
        if self.numbers is None:
            self.numbers = np.empty(self.most, kind)
        elif self.numbers.dtype == np.int64 and kind is np.float64:
            self.numbers = self.numbers.astype(np.float64)
        self.numbers[begin : self.count] = numbers

    def _add_categories(self, codes: NDArray[Any], values: Any, begin: int) -> None:
        if len(values) and values.dtype.kind in "iufb":
            self._give_up()  # pandas from 3.1 on reads texts as numbers where all of a piece look so
        else:
            self._add_texts(codes, values.tolist(), begin)

    def _add_texts(self, codes: NDArray[Any], values: list[object], begin: int) -> None:
        """Takes texts by their codes among some values; −1 is a missing one."""
        if self.numbers is not None:
            if self.numbers.dtype != np.float64 or not np.isnan(self.numbers[:begin]).all():
                self._give_up()
                return
            self.numbers = None
            self.codes = np.full(self.most, -1)
        if self.codes is None:
            self.codes = np.empty(self.most, np.int64)
        known = self.known
        if not all(value in known for value in values):
            # New ones are numbered as they come in the rows.
            first = np.full(len(values) + 1, len(codes))
            first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
            for place in np.argsort(first[:-1], kind="stable").tolist():
                if (value := values[place]) not in known:
                    text = self.form.read(str(value))
                    known[value] = -1 if text is None else self.values.setdefault(text, len(self.values))
        places = [known[value] for value in values]
        # The code of a missing cell, −1, finds the last entry.
        self.codes[begin : self.count] = np.array([*places, -1], np.int64)[codes]

    def _give_up(self) -> None:
        self.mixed, self.numbers, self.codes, self.values, self.known = True, None, None, {}, {}


def _all_texts(piece: Any) -> bool:
    return all(isinstance(value, str) or value != value for value in piece)  # only NaN differs from itself
