"""The run folder: what it holds, that writes are whole, and that broken files are refused with one clear message."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

import chainrule as cr
from chainrule.train import RunFolder, Snapshot


@pytest.fixture
def run(tmp_path):
    return cr.fit("2-4-2 tanh softmax", "moons", epochs=2, replicas=2, folder=tmp_path / "runs")


def test_everything_needed_to_go_on_is_there(run):
    config = json.loads((run.folder / "config.json").read_text())
    assert config["version"] == 1
    assert config["data"]["load"] == {"name_or_path": "moons"}
    assert cr.data.Signature.from_json(config["data"]) == run.data.signature
    assert config["settings"]["replicas"] == 2
    assert {"python", "numpy", "chainrule", "platform"} <= json.loads((run.folder / "environment.json").read_text()).keys()
    rows = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if row["kind"] == "epoch"] == [1, 2]
    newest = max((run.folder / "snapshots").glob("*.safetensors"))
    arrays = load_file(newest)
    np.testing.assert_array_equal(arrays["dense1.W"], run.trainer.state["dense1.W"])
    assert not list(run.folder.rglob("*.partial"))


def test_latest_and_missing(run):
    assert cr.open_run(run.folder.parent / "latest").folder == run.folder
    with pytest.raises(FileNotFoundError, match="no run in"):
        cr.open_run(run.folder.parent / "nothing")


def break_truncated(path):
    path.write_bytes(path.read_bytes()[:-5])


def break_altered(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def break_emptied(path):
    path.write_bytes(b"")


DAMAGES = [
    ("json", break_truncated), ("json", break_emptied),
    ("safetensors", break_truncated), ("safetensors", break_altered), ("safetensors", break_emptied),
]  # fmt: skip


@pytest.mark.parametrize(("ending", "damage"), DAMAGES)
def test_a_broken_snapshot_is_passed_over_for_an_older_one_or_refused(run, damage, ending):
    newest = run.folder / "snapshots" / f"step-{run.trainer.step:09d}.{ending}"
    damage(newest)
    assert cr.open_run(run.folder).trainer.step == run.trainer.step // 2
    damage(run.folder / "snapshots" / f"step-{run.trainer.step // 2:09d}.{ending}")
    with pytest.raises(cr.errors.FileFormatError, match="cannot be read"):
        cr.open_run(run.folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 99}', "null", '{"version": 1, "network": {}}'])
def test_a_broken_configuration_is_refused(run, text):
    (run.folder / "config.json").write_text(text)
    with pytest.raises(cr.errors.ChainruleError):
        cr.open_run(run.folder)


def test_unknown_kinds_are_not_made(run):
    path = run.folder / "config.json"
    config = json.loads(path.read_text())
    config["settings"]["optimizer"]["kind"] = "os.system"
    path.write_text(json.dumps(config))
    with pytest.raises(cr.errors.FileFormatError, match=r"os\.system"):
        cr.open_run(run.folder)


def test_changed_data_are_noticed(run):
    path = run.folder / "config.json"
    config = json.loads(path.read_text())
    config["data"]["load"]["seed"] = 1
    path.write_text(json.dumps(config))
    saved = cr.open_run(run.folder)
    with pytest.raises(cr.errors.DataError, match="bit for bit"):
        saved.evaluate("test")
    with pytest.raises(cr.errors.DataError, match="bit for bit"):
        cr.resume(run.folder, epochs=4)


def test_a_saved_run_predicts_without_its_data(tmp_path):
    rows = ["colour,size,price"] + [f"{'red' if i % 3 else 'blue'},{i},{3 * i + (i % 3 == 0) * 50}" for i in range(60)]
    table = tmp_path / "prices.csv"
    table.write_text("\n".join(rows))
    source = {"name_or_path": str(table), "target": "price"}
    run = cr.fit("3-8-1 tanh", source, optimizer=cr.LBFGS(iterations=200), folder=tmp_path / "runs")
    table.unlink()
    saved = cr.open_run(run.folder)
    x = saved.encode({"colour": np.array(["red", "blue"]), "size": np.array([31.0, 30.0])})
    np.testing.assert_allclose(saved.predict(x), [[93.0], [140.0]], atol=3.0)
    with pytest.raises(FileNotFoundError):
        saved.evaluate("test")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path, "x")
    folder.write_snapshot(Snapshot(1, {"w": np.zeros(3)}, {}))

    def fail(self, target):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.write_snapshot(Snapshot(1, {"w": np.ones(3)}, {}))
    monkeypatch.undo()
    np.testing.assert_array_equal(folder.read_snapshot(1).state["w"], np.zeros(3))


def test_two_runs_in_the_same_second_get_two_folders(tmp_path):
    assert RunFolder.create(tmp_path, "a").path != RunFolder.create(tmp_path, "a").path


def test_a_network_of_python_code_is_passed_again(tmp_path):
    net = cr.Sequential(lambda x: x * 2.0, cr.Dense(2))
    run = cr.fit(net, "moons", epochs=1, folder=tmp_path)
    with pytest.raises(cr.errors.OptionError, match="net="):
        cr.open_run(run.folder)
    assert cr.open_run(run.folder, net=net).evaluate("test").loss == run.evaluate("test").loss
