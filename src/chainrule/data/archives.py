"""Reads NPZ archives, NumPy's own files of several arrays, without ever unpickling and within bounds."""

from __future__ import annotations

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Unpack

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.arrays import Options, check_options, from_arrays
from chainrule.data.dataset import Dataset
from chainrule.data.files import regular_file, too_large
from chainrule.data.origin import remembered
from chainrule.data.progress import tell
from chainrule.data.rows import COPIED_OF_A_FILE, Rows
from chainrule.errors import FileFormatError
from chainrule.spelling import listed

_MOST_BYTES = 2**46
_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What zipfile, zlib and NumPy's header reader raise on bytes that are not what they should be.
BAD_ARCHIVE = (
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
    of `from_arrays`. Inputs that are not compressed stay in the file, and are read as they are needed: they may be larger than the
    memory. `max_bytes` bounds all else, packed and unpacked. Raises MissingFileError; FileFormatError for a
    damaged or too large archive, for arrays of Python objects and for other names; and the errors of `from_arrays`.

    >>> path = getfixture("tmp_path") / "line.npz"
    >>> np.savez(path, x=np.arange(10.0), y=2 * np.arange(10.0))
    >>> read_npz(path)
    Dataset('line': 8 train, 2 test; inputs (1,) float64; 1 number to fit)
    """
    check_options(options)
    settled: Options = {"name": Path(path).stem, "source": str(path), **options}
    return data_of(read_arrays(path, max_bytes=max_bytes), str(path), settled)


def data_of(arrays: Mapping[str, Rows | NDArray[Any]], path: str, settled: Options) -> Dataset:
    """The data set of the arrays x, y, or x_train, y_train with others, of a file or a folder. Raises: FileFormatError for other names."""
    pairs: Any = {part: (arrays[f"x{part}"], arrays[f"y{part}"]) for part in _parts_in(arrays, path)}
    if "" in pairs:
        return from_arrays(*pairs[""], **settled)
    return from_arrays(*pairs["_train"], test=pairs.get("_test"), validation=pairs.get("_validation"), **settled)


def read_arrays(path: str | Path, *, max_bytes: int = 2**30) -> dict[str, NDArray[Any]]:
    """The arrays x..., y... of an NPZ archive by their names in lower case; bounds and errors as in `read_npz`."""
    file = regular_file(path, max_bytes=_MOST_BYTES)
    try:
        with file.open("rb") as content, zipfile.ZipFile(content) as archive:
            members = _members(archive, str(path))
            mapped = {name for name, member in members.items() if _can_be_mapped(name, member)}
            _check_size(file, [member for name, member in members.items() if name not in mapped], archive, max_bytes)
            return {name: (_map if name in mapped else _array)(archive, member, file) for name, member in members.items()}
    except FileFormatError:
        raise
    except BAD_ARCHIVE as trouble:
        raise FileFormatError(
            f"{path} is not a complete NPZ archive ({type(trouble).__name__}: {trouble})",
            expected="an archive of arrays of numbers or texts, as np.savez writes it",
            remedy="save it again with np.savez(path, x=x, y=y), or fetch it again",
        ) from trouble


def _can_be_mapped(name: str, member: zipfile.ZipInfo) -> bool:
    """Whether inputs are large, and lie in the archive as they are."""
    return (
        name.startswith("x")
        and member.compress_type == zipfile.ZIP_STORED
        and member.compress_size == member.file_size >= COPIED_OF_A_FILE
        and not member.flag_bits & 1
    )


def _map(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    """The array of a member as a map of the archive, once its checksum was found to be right."""
    with archive.open(member) as stream:
        done = 0
        while block := stream.read(2**20):
            done += len(block)
            tell("checking the file", done / member.file_size)
    with path.open("rb") as file:
        file.seek(member.header_offset)
        lengths: tuple[int, int] = struct.unpack("<26xHH", file.read(30))
        file.seek(sum(lengths), os.SEEK_CUR)
        return map_of(file, path, member.filename, member.file_size)


def map_of(stream: BinaryIO, path: Path, name: str, size: int) -> NDArray[Any]:
    """The array of that name that begins where a file stands, in so many bytes, as a map."""
    begin = stream.tell()
    shape, by_columns, dtype = _header(stream, name, str(path))
    _require_exact(name, shape, dtype, size - (stream.tell() - begin))
    if not math.prod(shape) * dtype.itemsize:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", stream.tell(), shape, "F" if by_columns else "C")


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


def _check_size(path: Path, read: Sequence[zipfile.ZipInfo], archive: zipfile.ZipFile, max_bytes: int) -> None:
    """FileFormatError where more is to be read into memory than may be."""
    packed, size = path.stat().st_size, sum(member.file_size for member in read)
    if len(read) == len(archive.infolist()) and packed > max_bytes:
        raise too_large(f"{path} holds {packed} bytes", max_bytes)
    # The directory of the archive states the sizes, and zipfile never unpacks more than they say.
    if size > max_bytes:
        raise too_large(f"{path} would unpack to {size} bytes", max_bytes)


def _header(stream: IO[bytes], name: str, path: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it lies by columns, and type of the array that a stream in NPY format goes on with."""
    version = np.lib.format.read_magic(stream)
    if version not in _READ_HEADER:
        raise ValueError(f"{name} has the unknown format version {version}")  # reported by the caller
    shape, by_columns, dtype = _READ_HEADER[version](stream)
    if dtype.hasobject:
        raise FileFormatError(
            f"{path}: the array {name} holds Python objects",
            expected="numbers or texts: unpickling objects could run any code, so it is never done",
            remedy="convert before saving: x.astype(float), y.astype(str)",
        )
    return shape, by_columns, dtype


def _require_exact(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], left: int) -> None:
    # Compared before anything is reserved: a header can promise any shape.
    size = math.prod(shape) * dtype.itemsize
    if size != left or min(shape, default=0) < 0:
        raise ValueError(f"{name} promises {size} bytes for shape {shape} and holds {left}")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    with archive.open(member) as stream:
        shape, by_columns, dtype = _header(stream, member.filename, str(path))
        _require_exact(member.filename, shape, dtype, member.file_size - stream.tell())
        numbers = np.frombuffer(stream.read(), dtype, count=math.prod(shape))
        return numbers.reshape(shape, order="F" if by_columns else "C")


def _parts_in(arrays: Mapping[str, object], path: str) -> list[str]:
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
