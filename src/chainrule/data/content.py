"""Content: the text of a table in UTF-8, in memory or in a file, and what one pass over it tells."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chainrule.data.progress import tell
from chainrule.errors import FileFormatError
from chainrule.immutable import immutable

_BLOCK = 2**18
_LONGEST_LINE = 2**22
_LONGEST_CELL = 2**17
_HEAD = 2**22


class Content:
    """A text: `bytes`, or the bytes of a file from `skipped` on, which are read block by block and never kept."""

    def __init__(self, source: bytes | Path, name: str, skipped: int = 0) -> None:
        self.source, self.name, self.skipped = source, name, skipped
        self.size: int = len(source) if isinstance(source, bytes) else source.stat().st_size - skipped
        self.newline: bytes = b"\n" if self._begins_with_lines() else b"\r"

    def _begins_with_lines(self) -> bool:
        """Whether a line ends in the first few million bytes as usual."""
        if isinstance(self.source, bytes):
            return self.source.find(b"\n", 0, _HEAD) >= 0
        return any(b"\n" in block for block in self.blocks(stop=_HEAD))

    def whole(self) -> bytes:
        """All of it: for what is only done where something is wrong."""
        return self.source if isinstance(self.source, bytes) else b"".join(self.blocks())

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from a place on, or to another, some at a time."""
        stop = self.size if stop is None else min(stop, self.size)
        if isinstance(self.source, bytes):
            for begin in range(start, stop, _BLOCK):
                yield self.source[begin : min(begin + _BLOCK, stop)]
            return
        with self.source.open("rb", buffering=0) as file:
            file.seek(self.skipped + start)
            left = stop - start
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block

    def stretches(self, start: int, size: int) -> Iterator[tuple[int, int]]:
        """Where whole lines from a byte on begin and end, as many at a time as have about so many bytes."""
        while start < self.size:
            stop = self._line_end(start + size - 1)
            yield start, stop
            start = stop

    def _line_end(self, place: int) -> int:
        """The place behind the first end of a line from another place on; the end of the text where none follows."""
        for block in self.blocks(place):
            found = block.find(self.newline)
            if found >= 0:
                return place + found + 1
            place += len(block)
        return self.size

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """The lines from a byte on, or to another, each with its end."""
        rest = b""
        for block in self.blocks(start, stop):
            *whole, rest = (rest + block).split(self.newline)
            for line in whole:
                yield (line + self.newline).decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")


@immutable
class Survey:
    """What one pass over a text tells.

    lines: how many there are, the last one with or without an end. has_quotes, quotes_pair: whether there are quotes, and an even number
    of them. has_long_line: whether some cell may be too long. has_blanks: whether a blank stands where a cell may begin. is_blank: whether
    nothing else does.
    """

    lines: int
    has_quotes: bool
    quotes_pair: bool
    has_long_line: bool
    has_blanks: bool
    is_blank: bool


def keep_freed_memory() -> None:
    """Lets glibc keep what is freed, up to 64 MiB: a piece of a table takes the memory of the one before, which need not be cleared again.

    glibc hands memory back to the system in pieces as large as the largest that was freed so far, 32 MiB at most. This one is never
    written to, so it costs nothing. It saves a quarter of the processor time of reading; elsewhere it changes nothing.
    """
    np.empty(2**25 - 2**16, np.uint8)


def survey(content: Content) -> Survey:
    """Looks at all of a text once. Raises: UnicodeDecodeError for what is not UTF-8, FileFormatError for a line that is too long."""
    keep_freed_memory()
    decoder = codecs.getincrementaldecoder("utf-8")()
    newline, plain = content.newline, True
    count, quotes, position, last, longest = 0, 0, 0, -1, 0
    ending, has_blanks, is_blank = b"\n", False, True
    for block in content.blocks():
        plain = plain and block.isascii()
        if not plain:
            decoder.decode(block)
        array = np.frombuffer(block, np.uint8)
        count += int(np.count_nonzero(array == newline[0]))
        quotes += block.count(b'"') if b'"' in block else 0
        has_blanks = has_blanks or _blank_after_mark(ending, block)
        is_blank = is_blank and block.isspace()
        for begin in range(0, len(block), _LONGEST_CELL // 2):
            end = begin + _LONGEST_CELL // 2
            first = block.find(newline, begin, end)
            if first >= 0:
                longest = max(longest, position + first - last - 1)
                last = position + block.rfind(newline, begin, end)
        if position + len(block) - last - 1 > _LONGEST_LINE or longest > _LONGEST_LINE:
            raise _too_long_somewhere(content)
        position += len(block)
        ending = block[-1:]
        tell("looking at the file", position / content.size)
    if not plain:
        decoder.decode(b"", final=True)
    longest = max(longest, position - last - 1)
    lines = count + (position > 0 and ending != newline)
    return Survey(lines, quotes > 0, quotes % 2 == 0, longest > _LONGEST_CELL, has_blanks, is_blank)


def count_outside_quotes(content: Content, start: int, mark: str) -> int:
    """How often a character stands in a text from a byte on, but for what is inside quotes."""
    found, inside = 0, False
    for block in content.blocks(start):
        array = np.frombuffer(block, np.uint8)
        hits = array == ord(mark)
        if inside or b'"' in block:
            # An odd number of quotes before it: inside.
            parity = np.bitwise_xor.accumulate(array == ord('"')) ^ inside
            inside = bool(parity[-1])
            hits &= ~parity
        found += int(np.count_nonzero(hits))
    return found


def too_long(path: str, line: int, length: int) -> FileFormatError:
    """The error for a line that cannot be one of a table."""
    return FileFormatError(
        f"{path}, line {line} has {length} characters",
        expected=f"lines of at most {_LONGEST_LINE} characters",
        remedy="check that this is a table",
    )


def _too_long_somewhere(content: Content) -> FileFormatError:
    """The error for the first line that is too long, of which it is only known that there is one."""
    line, length = 1, 0
    for block in content.blocks():
        begin = 0
        while (end := block.find(content.newline, begin)) >= 0:
            length += end - begin
            if length > _LONGEST_LINE:
                return too_long(content.name, line, length)
            line, length, begin = line + 1, 0, end + 1
        length += len(block) - begin
    return too_long(content.name, line, length)


def _blank_after_mark(before: bytes, block: bytes) -> bool:
    """Whether a blank or a tab stands where a cell may begin: behind anything but a letter or digit."""
    for blank in (b" ", b"\t"):
        if blank in block:
            if block.startswith(blank) and not _IN_CELLS[before[0]]:
                return True
            array = np.frombuffer(block, np.uint8)
            if not _IN_CELLS[array[np.flatnonzero(array[1:] == blank[0])]].all():
                return True
    return False


_IN_CELLS = np.array([bytes([code]).isalnum() or code >= 128 for code in range(256)])
"""The bytes that no delimiter has."""
