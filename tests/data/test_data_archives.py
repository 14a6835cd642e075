"""NPZ archives: the two forms, no pickles, bounds, and damage of every kind."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import Dataset, read_npz
from chainrule.errors import ChainruleError, FileFormatError, MissingFileError

X, Y = np.arange(40.0).reshape(20, 2), np.array([0, 1] * 10)


@pytest.fixture
def save(tmp_path):
    def _save(writer=np.savez, **arrays):
        path = tmp_path / "data.npz"
        writer(path, **arrays)
        return path

    return _save


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", ["xy", "XY", "Xy"])
def test_x_and_y(save, writer, names):
    path = save(writer, **{names[0]: X, names[1]: Y, "other": np.ones(3)})
    data = read_npz(path)
    assert (data.name, data.source, data.classes) == ("data", str(path), ("0", "1"))
    assert (len(data.train), len(data.test)) == (16, 4)
    rows = np.concatenate([data.train.x, data.test.x])
    assert sorted(rows.tolist()) == X.tolist()


def test_parts_that_stand_apart(save):
    data = read_npz(save(x_train=X, y_train=Y, x_test=X[:4] + 1, y_test=Y[:4], x_validation=X[:2] + 2, y_validation=Y[:2]))
    assert np.array_equal(data.train.x, X)
    assert np.array_equal(data.test.x, X[:4] + 1)
    assert np.array_equal(data.validation.x, X[:2] + 2)
    assert read_npz(save(x_train=X, y_train=Y, x_test=X, y_test=Y), name="mine").name == "mine"


@pytest.mark.parametrize(
    "x", [np.asfortranarray(X), X.astype(">f4"), X.astype("u1"), np.zeros((20, 4, 4), "u1"), X.astype("i4"), X[:, 0]]
)
def test_layouts_and_dtypes(save, x):
    data = read_npz(save(x=x, y=np.array(["b", "a"] * 10)), scaling="none")
    assert data.classes == ("a", "b")
    expected = {tuple(np.ravel(row)) for row in x.astype(float)}
    assert {tuple(np.ravel(row).astype(float)) for row in data.train.x} <= expected


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["x"], "'x'"),
        (["images", "labels"], r"\(none that begins with x or y\)"),
        (["x", "y", "x_test"], "'x', 'y', 'x_test'"),
        (["x", "y", "x_test", "y_test"], "'x'"),
        (["x_train", "y_train"], "'x_train'"),
        (["x_test", "y_test"], "'x_test'"),
    ],
)
def test_names_that_do_not_belong_together(save, names, shown):
    with pytest.raises(FileFormatError, match=f"holds the arrays {shown}(.|\n)*x and y; or x_train, y_train"):
        read_npz(save(**dict.fromkeys(names, Y)))


def test_two_names_that_differ_in_capitals(save):
    with pytest.raises(FileFormatError, match="two arrays named 'x'"):
        read_npz(save(x=X, X=X, y=Y))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was loaded",))


def test_nothing_is_unpickled(save, tmp_path):
    with pytest.raises(FileFormatError, match="holds Python objects"):
        read_npz(save(x=np.array([Bomb()], object), y=Y[:1]))
    path = tmp_path / "pickle.npz"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(FileFormatError, match="not a complete NPZ archive"):
        read_npz(path)


def test_bounds(save):
    path = save(np.savez_compressed, x=np.zeros((1000, 100)), y=np.zeros((1000, 1)))
    with pytest.raises(FileFormatError, match="would unpack to 80"):
        read_npz(path, max_bytes=50_000)
    with pytest.raises(FileFormatError, match="at most 100 bytes"):
        read_npz(path, max_bytes=100)
    with pytest.raises(MissingFileError):
        read_npz("no/such.npz")


def archive(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(header):
    text = header.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 not a zip",
        archive(x=b"", y=b""),
        archive(x=b"\x93NUMPY\x03\x00" + bytes(200), y=b""),
        archive(x=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000000), }"), y=b""),
        archive(x=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }") + bytes(8), y=b""),
        archive(x=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }") + bytes(8), y=b""),
        archive(x=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }"), y=npy("__import__('os')")),
        archive(x=npy("{'descr': 'V0', 'fortran_order': False, 'shape': (2,), }"), y=b""),
        archive(x=npy("(" * 100), y=b""),
    ],
)
def test_damaged_archives(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(FileFormatError):
        read_npz(path)


def good(writer):
    buffer = io.BytesIO()
    writer(buffer, x=X, y=Y)
    return buffer.getvalue()


GOOD = [good(np.savez), good(np.savez_compressed)]


@settings(max_examples=300, deadline=None)
@given(which=st.integers(0, 1), cut=st.integers(0, 1200), place=st.integers(0, 3000), byte=st.integers(0, 255))
def test_damage_gives_a_data_set_or_a_chainrule_error(tmp_path_factory, which, cut, place, byte):
    changed = bytearray(GOOD[which])
    changed[place % len(changed)] = byte
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    path.write_bytes(bytes(changed[: len(changed) - (cut if cut < 600 else 0)]))
    try:
        data = read_npz(path, max_bytes=100_000)
    except ChainruleError:
        return
    assert isinstance(data, Dataset)
