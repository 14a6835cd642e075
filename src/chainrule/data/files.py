"""Reads a file of bounded size into memory: the first step of every reader in this package."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chainrule.errors import FileFormatError, MissingFileError
from chainrule.files import named


def read_bounded(path: str | Path, *, max_bytes: int) -> bytes:
    """The bytes of a regular file that holds at most `max_bytes` of them.

    Raises MissingFileError if nothing is there, FileFormatError for a folder, a device, an unreadable or too large file.

    >>> read_bounded("no/such/file.csv", max_bytes=100)
    Traceback (most recent call last):
    ...
    chainrule.errors.MissingFileError: there is no file no/such/file.csv
      expected: the path of an existing file
      fix: check the spelling; relative paths start at ...
    """
    path = named(path)
    with _told(path):
        return _content(path, max_bytes)


def regular_file(path: str | Path, *, max_bytes: int) -> Path:
    """The path of a regular file that holds at most `max_bytes`, where it can be read; errors as of `read_bounded`."""
    path = named(path)
    with _told(path):
        _require_regular(path, max_bytes)
        with path.open("rb"):
            return path


def read_stream(stream: BinaryIO, name: str, *, max_bytes: int) -> bytes:
    """All that a stream of that name gives. Raises: FileFormatError where it gives more than `max_bytes`."""
    content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise too_large(f"{name} gives more than {max_bytes} bytes", max_bytes)
    return content


@contextmanager
def _told(path: Path) -> Generator[None]:
    """What the system refuses inside is an error of ours."""
    try:
        yield
    except MissingFileError:
        raise
    except OSError as trouble:
        raise FileFormatError(
            f"{path} cannot be read: {trouble.strerror or trouble}",
            expected="a file that this user may read",
            remedy="check the path and its permissions",
        ) from trouble


def _require_regular(path: Path, max_bytes: int) -> None:
    if not path.exists():
        raise MissingFileError(
            f"there is no file {path}",
            expected="the path of an existing file",
            remedy=f"check the spelling; relative paths start at {Path.cwd()}",
        )
    # A pipe or a device could block or never end, so only regular files are opened.
    if not path.is_file():
        raise FileFormatError(f"{path} is not a regular file", expected="a file", remedy="name a file inside the folder")
    if path.stat().st_size > max_bytes:
        raise too_large(f"{path} holds {path.stat().st_size} bytes", max_bytes)


def _content(path: Path, max_bytes: int) -> bytes:
    _require_regular(path, max_bytes)
    with path.open("rb") as file:
        # As much as it says to hold and a byte more, so that no room is made for what is not there.
        content = file.read(min(os.fstat(file.fileno()).st_size, max_bytes) + 1)
    if len(content) > max_bytes:
        raise too_large(f"{path} holds {path.stat().st_size} bytes", max_bytes)
    return content


def too_large(happened: str, most: int) -> FileFormatError:
    """The error for a file, packed or unpacked, that exceeds a bound."""
    return FileFormatError(
        happened, expected=f"at most {most} bytes", remedy="pass a larger max_bytes if the file is meant to be this large"
    )
