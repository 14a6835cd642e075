"""What the doctor names is what was planted: which examples, which features, which epoch, and cures that help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Examples


def test_a_leak_names_the_pairs() -> None:
    data = cr.data.moons(300, noise=0.15, seed=3)
    assert data.test is not None
    x, y = data.train.x.copy(), data.train.y.copy()
    random = np.random.default_rng(0)
    places, copied = random.permutation(300)[:40], random.permutation(len(data.test))[:40]
    x[places], y[places] = data.test.x[copied] + 1e-6 * random.normal(size=(40, 2)), data.test.y[copied]
    found = cr.fit("2-8-2 tanh softmax", replace(data, train=Examples(x, y), origin=None), epochs=5).doctor(
        only=["leak between the parts"]
    )["leak between the parts"]
    assert found.grade == "ill"
    planted = set(zip(copied.tolist(), places.tolist(), strict=True))
    # Points that lie as near by chance are told along: two in a hundred at most.
    assert planted <= set(found.numbers["pairs"])
    assert len(found.numbers["pairs"]) <= 40 + 6


def test_wrong_labels_are_among_the_suspects() -> None:
    data = cr.data.moons(400, noise=0.1, seed=1)
    random, y = np.random.default_rng(5), data.train.y.copy()
    wrong = random.permutation(400)[:60]
    y[wrong] = 1 - y[wrong]
    run = cr.fit(
        "2-16-2 tanh softmax", replace(data, train=Examples(data.train.x, y), origin=None), optimizer=cr.Adam(0.02), epochs=30
    )
    found = run.doctor(only=["wrong labels"], try_cures=4)["wrong labels"]
    assert found.grade == "ill"
    suspects = set(found.numbers["suspects"].tolist())
    assert len(suspects & set(wrong.tolist())) > 0.9 * len(suspects)
    assert found.numbers["share"] == pytest.approx(60 / 400, abs=0.05)
    (cure,) = found.cures
    assert cure.training is not None
    assert len(cure.training.dataset.train) < 370
    assert cure.tried is not None
    assert cure.tried.verdict != "worse"


def test_the_feature_that_is_not_scaled_is_named() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3)) * np.array([1.0, 2000.0, 1.0])
    data = cr.data.from_arrays(x, (x[:, 0] > 0).astype(int), features=("mass", "price", "age"), scaling="none")
    run = cr.fit("3-8-2 tanh softmax", data, optimizer=cr.SGD(0.01), epochs=10)
    found = run.doctor(only=["unscaled inputs"], try_cures=6)["unscaled inputs"]
    assert found.grade == "ill"
    assert "'price' has the size" in found.says
    (cure,) = found.cures
    assert cure.tried is not None
    assert cure.tried.verdict == "better"


def test_overfitting_names_the_epoch_before_it() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(260, 6))
    y = np.where(x[:, 0] + random.normal(size=260) > 0, "a", "b")
    data = cr.data.from_arrays(x[:60], y[:60], test=(x[60:], y[60:]))
    run = cr.fit("6-64-2 relu softmax", data, optimizer=cr.Adam(0.02), epochs=60)
    found = run.doctor(only=["overfitting"], try_cures=6)["overfitting"]
    assert found.grade == "ill"
    losses = run.history.curve("test", "loss")[1][:, 0]
    assert found.numbers["best_epoch"] == int(run.history.curve("test", "loss")[0][losses.argmin()])
    ended = next(cure for cure in found.cures if cure.words.startswith("an end after"))
    assert ended.tried is not None
    assert ended.tried.verdict == "better"
    assert ended.tried.score == "loss"


@pytest.mark.parametrize(("rate", "word"), [(20.0, "large"), (1e-4, "small")])
def test_a_rate_that_does_not_fit_is_named_and_another_one_is_better(rate: float, word: str) -> None:
    data = cr.data.circles(200, seed=1) if rate > 1 else cr.data.moons(200)
    run = cr.fit("2-12-2 tanh softmax", data, optimizer=cr.SGD(rate), epochs=10, batch_size=10)
    found = run.doctor(only=["learning rate"], try_cures=6)["learning rate"]
    assert found.grade == "ill"
    assert f"too {word}" in found.says
    (cure,) = found.cures
    assert cure.tried is not None
    assert cure.tried.verdict == "better"


def test_a_second_softmax_bounds_what_can_be_said() -> None:
    run = cr.fit(
        cr.Sequential(cr.Dense(8, "tanh"), cr.Dense(3, "softmax"), cr.Activation("softmax")),
        cr.data.blobs(120, classes=3),
        epochs=60,
    )
    found = run.doctor(only=["softmax twice"], try_cures=4)["softmax twice"]
    most = float(run.predict(run.data.train.x).max())
    assert most <= found.numbers["surest"] == pytest.approx(np.e / (np.e + 2))
    assert found.grade == "ill"
    assert found.cures[0].training is not None


def test_a_memory_that_the_gradient_does_not_reach() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 25, 1))
    data = cr.data.from_arrays(x, (x[:, 0, 0] > 0).astype(int))
    forgetful = cr.RNN(6, recurrent=cr.Normal(0.0, 0.1))
    run = cr.fit(cr.Sequential(forgetful, cr.Dense(2, "softmax")), data, optimizer=cr.SGD(0.05), epochs=5)
    found = run.doctor(only=["gradient through time", "not learning"])
    assert found["gradient through time"].grade == "ill"
    assert "gradient through time" in found["not learning"].numbers["causes"]
    kept = cr.fit(
        cr.Sequential(cr.LSTM(6), cr.Dense(2, "softmax")), cr.data.recall(60, gap=4), optimizer=cr.Adam(0.02), epochs=30
    )
    assert kept.doctor(only=["gradient through time"])["gradient through time"].grade == "fine"


def test_a_whole_layer_that_vanishes_is_better_off_with_relus() -> None:
    data = cr.data.moons(200, noise=0.1)
    run = cr.fit("2-12-12-12-12-12-12-2 sigmoid softmax", data, optimizer=cr.SGD(0.1, momentum=0.9), epochs=25, batch_size=20)
    found = run.doctor(only=["gradient through the layers", "not learning"], try_cures=4)
    gradient = found["gradient through the layers"]
    assert gradient.grade == "ill"
    assert gradient.numbers["ratio"] < 0.01
    relus = next(cure for cure in gradient.cures if cure.words.startswith("ReLUs"))
    assert relus.tried is not None
    assert relus.tried.verdict == "better"
    assert "gradient through the layers" in found["not learning"].numbers["causes"]
