"""Curves written for other tools: when what is recorded, and TensorBoard's files read back by TensorBoard's own reader."""

import subprocess
import sys
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import MissingPackageError, OptionError, OptionTypeError, UnwritableFileError
from chainrule.interop.records import Records, hyperparameters

NET = "2-3-2 tanh softmax"
MOONS = cr.data.moons(60)


def scores(history):
    """All curves of a history: "part/name" → (epochs (n,), scores (n, replicas))."""
    return {f"{part}/{name}": history.curve(part, name) for part, names in history.epochs[0].parts.items() for name in names}


# ---- when what is recorded


@dataclass(eq=False)
class Listed(Records):
    """Keeps what it is told: a list of epochs for each training, and how it ended."""

    books: list[list[int]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def record(self, trainer):
        self.books.append([])
        end = "failed"
        try:
            while epoch := (yield):
                self.books[-1].append(epoch.epoch)
            end = "done"
        finally:
            self.ends.append(end)


def failing(moment):
    if moment.step >= 4:
        raise RuntimeError("mine")


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"evaluate_every": 2}, [2, 4, 5]),
        ({"evaluate_every": 0}, [5]),
        ({"optimizer": cr.LBFGS(), "evaluate_every": 2}, [2, 4, 5]),
    ],
)
def test_each_evaluated_epoch_is_recorded_once(options, epochs):
    listed = Listed()
    run = cr.fit(NET, MOONS, epochs=5, callbacks=listed, **options)
    assert listed.books == [epochs] == [[epoch.epoch for epoch in run.history.epochs]]
    assert listed.ends == ["done"]


def test_a_callback_serves_one_training_after_the_other():
    listed = Listed()
    training = cr.Training(NET, MOONS, epochs=2)
    training.fit(callbacks=listed)
    training.fit(callbacks=listed)
    assert listed.books == [[1, 2], [1, 2]]
    assert listed.ends == ["done", "done"]


def test_a_training_that_an_error_ended_has_failed():
    listed = Listed()
    with pytest.raises(RuntimeError, match="mine"):
        cr.fit(NET, MOONS, epochs=5, batch_size=20, callbacks=[listed, failing])
    assert listed.ends == []  # it may go on
    cr.fit(NET, MOONS, epochs=2, callbacks=listed)
    assert listed.ends == ["failed", "done"]
    assert listed.books[1] == [1, 2]


def test_a_training_that_an_error_ended_has_failed_when_python_ends():
    program = (
        "import chainrule as cr\n"
        "from tests.interop.test_records import MOONS, NET, Listed, failing\n"
        "class Told(Listed):\n"
        "    def _drop(self):\n"
        "        super()._drop()\n"
        "        print(self.ends)\n"
        "cr.fit(NET, MOONS, epochs=5, batch_size=20, callbacks=[Told(), failing])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert ended.stderr.endswith("RuntimeError: mine\n")
    assert ended.stdout.splitlines()[-1] == "['failed']"


def test_a_record_that_failed_begins_anew_with_the_same_training():
    class Full(Listed):
        def record(self, trainer):
            book = super().record(trainer)
            next(book)
            book.send((yield))
            if len(self.books) == 1:
                raise OSError("full")
            while epoch := (yield):
                book.send(epoch)

    full = Full()
    trainer = cr.Training(NET, MOONS, epochs=3).trainer()
    with pytest.raises(OSError, match="full"):
        trainer.train((full,))
    trainer.train((full,))
    assert full.books == [[1], [1, 2, 3]]


def test_hyperparameters_are_named_as_sweeps_name_them():
    run = cr.fit(NET, MOONS, epochs=1, optimizer=cr.SGD(cr.Cosine(0.5)), clip=cr.ClipNorm(2.0))
    found = hyperparameters(run.trainer)
    assert found["data"] == "moons"
    assert "Dense(3, 'tanh')" in found["network"]
    assert (found["optimizer"], found["optimizer.learning_rate"], found["optimizer.learning_rate.rate"]) == (
        "SGD",
        "Cosine",
        0.5,
    )
    assert (found["clip"], found["clip.norm"], found["epochs"]) == ("ClipNorm", 2.0, 1)
    assert not {"early_stopping", "kind"} & set(found)


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [
        (lambda: cr.TensorBoard("logs"), "tensorboard.compat.proto.event_pb2", "tensorboard"),
        (cr.MLflow, "mlflow", "mlflow"),
        (lambda: cr.WandB("moons"), "wandb", "wandb"),
    ],
)
def test_a_package_that_is_missing_is_named_before_anything_is_trained(make, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf"{extra} is not here[\s\S]*chainrule\[{extra}\]"):
        make()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(OptionTypeError, match="folder=3"):
        cr.TensorBoard(3)
    with pytest.raises(OptionError, match="mode='of'"):
        cr.WandB("moons", mode="of")


# ---- TensorBoard


def read_events(folder):
    """Scalars by tag as TensorBoard reads them: (steps, values)."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not here")
    events = module.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    rows = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    return {tag: ([row.step for row in row_list], [row.value for row in row_list]) for tag, row_list in rows.items()}


def require_same(found, history, replica=0):
    expected = scores(history)
    assert found.keys() == expected.keys()
    for tag, (epochs, values) in expected.items():
        assert found[tag][0] == epochs.tolist()
        assert np.array_equal(np.float32(found[tag][1]), np.float32(values[:, replica]))


@pytest.fixture
def tensorboard():
    pytest.importorskip("tensorboard")


@pytest.mark.usefixtures("tensorboard")
@pytest.mark.parametrize("loss", [None, cr.CrossEntropy() + cr.L2(0.01)])
def test_tensorboard_reads_the_curves(loss, tmp_path):
    run = cr.fit(NET, MOONS, epochs=4, loss=loss, callbacks=cr.TensorBoard(tmp_path / "new" / "logs"))
    require_same(read_events(tmp_path / "new" / "logs"), run.history)


@pytest.mark.usefixtures("tensorboard")
def test_replicas_are_runs_of_tensorboard(tmp_path):
    run = cr.fit(NET, MOONS, epochs=3, replicas=2, seed=5, callbacks=cr.TensorBoard(tmp_path))
    for replica in range(2):
        require_same(read_events(tmp_path / f"seed{5 + replica}"), run.history, replica)


@pytest.mark.usefixtures("tensorboard")
def test_tensorboard_sees_an_epoch_as_soon_as_it_is_done(tmp_path):
    seen = []

    def look(moment):
        if moment.kind == "epoch":
            seen.append(read_events(tmp_path)["training/loss"][0])

    cr.fit(NET, MOONS, epochs=3, callbacks=[cr.TensorBoard(tmp_path), look])
    assert seen == [[1], [1, 2], [1, 2, 3]]


@pytest.mark.usefixtures("tensorboard")
def test_a_folder_shows_the_training_that_wrote_there_last(tmp_path):
    begun = cr.fit(NET, MOONS, epochs=2, folder=tmp_path / "runs", callbacks=cr.TensorBoard(tmp_path / "logs"))
    time.sleep(1.1)  # TensorBoard orders the files by the second in their names
    resumed = cr.resume(begun.folder, epochs=4, callbacks=cr.TensorBoard(tmp_path / "logs"))
    assert len(resumed.history.epochs) == 4
    require_same(read_events(tmp_path / "logs"), resumed.history)
    time.sleep(1.1)
    shorter = cr.fit(NET, MOONS, epochs=3, seed=1, callbacks=cr.TensorBoard(tmp_path / "logs"))
    require_same(read_events(tmp_path / "logs"), shorter.history)


@pytest.mark.usefixtures("tensorboard")
def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "logs").write_text("mine")
    with pytest.raises(UnwritableFileError, match="logs cannot be written"):
        cr.fit(NET, MOONS, epochs=1, callbacks=cr.TensorBoard(tmp_path / "logs"))
