"""Data from other packages and files: frames of four packages, sparse arrays, tensors, Parquet, Excel, folders of images."""

import sys

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import application
from chainrule.data import frame_files
from chainrule.errors import ColumnError, DataError, DtypeError, FileFormatError, MissingPackageError, ShapeError

RANDOM = np.random.default_rng(0)
COLUMNS = {
    "height": RANDOM.normal(170.0, 10.0, 40),
    "hue": np.array(["red", "green"])[np.arange(40) % 2],
    "count": np.arange(40),
    "y": np.array(["a", "b"])[(np.arange(40) // 2) % 2],
}
FRAMES = {
    "pandas": pd.DataFrame,
    "polars": lambda columns: pytest.importorskip("polars").DataFrame(columns),
    "polars, lazy": lambda columns: pytest.importorskip("polars").LazyFrame(columns),
    "pyarrow": lambda columns: pytest.importorskip("pyarrow").table(columns),
}


def _duckdb(columns):
    duckdb = pytest.importorskip("duckdb")
    frame = pd.DataFrame(columns)
    return duckdb.from_df(frame)


FRAMES["duckdb"] = _duckdb


class Arrow:
    """A frame that speaks Arrow's stream and nothing else, whatever package it may be of."""

    def __init__(self, columns):
        self.table = pytest.importorskip("pyarrow").table(columns)
        self.columns = self.table.column_names

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


FRAMES["anything with an Arrow stream"] = Arrow


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_of_every_package_are_one_and_the_same_data(kind):
    wanted = cr.data.from_dataframe(COLUMNS, target="y")
    found = cr.data.from_dataframe(FRAMES[kind](COLUMNS), target="y")
    assert found.features == wanted.features
    assert found.classes == wanted.classes
    np.testing.assert_array_equal(found.train.x, wanted.train.x)
    np.testing.assert_array_equal(found.train.y, wanted.train.y)


@pytest.mark.parametrize("kind", FRAMES)
def test_a_run_predicts_for_frames_of_every_package(kind):
    numbers = {name: COLUMNS[name] for name in ("height", "count")}
    run = cr.fit("2-3-2", cr.data.from_arrays(pd.DataFrame(numbers), COLUMNS["y"]), epochs=1, engine="reference")
    turned = dict(reversed(numbers.items()))
    np.testing.assert_array_equal(run.predict(FRAMES[kind](turned)), run.predict(np.stack([*numbers.values()], axis=1)))


def test_missing_cells_of_arrow_are_missing():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": [1, None, 3], "hue": ["x", None, "y"], "y": [1.5, 2.5, 3.5]})
    with pytest.raises(DataError, match=r"misses|missing"):
        cr.data.from_dataframe(table, target="y")
    assert len(cr.data.from_dataframe(table, target="y", missing="drop", split=None).train) == 2


# ---- arrays of others


def test_sparse_arrays_come_with_their_zeros():
    dense = (RANDOM.uniform(size=(20, 6)) > 0.7) * RANDOM.normal(size=(20, 6))
    y = np.arange(20) % 2
    for kind in (scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array):
        found = cr.data.from_arrays(kind(dense), y)
        np.testing.assert_array_equal(found.train.x, cr.data.from_arrays(dense, y).train.x)
    run = cr.fit("6-3-2", cr.data.from_arrays(dense, y), epochs=1, engine="reference")
    np.testing.assert_array_equal(run.predict(scipy.sparse.csr_array(dense)), run.predict(dense))


def test_a_sparse_array_without_room_is_refused():
    huge = scipy.sparse.csr_array((10**6, 10**5))
    with pytest.raises(DataError, match="with its zeros"):
        cr.data.from_arrays(huge, np.zeros(10**6))


class Tensor:
    """A tensor as other libraries have it: no NumPy, DLPack only, and not while it is differentiated by."""

    def __init__(self, array, *, has_gradient=True):
        self.array, self.has_gradient, self.shape = array, has_gradient, array.shape

    def detach(self):
        return Tensor(self.array, has_gradient=False)

    def __dlpack__(self, **options):
        if self.has_gradient:
            raise RuntimeError("Can't export tensors that require gradient")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __array__(self, *arguments, **options):
        raise TypeError("no way to NumPy")


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64"])
def test_tensors_come_by_dlpack(dtype):
    x = (RANDOM.uniform(size=(12, 3)) * 9).astype(dtype)
    wanted = cr.data.from_arrays(x, np.arange(12) % 2)
    found = cr.data.from_arrays(Tensor(x), Tensor(np.arange(12) % 2))
    np.testing.assert_array_equal(found.train.x, wanted.train.x)
    assert found.train.x.dtype == wanted.train.x.dtype
    run = cr.fit("3-2", wanted, epochs=1, engine="reference")
    np.testing.assert_array_equal(run.predict(Tensor(x)), run.predict(x))


def test_arrays_of_jax_are_data():
    x = jnp.asarray(RANDOM.normal(size=(12, 3)), dtype=jnp.float32)
    found = cr.data.from_arrays(x, jnp.arange(12) % 2)
    assert found.train.x.dtype == np.float32


def test_a_tensor_that_nobody_can_read_says_what_to_write():
    class Odd(Tensor):
        def __dlpack__(self, **options):
            raise BufferError("bfloat16")

        detach = None

    odd = Odd(np.zeros((2, 2)))
    odd.detach = lambda: odd
    with pytest.raises(DtypeError, match=r"x\.float\(\)\.cpu\(\)\.numpy\(\)"):
        cr.data.from_arrays(odd, np.zeros(2))


# ---- files of frames


def _written(path):
    frame = pd.DataFrame(COLUMNS)
    if path.suffix == ".xlsx":
        pytest.importorskip("openpyxl")
        frame.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    else:
        pytest.importorskip("pyarrow")
        frame.to_feather(path)
    return path


@pytest.mark.parametrize("end", [".parquet", ".feather", ".arrow", ".xlsx"])
def test_tables_in_the_files_of_frames(end, tmp_path):
    path = _written(tmp_path / f"plants{end}")
    found = cr.data.load(path, target="y")
    wanted = cr.data.from_dataframe(COLUMNS, target="y")
    np.testing.assert_allclose(found.train.x, wanted.train.x, rtol=1e-15)
    assert (found.classes, found.name) == (wanted.classes, "plants")
    with pytest.raises(ColumnError, match="height"):
        cr.data.load(path)


@pytest.mark.parametrize("hidden", [("pyarrow",), ("pyarrow", "polars")])
def test_parquet_is_read_by_what_is_there(hidden, tmp_path, monkeypatch):
    for package in ("pyarrow", "polars", "duckdb"):
        pytest.importorskip(package)
    path = _written(tmp_path / "plants.parquet")
    wanted = cr.data.load(path, target="y")
    for package in hidden:
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, f"{package}.parquet", None)
    found = cr.data.load(path, target="y")
    np.testing.assert_array_equal(found.train.x, wanted.train.x)
    for package in ("polars", "duckdb"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match="pyarrow or polars or duckdb"):
        cr.data.load(path, target="y")


def test_a_damaged_file_is_one_error(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(FileFormatError, match=r"cannot be read as a \.parquet file"):
        cr.data.load(path, target="y")


def call(*arguments):
    result = CliRunner().invoke(application, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_trains_on_parquet_and_predicts_for_excel(tmp_path):
    table, workbook = _written(tmp_path / "plants.parquet"), _written(tmp_path / "new.xlsx")
    call("train", table, "--target", "y", "--network", "4-3-2", "--epochs", 1, "--runs", tmp_path / "runs", "--quiet")
    said = call("predict", tmp_path / "runs" / "latest", workbook)
    assert len(said.strip().split("\n")) == 41
    call("resume", tmp_path / "runs" / "latest", "--epochs", 2)


def test_what_can_be_trained_on_can_be_evaluated_on_whatever_file_it_stands_in(tmp_path):
    table, runs = _written(tmp_path / "plants.parquet"), tmp_path / "runs"
    call("train", table, "--target", "y", "--network", "4-3-2", "--epochs", 3, "--runs", runs, "--quiet")
    whole = cr.open_run(runs / "latest")
    right = int(np.sum(np.array(whole.classify(pd.DataFrame(COLUMNS).drop(columns="y"))) == COLUMNS["y"]))
    for end in ("parquet", "feather", "xlsx"):
        said = call("evaluate", runs / "latest", _written(tmp_path / f"same.{end}"))
        assert f"{right}/40" in said
    x, y = RANDOM.normal(size=(30, 2)), np.array(["a", "b"])[np.arange(30) % 2]
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "x.npy", x)
    np.save(tmp_path / "arrays" / "y.npy", y)
    np.savez(tmp_path / "arrays.npz", x=x, y=y)
    call("train", tmp_path / "arrays", "--network", "2-3-2", "--epochs", 3, "--runs", runs, "--quiet")
    right = int(np.sum(np.array(cr.open_run(runs / "latest").classify(x)) == y))
    for name in ("arrays", "arrays.npz"):
        assert f"{right}/30" in call("evaluate", runs / "latest", tmp_path / name)
    folder = _shells(tmp_path / "shells")
    call("train", folder, "--network", "8x6x1-flatten-4-2", "--epochs", 3, "--runs", runs, "--quiet")
    assert "/12 = " in call("evaluate", runs / "latest", folder)
    assert "/8 = " in call("evaluate", runs / "latest", _shells(tmp_path / "larger", size=(16, 12), count=4, mode="RGB"))


def test_columns_go_by_all_of_their_names_or_by_their_places(tmp_path):
    data = cr.data.from_arrays(RANDOM.normal(size=(40, 2)), RANDOM.normal(size=40), features=("a", "b"))
    run = cr.fit("2-1", data, epochs=1, folder=tmp_path / "runs")
    x = RANDOM.normal(size=(3, 2))
    wanted = run.predict(x)[:, 0]

    def predicted(heads, columns):
        pd.DataFrame(columns, columns=list(heads)).to_csv(tmp_path / "new.csv", index=False)
        result = CliRunner().invoke(application, ["predict", str(run.folder), str(tmp_path / "new.csv")])
        return result.exit_code, result.output + result.stderr

    for heads, columns in (("ab", x), ("ba", x[:, ::-1]), ("bca", np.c_[x[:, 1], x[:, 0], x[:, 0]]), ("pq", x)):
        code, said = predicted(heads, columns)
        assert code == 0
        np.testing.assert_allclose(np.array(said.split()[1:], float), wanted, rtol=1e-5)
    code, said = predicted("bc", x)
    assert (code, "has no column 'a'" in said) == (2, True)


# ---- pictures


def _shells(folder, size=(8, 6), count=6, mode="L"):
    pillow = pytest.importorskip("PIL.Image")
    for name, grey in (("dark", 40), ("light", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            array = np.clip(RANDOM.normal(grey, 20, (size[0], size[1], 3)), 0, 255).astype(np.uint8)
            pillow.fromarray(array).convert(mode).save(folder / name / f"{number}.png")
    return folder


def test_a_folder_of_folders_of_images_is_classes(tmp_path):
    data = cr.data.load(_shells(tmp_path / "shells"))
    assert (data.name, data.classes, data.input_shape, data.train.x.dtype) == ("shells", ("dark", "light"), (8, 6, 1), np.uint8)
    run = cr.fit(
        cr.Sequential(cr.Flatten(), cr.Dense(2, "softmax")), data, epochs=20, optimizer=cr.Adam(0.05), engine="reference"
    )
    assert run.evaluate("test").scores.values["accuracy"].min() == 1.0


def test_colours_and_sizes_of_images(tmp_path):
    folder = _shells(tmp_path / "shells", mode="RGB")
    assert cr.data.load(folder).input_shape == (8, 6, 3)
    assert cr.data.read_images(folder, colours="grey", size=(4, 4)).input_shape == (4, 4, 1)
    _shells(tmp_path / "more", size=(5, 5))
    (tmp_path / "more" / "dark" / "0.png").replace(folder / "dark" / "odd.png")
    with pytest.raises(DataError, match="pixels"):
        cr.data.read_images(folder)
    assert cr.data.read_images(folder, size=(8, 6)).input_shape == (8, 6, 3)


def test_parts_in_folders_of_their_own(tmp_path):
    _shells(tmp_path / "shells" / "train")
    _shells(tmp_path / "shells" / "test", count=2)
    data = cr.data.load(tmp_path / "shells")
    assert {part: len(examples) for part, examples in data.parts()} == {"training": 12, "test": 4}


def test_what_is_no_picture_is_named(tmp_path):
    folder = _shells(tmp_path / "shells")
    (folder / "dark" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(FileFormatError, match=r"bad\.png"):
        cr.data.read_images(folder)


def test_a_digit_as_a_picture_is_predicted(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    digits = cr.data.mnist()
    small = cr.data.from_arrays(digits.train.x[:3000], digits.train.y[:3000], name="digits")
    run = cr.fit("784-16-10", small, epochs=3, optimizer=cr.Adam(0.01), folder=tmp_path)
    x = digits.test.x[:8]
    for number, row in enumerate(x):
        picture = pillow.fromarray(row.reshape(28, 28))
        picture.save(tmp_path / f"{number}.png")
        # As a scan has it: black on white, larger, in colour.
        pillow.fromarray(255 - row.reshape(28, 28)).resize((280, 280), 0).convert("RGB").save(tmp_path / f"scan{number}.png")
        np.testing.assert_array_equal(cr.data.read_image(tmp_path / f"{number}.png", run.dataset_info), row[None])
        scan = cr.data.read_image(tmp_path / f"scan{number}.png", run.dataset_info, invert=True)
        np.testing.assert_array_equal(scan, row[None])
    said = call("predict", run.folder, tmp_path / "0.png", "--json")
    assert f'"class": "{run.classify(x[:1])[0]}"' in said
    said = call("predict", run.folder, tmp_path / "scan0.png", "--invert", "--json")
    assert f'"class": "{run.classify(x[:1])[0]}"' in said


def _gradient(tmp_path, save, name="shells"):
    """A folder of pictures of two classes, each a ramp of 12 × 16 grey values; `save` writes one of them."""
    pillow, ramp = pytest.importorskip("PIL.Image"), np.tile(np.linspace(0, 255, 16).round().astype(np.uint8), (12, 1))
    for kind in ("one", "other"):
        (tmp_path / name / kind).mkdir(parents=True)
        for number in range(4):
            save(pillow, ramp, tmp_path / name / kind, number)
    return tmp_path / name, ramp


def test_pictures_stand_upright_as_their_camera_says(tmp_path):
    turns = {1: None, 3: "ROTATE_180", 6: "ROTATE_90", 8: "ROTATE_270"}

    def save(pillow, ramp, folder, number):
        tag = list(turns)[number]
        exif = pillow.Exif()
        exif[0x0112] = tag
        picture = pillow.fromarray(ramp)
        stored = picture if turns[tag] is None else picture.transpose(getattr(pillow.Transpose, turns[tag]))
        stored.save(folder / f"{number}.png", exif=exif)

    folder, ramp = _gradient(tmp_path, save)
    data = cr.data.read_images(folder, split=None)
    np.testing.assert_array_equal(data.train.x[..., 0], np.broadcast_to(ramp, (8, 12, 16)))
    np.testing.assert_array_equal(cr.data.read_image(folder / "one" / "2.png", data.info)[0, ..., 0], ramp)


def test_a_picture_is_never_in_a_unit_of_its_own(tmp_path):
    """Of 16 bits each takes the whole range for 255, however dark it is; wider numbers are bytes, or refused."""
    folder, ramp = _gradient(
        tmp_path,
        lambda pillow, ramp, where, n: pillow.fromarray(ramp.astype(np.uint16) * (257 if n % 2 else 1)).save(
            where / f"{n}.png"
        ),
    )
    x = cr.data.read_images(folder, split=None).train.x[..., 0]
    np.testing.assert_array_equal(x[1], ramp)
    assert x[0].max() == 1
    wide, ramp = _gradient(
        tmp_path,
        lambda pillow, ramp, where, n: pillow.fromarray(ramp.astype([np.int32, np.float32][n % 2])).save(where / f"{n}.tif"),
        "wide",
    )
    np.testing.assert_array_equal(cr.data.read_images(wide, split=None).train.x[..., 0], np.broadcast_to(ramp, (8, 12, 16)))
    for name, change in {"shares": 1 / 255, "counts": 16.0, "signed": -1.0}.items():
        odd, _ = _gradient(
            tmp_path,
            lambda pillow, ramp, where, n, by=change: pillow.fromarray((ramp * by).astype(np.float32)).save(where / f"{n}.tif"),
            name,
        )
        with pytest.raises(DataError, match="whose unit a picture does not tell"):
            cr.data.read_images(odd)


def test_what_systems_and_editors_hide_is_no_picture(tmp_path):
    folder = _shells(tmp_path / "shells")
    (folder / "dark" / "._0.png").write_bytes(b"a resource fork")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "0-checkpoint.png").write_bytes((folder / "dark" / "0.png").read_bytes())
    assert cr.data.read_images(folder, split=None).classes == ("dark", "light")
    parts = tmp_path / "parts"
    _shells(parts / "train")
    _shells(parts / "test", count=2)
    (parts / ".git").mkdir()
    assert len(cr.data.read_images(parts).test) == 4


def test_the_command_trains_on_a_folder_of_images(tmp_path):
    folder = _shells(tmp_path / "shells")
    said = call("train", folder, "--network", "8x6x1-flatten-4-2", "--epochs", 1, "--runs", tmp_path / "runs", "--quiet")
    assert "accuracy" in said
    call("predict", tmp_path / "runs" / "latest", folder / "dark" / "0.png")


def test_a_network_of_numbers_takes_no_picture(tmp_path):
    folder = _shells(tmp_path / "shells")
    run = cr.fit("2-2", cr.data.moons(20), epochs=1, engine="reference")
    with pytest.raises(ShapeError, match="a picture for a network with inputs of shape"):
        cr.data.read_image(folder / "dark" / "0.png", run.dataset_info)


def test_a_package_that_is_too_old_is_no_broken_file(tmp_path, monkeypatch):
    def read(module, path):
        raise ImportError("Pandas requires version '18' or newer of 'pyarrow' (version '17' currently installed).")

    monkeypatch.setitem(frame_files.FRAME_FILES, ".parquet", [("numpy", read)])
    (tmp_path / "plants.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingPackageError, match=r"(?s)newer of 'pyarrow'.*pip install --upgrade numpy"):
        cr.data.load(tmp_path / "plants.parquet", target="y")
