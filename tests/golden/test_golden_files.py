"""What earlier versions wrote is read as it was meant: descriptions become equal objects, run folders give the same numbers."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.descriptions import restored
from tests.golden import write
from tests.train.folders import change

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "runs.zip").is_file())
WRITTEN = {version: json.loads((HERE / version / "descriptions.json").read_text()) for version in VERSIONS}
NOW = {"EachStep": "TimeDistributed"}
"""What layers are called today that older versions gave other names."""
TABLES = {
    "optimizers": write.OPTIMIZERS, "schedules": write.SCHEDULES, "losses": write.LOSSES, "splits": write.SPLITS, "others": write.OTHERS,
}  # fmt: skip


def fields(made: Any) -> Any:
    """What an object is made of: two splits by groups are not equal, their fields are."""
    return type(made), {name: value for name, value in vars(made).items() if not name.startswith("_")}


@pytest.mark.parametrize(("version", "name"), [(v, name) for v in VERSIONS for name in WRITTEN[v]["layers"]])
def test_layers(version, name):
    old = WRITTEN[version]["layers"][name]
    layer = cr.nn.from_json(old["json"])
    assert layer == write.LAYERS[NOW.get(name, name)][0]
    x = write.example(tuple(old["shape"]), old["whole"])
    np.testing.assert_allclose(write.output(layer, x), old["output"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("version", "name"), [(v, name) for v in VERSIONS for name in WRITTEN[v]["initialisers"]])
def test_initialisers(version, name):
    old = WRITTEN[version]["initialisers"][name]
    layer: Any = cr.nn.from_json(old["json"])
    assert layer.weights == write.INITIALISERS[name]
    np.testing.assert_allclose(write.output(layer, write.example(write.ROWS, False)), old["output"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("version", "kind", "name"), [(v, kind, name) for v in VERSIONS for kind in TABLES for name in WRITTEN[v][kind]]
)
def test_what_trainings_are_made_of(version, kind, name):
    assert fields(restored(WRITTEN[version][kind][name]["json"])) == fields(TABLES[kind][name])


@pytest.mark.parametrize(("version", "name"), [(v, name) for v in VERSIONS for name in WRITTEN[v]["scalings"]])
def test_scalings(version, name):
    found, meant = cr.data.Scaling.from_json(WRITTEN[version]["scalings"][name]["json"]), write.SCALINGS[name]
    assert (found, found.usual, found.reason) == (meant, meant.usual, meant.reason)


# ---- run folders


@cache
def _numbers(version: str) -> dict[str, Any]:
    with zipfile.ZipFile(HERE / version / "runs.zip") as archive:
        return json.loads(archive.read("runs.json"))


@pytest.mark.parametrize(("version", "name"), [(v, name) for v in VERSIONS for name in _numbers(v)])
def test_run_folders(version, name, tmp_path):
    with zipfile.ZipFile(HERE / version / "runs.zip") as archive:
        archive.extractall(tmp_path, [item for item in archive.namelist() if item.startswith((f"{name}/", "table.csv"))])
    old = _numbers(version)[name]
    data = None if old["arrays"] is None else tuple(np.array(array) for array in old["arrays"])
    run = cr.open_run(tmp_path / name, data=data)
    np.testing.assert_allclose(run.evaluate(old["part"]).loss, old["loss"], rtol=1e-5)
    rows = np.array(old["rows"], run.data.train.x.dtype)
    np.testing.assert_allclose(run.predict(rows), old["predicted"], rtol=1e-5, atol=1e-6)
    assert str(run)


@pytest.mark.parametrize(
    "edit",
    [
        lambda config: config.update(version=2), lambda config: config["settings"]["optimizer"].update(kind="Adan"),
        lambda config: config["settings"]["optimizer"].update(speed=3.0), lambda config: config["data"].pop("input_shape"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_the_version_that_wrote_it(edit, tmp_path):
    with zipfile.ZipFile(HERE / VERSIONS[-1] / "runs.zip") as archive:
        archive.extractall(tmp_path, [item for item in archive.namelist() if item.startswith("sgd/")])
    change(tmp_path / "sgd" / "environment.json", lambda content: content.update(chainrule="9.8"), keep_seal=True)
    change(tmp_path / "sgd" / "config.json", edit, keep_seal=True)
    with pytest.raises(cr.errors.FileFormatError, match=r"chainrule 9\.8 wrote this folder") as caught:
        cr.open_run(tmp_path / "sgd")
    assert "read it with chainrule 9.8" in caught.value.remedy


def test_every_kind_of_this_version_is_in_the_newest_files():
    newest = WRITTEN[VERSIONS[-1]]
    assert set(newest["layers"]) == set(write.LAYERS)
    assert all(set(newest[kind]) == set(table) for kind, table in TABLES.items())
