"""The bounded IDX reader: exact files are read, everything else is refused with byte numbers."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import read_idx
from chainrule.errors import ChainruleError, FileFormatError, MissingFileError

CODES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx_bytes(array, code):
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(CODES[code]).tobytes()


@pytest.fixture
def write(tmp_path):
    def _write(content):
        path = tmp_path / "file.idx"
        path.write_bytes(content)
        return path

    return _write


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reads_every_dtype_and_shape(write, code, shape, pack):
    array = (np.arange(np.prod(shape)) - (0 if code == 0x08 else 3)).reshape(shape).astype(CODES[code])
    result = read_idx(write(pack(idx_bytes(array, code))))
    assert np.array_equal(result, array)
    assert result.dtype == array.dtype.newbyteorder("=")
    assert result.dtype.isnative
    assert not result.flags.writeable


def test_truncated_raw_file_names_the_bytes(write):
    content = idx_bytes(np.arange(10, dtype="u1"), 8)
    with pytest.raises(
        FileFormatError, match=r"ends at byte 15\n.*18 bytes: an array of shape \(10,\) takes 10 bytes from byte 8"
    ):
        read_idx(write(content[:-3]))


@pytest.mark.parametrize("length", [0, 1, 3])
def test_truncated_magic(write, length):
    with pytest.raises(FileFormatError, match=f"ends at byte {length}"):
        read_idx(write(b"\0\0\x08"[:length]))


def test_truncated_axes(write):
    with pytest.raises(FileFormatError, match="the sizes of the axes takes 8 bytes from byte 4"):
        read_idx(write(bytes([0, 0, 8, 2, 0, 0, 0, 1])))


def test_trailing_bytes(write):
    with pytest.raises(FileFormatError, match="2 bytes follow the array, which ends at byte 11"):
        read_idx(write(idx_bytes(np.arange(3, dtype="u1"), 8) + b"xy"))


def test_trailing_bytes_inside_gzip(write):
    with pytest.raises(FileFormatError, match="more unpacked bytes follow the array, which ends at byte 11"):
        read_idx(write(gzip.compress(idx_bytes(np.arange(3, dtype="u1"), 8) + b"xy")))


def test_trailing_bytes_after_gzip(write):
    with pytest.raises(FileFormatError, match="3 bytes follow the gzip stream"):
        read_idx(write(gzip.compress(idx_bytes(np.arange(3, dtype="u1"), 8)) + b"xyz"))


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_gzip_without_its_whole_checksum(write, cut):
    with pytest.raises(FileFormatError, match="gzip stream ends before its checksum"):
        read_idx(write(gzip.compress(idx_bytes(np.arange(3, dtype="u1"), 8))[:-cut]))


def test_gzip_with_a_wrong_checksum(write):
    packed = bytearray(gzip.compress(idx_bytes(np.arange(3, dtype="u1"), 8)))
    packed[-8] ^= 1
    with pytest.raises(FileFormatError, match=r"corrupt after 8 unpacked bytes .*incorrect data check"):
        read_idx(write(bytes(packed)))


@pytest.mark.parametrize(
    ("magic", "shown"), [(b"\x01\0\x08\x01", "01 00 08 01"), (b"\0\0\x0a\x01", "00 00 0a 01"), (b"\0\0\x08\0", "00 00 08 00")]
)
def test_wrong_magic(write, magic, shown):
    with pytest.raises(FileFormatError, match=f"begins with the bytes {shown}"):
        read_idx(write(magic + bytes(20)))


def test_empty_and_oversized_shapes(write):
    with pytest.raises(FileFormatError, match=r"shape \(0,\), 0 bytes"):
        read_idx(write(bytes([0, 0, 8, 1, 0, 0, 0, 0])))
    huge = bytes([0, 0, 0x0E, 3]) + b"\xff" * 12
    with pytest.raises(FileFormatError, match="1 to 1073741824 bytes"):
        read_idx(write(huge))
    with pytest.raises(FileFormatError, match="holds 16 bytes"):
        read_idx(write(idx_bytes(np.arange(8, dtype="u1"), 8)), max_bytes=10)
    with pytest.raises(FileFormatError, match=r"promises an array of shape \(1000,\), 1000 bytes"):
        read_idx(write(gzip.compress(idx_bytes(np.zeros(1000, "u1"), 8))), max_bytes=500)


def test_a_gzip_bomb_is_not_unpacked(write, monkeypatch):
    """50 MB of zeros behind a header that promises ten bytes: only those and one more are unpacked."""
    unpacked = []
    original = zlib.decompressobj

    class Counting:
        def __init__(self, **options):
            self.inner = original(**options)

        def decompress(self, data, most):
            piece = self.inner.decompress(data, most)
            unpacked.append(len(piece))
            return piece

        def __getattr__(self, name):
            return getattr(self.inner, name)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    bomb = gzip.compress(idx_bytes(np.zeros(10, "u1"), 8) + bytes(50_000_000))
    with pytest.raises(FileFormatError, match="more unpacked bytes"):
        read_idx(write(bomb))
    assert sum(unpacked) == 19


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(MissingFileError, match="there is no file"):
        read_idx(tmp_path / "nothing.idx")
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing.idx")
    with pytest.raises(FileFormatError, match="not a regular file"):
        read_idx(tmp_path)


def test_a_file_that_may_not_be_read(write, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    path = write(b"")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileFormatError, match="cannot be read: Permission denied"):
        read_idx(path)


GOOD = idx_bytes(np.arange(12, dtype="u1").reshape(3, 4), 8)


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=40).map(lambda tail: b"\0\0\x08\x01" + tail),
        st.binary(max_size=40).map(lambda tail: b"\x1f\x8b\x08" + tail),
        st.binary(max_size=40).map(gzip.compress),
        st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=3)).map(lambda cut: GOOD[: cut[0]] + cut[1]),
        st.tuples(st.integers(0, 40), st.integers(1, 255)).map(lambda flip: flipped(gzip.compress(GOOD, mtime=0), *flip)),
    )
)
def test_any_bytes_give_an_array_or_a_chainrule_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.idx"
    path.write_bytes(content)
    try:
        array = read_idx(path, max_bytes=10_000)
    except ChainruleError:
        return
    assert isinstance(array, np.ndarray)


def flipped(content, place, bits):
    changed = bytearray(content)
    changed[place % len(content)] ^= bits
    return bytes(changed)
