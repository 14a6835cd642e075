"""Reads NPZ archives, NumPy's own files of several arrays, without ever unpickling and within bounds."""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.arrays import Options, check_options, from_arrays
from chainrule.data.dataset import Dataset
from chainrule.data.files import read_bounded, too_large
from chainrule.data.origin import remembered
from chainrule.errors import FileFormatError
from chainrule.spelling import listed

_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What zipfile, zlib and NumPy's header reader raise on bytes that are not what they should be.
_BAD_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    tokenize.TokenError,
    OverflowError,
    NotImplementedError,  # an unknown method of compression
    RuntimeError,  # an encrypted member
    RecursionError,
    MemoryError,  # Python's parser, on a header of very deep brackets
)


@remembered()
@checked
def read_npz(path: str | Path, *, max_bytes: int = 2**30, **options: Unpack[Options]) -> Dataset:
    """A data set from an archive that `np.savez(path, x=..., y=...)` wrote.

    The arrays are `x` and `y`, which are then split; or `x_train`, `y_train` with `x_test`, `y_test`, or
    `x_validation`, `y_validation`, or both. Capital letters do not matter; other arrays are left alone. The options are those
    of `from_arrays`. `max_bytes` bounds the file and the unpacked arrays. Raises MissingFileError; FileFormatError for a
    damaged or too large archive, for arrays of Python objects and for other names; and the errors of `from_arrays`.

    >>> path = getfixture("tmp_path") / "line.npz"
    >>> np.savez(path, x=np.arange(10.0), y=2 * np.arange(10.0))
    >>> read_npz(path)
    Dataset('line': 8 train, 2 test; inputs (1,) float64; 1 number to fit)
    """
    check_options(options)
    arrays = read_arrays(path, max_bytes=max_bytes)
    settled: Options = {"name": Path(path).stem, "source": str(path), **options}
    pairs = {part: (arrays[f"x{part}"], arrays[f"y{part}"]) for part in _parts_in(arrays, str(path))}
    if "" in pairs:
        return from_arrays(*pairs[""], **settled)
    return from_arrays(*pairs["_train"], test=pairs.get("_test"), validation=pairs.get("_validation"), **settled)


def read_arrays(path: str | Path, *, max_bytes: int = 2**30) -> dict[str, NDArray[Any]]:
    """The arrays x..., y... of an NPZ archive by their names in lower case; bounds and errors as in `read_npz`."""
    content = read_bounded(path, max_bytes=max_bytes)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive, str(path))
            _check_size(members, max_bytes, str(path))
            return {name: _array(archive, member, str(path)) for name, member in members.items()}
    except FileFormatError:
        raise
    except _BAD_ARCHIVE as trouble:
        raise FileFormatError(
            f"{path} is not a complete NPZ archive ({type(trouble).__name__}: {trouble})",
            expected="an archive of arrays of numbers or texts, as np.savez writes it",
            remedy="save it again with np.savez(path, x=x, y=y), or fetch it again",
        ) from trouble


def _members(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    """The members that hold x... and y..., by their names in lower case without the ending."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy").lower()
        if name.startswith(("x", "y")):
            if name in members:
                raise FileFormatError(
                    f"{path} holds two arrays named {name!r}, but for capital letters",
                    expected="one",
                    remedy="rename one of them",
                )
            members[name] = member
    return members


def _check_size(members: dict[str, zipfile.ZipInfo], max_bytes: int, path: str) -> None:
    # The directory of the archive states the sizes, and zipfile never unpacks more than they say.
    size = sum(member.file_size for member in members.values())
    if size > max_bytes:
        raise too_large(f"{path} would unpack to {size} bytes", max_bytes)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str) -> NDArray[Any]:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _READ_HEADER:
            raise ValueError(f"{member.filename} has the unknown format version {version}")  # reported by the caller
        shape, by_columns, dtype = _READ_HEADER[version](stream)
        if dtype.hasobject:
            raise FileFormatError(
                f"{path}: the array {member.filename} holds Python objects",
                expected="numbers or texts: unpickling objects could run any code, so it is never done",
                remedy="convert before saving: x.astype(float), y.astype(str)",
            )
        # Compared before anything is reserved: a header can promise any shape.
        size = math.prod(shape) * dtype.itemsize
        left = member.file_size - stream.tell()
        if size != left or min(shape, default=0) < 0:
            raise ValueError(f"{member.filename} promises {size} bytes for shape {shape} and holds {left}")
        numbers = np.frombuffer(stream.read(), dtype, count=math.prod(shape))
        return numbers.reshape(shape, order="F" if by_columns else "C")


def _parts_in(arrays: dict[str, NDArray[Any]], path: str) -> list[str]:
    """The endings of the names that belong together: [""] for x, y; ["_train", ...] for parts that stand apart."""
    parts = [part for part in ("", "_train", "_validation", "_test") if f"x{part}" in arrays and f"y{part}" in arrays]
    unpaired = {f"{letter}{part}" for part in ("", "_train", "_validation", "_test") for letter in "xy"} & arrays.keys()
    if parts and len(unpaired) == 2 * len(parts) and (parts == [""] or (parts[0] == "_train" and len(parts) > 1)):
        return parts
    raise FileFormatError(
        f"{path} holds the arrays {listed(arrays) or '(none that begins with x or y)'}",
        expected="x and y; or x_train, y_train with x_test, y_test or x_validation, y_validation",
        remedy="save it with np.savez(path, x=x, y=y)",
    )
