"""Whatever the system refuses while a run is saved: every step that was trained is kept, in the folder or in memory."""

import errno
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule import files
from chainrule.cli import application
from chainrule.errors import OptionError, UnsavedRunWarning, UnwritableFileError
from chainrule.files import OF_A_RUN
from chainrule.views.report import write_report
from tests.train.conftest import same_state
from tests.train.failing_system import FailingSystem

DATA = cr.data.moons(30)
SETTINGS = {"epochs": 3, "batch_size": 10, "optimizer": cr.Adam(0.01), "engine": "reference"}


def train(folder=None, **more):
    return cr.fit("2-3-2 tanh softmax", DATA, folder=folder, **{**SETTINGS, **more})


@pytest.fixture(scope="module")
def whole():
    return train()


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """The names of all calls that write in a training, from the first to the last."""
    with pytest.MonkeyPatch.context() as patch:
        system = FailingSystem().install(patch)
        train(tmp_path_factory.mktemp("counted"))
    return system.calls


def leftovers(folder):
    return [path for path in folder.rglob("*") if ".partial" in path.name]


def fitted(folder):
    """The run, or the error that came before its training began."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsavedRunWarning)
        try:
            return train(folder), None
        except UnwritableFileError as error:
            return None, error


def chosen(calls, trouble):
    """Every call on a full disk; the other refusals take the same way: of each a third, and all of them in a campaign."""
    first = {errno.EIO: 1, errno.EACCES: 2}.get(trouble, 0)
    return range(len(calls)) if trouble == errno.ENOSPC or "CAMPAIGN_SIZE" in os.environ else range(first, len(calls), 3)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def test_every_call_of_a_save_that_fails_loses_nothing(tmp_path, monkeypatch, whole, calls, trouble, lasting):
    trained, tried = 0, chosen(calls, trouble)
    for number in tried:
        with monkeypatch.context() as patch:
            FailingSystem(number, trouble, lasting=lasting).install(patch)
            run, error = fitted(tmp_path / str(number))
        if run is None:
            assert "cannot be written" in str(error)
            for begun in (tmp_path / str(number)).glob("*/config.json"):  # the lock could not be had: nothing was trained yet
                assert lasting or cr.open_run(begun.parent, data=DATA).trainer.step == 0, calls[number]
            continue
        trained += 1
        assert same_state(run, whole)
        np.testing.assert_array_equal(run.history.steps(), whole.history.steps())
        if not lasting:
            assert not run.unsaved
            assert not leftovers(tmp_path / str(number)), calls[number]
        else:
            saved = cr.open_run(run.folder, data=DATA)  # whatever stands there is whole
            assert saved.hash == (whole.at(saved.trainer.step).hash)
            assert run.unsaved or same_state(saved, whole)
            run.save()  # the disk has room again
        saved = cr.open_run(run.folder, data=DATA)
        assert same_state(saved, whole)
        np.testing.assert_array_equal(saved.history.steps(), whole.history.steps())
        assert [epoch.hash for epoch in saved.history.epochs] == [epoch.hash for epoch in whole.history.epochs]
    assert trained > len(tried) // 3


def test_a_second_interrupt_at_any_call_leaves_a_folder_that_is_gone_on_with(tmp_path, monkeypatch, whole, calls):
    for number in range(len(calls)):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            FailingSystem(number, KeyboardInterrupt()).install(patch)
            with pytest.raises(KeyboardInterrupt):
                train(folder)
        if (folder / "latest.txt").is_file():
            assert same_state(cr.resume(folder / "latest", data=DATA), whole), calls[number]
            assert not leftovers(folder)


def test_a_full_disk_is_told_and_the_run_is_saved_elsewhere(tmp_path, monkeypatch, whole, calls):
    with monkeypatch.context() as patch:
        FailingSystem(len(calls) - 8, lasting=True).install(patch)
        with pytest.warns(UnsavedRunWarning, match=r"No space left on device.*run\.save\(folder\)"):
            run = train(tmp_path / "full")
        assert "not saved: " in str(run)
        with pytest.raises(UnwritableFileError, match="make room on the disk"):
            run.save()
    saved = cr.open_run(run.save(tmp_path / "other"), data=DATA)
    assert same_state(saved, whole)
    assert run.folder.parent == tmp_path / "other"
    assert not run.unsaved


def test_early_stopping_saved_elsewhere_goes_on_from_its_last_weights(tmp_path):
    table = cr.data.moons(60)
    data = cr.data.Dataset("moons", table.train, table.test, classes=table.classes)
    settings = {"early_stopping": cr.EarlyStopping(patience=50), "epochs": 8, "optimizer": cr.Adam(0.3)}
    run = cr.fit("2-3-2 tanh softmax", data, **settings)
    longer = cr.fit("2-3-2 tanh softmax", data, **{**settings, "epochs": 12})
    assert same_state(cr.resume(run.save(tmp_path), epochs=12, data=data), longer)


def test_a_folder_that_is_deleted_while_it_is_trained(tmp_path, whole):
    import shutil

    def delete(moment):
        if moment.kind == "epoch" and moment.epoch == 2:
            shutil.rmtree(next(tmp_path.glob("2*")))

    with pytest.warns(UnsavedRunWarning, match="No such file"):
        run = train(tmp_path, callbacks=(delete,))
    assert same_state(run, whole)
    assert same_state(cr.open_run(run.save(tmp_path), data=DATA), whole)


@pytest.mark.parametrize(
    "damage",
    [lambda path: path.unlink(), lambda path: path.write_bytes(b"{"), lambda path: path.write_bytes(path.read_bytes() + b"x")],
)
def test_a_history_that_somebody_changes_meanwhile_is_written_anew(tmp_path, whole, damage):
    def meddle(moment):
        if moment.kind == "epoch" and moment.epoch == 2:
            damage(next(tmp_path.glob("2*/history.jsonl")))

    run = train(tmp_path, callbacks=(meddle,))
    saved = cr.open_run(run.folder, data=DATA)
    np.testing.assert_array_equal(saved.history.steps(), whole.history.steps())


def test_an_error_of_a_callback_loses_no_step(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.train.trainer.Trainer._next_piece", lambda *_: 1)

    def fail(moment):
        if moment.step == 5:
            raise RuntimeError("a mistake of the user's")

    with pytest.raises(RuntimeError, match="of the user's"):
        train(tmp_path, callbacks=(fail,))
    saved = cr.open_run(tmp_path / "latest", data=DATA)
    assert saved.trainer.step == 5
    assert same_state(cr.resume(tmp_path / "latest", data=DATA), train())


def test_names_with_nul_are_refused(tmp_path):
    run = train(tmp_path)
    calls = (
        train,
        cr.open_run,
        run.save,
        lambda name: cr.data.read_csv(name, target="y"),
        lambda name: cr.data.load(f"{name}.csv", target="y"),
    )
    for call in calls:
        with pytest.raises(cr.errors.OptionError, match="without the character NUL"):
            call(f"{tmp_path}/a\0b")


def test_all_that_writes_goes_through_the_calls_that_are_let_fail():
    """Another call would be another way to leave half a file: who writes uses what chainrule.files gives."""
    root, calls = (
        Path(files.__file__).parent,
        r"(?<!formatter)\.(write_text|write_bytes|mkdir|unlink|rename|touch)\(|open\([^)]*[\"'][wa]b?[\"']|os\.(open|replace)",
    )
    alone = {
        "files.py",
        "train/lock.py",
        "engines/native/cache.py",
        "cli/told.py",
    }  # the last opens what swallows everything
    texts = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}
    writers = {name: re.sub(r"(?m)^ *(>>>|\.\.\.) .*", "", text) for name, text in texts.items()}
    found = {name for name, text in writers.items() if re.search(calls, text) and name not in alone}
    assert "views/saved.py" in found
    assert [name for name in sorted(found) if "with writing(" not in writers[name]] == []


def test_small_epochs_wait_for_the_disk_a_few_times_only(tmp_path, monkeypatch):
    system = FailingSystem().install(monkeypatch)
    train(tmp_path, epochs=100)
    assert system.calls.count("fsync") < 20


def _by_command(run, place, command, *words):
    result = CliRunner().invoke(application, [command, str(run.folder), *words, "--output", str(place)])
    assert result.exit_code == 2, result.output
    raise OptionError(result.output, expected="", remedy="")


WAYS = {
    "export": lambda run, place, _: cr.export(run, place, "safetensors"),
    "report": lambda run, place, _: write_report(run, place),
    "chainrule export": lambda run, place, _: _by_command(run, place, "export", "--to", "c"),
    "chainrule predict": lambda run, place, rows: _by_command(run, place, "predict", str(rows)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_written_over_what_a_run_is_made_of(tmp_path, way):
    weights = np.random.default_rng(0).normal(size=(70, 70)).astype(np.float32)
    net = cr.Sequential(cr.Dense(70, weights=cr.Constant(weights)), cr.Dense(2, "softmax"))
    x = np.random.default_rng(1).normal(size=(20, 70))
    run = cr.fit(net, (x, np.arange(20) % 2), epochs=1, folder=tmp_path)
    np.savetxt(tmp_path / "x.csv", x[:2], delimiter=",")
    made = {path.relative_to(run.folder): path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert {path.name for path in made if len(path.parts) == 1} <= OF_A_RUN
    assert Path("network.safetensors") in made
    for path in made:
        with pytest.raises(OptionError):
            WAYS[way](run, run.folder / path, tmp_path / "x.csv")
    assert CliRunner().invoke(application, ["export", str(run.folder), "--to", "safetensors"]).exit_code == 0
    assert {path: (run.folder / path).read_bytes() for path in made} == made
    assert np.array_equal(cr.open_run(run.folder, data=(x, np.arange(20) % 2)).predict(x), run.predict(x))
