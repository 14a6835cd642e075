"""Decoding: from the bytes of a file to those of a text in UTF-8, and what is asked of them without reading the text."""

from __future__ import annotations

import gzip
import io
import zlib

import numpy as np

from chainrule.data.advice import advice, literal
from chainrule.data.files import too_large
from chainrule.data.form import Form
from chainrule.data.layout import too_long
from chainrule.errors import FileFormatError

_LONGEST_LINE = 2**22
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def unpacked(content: bytes, path: str, most: int) -> bytes:
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
        raise too_large(f"{path} holds more than {most} bytes, unpacked", most)
    return found


def utf8(content: bytes, form: Form, path: str) -> bytes:
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


def check_lines(content: bytes, path: str) -> None:
    """FileFormatError for a line of millions of characters: its cells would be counted only when all were read."""
    newline = b"\n" if b"\n" in content else b"\r"
    for start in range(0, len(content) - _LONGEST_LINE, _LONGEST_LINE // 2):
        if content.rfind(newline, start, start + _LONGEST_LINE // 2) < 0:
            begin = content.rfind(newline, 0, start) + 1
            end = content.find(newline, start)
            length = (end if end >= 0 else len(content)) - begin
            if length > _LONGEST_LINE:
                raise too_long(path, content.count(newline, 0, start) + 1, length)


def count(data: bytes | memoryview, mark: str) -> int:
    """How often a character stands in some bytes."""
    found, array = 0, np.frombuffer(data, np.uint8)
    for start in range(0, len(array), 2**20):
        found += int(np.count_nonzero(array[start : start + 2**20] == ord(mark)))
    return found
