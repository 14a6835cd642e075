"""Sealed files: JSON objects that carry the SHA-256 of what they say, so that a changed byte is noticed when they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from chainrule.data.files import read_bounded
from chainrule.errors import ChainruleError, FileFormatError

SEAL = "seal"
"""The key of the hash; the files of older versions lack it, and are believed."""
MOST_BYTES = 1 << 26
"""How long such a file may be."""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What reading raises on content that is not what it should be."""


def sealed(content: Mapping[str, Any]) -> bytes:
    """The bytes of a file with this content and its seal.

    >>> print(sealed({"step": 3}).decode())  # doctest: +ELLIPSIS
    {
     "step": 3,
     "seal": "..."
    }
    """
    plain: dict[str, Any] = json.loads(
        json.dumps(content, allow_nan=False)
    )  # as it will be read: keys are texts, tuples are lists
    whole = {**plain, SEAL: _seal(plain)}
    try:
        return (json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # names of files that are no UTF-8
        return (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode()


def read_sealed(path: Path) -> dict[str, Any]:
    """The content of a sealed file, without its seal. Raises: MissingFileError; FileFormatError for one that was changed."""
    with as_written(path):
        found: object = json.loads(read_bounded(path, max_bytes=MOST_BYTES), parse_constant=_refuse_constant)
        if not isinstance(found, dict):
            raise TypeError("it is not a JSON object")
        content = cast("dict[str, Any]", found)
        if SEAL in content and content.pop(SEAL) != _seal(content):
            raise FileFormatError(
                f"{path} was changed since it was written: its content has not the SHA-256 that it names",
                expected="the file as it was written",
                remedy=f'restore it; if you changed it yourself and mean it so, take out its line "{SEAL}"',
            )
        return content


@contextmanager
def as_written(path: Path, remedy: str = "restore the file, or train anew") -> Generator[None]:
    """Whatever fails inside on what a file says becomes a FileFormatError that names the file."""
    try:
        yield
    except ChainruleError:
        raise
    except UNREADABLE as error:
        why = str(error) if isinstance(error, TypeError | ValueError) else f"{type(error).__name__} {error}".strip()
        raise FileFormatError(
            f"{path} cannot be read: {why[:300]}", expected="the file as it was written", remedy=remedy
        ) from error


def _seal(content: Mapping[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
