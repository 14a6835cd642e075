"""State that layers carry from step to step without training it: its values, its files, and what must leave it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import GraphError, NonFiniteError, OptionError, ShapeError
from chainrule.graph import Node
from chainrule.nn import Constant, Zeros, build_network, layer_scope
from chainrule.train import Model
from tests.train.conftest import same_state

X = np.arange(48.0).reshape(24, 2) / 10
Y = np.arange(24) % 2
DATA = cr.data.from_arrays(X, Y, test=(X, Y))
ENGINES = ("reference", "native")


@dataclass(frozen=True)
class Running:
    """(x − m)·scale, where m ← 0.9·m + 0.1·mean of the batch, and scale is a state that nothing changes."""

    name: str = ""

    def __call__(self, x: Node) -> Node:
        """x without its running mean."""
        with layer_scope(self, "running", x) as here:
            m = here.state("m", x.shape[1:], Zeros())
            scale = here.state("scale", (), Constant(0.5))
            here.next_state("m", m * 0.9 + ops.mean(x, 0) * 0.1)
            return here.gives(here.label((x - m) * scale, "a"))


def train(layer, **options):
    net = cr.Sequential(layer, cr.Dense(3, "tanh"), cr.Dense(2, "softmax"))
    return cr.fit(net, DATA, **{"epochs": 3, "batch_size": 6, "dtype": "float64", "optimizer": "adam", **options})


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def means(run, last):
    """m after `last` steps, by its definition."""
    m, scaling = np.zeros(2), run.dataset_info.scaling
    for step in range(last):
        batch = (X[run.trainer.rows(step)[0]] - scaling.offset) * scaling.factor
        m = 0.9 * m + 0.1 * batch.mean(0)
    return m


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_follows_its_own_rule_and_no_optimizer(engine):
    run = train(Running(), engine=engine, loss=cr.CrossEntropy() + cr.L2(0.1), clip=cr.ClipNorm(0.01))
    assert set(run.states()) == {"running1.m", "running1.scale"}
    assert not run.parameters().keys() & run.states().keys()
    np.testing.assert_allclose(run.states()["running1.m"], means(run, 12), rtol=1e-12)
    assert run.states()["running1.scale"] == 0.5
    assert set(run.trainer.state) - {"seed"} == set(run.states()) | {
        name + slot for name in run.parameters() for slot in ("", ".mean", ".square")
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_evaluation_prediction_and_models_read_it_as_it_stands(engine):
    run = train(Running(), engine=engine)
    m, w = run.states()["running1.m"], run.parameters()
    scaling = run.dataset_info.scaling
    a = ((X - scaling.offset) * scaling.factor - m) * 0.5
    z = np.tanh(a @ w["dense1.W"] + w["dense1.b"]) @ w["dense2.W"] + w["dense2.b"]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(run.predict(X), p, rtol=1e-12)
    np.testing.assert_allclose(run.predictor()(X), p, rtol=1e-12)
    np.testing.assert_allclose(run.evaluate("test").scores.outputs[0], p, rtol=1e-12)
    np.testing.assert_allclose(run.model().quantities(X)["output"], p, rtol=1e-12)
    assert run.evaluate("test").loss[0] == pytest.approx(-np.log(p[np.arange(24), Y]).mean(), rel=1e-12)
    assert same(run.states(), train(Running(), engine=engine).states())  # nothing of this has moved it


@pytest.mark.parametrize("engine", ENGINES)
def test_a_replica_equals_the_single_run(engine):
    both, one = train(Running(), engine=engine, replicas=2), train(Running(), engine=engine, seed=1)
    assert same(both.states(1), one.states())
    assert same(both.parameters(1), one.parameters())


def test_engines_agree():
    one, other = (train(Running(), engine=engine).states() for engine in ENGINES)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)


# ---- what a run does with it


def test_hash_branch_and_past_include_states():
    run = train(Running())
    past = run.at(5)
    np.testing.assert_allclose(past.states()["running1.m"], means(run, 5), rtol=1e-12)
    assert run.at(12).hash == run.hash == run.branch(5).hash
    assert same(run.branch(5).states(), run.states())
    np.testing.assert_allclose(run.models([5])[0][1].states["running1.m"], means(run, 5), rtol=1e-12)
    before = run.hash
    run.trainer.state["running1.m"][0, 0] += 1.0
    assert run.hash != before


def test_a_branch_by_another_optimizer_and_batch_size_keeps_states():
    run = train(Running())
    other = run.branch(4, optimizer=cr.SGD(1e-300), batch_size=12, epochs=2)
    one = np.array(run.at(4).states()["running1.m"])
    scaling = run.dataset_info.scaling
    for step in (2, 3):
        batch = (X[other.trainer.rows(step)[0]] - scaling.offset) * scaling.factor
        one = 0.9 * one + 0.1 * batch.mean(0)
    np.testing.assert_allclose(other.states()["running1.m"], one, rtol=1e-12)


@pytest.mark.parametrize("cut", [6, 9])
def test_saved_and_resumed_from_the_middle_of_an_epoch(tmp_path, monkeypatch, cut):
    monkeypatch.setattr("chainrule.train.trainer.Trainer._next_piece", lambda *_: 1)
    options = {"epochs": 5, "replicas": 2}
    whole = train(Running(), folder=tmp_path, **options)
    begun = train(Running(), folder=tmp_path, callbacks=(lambda moment: moment.step >= cut,), **options)
    assert begun.trainer.step < whole.trainer.step
    assert begun.trainer.step % begun.trainer.steps_per_epoch
    net = whole.problem.network
    assert same_state(whole, cr.resume(begun.folder, net=net, data=DATA))
    opened = cr.open_run(whole.folder, net=net, data=DATA)
    assert opened.hash == whole.hash
    np.testing.assert_array_equal(opened.predict(X), whole.predict(X))


def test_early_stopping_restores_the_states_of_the_best_weights():
    data = cr.data.from_arrays(X, Y, test=(X, Y), validation=(X[:8], Y[:8]))
    net = cr.Sequential(Running(), cr.Dense(2, "softmax"))
    # The validation loss falls while m follows the data and rises with the weights: it is best somewhere in between.
    run = cr.fit(net, data, batch_size=6, epochs=60, early_stopping=cr.EarlyStopping(2), optimizer=cr.SGD(5.0), dtype="float64")
    best = int(run.trainer.stopping.best_epoch[0])
    assert run.stopped == "early stopping"
    assert same(run.states(), run.at(epoch=best).states())


def test_first_values_may_be_given():
    run = train(Running(), epochs=0, initial={"running1.m": [3.0, 4.0], "running1.scale": 2.0})
    assert same(run.states(), {"running1.m": np.array([3.0, 4.0]), "running1.scale": np.array(2.0)})
    with pytest.raises(OptionError, match=r"running1\.n"):
        train(Running(), initial={"running1.n": 1.0})


def test_a_search_refuses_a_state_that_follows_steps_of_which_it_has_none():
    with pytest.raises(OptionError, match="L-BFGS with running1, which has a state"):
        train(Running(), optimizer=cr.LBFGS(iterations=3), batch_size=None)


def test_the_ledger_counts_with_the_state_of_its_step():
    run = train(Running())
    ledger = run.ledger(7, "dense1.W", (0, 1))
    assert abs(ledger.residual) <= 4 * ledger.ulp


def test_a_model_asks_for_states():
    run = train(Running())
    with pytest.raises(OptionError, match=r"run\.states\(\)"):
        Model(run.problem, run.parameters())
    model = Model(run.problem, run.parameters(), states=run.states())
    assert model.with_parameters(run.parameters()).states.keys() == run.states().keys()
    assert model.cost(X, Y) == pytest.approx(run.evaluate("test").loss[0], rel=1e-13)
    assert run.model().ablated("dense1.a", 0).states.keys() == run.states().keys()


def test_a_network_that_was_never_trained_is_explained_with_first_values():
    net = cr.Sequential(Running(), cr.Dense(2, "softmax"))
    assert "running1.m" in str(net.explain(DATA.test[0]))


# ---- what a layer may ask for


def build(function, shape=(2,), **options):
    @dataclass(frozen=True)
    class Asking:
        def __call__(self, x):
            with layer_scope(self, "asking", x) as here:
                return here.gives(function(here, x))

    return build_network(Asking(), shape, batch=3, **options)


@pytest.mark.parametrize(
    "function",
    [
        lambda here, x: here.next_state("m", x),
        lambda here, x: (here.state("m", (2,), Zeros()), here.next_state("m", x))[0],
        lambda here, x: (here.state("m", (2,), Zeros()), here.state("m", (3,), Zeros()))[0],
        lambda here, x: (here.parameter("m", (2,), Zeros()), here.state("m", (2,), Zeros()))[0],
        lambda here, x: here.row_state("h"),
    ],
)
def test_what_cannot_be_is_refused(function):
    with pytest.raises((GraphError, ShapeError), match="asking1"):
        build(function, training=True)


def test_a_layer_used_twice_goes_on_from_its_first_use():
    layer = Running()
    run = cr.fit(
        cr.Network(lambda a, b: cr.Dense(2, "softmax")(layer(a) + layer(b)), {"a": (1,), "b": (1,)}),
        cr.data.from_arrays(X, Y, test=(X, Y), scaling="none"),
        batch_size=24,
        epochs=1,
        dtype="float64",
    )
    a, b = X.mean(0)
    assert run.states()["running1.m"][0] == pytest.approx(0.9 * 0.1 * a + 0.1 * b, rel=1e-13)


def test_states_may_change_places():
    """The next value of each is the other's present one: none may be overwritten before it is read."""

    @dataclass(frozen=True)
    class Swap:
        def __call__(self, x):
            with layer_scope(self, "swap", x) as here:
                a, b = here.state("a", (2,), Constant(1.0)), here.state("b", (2,), Constant(2.0))
                here.next_state("a", b)
                here.next_state("b", a)
                return here.gives(x * a)

    for engine in ENGINES:
        run = train(Swap(), engine=engine, batch_size=8)  # 9 steps
        assert same(run.states(), {"swap1.a": np.full(2, 2.0), "swap1.b": np.full(2, 1.0)})


# ---- a row for each row of the batch


@dataclass(frozen=True)
class Average:
    """h, where each row's h ← ½·h + ½·x, beginning at zero with each epoch."""

    def __call__(self, x: Node) -> Node:
        """The moving average along each row's own sequence."""
        with layer_scope(self, "average", x) as here:
            h = here.label(here.row_state("h", x.shape[1:]) * 0.5 + x * 0.5, "a")
            here.next_state("h", h)
            return here.gives(h)


def sequences(data=None, **options):
    """w·x averaged, on 3 sequences of 8 chunks of 2 steps; the weights w are trained."""
    random = np.random.default_rng(5)
    x, y = random.normal(size=(3, 16)), random.normal(size=(3, 16))
    data = data or cr.data.chunks(x, y, 2, target_steps="last", test=0.0)
    net = cr.Sequential(cr.Dense(1, bias=False), Average())
    chosen = {"optimizer": cr.SGD(0.1), "epochs": 3, "batch_size": 3, "dtype": "float64", "order": "consecutive"}
    return cr.fit(net, data, **{**chosen, **options})


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_go_along_their_sequences_and_gradients_stop_between_batches(engine):
    run = sequences(engine=engine)
    x, y = run.data.train.x.reshape(3, 8, 2), run.data.train.y.reshape(3, 8, 1)
    w = run.at(0).parameters()["dense1.W"]
    for _ in range(3):
        h = np.zeros((3, 1))
        for k in range(8):
            h = 0.5 * h + 0.5 * x[:, k] @ w
            # Truncated: h of the batch before counts as given.
            w = w - 0.1 * (2 * (h - y[:, k]) * 0.5 * x[:, k]).mean(0)[:, None]
    np.testing.assert_allclose(run.states()["average1.h"], h, rtol=1e-11)
    np.testing.assert_allclose(run.parameters()["dense1.W"], w, rtol=1e-11)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_constant_is_averaged_to_itself(engine):
    x = np.array([[1.0], [2.0], [-3.0]]) * np.ones((3, 16))
    run = sequences(
        cr.data.chunks(x, x, 2, target_steps="last", test=0.0),
        engine=engine,
        initial={"dense1.W": [[1.0], [0.0]]},
        optimizer=cr.SGD(1e-300),
    )
    for step in range(25):
        told = x[:, :1] * (1 - 0.5 ** ((step - 1) % 8 + 1)) if step else 0 * x[:, :1]
        np.testing.assert_allclose(run.at(step).states()["average1.h"], told, rtol=1e-13)
    # In use each batch begins at zero.
    np.testing.assert_allclose(run.predict(run.data.train.x)[:, 0], run.data.train.x[:, 0] / 2, rtol=1e-13)
    assert run.problem.states == {}


def test_rows_survive_a_cut_inside_an_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.train.trainer.Trainer._next_piece", lambda *_: 1)
    whole = sequences(replicas=2, folder=tmp_path)
    begun = sequences(replicas=2, folder=tmp_path, callbacks=(lambda moment: moment.step >= 11,))
    assert begun.trainer.step % 8
    resumed = cr.resume(begun.folder, net=whole.problem.network, data=whole.data)
    assert resumed.settings.order == "consecutive"
    assert same_state(whole, resumed)
    assert same(whole.states(1), sequences(seed=1).states())
    assert whole.branch(13).hash == whole.hash
    assert whole.branch(16, batch_size=1, epochs=3).states()["average1.h"].shape == (1, 1)
    ledger = whole.ledger(13, "dense1.W", (0, 0))
    assert abs(ledger.residual) <= 4 * ledger.ulp


def test_rows_need_batches_of_one_size_in_a_fitting_order():
    with pytest.raises(OptionError, match=r"(?s)average1.*batch_size that divides"):
        sequences(batch_size=5)
    with pytest.raises(OptionError, match=r"(?s)average1.*order=\"consecutive\""):
        sequences(order="shuffled")
    with pytest.raises(OptionError, match=r"(?s)24 training examples.*divides"):
        cr.fit("2-2", cr.data.chunks(X.T, X.T, 2, test=0.0), batch_size=5, order="consecutive")
    with pytest.raises(OptionError, match="consecutive"):
        sequences(order="consecutively")
    sequences(order=lambda seed, epoch, count: np.arange(count))


def test_a_state_of_the_batchs_shape_must_say_so():
    @dataclass(frozen=True)
    class Rows:
        def __call__(self, x):
            with layer_scope(self, "rows", x) as here:
                return here.gives(x + here.state("h", x.shape, Zeros()))

    with pytest.raises(ShapeError, match=r"(?s)rows1\.h.*row_state"):
        train(Rows())


def test_a_number_that_is_not_finite_is_found_where_rows_are_carried():
    x = np.ones((3, 16))
    x[1, 5] = 1e308
    data = cr.data.chunks(x, x, 2, target_steps="last", test=0.0)
    with pytest.raises(NonFiniteError, match="epoch 1"):
        sequences(data, initial={"dense1.W": [[100.0], [100.0]]})
