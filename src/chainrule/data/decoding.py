"""Decoding: from a file, or its bytes, to a text in UTF-8."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from chainrule.data.advice import advice, literal
from chainrule.data.content import Content, Survey, survey
from chainrule.data.files import read_bounded, regular_file, too_large
from chainrule.data.form import Form
from chainrule.errors import FileFormatError

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PACKED = b"\x1f\x8b"
_SMALL = 2**20
"""Files of fewer bytes are read at once."""


def opened(path: str | Path, form: Form, most: int) -> tuple[Content, Survey]:
    """The text in a file, and what a first look at it tells; a large one in UTF-8 stays on the disk."""
    file = regular_file(path, max_bytes=most)
    with file.open("rb") as beginning:
        first = beginning.read(4)
    skipped = 3 if _encoding(first, form) == "utf-8-sig" else 0
    if file.stat().st_size < _SMALL or first.startswith(_PACKED) or (_encoding(first, form) != "utf-8" and not skipped):
        return decoded(read_bounded(path, max_bytes=most), str(path), form, most)
    return _surveyed(Content(file, str(path), skipped))


def decoded(content: bytes, name: str, form: Form, most: int) -> tuple[Content, Survey]:
    """The text that some bytes mean, perhaps packed by gzip, and what a first look at it tells."""
    content = _unpacked(content, name, most)
    encoding = _encoding(content[:4], form)
    if encoding == "utf-8-sig":
        content = content[3:]
    elif encoding != "utf-8":
        try:
            # What cannot be written as UTF-8 is refused as what cannot be read.
            content = content.decode(encoding).lstrip("\ufeff").encode()
        except (UnicodeError, LookupError) as trouble:
            raise _not_decoded(content, encoding, name, trouble) from trouble
    return _surveyed(Content(content, name))


def _surveyed(content: Content) -> tuple[Content, Survey]:
    try:
        return content, survey(content)
    except UnicodeDecodeError:
        whole = content.whole()
        try:
            whole.decode()  # once more, for the place in the whole file
        except UnicodeDecodeError as trouble:
            raise _not_decoded(whole, "utf-8", content.name, trouble) from trouble
        raise


def _encoding(first: bytes, form: Form) -> str:
    """How a text that begins so is encoded; "utf-8-sig" where a mark of UTF-8 is to be passed over."""
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if first.startswith(mark)), None)
    if marked == "utf-8-sig" and form.encoding in (None, "utf-8", "utf8", "UTF-8", "utf-8-sig"):
        return marked
    return form.encoding or marked or "utf-8"


def _unpacked(content: bytes, path: str, most: int) -> bytes:
    """What a file compressed by gzip holds; other bytes as they are."""
    if not content.startswith(_PACKED):
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
