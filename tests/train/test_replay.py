"""Time travel: any step of a run is brought back with the same bits, proven by what was noted; branches start there."""

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.train import Trainer
from chainrule.train.folder import SNAPSHOTS
from tests.train.conftest import same_state
from tests.train.folders import as_old, change

SETTINGS = {"optimizer": cr.Adam(cr.WarmUp(10, cr.Cosine(0.003))), "epochs": 4, "batch_size": 48, "replicas": 2, "seed": 5}
"""500 digits in batches of 48: 11 steps an epoch, the last with 20 examples."""


@pytest.fixture
def steps_one_by_one(monkeypatch):
    """Trainings come to a pause after each step from the eighth on, so that a callback can end them there."""
    monkeypatch.setattr("chainrule.train.trainer.Trainer._next_piece", lambda *_: 1)


def stop_at(step):
    return (lambda moment: moment.step >= step,)


@pytest.mark.parametrize("folder", [False, True], ids=["memory", "folder"])
@pytest.mark.usefixtures("steps_one_by_one")
def test_a_step_is_what_a_training_that_ended_there_had(digits, small_net, tmp_path, folder):
    run = cr.fit(small_net, digits, **SETTINGS, folder=tmp_path if folder else None)
    run = cr.open_run(run.folder, data=digits) if folder else run
    for step in (30, 8, 9, 11, 44, 20):
        there, ended = run.at(step), cr.fit(small_net, digits, **SETTINGS, callbacks=stop_at(step))
        assert there.trainer.step == ended.trainer.step == step
        assert same_state(there, ended)
        np.testing.assert_array_equal(there.history.steps(), ended.history.steps())
        assert [epoch.hash for epoch in there.history.epochs] == [epoch.hash for epoch in ended.history.epochs]
        assert there.folder is None
    assert same_state(run.at(0), cr.fit(small_net, digits, **{**SETTINGS, "epochs": 0}))


def test_epochs_have_the_hash_that_was_noted(digits, small_net):
    run = cr.fit(small_net, digits, **SETTINGS)
    assert [run.at(epoch=epoch.epoch).hash for epoch in run.history.epochs] == [epoch.hash for epoch in run.history.epochs]
    assert run.history.epochs[-1].hash == run.hash
    assert len({epoch.hash for epoch in run.history.epochs}) == 4


def test_replicas_go_together(digits, small_net):
    both = cr.fit(small_net, digits, **SETTINGS)
    second = cr.fit(small_net, digits, **{**SETTINGS, "replicas": 1, "seed": 6})
    ours, own = both.at(15).parameters(1), second.at(15).parameters(0)
    assert all(np.array_equal(ours[name], own[name]) for name in own)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_initial_values_and_an_order_of_ones_own(engine):
    data = cr.data.moons(60)
    first = {"dense1.W": np.full((2, 3), 0.1) + np.arange(3) / 7}
    backwards = {"order": lambda seed, epoch, count: np.roll(np.arange(count)[::-1], epoch)}
    run = cr.fit("2-3-2 tanh softmax", data, epochs=3, batch_size=7, initial=first, engine=engine, **backwards)
    np.testing.assert_array_equal(run.at(0).parameters()["dense1.W"], first["dense1.W"].astype(np.float32))
    assert run.at(epoch=3).hash == run.hash
    assert run.branch(4).hash == run.hash
    assert run.at(10).at(4).hash == run.at(4).hash


def test_initial_values_are_in_the_folder(tmp_path):
    data = cr.data.moons(60)
    run = cr.fit("2-3-2 tanh softmax", data, epochs=2, initial={"dense2.b": np.array([0.5, -0.5])}, folder=tmp_path)
    saved = cr.open_run(run.folder, data=data)
    np.testing.assert_array_equal(saved.at(0).parameters()["dense2.b"], [0.5, -0.5])
    assert saved.at(1).hash == run.at(1).hash


@pytest.mark.usefixtures("steps_one_by_one")
def test_interrupted_and_resumed_with_more_epochs(digits, small_net, tmp_path):
    begun = cr.fit(small_net, digits, folder=tmp_path, callbacks=stop_at(14), **SETTINGS)
    assert begun.at(14).hash == begun.hash
    run = cr.resume(begun.folder, epochs=6, data=digits)
    # The cosine knew of 4 epochs up to step 14 and of 6 from there on: another run than one that was to have 6 all along.
    assert run.hash != cr.fit(small_net, digits, **{**SETTINGS, "epochs": 6}).hash
    again = cr.open_run(run.folder, data=digits)
    for step in again.trainer.folder.snapshot_steps():
        (again.folder / "snapshots" / f"step-{step:09d}.json").unlink()
    assert same_state(again.at(epoch=6), run)
    assert again.branch(5).hash == run.hash
    assert cr.fit(small_net, digits, **SETTINGS).branch(14, epochs=6).hash == run.hash


def test_early_stopping_gives_the_last_weights_and_keeps_watch(digits, tmp_path):
    settings = {"optimizer": cr.Adam(0.004), "epochs": 100, "early_stopping": cr.EarlyStopping(patience=2), "folder": tmp_path}
    run = cr.fit("784-30-10 relu softmax", digits, **settings)
    best = int(run.trainer.stopping.best_epoch[0])
    assert best > 1
    assert run.at(epoch=best).hash == run.hash != run.at(run.trainer.step).hash
    unsaved = cr.fit("784-30-10 relu softmax", digits, **{**settings, "folder": None})
    # Before the best epoch, and when the waiting has begun.
    for step in (best * run.trainer.steps_per_epoch - 3, (best + 1) * run.trainer.steps_per_epoch + 1):
        for parent in (run, cr.open_run(run.folder, data=digits), unsaved):
            other = parent.branch(step)
            assert same_state(other, run)
            assert other.stopped == "early stopping"
            assert other.trainer.stopping.best_epoch == best
            assert [epoch.hash for epoch in other.history.epochs] == [epoch.hash for epoch in run.history.epochs]


def test_going_over_a_branch_leaves_its_start_as_it_is(digits):
    settings = {"optimizer": cr.SGD(0.01), "epochs": 6, "early_stopping": cr.EarlyStopping(patience=3)}
    branch = cr.fit("784-10-10 relu softmax", digits, **settings).branch(32)
    before = {name: array.copy() for name, array in branch.trainer.start.state.items()}
    assert any(name.startswith("best/") for name in before)
    assert branch.at(epoch=4).hash == branch.history.epochs[3].hash
    assert all(np.array_equal(array, before[name]) for name, array in branch.trainer.start.state.items())


def test_old_histories_without_hashes_are_read(digits, small_net, tmp_path):
    run = cr.fit(small_net, digits, folder=tmp_path, **SETTINGS)
    path = run.folder / "history.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["sha256"] for row in rows if row["kind"] == "epoch"] == [epoch.hash for epoch in run.history.epochs]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "sha256"}) + "\n" for row in rows))
    as_old(run.folder)
    change(run.folder / "config.json", lambda config: config.pop("course"))
    old = cr.open_run(run.folder, data=digits)
    assert [epoch.hash for epoch in old.history.epochs] == [""] * 4
    assert old.at(16).hash == run.at(16).hash


def altered(run, edit):
    """The run's folder after a change to the rows of its history, with the snapshots gone, opened."""
    path = run.folder / "history.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    edit(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    as_old(run.folder)  # newer ones know their history by its hash
    for step in run.trainer.folder.snapshot_steps()[:-1]:
        (run.folder / "snapshots" / f"step-{step:09d}.json").unlink()


def other_loss(rows):
    row = next(row for row in rows if row["kind"] == "steps")
    row["loss"][1][0] = float(np.nextafter(np.float32(row["loss"][1][0]), np.float32(9)))


def other_hash(rows):
    next(row for row in rows if row["kind"] == "epoch")["sha256"] = "0" * 64


@pytest.mark.parametrize(
    ("change", "message"), [(other_loss, r"loss .*, replica 1"), (other_hash, "parameters .* 000000000000")]
)
def test_other_bits_are_an_error(digits, small_net, tmp_path, change, message):
    run = cr.fit(small_net, digits, folder=tmp_path, **SETTINGS)
    altered(run, change)
    saved = cr.open_run(run.folder, data=digits)
    with pytest.raises(cr.errors.ReplayError, match=message):
        saved.at(13)
    with pytest.raises(RuntimeError, match="this machine or this engine"):
        saved.at(11)


def test_another_engine_is_noticed(digits, small_net, tmp_path):
    run = cr.fit(small_net, digits, folder=tmp_path, **SETTINGS)
    change(run.folder / "config.json", lambda config: config["settings"].update(engine="reference"))
    saved = cr.open_run(run.folder, data=digits)
    assert saved.at(44).hash == run.hash  # a snapshot holds it
    with pytest.raises(cr.errors.ReplayError):
        saved.at(21)


def test_a_broken_snapshot_is_passed_over(digits, small_net, tmp_path):
    run = cr.fit(small_net, digits, folder=tmp_path, **SETTINGS)
    (run.folder / "snapshots" / "step-000000022.safetensors").write_bytes(b"")
    saved = cr.open_run(run.folder, data=digits)
    assert saved.at(22).hash == run.history.epochs[1].hash


def test_models_along_the_way_go_forward_once(digits, small_net, monkeypatch):
    run = cr.fit(small_net, digits, **SETTINGS)
    done, advance = [], Trainer.advance
    monkeypatch.setattr(Trainer, "advance", lambda self, last: (done.append((self.step, last)), advance(self, last))[1])
    found = run.models([20, 0, 20, 7], replica=1)
    assert [step for step, _ in found] == [20, 0, 20, 7]
    assert sum(last - first for first, last in done) == 20
    wanted = run.at(7).parameters(1)
    assert all(np.array_equal(found[3][1].parameters[name], wanted[name]) for name in wanted)
    done.clear()
    assert [there.trainer.step for there in run.steps_between(9, 14, 2)] == [9, 11, 13, 14]
    assert sum(last - first for first, last in done) == 7


def test_steps_that_are_not_there(digits, small_net):
    run = cr.fit(small_net, digits, **SETTINGS)
    for call in (lambda: run.at(45), lambda: run.at(-1), lambda: run.at(epoch=5), lambda: run.at(), lambda: run.at(1, epoch=1)):
        with pytest.raises(cr.errors.OptionError):
            call()
    with pytest.raises(cr.errors.OptionError, match="something left to do"):
        run.branch(44)


def test_lbfgs_has_its_start_and_its_end():
    run = cr.fit("1-4-1 tanh", (np.linspace(-1, 1, 20)[:, None], np.linspace(-1, 1, 20)[:, None] ** 2), optimizer=cr.LBFGS())
    assert run.at(run.trainer.step).hash == run.hash != run.at(0).hash
    with pytest.raises(cr.errors.OptionError, match="L-BFGS"):
        run.at(1)
    with pytest.raises(cr.errors.OptionError, match="L-BFGS"):
        run.branch(0)


def test_a_folder_keeps_few_snapshots_spread_over_the_training(tmp_path):
    data = cr.data.moons(60)
    run = cr.fit("2-3-2 tanh softmax", data, epochs=100, batch_size=20, folder=tmp_path)
    steps = run.trainer.folder.snapshot_steps()
    assert len(steps) == SNAPSHOTS
    assert steps[-2:] == [run.trainer.step - run.trainer.steps_per_epoch, run.trainer.step]
    assert np.diff([0, *steps]).max() <= run.trainer.step / 5
    assert len(list((run.folder / "snapshots").iterdir())) == 2 * SNAPSHOTS
    assert cr.open_run(run.folder, data=data).at(50).hash == run.at(50).hash


# ---- branches


@pytest.mark.parametrize("step", [0, 1, 11, 17, 43])
def test_a_branch_without_changes_is_the_run(digits, small_net, step):
    run = cr.fit(small_net, digits, **SETTINGS)
    before = {name: array.copy() for name, array in run.trainer.state.items()}
    other = run.branch(step)
    assert same_state(other, run)
    np.testing.assert_array_equal(other.history.steps(), run.history.steps())
    assert [epoch.hash for epoch in other.history.epochs] == [epoch.hash for epoch in run.history.epochs]
    assert (other.parent.path, other.parent.step, other.parent.hash) == (None, step, run.at(step).hash)
    assert all(np.array_equal(array, before[name]) for name, array in run.trainer.state.items())
    assert run.parent is None


def test_a_branch_with_another_learning_rate_is_what_one_computes_by_hand():
    data = cr.data.moons(60)
    settings = {"batch_size": 10, "engine": "reference", "dtype": "float64"}
    run = cr.fit("2-3-2 tanh softmax", data, epochs=2, optimizer=cr.SGD(0.1), **settings)
    other = run.branch(5, learning_rate=0.01)
    first, then = run.at(5), other.at(6)
    epoch, batch = divmod(5, run.trainer.steps_per_epoch)
    rows = cr.ops.epoch_order(0, epoch, len(data.train))[10 * batch : 10 * batch + 10]
    gradient = first.model().gradient(data.train.x[rows], data.train.y[rows])
    for name, value in first.parameters().items():
        np.testing.assert_allclose(then.parameters()[name], value - 0.01 * gradient[name], atol=1e-14)


def test_a_branch_with_another_optimizer_starts_with_an_empty_memory():
    data = cr.data.moons(60)
    run = cr.fit("2-3-2 tanh softmax", data, epochs=4, batch_size=10, optimizer=cr.SGD(0.1, momentum=0.9))
    at = run.at(12)
    other = run.branch(12, optimizer=cr.Adam(0.01))
    # Adam's first step, counted anew, is η in each direction.
    moved = other.at(13).parameters()["dense1.b"] - at.parameters()["dense1.b"]
    np.testing.assert_allclose(np.abs(moved), 0.01, rtol=1e-3)
    assert other.trainer.step == run.trainer.step
    assert run.branch(12, optimizer="adam", learning_rate=0.01).hash == other.hash


def test_a_branch_with_another_batch_size_begins_at_the_end_of_an_epoch():
    data = cr.data.moons(60)
    run = cr.fit("2-3-2 tanh softmax", data, epochs=4, batch_size=10, optimizer=cr.Adam(0.01))
    per_epoch = run.trainer.steps_per_epoch
    with pytest.raises(cr.errors.OptionError, match="middle of epoch"):
        run.branch(per_epoch + 1, batch_size=20)
    other = run.branch(2 * per_epoch, batch_size=20)
    assert other.at(2 * other.trainer.steps_per_epoch).hash == run.at(epoch=2).hash
    assert other.trainer.step == 4 * other.trainer.steps_per_epoch
    assert [epoch.epoch for epoch in other.history.epochs] == [1, 2, 3, 4]
    # Adam goes on counting its updates: 2 epochs of the old size are behind it.
    assert other.trainer.lineage.shift == 2 * per_epoch - 2 * other.trainer.steps_per_epoch
    assert other.at(other.trainer.step).hash == other.hash


def test_a_branch_with_another_seed_sees_other_orders():
    data = cr.data.moons(60)
    run = cr.fit("2-3-2 tanh softmax", data, epochs=2, batch_size=10)
    other = run.branch(run.trainer.steps_per_epoch, seed=9)
    assert other.hash != run.hash
    step = run.trainer.steps_per_epoch
    np.testing.assert_array_equal(other.trainer.rows(step)[0], cr.ops.epoch_order(9, 1, len(data.train))[:10])


def test_a_saved_branch_knows_its_parent_and_goes_on(digits, small_net, tmp_path):
    run = cr.fit(small_net, digits, folder=tmp_path / "runs", **SETTINGS)
    branch = cr.open_run(run.folder, data=digits).branch(17, learning_rate=0.001, epochs=6, folder=tmp_path / "runs")
    parent = json.loads((branch.folder / "config.json").read_text())["course"]["parent"]
    assert parent == {"path": str(run.folder), "step": 17, "sha256": run.at(17).hash}
    saved = cr.open_run(branch.folder, data=digits)
    assert saved.parent == branch.parent
    assert "branched from step 17" in str(saved)
    assert saved.at(30).hash == branch.at(30).hash
    with pytest.raises(cr.errors.OptionError, match="branched from"):
        saved.at(16)
    np.testing.assert_array_equal(saved.history.steps(), branch.history.steps())
    longer = cr.resume(branch.folder, epochs=7, data=digits)
    assert longer.at(66).hash == branch.hash
    assert same_state(longer, run.branch(17, learning_rate=0.001, epochs=7))


@pytest.mark.usefixtures("steps_one_by_one")
def test_a_branch_cut_at_once_is_resumed(digits, small_net, tmp_path):
    run = cr.fit(small_net, digits, **SETTINGS)
    cut = run.branch(17, seed=3, folder=tmp_path, callbacks=(lambda moment: True,))
    (cut.folder / "snapshots" / f"step-{cut.trainer.step:09d}.json").unlink()
    assert same_state(cr.resume(cut.folder, data=digits), run.branch(17, seed=3))
