"""Copies and pickles of what trains: of networks made of functions without names too; what no pickle can hold is refused in our words."""

import copy
import pickle
import sys

import cloudpickle  # that it is loaded by somebody means nothing
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


def nameless_loss():
    @cr.described
    class Own:
        name = formula = "own"
        target = "values"

        def __call__(self, output, true):
            return cr.ops.sum((output - true) ** 2, axis=1)

    return Own()


@pytest.mark.parametrize(
    "part",
    [
        {"network": cr.Sequential(cr.Dense(1), lambda x: 2 * x)},
        {"network": cr.Network(lambda x: 2 * x, inputs={"x": (2,)})},
        {"loss": nameless_loss()},
        {"order": lambda seed, epoch, count: np.arange(count)},
    ],
    ids=["layer", "wiring", "loss", "order"],
)
def test_a_description_that_holds_code_without_a_name_is_copied_and_not_pickled(part):
    training = cr.Training(
        **{"network": "2-1", "data": (X, Y if "network" not in part else X), "epochs": 1, "engine": "reference"} | part
    )
    twin = copy.deepcopy(training)
    assert twin is not training
    with pytest.raises(OptionError, match=r"(?s)cannot be pickled.*write no lambda"):
        pickle.dumps(training)


def test_who_takes_functions_without_a_name_gets_them():
    training = cr.Training("2-1", (X, Y), epochs=1, engine="reference", order=lambda seed, epoch, count: np.arange(count))
    assert pickle.loads(cloudpickle.dumps(training)).fit().hash == training.fit().hash


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy], ids=["copy", "deep"])
def test_a_copy_is_equal_to_what_it_was_made_of(way):
    run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, batch_size=10)
    x, y = run.data.test.x[:4], run.data.test.y[:4]
    model = run.model()
    for thing in (
        run.evaluate("test"), run.history, run.history.epochs[-1], model, run.explain(1), model.check_gradient(model.gradient(x, y), x, y),
        run.doctor(), cr.views.networks.draw_network(run, run.data.test[1]), run.dataset_info, run.settings,
        run.ledger(3, "dense1.W"), run.why(1), run.data, cr.build_network(run.problem.network, (2,)),
    ):  # fmt: skip
        same = way(thing) == thing
        assert same is (type(thing).__eq__ is not object.__eq__) or way(thing) is thing, type(thing)
    other = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, batch_size=10, seed=1)
    assert run.evaluate("test") != other.evaluate("test")
    assert run.history != other.history
    with pytest.raises(GraphError, match=r"run.explain\(...\)"):
        pickle.dumps(run.explain(1))


@pytest.mark.parametrize(
    "way", [copy.copy, copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))], ids=["copy", "deep", "pickle"]
)
def test_a_callback_that_has_records_begins_others_in_a_copy(way, tmp_path):
    writes = cr.TensorBoard(tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        cr.fit("2-1", (X, Y), epochs=3, engine="reference", callbacks=[writes, interrupt])
    twin = way(writes)
    twin.folder = tmp_path / "two"
    cr.fit("2-1", (X, Y), epochs=2, engine="reference", callbacks=twin)
    assert len(list((tmp_path / "two").iterdir())) == 1


def interrupt(moment):
    if moment.epoch == 1:
        raise KeyboardInterrupt
