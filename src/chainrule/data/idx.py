"""Reads IDX files, the format of the MNIST digits: a few bytes of header, then the numbers; packed with gzip or not."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.files import read_bounded
from chainrule.errors import FileFormatError

# The third byte of the file says what each number is; the format is big-endian throughout.
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_AXES = 32  # what every supported NumPy can hold


@checked
def read_idx(path: str | Path, *, max_bytes: int = 2**30) -> NDArray[Any]:
    """The array in an IDX file: read-only, of the shape and dtype that its header names, in native byte order.

    The file may be packed with gzip. `max_bytes` bounds the file and the unpacked array; no more is ever unpacked than the
    header promises, plus one byte. Raises MissingFileError, or FileFormatError for anything but a complete, exact file.
    Source: "The IDX file format", at the end of the MNIST page (http://yann.lecun.com/exdb/mnist/).

    >>> path = getfixture("tmp_path") / "three.idx"
    >>> _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9]))
    >>> read_idx(path)
    array([7, 8, 9], dtype=uint8)
    """
    content = read_bounded(path, max_bytes=max_bytes)
    stream = _Packed(content, str(path)) if content.startswith(_GZIP_MAGIC) else _Plain(content, str(path))
    dtype, axes = _kind(stream)
    shape: tuple[int, ...] = struct.unpack(f">{axes}I", stream.take(4 * axes, "the sizes of the axes"))
    size = math.prod(shape) * dtype.itemsize
    if not 0 < size <= max_bytes:
        raise FileFormatError(
            f"{path}: the header promises an array of shape {shape}, {size} bytes",
            expected=f"1 to {max_bytes} bytes",
            remedy="pass a larger max_bytes if this is meant, else fetch the file again",
        )
    numbers = np.frombuffer(stream.take(size, f"an array of shape {shape}"), dtype)
    stream.finish()
    native = numbers.astype(dtype.newbyteorder("="), copy=False).reshape(shape)
    native.flags.writeable = False
    return native


def _kind(stream: _Plain | _Packed) -> tuple[np.dtype[Any], int]:
    """The dtype and the number of axes, from the four bytes that open the file."""
    magic = stream.take(4, "the magic number")
    zero, code, axes = magic[:2], magic[2], magic[3]
    if zero != b"\0\0" or code not in _DTYPES or not 1 <= axes <= _MOST_AXES:
        codes = ", ".join(f"{known:02x}" for known in _DTYPES)
        raise FileFormatError(
            f"{stream.path} begins with the bytes {magic.hex(' ')}",
            expected=f"00 00, a number type ({codes}) and the number of axes (01 to {_MOST_AXES:02x})",
            remedy="check that this is an IDX file",
        )
    return np.dtype(_DTYPES[code]), axes


class _Plain:
    """The bytes of an unpacked file, taken from the front."""

    def __init__(self, content: bytes, path: str) -> None:
        self.path, self._content, self._taken = path, content, 0

    def take(self, count: int, what: str) -> bytes:
        piece = self._content[self._taken : self._taken + count]
        if len(piece) < count:
            raise _truncated(self.path, self._taken, count, len(piece), what)
        self._taken += count
        return piece

    def finish(self) -> None:
        left = len(self._content) - self._taken
        if left:
            raise _trailing(self.path, f"{left} bytes follow the array, which ends at byte {self._taken}")


class _Packed:
    """The bytes of a gzip file, unpacked only as far as they are asked for."""

    def __init__(self, content: bytes, path: str) -> None:
        self.path, self._packed, self._taken = path, content, 0
        self._inflater = zlib.decompressobj(wbits=31)  # 31: a gzip header and checksum around the data

    def take(self, count: int, what: str) -> bytes:
        piece = self._inflate(count)
        if len(piece) < count:
            raise _truncated(self.path, self._taken, count, len(piece), what)
        self._taken += count
        return piece

    def finish(self) -> None:
        if self._inflate(1):
            raise _trailing(self.path, f"more unpacked bytes follow the array, which ends at byte {self._taken}")
        if not self._inflater.eof:
            raise FileFormatError(
                f"{self.path}: the gzip stream ends before its checksum",
                expected="a checksum of 8 bytes at the end of the file",
                remedy="the file is truncated: fetch it again",
            )
        if self._inflater.unused_data:
            raise _trailing(self.path, f"{len(self._inflater.unused_data)} bytes follow the gzip stream")

    def _inflate(self, most: int) -> bytes:
        if self._inflater.eof:  # asked once more, zlib would add the rest to `unused_data` a second time
            return b""
        try:
            piece = self._inflater.decompress(self._packed, most)
        except zlib.error as trouble:
            raise FileFormatError(
                f"{self.path}: the gzip stream is corrupt after {self._taken} unpacked bytes ({trouble})",
                expected="a gzip file with a valid checksum",
                remedy="fetch the file again",
            ) from trouble
        self._packed = self._inflater.unconsumed_tail
        return piece


def _truncated(path: str, start: int, wanted: int, found: int, what: str) -> FileFormatError:
    return FileFormatError(
        f"{path} ends at byte {start + found}",
        expected=f"{start + wanted} bytes: {what} takes {wanted} bytes from byte {start}",
        remedy="the file is truncated: fetch it again",
    )


def _trailing(path: str, happened: str) -> FileFormatError:
    return FileFormatError(
        f"{path}: {happened}",
        expected="nothing after the array",
        remedy="check that the header fits the data, or fetch it again",
    )
