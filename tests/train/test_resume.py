"""A run that was cut anywhere and resumed ends with the same bits, history included, as one that was never interrupted."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import chainrule as cr
from tests.train.conftest import same_state

SETTINGS = {"optimizer": cr.Adam(cr.WarmUp(10, cr.Cosine(0.003))), "epochs": 4, "batch_size": 48, "replicas": 2, "seed": 5}


def stop_at(step):
    """A callback that ends the training at the first pause at or after this step."""
    return lambda moment: moment.step >= step


@pytest.mark.parametrize("cut", [1, 7, 11, 12, 30], ids=lambda cut: f"step{cut}")
def test_resumed_equals_uninterrupted(digits, small_net, tmp_path, cut, monkeypatch):
    monkeypatch.setattr(
        "chainrule.train.trainer.Trainer._next_piece", lambda *_: 1
    )  # pieces of one step: the cut falls inside an epoch
    whole = cr.fit(small_net, digits, folder=tmp_path / "whole", **SETTINGS)
    begun = cr.fit(small_net, digits, folder=tmp_path / "cut", callbacks=(stop_at(cut),), **SETTINGS)
    assert begun.stopped == "stopped by a callback"
    assert begun.trainer.step < whole.trainer.step
    resumed = cr.resume(begun.folder, data=digits)
    assert same_state(whole, resumed)
    np.testing.assert_array_equal(whole.history.steps(), resumed.history.steps())
    for one, other in zip(whole.history.epochs, resumed.history.epochs, strict=True):
        one, other = one.to_json(), other.to_json()
        one.pop("seconds"), other.pop("seconds")
        assert one == other


def test_resumed_twice_with_early_stopping(digits, small_net, tmp_path):
    settings = {
        **SETTINGS,
        "epochs": 12,
        "early_stopping": cr.EarlyStopping(patience=2),
        "optimizer": cr.SGD(0.5, momentum=0.9),
    }
    whole = cr.fit(small_net, digits, folder=tmp_path / "whole", **settings)
    run = cr.fit(small_net, digits, folder=tmp_path / "cut", callbacks=(stop_at(14),), **settings)
    run = cr.resume(run.folder, data=digits, callbacks=(stop_at(30),))
    run = cr.resume(run.folder, data=digits)
    assert whole.stopped == run.stopped
    assert same_state(whole, run)


def test_more_epochs_than_first_asked_for(digits, small_net, tmp_path):
    settings = {**SETTINGS, "optimizer": cr.RMSprop(0.001)}
    whole = cr.fit(small_net, digits, **settings)
    part = cr.fit(small_net, digits, folder=tmp_path, **{**settings, "epochs": 2})
    assert same_state(whole, cr.resume(part.folder, epochs=4, data=digits))


def test_how_steps_are_cut_into_pieces_changes_nothing(digits, small_net, monkeypatch):
    slow = cr.fit(small_net, digits, **SETTINGS)
    monkeypatch.setattr("chainrule.train.trainer.Trainer._next_piece", lambda *_: 1)
    assert same_state(slow, cr.fit(small_net, digits, **SETTINGS))


def test_history_lines_written_after_the_last_snapshot_are_dropped(digits, small_net, tmp_path):
    whole = cr.fit(small_net, digits, folder=tmp_path, **SETTINGS)
    for step in whole.trainer.folder.snapshot_steps()[-2:]:
        for ending in ("json", "safetensors"):
            (whole.folder / "snapshots" / f"step-{step:09d}.{ending}").unlink()
    with (whole.folder / "history.jsonl").open("a") as file:
        file.write('{"kind": "steps", "fir')  # the process died here
    resumed = cr.resume(whole.folder, data=digits)
    assert same_state(whole, resumed)
    lines = [json.loads(line) for line in (whole.folder / "history.jsonl").read_text().splitlines()]
    assert sum(len(line["loss"][0]) for line in lines if line["kind"] == "steps") == whole.trainer.step


@pytest.mark.skipif(os.name != "posix", reason="needs signals as POSIX has them")
def test_killed_and_resumed(tmp_path):
    script = textwrap.dedent(f"""
        import chainrule as cr
        data = {{"name_or_path": "moons", "n": 2000}}
        cr.fit("2-32-32-2 tanh softmax", data, optimizer=cr.Adam(0.01), epochs=60, batch_size=8, folder={str(tmp_path)!r})
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*/snapshots/step-*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = cr.resume(tmp_path / "latest")
    data = {"name_or_path": "moons", "n": 2000}
    whole = cr.fit("2-32-32-2 tanh softmax", data, optimizer=cr.Adam(0.01), epochs=60, batch_size=8)
    assert same_state(whole, resumed)


@pytest.mark.skipif(os.name != "posix", reason="needs signals as POSIX has them")
def test_control_c_keeps_what_was_learned(tmp_path):
    interrupted = []

    def interrupt(moment):
        if moment.step >= 100 and not interrupted:
            interrupted.append(moment.step)
            os.kill(os.getpid(), signal.SIGINT)

    run = cr.fit("2-16-2 tanh softmax", "moons", epochs=200, batch_size=8, folder=tmp_path, callbacks=(interrupt,))
    assert run.stopped == "interrupted"
    assert interrupted[0] <= run.trainer.step < run.trainer.steps
    saved = cr.open_run(tmp_path / "latest")
    assert same_state(run, saved)
    assert same_state(cr.fit("2-16-2 tanh softmax", "moons", epochs=200, batch_size=8), cr.resume(run.folder))


def test_pieces_that_run_over_the_ends_of_epochs(digits, small_net, tmp_path):
    often = cr.fit(small_net, digits, **SETTINGS)
    seldom = cr.fit(small_net, digits, evaluate_every=0, **SETTINGS)
    assert same_state(often, seldom)
    np.testing.assert_array_equal(often.history.steps(), seldom.history.steps())
    assert [epoch.epoch for epoch in seldom.history.epochs] == [4]
    np.testing.assert_array_equal(often.history.epochs[-1].running_loss, seldom.history.epochs[-1].running_loss)
    every_third = cr.fit(small_net, digits, evaluate_every=3, **SETTINGS)
    assert [epoch.epoch for epoch in every_third.history.epochs] == [3, 4]
    cut = cr.fit(small_net, digits, evaluate_every=0, folder=tmp_path, callbacks=(stop_at(9),), **SETTINGS)
    assert same_state(often, cr.resume(cut.folder, data=digits))


def test_resuming_what_early_stopping_ended_keeps_the_best_weights(digits, tmp_path):
    settings = {"optimizer": cr.Adam(0.02), "epochs": 100, "early_stopping": cr.EarlyStopping(patience=2), "folder": tmp_path}
    run = cr.fit("784-30-10 relu softmax", digits, **settings)
    again = cr.resume(run.folder, data=digits)
    assert again.stopped == run.stopped == "early stopping"
    assert same_state(run, again)
    assert same_state(run, cr.open_run(run.folder))


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: cr.data.moons(n=60, noise=0.2, seed=3),
        lambda folder: cr.data.load("blobs", classes=3),
        lambda folder: cr.data.read_csv(table(folder), target="kind", split=cr.data.StratifiedSplit(test=0.3, validation=0.2)),
    ],
    ids=["generator", "load", "csv with a split"],
)
def test_data_remember_how_they_were_made(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = make(tmp_path)
    net = cr.Sequential(cr.Dense(data.target_size, "softmax"))
    whole = cr.fit(net, data, epochs=4, batch_size=8)
    part = cr.fit(net, data, epochs=2, batch_size=8, folder="runs")
    monkeypatch.chdir("/")
    assert same_state(whole, cr.resume(part.folder if part.folder.is_absolute() else tmp_path / part.folder, epochs=4))


def table(folder):
    rows = ["length,kind"] + [f"{i / 10},{'long' if i > 30 else 'short'}" for i in range(60)]
    (folder / "lengths.csv").write_text("\n".join(rows))
    return "lengths.csv"


def test_fewer_epochs_than_are_done_are_refused_and_a_run_without_its_data_is_printed(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 2))
    run = cr.fit("2-1", (x, x[:, 0]), epochs=3, folder=tmp_path)
    with pytest.raises(cr.errors.OptionError, match=r"(?s)epochs=1, and 3 are done.*run.at\(epoch=1\)"):
        cr.resume(run.folder, epochs=1, data=(x, x[:, 0]))
    assert str(cr.open_run(run.folder)).startswith("not evaluated: the run's data 'arrays' were arrays")
    assert "1 epoch, 1 of 3 steps, " in str(run.at(epoch=1))
    with pytest.raises(cr.errors.OptionError, match=r"baseline='middle'"):
        run.why(0, baseline="middle")
