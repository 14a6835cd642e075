"""Files that a user asks to be written: the name is looked at before, and what the disk refuses becomes an error of ours."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from chainrule.checks import shown
from chainrule.errors import MissingFileError, OptionError, OptionTypeError, UnwritableFileError


@contextmanager
def writing(path: object, *endings: str) -> Generator[Path]:
    """The path to write to; the name must end with one of `endings`, where there are any, and its folder must be there.

    >>> with writing("no/such/folder.svg", ".svg") as path:
    ...     pass
    Traceback (most recent call last):
    ...
    chainrule.errors.MissingFileError: there is no folder no/such for folder.svg
      expected: a folder that is there
      to mend it: make the folder first, or choose another one
    """
    if not isinstance(path, str | os.PathLike):
        raise OptionTypeError(f"path={shown(path)}", expected="the name of a file", remedy='write for example "picture.svg"')
    name = cast("str | os.PathLike[str]", path)
    place = Path(name)
    if endings and place.suffix not in endings:
        listed = " or ".join(endings)
        raise OptionError(
            f"a file {str(place)!r}", expected=f"a name that ends with {listed}", remedy=f"end the name with {endings[0]}"
        )
    if not place.parent.is_dir():
        raise MissingFileError(
            f"there is no folder {place.parent} for {place.name}",
            expected="a folder that is there",
            remedy="make the folder first, or choose another one",
        )
    try:
        yield place
    except OSError as trouble:
        if isinstance(trouble, UnwritableFileError):
            raise
        raise UnwritableFileError(
            f"{place} cannot be written: {trouble.strerror or trouble}",
            expected="a file that may be written, and room on the disk",
            remedy="choose another place",
        ) from trouble
