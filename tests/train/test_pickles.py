"""Copies and pickles of what trains: of networks made of functions without names too; what no pickle can hold is refused in our words."""

import copy
import pickle
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError, OptionError

X = np.random.default_rng(0).normal(size=(12, 2))
Y = X[:, :1]


def fitted(layer, **options):
    return cr.fit(cr.Sequential(cr.Dense(2), layer, cr.Dense(1)), (X, Y), epochs=1, engine="reference", **options)


@pytest.mark.parametrize("layer", [lambda x: 2 * x, cr.ops.tanh], ids=["lambda", "op"])
def test_a_run_of_functions_can_be_pickled_and_goes_on_to_the_same_bits(layer):
    run = fitted(layer)
    again = pickle.loads(pickle.dumps(run))
    np.testing.assert_array_equal(again.predict(X), run.predict(X))
    assert again.explain(0).agrees
    model = pickle.loads(pickle.dumps(run.model()))
    assert model.cost(X, Y) == run.model().cost(X, Y)


def test_what_no_pickle_can_hold_is_refused(monkeypatch):
    monkeypatch.delitem(sys.modules, "cloudpickle", raising=False)
    with pytest.raises(OptionError, match=r"(?s)order cannot be pickled.*write no lambda"):
        pickle.dumps(fitted(cr.ops.tanh, order=lambda seed, epoch, count: np.arange(count)))
    learner = cr.trainer("2-1", loss=lambda output, y: cr.ops.sum((output - y) ** 2, 1))
    with pytest.raises(OptionError, match="loss cannot be pickled"):
        pickle.dumps(learner)
    with pytest.raises(OptionError, match=r"run.predictor\(\) where it arrives"):
        pickle.dumps(fitted(cr.ops.tanh).predictor())
    x = cr.input_node("x")
    for thing in (x, cr.Graph({"y": x * 2})):
        with pytest.raises(GraphError, match="parse_graph"):
            pickle.dumps(thing)
        assert copy.deepcopy(thing) is thing


@pytest.mark.parametrize(
    "way", [copy.copy, copy.deepcopy, lambda learner: pickle.loads(pickle.dumps(learner))], ids=["copy", "deep", "pickle"]
)
def test_a_copy_of_a_trainer_goes_its_own_way_from_the_same_place(way):
    learner = cr.trainer("2-3-1 tanh", loss="mean_squared_error", optimizer=cr.Adam(0.1), engine="reference")
    learner.step(X, Y)
    twin = way(learner)
    assert twin.step(X, Y) == learner.step(X, Y)
    twin.step(X, Y)
    assert twin.step_count == learner.step_count + 1
    assert not np.array_equal(twin.parameters()["dense1.W"], learner.parameters()["dense1.W"])


def test_a_copy_of_a_run_is_a_run_of_its_own():
    run = fitted(cr.ops.tanh)
    for twin in (copy.copy(run), copy.deepcopy(run), copy.deepcopy(run.predictor())):
        np.testing.assert_array_equal((twin.predict if isinstance(twin, cr.Run) else twin)(X), run.predict(X))
