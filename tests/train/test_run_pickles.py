"""A run goes through pickle whole: what it could do before it can do afterwards, to the same bits."""

import pickle

import numpy as np
import pytest

import chainrule as cr

X = np.random.default_rng(0).normal(size=(60, 3))
LABELS = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"replicas": 3, "optimizer": cr.Adam(0.01)},
        {"early_stopping": cr.EarlyStopping(2)},
        {"optimizer": cr.LBFGS(), "epochs": 7},
        {"initial": {"dense1.b": np.full(8, 0.5)}},
    ],
)
def test_a_run_is_the_same_afterwards(options):
    data = cr.data.from_arrays(X, LABELS, split=cr.data.StratifiedSplit(test=0.1, validation=0.2))
    run = cr.fit("3-8-2 relu softmax", data, **{"epochs": 12, **options})
    again = pickle.loads(pickle.dumps(run))
    assert again.hash == run.hash
    assert str(again) == str(run)
    assert again.stopped == run.stopped
    np.testing.assert_array_equal(again.predict(X), run.predict(X))
    np.testing.assert_array_equal(again.history.steps(), run.history.steps())
    if not run.settings.optimizer.search:
        assert again.at(5).hash == run.at(5).hash
        assert again.branch(5, learning_rate=0.01).hash == run.branch(5, learning_rate=0.01).hash


def test_the_folder_stays_with_the_run_that_has_it(tmp_path):
    run = cr.fit("2-4-2 tanh softmax", "moons", epochs=1, folder=tmp_path)
    assert pickle.loads(pickle.dumps(run)).folder is None


def test_a_search_ends_where_the_gradient_is_small_enough():
    def ending(bound):
        return cr.fit("3-8-2 tanh softmax", (X, LABELS), optimizer=cr.LBFGS(gradient_tolerance=bound), loss=cost)

    cost = cr.CrossEntropy() + cr.L2(0.01)
    slopes = [ending(1e-2), ending(1e-6)]
    assert slopes[0].trainer.step < slopes[1].trainer.step
    assert slopes[0].stopped == "gradient small enough"


def test_data_without_a_weight_are_refused_for_a_weighted_loss():
    with pytest.raises(cr.errors.ShapeError, match="and a weight"):
        cr.fit("3-2", (X, np.ones((60, 2))), loss=cr.nn.Weighted(cr.SquaredError()))
