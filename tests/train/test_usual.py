"""What a training takes where nothing is said: it answers as well as scikit-learn's MLP, says why, and says where it was too short."""

import numpy as np
import pytest
from sklearn import datasets
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.train.usual import usual, usual_evaluation


def folds(x, y, *, numeric):
    return list((KFold if numeric else StratifiedKFold)(4, shuffle=True, random_state=0).split(x, y))


@pytest.mark.filterwarnings("ignore")  # scikit-learn's, that it did not converge
@pytest.mark.parametrize("table", ["iris", "wine", "diabetes"])
def test_a_table_is_answered_as_well_as_by_scikit_learn(table):
    found = getattr(datasets, f"load_{table}")()
    numeric = table == "diabetes"
    x, y = found.data, found.target.astype(float) if numeric else found.target
    ours, theirs = [], []
    for seed, (rows, others) in enumerate(folds(x, y, numeric=numeric)):
        run = cr.fit(None, cr.data.from_arrays(x[rows], y[rows][:, None] if numeric else y[rows], split=None), seed=seed)
        assert run.problem.network.layers[0].units == 100
        predicted = run.predict(x[others])
        predicted = predicted[:, 0] if numeric else predicted.argmax(1)
        judge = make_pipeline(StandardScaler(), (MLPRegressor if numeric else MLPClassifier)(random_state=seed)).fit(
            x[rows], y[rows]
        )
        for scores, answers in ((ours, predicted), (theirs, judge.predict(x[others]))):
            right = 1 - ((answers - y[others]) ** 2).sum() / ((y[others] - y[others].mean()) ** 2).sum()
            scores.append(right if numeric else np.mean(answers == y[others]))
    assert np.mean(ours) >= np.mean(theirs) - np.std(theirs, ddof=1) / 2


@pytest.mark.parametrize(("network", "count"), [("1-50-1", 50), ("1-20-20-1", 200), ("1-10-1 tanh", 1000)])
def test_a_curve_is_followed(network, count):
    x = np.random.default_rng(0).uniform(-2, 2, (count, 1))
    new = np.linspace(-1.9, 1.9, 100)[:, None]
    answers = cr.fit(network, (x, np.sin(3 * x))).predict(new)
    assert 1 - ((answers - np.sin(3 * new)) ** 2).mean() / np.sin(3 * new).var() > 0.9


def test_points_in_the_plane_are_told_apart():
    assert cr.fit("2-16-16-2", "spirals").evaluate("test").accuracy().value > 0.97


def test_what_is_decided_goes_by_data_and_network():
    curve = usual("regression", inputs=1, parameters=1000, examples=10)
    small = usual("regression", inputs=5, parameters=50, examples=100)
    table = usual("regression", inputs=5, parameters=500, examples=100)
    classes = usual("classification", inputs=5, parameters=50, examples=100)
    assert curve.steps == small.steps == 10_000
    assert (table.steps, classes.steps) == (1_000, 2_000)
    assert curve.optimizer == cr.Adam(0.01)
    assert table.optimizer == classes.optimizer == cr.Adam(cr.InverseSquareRoot(0.003, steps=100))
    assert classes.epochs(60_000, 32) == 5
    assert [usual_evaluation(epochs) for epochs in (0, 5, 99, 100, 1000)] == [1, 1, 1, 2, 20]


def test_what_is_said_is_taken_and_the_rest_has_its_reason():
    x, y = np.random.default_rng(0).normal(size=(64, 3)), np.arange(64) % 3
    free = cr.Training(None, (x, y))
    assert free.reasons[0].startswith("network 3-100-3: ")
    assert "optimizer and epochs" in free.reasons[1]
    assert "learn a table" in str(free)
    named = cr.Training("3-4-3", (x, y), optimizer="sgd")
    assert len(named.reasons) == 1
    assert named.reasons[0].startswith("epochs, ")
    assert named.settings.optimizer == cr.SGD()
    assert named.settings.epochs == free.settings.epochs
    assert named.settings.evaluate_every == named.settings.epochs // 50 > 1
    whole = named.changed(epochs=7)
    assert whole.reasons == ()
    assert (whole.settings.epochs, whole.settings.evaluate_every) == (7, 1)
    assert cr.Training("3-4-3", (x, y), optimizer="lbfgs").reasons == ()
    early = cr.Training(
        "3-4-3",
        cr.data.from_arrays(x, y, split=cr.data.RandomSplit(validation=0.25, test=0)),
        early_stopping=cr.EarlyStopping(3),
    )
    assert early.settings.evaluate_every == 1


def test_a_network_for_pictures_and_one_for_texts():
    pictures = cr.data.from_arrays(np.random.default_rng(0).normal(size=(12, 4, 5)), np.arange(12) % 2)
    assert cr.train.usual_network(pictures) == "4x5-flatten-100-2"
    assert cr.fit(None, pictures, epochs=1).predict(pictures.train.x).shape[1] == 2
    story = cr.data.load("story", n=60, sentences=2, encoding="one_hot")
    assert cr.train.usual_network(story).partition("-")[2] == f"lstm32-{story.target_size}"


def test_a_longer_run_begins_as_the_usual_one(tmp_path):
    data = cr.data.moons(n=40)
    whole = cr.fit("2-4-2", data, optimizer=cr.Adam(cr.InverseSquareRoot(0.01)), epochs=8)
    cr.fit("2-4-2", data, optimizer=cr.Adam(cr.InverseSquareRoot(0.01)), epochs=3, folder=tmp_path)
    assert cr.resume(tmp_path / "latest", epochs=8).hash == whole.hash


def test_a_run_that_was_too_short_says_what_to_write():
    x = np.linspace(-2, 2, 50)[:, None]
    short = cr.fit("1-50-1", (x, np.sin(3 * x)), optimizer=cr.Adam(0.001), epochs=120)
    assert short.unfinished.endswith("write epochs=240")
    assert short.unfinished in str(short)
    assert short.unfinished.command.endswith("chainrule resume RUN --epochs 240")
    assert cr.fit("1-50-1", (x, np.sin(3 * x))).unfinished == ""  # what is usual is enough
    assert cr.fit("1-50-1", (x, np.sin(3 * x)), epochs=5).unfinished == ""  # too few epochs to tell
    assert cr.fit("1-4-1", (x, np.sin(3 * x)), optimizer="lbfgs").unfinished == ""


def test_what_only_learns_by_heart_is_not_sent_on():
    random = np.random.default_rng(0)
    data = cr.data.from_arrays(
        random.normal(size=(60, 4)), random.integers(0, 2, 60), split=cr.data.RandomSplit(validation=0.25, test=0)
    )
    run = cr.fit("4-30-2", data, optimizer=cr.Adam(0.003), epochs=60)
    assert run.history.late_fall() > 0.003  # the training loss still falls
    assert run.unfinished == ""  # the other part's rises
