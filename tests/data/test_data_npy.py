"""Arrays in files: NPY files, folders of pieces and uncompressed archives give what the same arrays in memory give, and stay there."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import from_arrays, load, read_npy, read_npz, rows
from chainrule.errors import ChainruleError, DtypeError, FileFormatError, MissingFileError

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(120, 4)).astype(np.float32), np.arange(120) % 3
KNOWN = from_arrays(X, Y)


@pytest.fixture(autouse=True)
def stays(monkeypatch):
    for place in ("chainrule.data.rows", "chainrule.data.archives"):
        monkeypatch.setattr(f"{place}.COPIED_OF_A_FILE", 0)


def in_pieces(folder, name, array, count, first=0):
    for number, piece in enumerate(np.array_split(array, count), first):
        np.save(folder / f"{name}_{number}.npy", piece)


def test_a_pair_of_files_and_a_folder(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    for path in (tmp_path, tmp_path / "x.npy"):
        data = load(path)
        assert data.hash == KNOWN.hash
        assert rows.is_mapped(data.train.inputs.table)
        assert data.origin == {"name_or_path": str(path)}
        assert data.notes[0].startswith("the inputs stay in their file, 1.92 kB: at most ")


@pytest.mark.parametrize("first", [0, 1, 9])
def test_pieces_follow_one_another_by_their_numbers(tmp_path, first):
    in_pieces(tmp_path, "x", X, 12, first)
    in_pieces(tmp_path, "y", Y, 2)
    assert load(tmp_path).hash == KNOWN.hash


def test_parts_that_stand_apart(tmp_path):
    for part, some in (("train", slice(0, 80)), ("test", slice(80, None))):
        np.save(tmp_path / f"X_{part}.npy", X[some])
        np.save(tmp_path / f"Y_{part}.npy", Y[some])
    data = load(tmp_path)
    assert (len(data.train), len(data.test)) == (80, 40)
    assert data.hash == from_arrays(X[:80], Y[:80], test=(X[80:], Y[80:])).hash


@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd"])
def test_uncompressed_archives_stay_where_they_are(tmp_path, name):
    # The names before it decide whether the numbers begin at an even place.
    np.savez(tmp_path / "data.npz", **{name: np.zeros(1)}, x=X, y=Y)
    data = read_npz(tmp_path / "data.npz", max_bytes=len(Y) * 8 + 200)
    assert rows.is_mapped(data.train.inputs.table)
    assert data.hash == KNOWN.hash
    np.savez_compressed(tmp_path / "packed.npz", x=X, y=Y)
    assert not rows.is_mapped(read_npz(tmp_path / "packed.npz").train.inputs.table)


def test_a_damaged_archive_is_found_out(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[600] ^= 1
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(FileFormatError, match="Bad CRC"):
        read_npz(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("dtype", "kept"), [("i2", "f8"), ("f2", "f4"), (">f4", "f4"), (">f8", "f8"), ("u1", "u1"), ("?", "f8")]
)
def test_numbers_become_what_they_become_in_memory(tmp_path, dtype, kept):
    x = (X * 20).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    data = from_arrays(np.load(tmp_path / "x.npy", mmap_mode="r"), Y)
    assert data.train.x.dtype == np.dtype(kept)
    assert data.hash == from_arrays(x, Y).hash
    assert data.info.to_json() == from_arrays(x, Y).info.to_json()


def test_an_array_by_columns_is_read_into_memory(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(X))
    data = from_arrays(np.load(tmp_path / "x.npy", mmap_mode="r"), Y)
    assert (data.hash, data.notes) == (KNOWN.hash, ())


def written(tmp_path, **arrays):
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "holds the arrays 'x'"),
        ({"images": X}, r"holds the arrays \(none that begins with x or y\)"),
        ({"x_0": X, "x_2": X, "y": Y}, "of the pieces of x there are those with the numbers '0', '2'"),
        ({"x_0": X, "x_1": X[:, :2], "y": Y}, "x_1.npy holds float32 numbers of shape"),
        ({"x_0": X, "x_1": X.astype("f8"), "y": Y}, "x_1.npy holds float64 numbers"),
        ({"x": X, "x_1": X, "y": Y}, "holds x.npy and x_1.npy"),
        ({"x_1": X, "x_01": X, "y": Y}, "holds x_01.npy and x_1.npy"),
        ({"x": X, "y": Y[:5]}, "x holds 120 examples"),
    ],
)
def test_what_does_not_belong_together(tmp_path, arrays, message):
    with pytest.raises(ChainruleError, match=message):
        load(written(tmp_path, **arrays))


def test_files_that_cannot_be_inputs(tmp_path):
    written(tmp_path, x=np.array(["a", "b"]), y=Y[:2], labels=Y)
    with pytest.raises(DtypeError, match="x has dtype <U1"):
        load(tmp_path / "x.npy")
    with pytest.raises(FileFormatError, match="no file of inputs by its name"):
        load(tmp_path / "labels.npy")
    with pytest.raises(MissingFileError):
        load(tmp_path / "x_train.npy")
    (tmp_path / "y.npy").unlink()
    with pytest.raises(MissingFileError, match=r"y\.npy"):
        load(tmp_path / "x.npy")


@pytest.mark.parametrize("cut", [0, 5, 60, 128, 300])
def test_a_file_that_is_cut_off(tmp_path, cut):
    written(tmp_path, x=X, y=Y)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:cut])
    with pytest.raises(FileFormatError, match=r"x\.npy is not a complete NPY file"):
        read_npy(tmp_path)


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "y.npy", Y[:1])
    with pytest.raises(FileFormatError, match="Python objects"):
        read_npy(tmp_path)
