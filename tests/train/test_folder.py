"""The run folder: what it holds, that writes are whole, and that broken files are refused with one clear message."""

import hashlib
import json
import os
import platform
import time
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save

import chainrule as cr
from chainrule.files import write_whole
from chainrule.train import RunFolder
from chainrule.train import folder as folders
from chainrule.train.folder import Snapshot
from tests.train.folders import as_old, change


@pytest.fixture
def run(tmp_path):
    return cr.fit("2-4-2 tanh softmax", "moons", epochs=2, replicas=2, folder=tmp_path / "runs")


def test_everything_needed_to_go_on_is_there(run):
    config = json.loads((run.folder / "config.json").read_text())
    assert config["version"] == 1
    assert config["data"]["load"] == {"name_or_path": "moons"}
    assert cr.data.DatasetInfo.from_json(config["data"]) == run.data.info
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
def test_a_damaged_newest_snapshot_is_said_and_the_older_one_offered(run, damage, ending):
    last, older = run.trainer.step, run.trainer.step // 2
    newest = run.folder / "snapshots" / f"step-{last:09d}.{ending}"
    damage(newest)
    before = contents(run.folder)
    for call in (cr.open_run, cr.resume):
        with pytest.raises(cr.errors.FileFormatError, match=rf"{newest.name} cannot be read[\s\S]*step={older}$"):
            call(run.folder)
    assert contents(run.folder) == before
    assert cr.open_run(run.folder, step=older).trainer.step == older
    assert contents(run.folder) == before
    # Whoever goes on from the older one loses nothing of what was there.
    again = cr.resume(run.folder, step=older)
    assert again.hash == run.hash
    aside = run.folder / "aside-1"
    assert (aside / newest.name).read_bytes() == before[f"snapshots/{newest.name}"]
    assert (aside / "history.jsonl").read_bytes() == before["history.jsonl"]
    damage(run.folder / "snapshots" / f"step-{older:09d}.{ending}")
    damage(newest)
    with pytest.raises(cr.errors.FileFormatError, match="or train anew"):
        cr.open_run(run.folder)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def paths_into(content, path=()):
    """Every place in nested JSON."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, inside in pairs:
        yield (*path, key)
        yield from paths_into(inside, (*path, key))


def without(path, value):
    """An edit that takes the place away, or puts a value there."""

    def edit(content):
        *way, last = path
        for key in way:
            content = content[key]
        if value is None:
            del content[last]
        else:
            content[last] = value

    return edit


@pytest.mark.parametrize("value", [None, [], {"a": 1}], ids=["missing", "list", "mapping"])
def test_whatever_is_missing_or_wrong_in_the_configuration_gives_one_message_or_the_right_result(run, value):
    file = run.folder / "config.json"
    whole, right = file.read_bytes(), run.evaluate("test").loss.tolist()
    refused = 0
    for path in paths_into(run.trainer.folder.read_config()):
        change(file, without(path, value), keep_seal=True)
        # A field that a description lacks is as usual: that is how files of older versions are read.
        is_usual = value is None and path[0] in {"network", "objective", "settings"}
        try:
            assert cr.open_run(run.folder).evaluate("test").loss.tolist() == right or is_usual, path
        except cr.errors.ChainruleError:
            refused += 1
        file.write_bytes(whole)
    assert refused > 30


def test_best_weights_that_are_not_those_of_the_network_are_refused(tmp_path):
    moons = cr.data.moons(60)
    data = cr.data.from_arrays(moons.train.x, moons.train.y, split=cr.data.RandomSplit(test=0.2, validation=0.2))
    run = cr.fit("2-4-2 tanh softmax", data, epochs=2, early_stopping=cr.EarlyStopping(patience=5), folder=tmp_path)
    newest = max((run.folder / "snapshots").glob("*.safetensors"))
    arrays = load_file(newest)
    for name in [name for name in arrays if name.startswith("best/")]:
        newest.write_bytes(save({f"{key}s" if key == name else key: array for key, array in arrays.items()}))
        digest = hashlib.sha256(newest.read_bytes()).hexdigest()
        change(newest.with_suffix(".json"), without(("sha256",), digest), keep_seal=True)
        with pytest.raises(cr.errors.FileFormatError, match=name):
            cr.open_run(run.folder)


def test_a_step_that_is_not_kept_is_refused(run):
    with pytest.raises(cr.errors.OptionError, match=r"one of 7, 14"):
        cr.open_run(run.folder, step=3)


@pytest.mark.parametrize("damage", [break_truncated, break_altered, break_emptied])
def test_a_damaged_history_is_said_and_takes_nothing_from_the_network(run, damage):
    damage(run.folder / "history.jsonl")
    saved = cr.open_run(run.folder)
    assert saved.evaluate("test").loss.tolist() == run.evaluate("test").loss.tolist()
    for ask in (lambda: saved.history, lambda: cr.resume(run.folder, epochs=4)):
        with pytest.raises(cr.errors.FileFormatError, match=r"history\.jsonl is damaged"):
            ask()
    if damage is not break_emptied:  # the damage is at its end: the older state has a whole one
        assert [epoch.epoch for epoch in cr.open_run(run.folder, step=7).history.epochs] == [1]


def test_reading_while_it_is_trained_changes_nothing_and_sees_a_whole_run(tmp_path):
    seen = []

    def read(moment):
        if moment.kind != "end":
            saved = cr.open_run(tmp_path / "latest")
            assert saved.history.end == saved.trainer.step
            seen.append((moment.kind, moment.step, saved.trainer.step))

    net, data = "2-8-2 tanh softmax", cr.data.load("moons", n=400)
    run = cr.fit(net, data, epochs=3, batch_size=4, folder=tmp_path, callbacks=(read,))
    assert seen[0][1:] == (seen[0][1], 0)
    assert seen[-1] == ("epoch", run.trainer.step, run.trainer.step)
    assert cr.open_run(run.folder).history.end == run.trainer.step
    assert run.hash == cr.fit(net, data, epochs=3, batch_size=4).hash


def test_one_writer_at_a_time(tmp_path):
    refused = []

    def write_too(moment):
        if moment.kind == "epoch" and moment.epoch == 1:
            for write in (lambda: cr.resume(tmp_path / "latest"), lambda: cr.open_run(tmp_path / "latest").save()):
                with pytest.raises(cr.errors.FolderInUseError) as error:
                    write()
                refused.append(str(error.value))

    run = cr.fit("2-4-2 tanh softmax", "moons", epochs=2, folder=tmp_path, callbacks=(write_too,))
    assert all(f"by another process: {os.getpid()} on {platform.node()}, since 2" in text for text in refused)
    assert len(refused) == 2
    assert cr.resume(run.folder, epochs=3).trainer.step == 21


def test_a_run_that_somebody_went_on_with_is_not_written_over(run):
    opened = cr.open_run(run.folder)
    cr.resume(run.folder, epochs=4)
    for late in (opened, run):
        with pytest.raises(cr.errors.OptionError, match=r"gone on with: it stands at step 28.*14[\s\S]*open it again"):
            late.save()
    assert cr.open_run(run.folder).trainer.step == 28


def test_folders_of_the_first_versions_open_and_go_on(run):
    as_old(run.folder)
    with (run.folder / "history.jsonl").open("a") as file:
        file.write('{"kind": "steps", "first": 14, "loss": [[0.1], [0.2]], "correct": [[1], [2]]}\n{"kind": "epo')
    before = contents(run.folder)
    saved = cr.open_run(run.folder)
    np.testing.assert_array_equal(saved.history.steps(), run.history.steps())
    assert contents(run.folder) == before
    longer = cr.resume(run.folder, epochs=3)
    assert longer.hash == cr.fit("2-4-2 tanh softmax", "moons", epochs=3, replicas=2).hash
    assert cr.open_run(run.folder).history.end == 21


def test_a_changed_configuration_is_noticed(run):
    path = run.folder / "config.json"
    text = path.read_text()
    path.write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(cr.errors.FileFormatError, match=r'config\.json was changed[\s\S]*"seal"'):
        cr.open_run(run.folder)
    change(path, lambda config: None)  # without the seal it is taken as it stands
    assert cr.open_run(run.folder).settings.seed == 1


HOSTILE = {
    "units": lambda config: config["network"]["network"]["layers"][0].update(units=10**12),
    "replicas": lambda config: config["settings"].update(replicas=10**9),
    "many replicas": lambda config: config["settings"].update(replicas=10**5),
    "threads": lambda config: config["settings"].update(threads=10**9),
    "examples": lambda config: config["data"]["parts"].update(training=10**15),
    "negative": lambda config: config["data"]["parts"].update(training=-1),
    "batches": lambda config: config["data"]["parts"].update(training=10**9) or config["settings"].update(batch_size=1),
    "layers": lambda config: config["network"]["network"].update(layers=config["network"]["network"]["layers"] * 1001),
    "shape": lambda config: config["data"].update(input_shape=[10**6] * 4),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_configuration_cannot_ask_for_more_memory_than_its_snapshot_has(run, name):
    change(run.folder / "config.json", HOSTILE[name], keep_seal=True)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(cr.errors.ChainruleError):
        cr.open_run(run.folder)
    assert tracemalloc.get_traced_memory()[1] < 5e7
    tracemalloc.stop()
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 99}', "null", '{"version": 1, "network": {}}'])
def test_a_broken_configuration_is_refused(run, text):
    (run.folder / "config.json").write_text(text)
    with pytest.raises(cr.errors.ChainruleError):
        cr.open_run(run.folder)


def test_unknown_kinds_are_not_made(run):
    change(run.folder / "config.json", lambda config: config["settings"]["optimizer"].update(kind="os.system"))
    with pytest.raises(cr.errors.FileFormatError, match="system, a class of the module os"):
        cr.open_run(run.folder)


def test_changed_data_are_noticed(run):
    change(run.folder / "config.json", lambda config: config["data"]["load"].update(seed=1))
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
    with pytest.raises(FileNotFoundError, match=r"data=\.\.\."):
        saved.evaluate("test")


def test_data_that_moved_with_their_run_are_found(tmp_path, monkeypatch):
    old, new = tmp_path / "old", tmp_path / "elsewhere" / "new"
    (old / "data").mkdir(parents=True)
    (old / "data" / "line.csv").write_text("x,y\n" + "\n".join(f"{i},{i * 2}" for i in range(40)))
    monkeypatch.chdir(old)
    run = cr.fit("1-1", {"name_or_path": "data/line.csv", "target": "y"}, epochs=1, folder="runs")
    loss = run.evaluate("test").loss
    new.parent.mkdir()
    old.rename(new)
    monkeypatch.chdir(tmp_path)
    folder = new / "runs" / "latest"
    assert cr.open_run(folder).evaluate("test").loss == loss
    assert cr.resume(folder, epochs=2).trainer.step == 2
    # Somewhere else it must be named; another file of that name is not taken.
    (new / "data" / "line.csv").rename(tmp_path / "moved.csv")
    (new / "data" / "line.csv").write_text("x,y\n" + "\n".join(f"{i},{i * 3}" for i in range(40)))
    with pytest.raises(cr.errors.MissingFileError, match=r"no longer at .*line\.csv"):
        cr.open_run(folder).evaluate("test")
    for given in ("moved.csv", tmp_path / "moved.csv"):
        assert cr.open_run(folder, data=given).evaluate("test").loss < loss
    with pytest.raises(cr.errors.DataError, match="bit for bit"):
        cr.open_run(folder, data=new / "data" / "line.csv").evaluate("test")


def test_two_runs_in_the_same_second_get_two_folders(tmp_path):
    assert RunFolder.create(tmp_path, "a").path != RunFolder.create(tmp_path, "a").path


def test_a_network_that_no_graph_stands_for_is_passed_again(tmp_path):
    def by_rank(x):
        return x * np.arange(x.shape[0]).reshape(-1, 1).repeat(2, axis=1).astype(x.dtype)

    net = cr.Sequential(by_rank, cr.Dense(2))
    run = cr.fit(net, "moons", epochs=1, folder=tmp_path)
    with pytest.raises(cr.errors.OptionError, match="net="):
        cr.open_run(run.folder)
    assert cr.open_run(run.folder, net=net).evaluate("test").loss == run.evaluate("test").loss


def test_what_waits_for_later_snapshots_ends_as_what_is_written_at_once(tmp_path, monkeypatch):
    """Of a hundred short epochs a folder keeps the same snapshots, and nearly none is written to be removed again."""
    found, written = {}, {}
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(folders, "WRITE_SECONDS", seconds)
        names = []

        def note(path, content, names=names, **named):
            names.append(path.name)
            write_whole(path, content, **named)

        monkeypatch.setattr(folders, "write_whole", note)
        run = cr.fit("2-4-2 tanh softmax", "moons", epochs=100, batch_size=64, folder=tmp_path / str(seconds))
        heads = [json.loads(path.read_text()) for path in (run.folder / "snapshots").glob("*.json")]
        found[seconds] = {head["step"]: head["sha256"] for head in heads}
        written[seconds] = len([name for name in names if name.startswith("step-")])
        for step in found[seconds]:
            assert cr.open_run(run.folder, step=step).trainer.step == step
    assert found[0.0] == found[1e9]
    assert len(found[0.0]) == 16
    assert written[0.0] == 204  # two files after each epoch, before the first and after the last
    assert written[1e9] < 50  # those that stay, the beginning, and what the disk is waited for meanwhile


def test_what_waits_is_found_by_who_reads_and_is_tried_again_when_the_disk_has_room(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "WRITE_SECONDS", 1e9)
    folder = RunFolder.create(tmp_path, "run")
    folder.take_up(0, list)
    for step in (0, 1, 2):
        folder.append_history([{"kind": "steps", "first": step, "loss": [[0.5]]}])
        folder.save(Snapshot(step, {"w": np.full(3, step, np.float32)}, {}))
    assert [path.name for path in sorted((folder.path / "snapshots").glob("*.json"))] == ["step-000000000.json"]
    with monkeypatch.context() as full:
        full.setattr(folders, "write_whole", refuse)
        with pytest.raises(OSError, match="full"):
            folder.save(Snapshot(3, {"w": np.full(3, 3, np.float32)}, {}), sync=True)
    assert folder.snapshot_steps() == [1, 2, 3]
    for step in (1, 2, 3):
        np.testing.assert_array_equal(folder.read_snapshot(step).state["w"], np.full(3, step, np.float32))
    sizes = [folder.read_snapshot(step).history["bytes"] for step in (1, 2, 3)]
    assert sizes[0] < sizes[1] == sizes[2] == (folder.path / "history.jsonl").stat().st_size


def refuse(*_given, **_named):
    raise OSError("the disk is full")


def test_large_snapshots_do_not_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "WRITE_SECONDS", 1e9)
    folder = RunFolder.create(tmp_path, "run")
    folder.take_up(0, list)
    for step in (1, 2, 3):
        folder.save(Snapshot(step, {"w": np.zeros(folders.WAITING_BYTES // 4 + 1, np.float32)}, {}))
        assert (folder.path / "snapshots" / f"step-{step:09d}.json").exists()
