"""`Training`: a training described once; what is not said is decided in one place, what is made on the way is made once."""

import dataclasses
import inspect
import threading

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.train import train
from chainrule.engines import ENGINES, EngineKind, ReferenceEngine
from chainrule.errors import OptionError, OptionTypeError
from chainrule.train import Training

MOONS = cr.data.moons(60)


def test_fit_takes_what_a_training_has():
    taken = dict(inspect.signature(cr.fit).parameters)
    fields = {item.name: item.default for item in dataclasses.fields(Training) if item.name not in {"network", "data"}}
    ours = {name: part.default for name, part in taken.items() if name not in {"net", "data", "callbacks", "folder"}}
    assert ours == fields


def test_fit_makes_the_training_that_it_describes(tmp_path):
    options = {"optimizer": "adam", "epochs": 3, "seed": 4, "clip": cr.ClipNorm(1.0)}
    described = Training("2-4-2", MOONS, **options).fit(folder=tmp_path)
    assert described.hash == cr.fit("2-4-2", MOONS, **options).hash == cr.open_run(described.folder).hash
    assert described.folder.name.endswith("moons-2-4-2")


def test_the_command_makes_the_training_that_its_options_describe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "moons --network 2-4-2 --optimizer adam --learning-rate 0.02 --l2 0.001 --seed 3 --epochs 2 --option n=60 --json"
    assert CliRunner().invoke(train, words.split(), catch_exceptions=False).exit_code == 0
    again = Training("2-4-2", MOONS, optimizer=cr.Adam(0.02), seed=3, epochs=2)
    again = again.changed(loss=again.problem.objective + cr.L2(0.001))
    assert cr.open_run("runs/latest").hash == again.fit().hash


class Counted:
    """How often a data set was asked for."""

    def __init__(self, monkeypatch):
        self.count = 0
        load = cr.train.training.as_dataset

        def counted(data):
            self.count += 1
            return load(data)

        monkeypatch.setattr("chainrule.train.training.as_dataset", counted)


def test_what_is_made_is_made_once_and_only_when_it_is_asked_for(monkeypatch):
    asked = Counted(monkeypatch)
    training = Training("2-4-2", "moons", epochs=1)
    assert asked.count == 0
    run, other = training.fit(), training.changed(seed=1, optimizer="adam").fit()
    assert asked.count == 1
    assert run.hash != other.hash
    assert training.changed(seed=1).problem is training.problem
    assert training.changed(loss="hinge").problem is not training.problem
    assert training.changed(data="circles").dataset.name == "circles"


def test_a_change_makes_another_training_and_leaves_the_first():
    training = Training("2-4-2", MOONS, optimizer=cr.Adam(0.01))
    changed = training.changed(replicas=2, **{"optimizer.learning_rate": 0.5, "optimizer.beta1": 0.8})
    assert (changed.replicas, changed.settings.optimizer) == (2, cr.Adam(0.5, beta1=0.8))
    assert (training.replicas, training.settings.optimizer) == (1, cr.Adam(0.01))
    assert (
        training.changed(**{"early_stopping": cr.EarlyStopping(3), "early_stopping.patience": 7}).early_stopping.patience == 7
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epoch": 3}, "epochs"),
        ({"optimizer.rate": 0.1}, "learning_rate"),
        ({"optimiser.learning_rate": 0.1}, "optimizer"),
        ({"seed.value": 1}, "a part"),
        ({"optimizer.learning_rate": -1.0}, "above 0"),
        ({"replicas": 0}, "replicas=0"),
    ],
)
def test_a_change_that_there_is_not_is_refused(changes, words):
    with pytest.raises((OptionError, OptionTypeError), match=words):
        Training("2-4-2", MOONS).changed(**changes)


def test_who_searches_takes_all_examples_and_as_many_iterations_as_are_asked_for():
    curve = cr.data.curve("sin", n=40)
    named = Training("1-3-1 tanh", curve, optimizer="lbfgs", epochs=7)
    assert (named.settings.epochs, named.settings.batch_size, named.settings.dtype) == (7, len(curve.train), "float64")
    assert named.settings.optimizer == cr.LBFGS(iterations=7)
    held = Training("1-3-1 tanh", curve, optimizer=cr.LBFGS(iterations=30), epochs=7)
    assert held.settings.epochs == 7
    assert held.fit().trainer.step <= 7
    assert Training("1-3-1 tanh", curve, optimizer=cr.LBFGS(iterations=30)).settings.epochs == 30
    for options, words in (({"batch_size": 8}, "batch_size=8 with L-BFGS"), ({"dtype": "float32"}, "float32")):
        with pytest.raises(OptionError, match=words):
            _ = named.changed(**options).settings


def test_a_training_says_what_it_is():
    training = Training("2-4-2", MOONS, epochs=2)
    assert eval(repr(training.changed(data="moons")), {"Training": Training}).settings == training.settings
    text = str(training)
    assert "2-4-2 on moons" in text
    assert training.problem.formula in text


def test_early_stopping_needs_a_part_to_stop_by_before_anything_is_built():
    with pytest.raises(OptionError, match="without a validation part"):
        _ = Training("no network", MOONS, early_stopping=cr.EarlyStopping()).settings


def test_an_unknown_engine_is_refused_before_data_are_read():
    with pytest.raises(OptionError, match="engine"):
        _ = Training("2-4-2", "there is no such file.csv", engine="cuda").settings


def test_initial_values_are_taken():
    first = Training("2-4-2", MOONS, epochs=0).fit().parameters()
    moved = {name: value + 1.0 for name, value in first.items()}
    taken = Training("2-4-2", MOONS, epochs=0, initial=moved).fit().parameters()
    for name, value in moved.items():
        np.testing.assert_array_equal(taken[name], value)


def test_the_engine_is_loaded_beside_the_reading_and_never_before(monkeypatch):
    made = []

    def make(threads):
        made.append(threading.current_thread() is threading.main_thread())
        return ReferenceEngine()

    monkeypatch.setitem(ENGINES, "slow", EngineKind(make))
    load = cr.train.training.as_dataset

    def reading(data):
        assert True not in made, "whoever reads has waited for the engine"
        return load(data)

    monkeypatch.setattr("chainrule.train.training.as_dataset", reading)
    Training("2-4-2", "moons", engine="slow", epochs=0).fit()
    assert made[0] is False
