"""load: built-in names, files by their endings, and a helpful word for typos."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule.data as data_package
from chainrule.data import BUILT_IN, load, mnist
from chainrule.errors import ChainruleError, ColumnError, FileFormatError, MissingFileError, OptionError

PLANTS = "height,kind\n" + "".join(f"{height},{kind}\n" for height, kind in zip(range(10), ["fern", "moss"] * 5, strict=True))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_name(name):
    data = load(name)
    assert len(data.train) >= 4
    assert data.source
    assert data.licence != "not stated"


def test_options_reach_the_maker(tmp_path):
    assert len(load("moons", n=30, seed=3).train) == 30
    assert load("mnist", validation=0) is not None
    assert load("mnist") is mnist()
    path = tmp_path / "plants.CSV"
    path.write_text(PLANTS)
    assert load(path, target="kind", name="green", scaling="minmax").name == "green"
    assert load(str(path), target="kind").classes == ("fern", "moss")
    np.savez(tmp_path / "line.npz", x=np.arange(10.0), y=np.arange(10.0))
    assert load(tmp_path / "line.npz", name="straight").name == "straight"


@pytest.mark.parametrize("ending", [".tsv", ".txt"])
def test_other_tables(tmp_path, ending):
    path = tmp_path / f"plants{ending}"
    path.write_text(PLANTS.replace(",", "\t"))
    assert load(path, target="kind").features == ("height",)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("mnits", OptionError, "there is no data set 'mnits'(.|\n)*did you mean 'mnist'"),
        ("MOONS", OptionError, "did you mean 'moons'"),
        ("qqq", OptionError, "give its full name with the ending"),
        ("no.csv", MissingFileError, "there is no file no.csv"),
        ("no.npz", MissingFileError, "there is no file no.npz"),
        ("folder/no", MissingFileError, "there is no file folder/no"),
        ("no.xlsx", MissingFileError, "there is no file no.xlsx"),
    ],
)
def test_what_is_not_there(name, error, message):
    with pytest.raises(error, match=message):
        load(name, **({"target": "y"} if name.endswith("csv") else {}))


def test_other_files(tmp_path):
    path = tmp_path / "book.docx"
    path.write_bytes(b"PK")
    with pytest.raises(FileFormatError, match=r"book.docx is neither a table nor an .npz file by its ending"):
        load(path)
    with pytest.raises(FileFormatError):
        load(tmp_path)


def test_a_table_needs_a_target(tmp_path):
    path = tmp_path / "plants.csv"
    path.write_text(PLANTS)
    with pytest.raises(ColumnError, match=r"no target is named for .*\n.*one of 'height', 'kind'\n.*target=\.\.\."):
        load(path)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("moons", {"nosie": 0.1}, "moons takes no option 'nosie'(.|\n)*did you mean 'noise'"),
        ("moons", {"target": "y"}, "moons takes no option 'target'"),
        ("mnist", {"seed": 1}, "mnist takes no option 'seed'"),
    ],
)
def test_unknown_options(name, options, message):
    with pytest.raises(OptionError, match=message):
        load(name, **options)


def test_unknown_options_of_files(tmp_path):
    path = tmp_path / "plants.csv"
    path.write_text(PLANTS)
    with pytest.raises(OptionError, match=r"there is no option 'drpo'(.|\n)*did you mean 'drop'"):
        load(path, target="kind", drpo=[])
    np.savez(tmp_path / "line.npz", x=np.arange(10.0), y=np.arange(10.0))
    with pytest.raises(OptionError, match="there is no option 'target'"):
        load(tmp_path / "line.npz", target="y")


def test_errors_are_of_the_house():
    with pytest.raises(ChainruleError) as caught:
        load("mnits")
    assert caught.value.expected
    assert caught.value.remedy


def test_the_package_imports_only_what_it_may():
    folder = Path(data_package.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        late = {alias.name for node in imports if node not in tree.body for alias in node.names}
        assert late <= ({"pandas"} if path.name == "pieces.py" else set()), f"a late import in {path.name}"
        for node in imports:
            for name in [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]:
                root = name.split(".")[0]
                allowed = (
                    root in sys.stdlib_module_names
                    or root in {"numpy", "pandas"}
                    or name
                    in {
                        f"chainrule.{name}"
                        for name in ("checks", "display", "errors", "files", "immutable", "numerals", "spelling")
                    }
                )
                assert allowed or name.startswith(("chainrule.data.", "chainrule.descriptions")), f"{path.name} imports {name}"


def test_all_names_are_public_and_documented():
    for name in data_package.__all__:
        value = getattr(data_package, name)
        assert name in ("BUILT_IN", "KINDS", "CURVES", "CRITICAL_TEMPERATURE", "TEXT") or value.__doc__, name
