"""Layers that keep their weights, wherever a training meets them; and first weights from another network."""

import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError, OptionError, OptionTypeError, ParseError
from chainrule.graph import PARAMETER

MOONS = cr.data.moons(60, noise=0.1)


def by_hand(network, values, x):
    """tanh(x·W + b) twice, softmax: the network of these tests in NumPy."""
    for layer in ("dense1", "dense2"):
        x = np.tanh(x @ values[f"{layer}.W"] + values[f"{layer}.b"])
    z = x @ values["dense3.W"] + values["dense3.b"]
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def network():
    return cr.Sequential(cr.Dense(5, "tanh"), cr.Frozen(cr.Dense(4, "tanh")), cr.Dense(2, "softmax"))


@pytest.fixture(scope="module")
def old():
    return cr.fit("2-6-4-2 tanh softmax", MOONS, epochs=5)


OPTIMIZERS = {
    "sgd": (cr.SGD(0.1), None),
    "adam": (cr.Adam(0.02), None), "decay": (cr.AdamW(0.02, 0.1), None), "lbfgs": (cr.LBFGS(iterations=5), None),
    "levenberg": (cr.LevenbergMarquardt(iterations=5), "mean_squared_error"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_frozen_weights_stay_to_the_bit_and_the_others_move(name, engine):
    optimizer, loss = OPTIMIZERS[name]
    loss = loss or cr.CrossEntropy() + cr.L2(0.1, biases=True)
    run = cr.fit(network(), MOONS, optimizer=optimizer, loss=loss, epochs=3, engine=engine, replicas=2)
    assert list(run.parameters()) == [f"dense{layer}.{label}" for layer in (1, 2, 3) for label in "Wb"]
    assert not run.states()
    for replica in range(2):
        begun = run.at(0).parameters(replica)
        same = {key: np.array_equal(value, begun[key]) for key, value in run.parameters(replica).items() if "W" in key}
        assert same == {"dense1.W": False, "dense2.W": True, "dense3.W": False}
    values = run.parameters()
    x = run.dataset_info.scaling.apply(MOONS.train.x)
    np.testing.assert_allclose(run.predict(MOONS.train.x), by_hand(run.problem.network, values, x), rtol=1e-5)
    assert not [key for key in run.trainer.state if key.startswith("dense2.W.")]  # nothing is remembered of them


def test_what_is_trained_is_what_a_network_learns_whose_other_weights_are_held_by_hand():
    """Beside a training whose frozen layer is a function of constants."""
    first = cr.fit(network(), MOONS, epochs=0, dtype="float64").parameters()
    W, b = (first[f"dense2.{each}"] for each in "Wb")

    def held(x):
        return cr.ops.tanh(x @ cr.constant(W) + cr.constant(b))

    options = {"epochs": 5, "optimizer": cr.Adam(0.02), "dtype": "float64", "loss": cr.CrossEntropy() + cr.L2(0.01)}
    plain = cr.Sequential(cr.Dense(5, "tanh"), held, cr.Dense(2, "softmax"))
    names = {"dense1.W": "dense1.W", "dense1.b": "dense1.b", "dense3.W": "dense2.W", "dense3.b": "dense2.b"}
    other = cr.fit(plain, MOONS, initial={there: first[here] for here, there in names.items()}, **options)
    run = cr.fit(network(), MOONS, initial=first, **options)
    for here, there in names.items():
        np.testing.assert_allclose(run.parameters()[here], other.parameters()[there], rtol=1e-12)


def test_a_step_has_no_node_for_what_is_frozen():
    whole = cr.Sequential(cr.Dense(5, "tanh"), cr.Dense(4, "tanh"), cr.Dense(2, "softmax"))
    front = cr.Sequential(cr.Frozen(*whole.layers[:2]), whole.layers[2])
    steps = [cr.fit(each, MOONS, epochs=1).graph("step") for each in (whole, front)]
    backward = [sum(node.scope.startswith("grad/dense") for node in step.nodes) for step in steps]
    assert {node.name for node in steps[1].nodes if node.op is PARAMETER} == {"dense3.W", "dense3.b"}
    assert not [node for node in steps[1].nodes if node.scope in {"grad/dense1", "grad/dense2"}]
    assert backward[1] < backward[0]


def test_inside_it_is_as_at_inference():
    inner = (cr.BatchNorm(), cr.Dropout(0.9), cr.GaussianNoise(3.0))
    run = cr.fit(cr.Sequential(cr.Frozen(*inner), cr.Dense(2, "softmax")), MOONS, epochs=3)
    assert (run.states()["batch_norm1.mean"] == 0).all()
    plain = cr.fit(cr.Sequential(cr.Frozen(cr.BatchNorm()), cr.Dense(2, "softmax")), MOONS, epochs=3)
    np.testing.assert_array_equal(run.parameters()["dense1.W"], plain.parameters()["dense1.W"])
    cost = cr.fit(cr.Sequential(cr.Frozen(cr.Dense(4), cr.Latent()), cr.Dense(2, "softmax")), MOONS, epochs=1)
    assert list(cost.problem.trained.terms) == ["cross_entropy"]  # a frozen layer's own loss is none


def test_a_run_is_kept_resumed_branched_replayed_and_carried(tmp_path):
    run = cr.fit(network(), MOONS, epochs=4, folder=tmp_path, batch_size=10)
    assert cr.open_run(run.folder).hash == run.hash
    assert cr.open_run(run.folder).problem.network == run.problem.network
    assert cr.resume(run.folder, epochs=8).hash == cr.fit(network(), MOONS, epochs=8, batch_size=10).hash
    assert run.branch(7).hash == run.hash == run.at(run.trainer.step).hash
    assert pickle.loads(pickle.dumps(run)).hash == run.hash
    assert cr.Training.of(run).fit().hash == run.hash
    assert run.branch(7, optimizer="sgd").parameters()["dense2.W"].tolist() == run.parameters()["dense2.W"].tolist()
    with pytest.raises(OptionError, match=r"dense2.W .* frozen"):
        run.ledger(3, "dense2.W")
    assert run.ledger(3, "dense1.W")


def test_an_explanation_says_that_no_derivative_is_asked_for():
    run = cr.fit(network(), MOONS, epochs=1)
    found = run.explain(3)
    assert found.agrees
    assert found.trace.derivative("dense2.W") is None
    assert found.trace.derivative("dense1.W") is not None
    assert "no derivative is asked for by dense2.W, dense2.b" in str(found)
    assert "no derivative is asked for by dense2.W" in found._repr_html_()
    assert not [step for step in found.backward if step.input.name.startswith("dense2.") and step.input.is_leaf]
    with pytest.raises(OptionError, match="frozen: none is asked for"):
        run.explain(3, entries=[("dense2.W", (0, 0))])._repr_html_()


def test_what_is_counted():
    found = cr.nn.summary(network(), (2,))
    assert (found.total, found.frozen, [row.frozen for row in found.rows]) == (25, 24, [0, 24, 0])
    assert "24 frozen" in str(found)
    assert "frozen, not trained: 24" in str(found)


def test_all_weights_are_told_wherever_weights_are_told(tmp_path):
    inner = cr.Sequential(cr.Frozen(cr.Dense(3, "tanh"), cr.BatchNorm()), cr.Dense(2, "softmax"))
    run = cr.fit(inner, MOONS, epochs=1)
    names = ["dense1.W", "dense1.b", "batch_norm1.gain", "batch_norm1.b", "dense2.W", "dense2.b"]
    assert list(run.parameters()) == list(run.model().weights) == names
    assert list(run.states()) == ["batch_norm1.mean", "batch_norm1.variance"]
    learner = cr.trainer(inner, loss="cross_entropy")
    learner.step(MOONS.train.x, MOONS.train.y)
    assert learner.parameters().keys() == set(names)
    assert run.parameters().keys() <= cr.nn.to_peer(run, run.parameters() | run.states(), "jax").keys()
    cr.export(run, tmp_path / "run.safetensors")
    assert pickle.loads(pickle.dumps(run)).parameters().keys() == set(names)
    model = cr.train.Model(run.problem, run.parameters(), states=run.states())
    assert model.cost(MOONS.test.x, MOONS.test.y) == run.model().cost(MOONS.test.x, MOONS.test.y)
    again = cr.fit(inner, MOONS, epochs=0, initial=run.parameters() | run.states(), seed=9)
    assert again.hash == run.hash


def test_what_is_frozen_as_it_was_drawn_is_pointed_out(old):
    new = cr.Sequential(cr.Frozen(*old.problem.network.layers[:2]), cr.Dense(2, "softmax"))
    drawn, taken_over = (cr.Training(new, MOONS, epochs=1, initial=initial) for initial in (None, old))
    for told in (drawn, drawn.fit()):
        assert "frozen as drawn at random: dense1, dense2; to keep" in str(told)
    for told in (
        taken_over,
        taken_over.fit(),
        cr.fit(network(), MOONS, epochs=1, initial=cr.fit(network(), MOONS, seed=1).parameters()),
    ):
        assert "at random" not in str(told)
    finding = drawn.fit().doctor(only=["frozen at random"])["frozen at random"]
    assert (finding.grade, finding.numbers["layers"]) == ("remark", ["dense1", "dense2"])
    assert list(finding.cures[1].training.problem.parameters) == [
        f"dense{layer}.{label}" for layer in (1, 2, 3) for label in "Wb"
    ]
    assert taken_over.fit().doctor(only=["frozen at random"])["frozen at random"].grade == "fine"


def test_the_drawing_says_what_is_frozen():
    drawing = cr.views.networks.draw_network(network(), input_shape=(2,))
    assert [item.column.frozen for item in drawing.items] == [False, False, True, False]
    assert "4 neurons, frozen" in drawing.svg()
    assert "Training leaves the weights of frozen layers" in drawing.reading
    assert "frozen" not in cr.views.networks.draw_network("2-4-1").svg()


def test_a_step_trainer_and_a_sweep():
    learner = cr.trainer(network(), loss="cross_entropy")
    learner.step(MOONS.train.x, MOONS.train.y)
    before = learner.state["dense2.W"].copy()
    learner.step(MOONS.train.x, MOONS.train.y)
    np.testing.assert_array_equal(learner.state["dense2.W"], before)
    training = cr.Training(network(), MOONS, epochs=2, threads=1)
    swept = cr.sweep(training, {"optimizer.learning_rate": [0.1, 0.01]}, replicas=2)
    assert len(swept.trials) == 2


def test_a_network_that_learns_nothing_is_refused_unless_it_is_only_used():
    still = cr.Sequential(cr.Frozen(cr.Dense(4, "tanh"), cr.Dense(2, "softmax")))
    with pytest.raises(OptionError, match=r"every layer with weights is frozen: dense1.W"):
        cr.fit(still, MOONS, epochs=1)
    with pytest.raises(OptionError, match="frozen"):
        cr.trainer(still, loss="cross_entropy").step(MOONS.train.x, MOONS.train.y)
    used = cr.fit(still, MOONS, epochs=0)
    assert used.explain(1).agrees
    assert "test accuracy" in str(used.evaluate("test"))


def test_one_layer_is_frozen_at_each_use_or_at_none():
    layer = cr.Dense(2, "tanh")
    for layers in ([layer, cr.Frozen(layer)], [cr.Frozen(layer), layer]):
        with pytest.raises(OptionError, match="dense1 is frozen at one use and trained at another"):
            cr.fit(cr.Sequential(*layers, cr.Dense(2, "softmax")), MOONS, epochs=1)
    twice = cr.fit(cr.Sequential(cr.Frozen(layer), cr.Frozen(layer), cr.Dense(2, "softmax")), MOONS, epochs=1)
    assert list(twice.parameters()) == ["dense1.W", "dense1.b", "dense2.W", "dense2.b"]
    with pytest.raises(OptionTypeError, match="nothing to freeze"):
        cr.Frozen()
    with pytest.raises(GraphError, match="outside a network"):
        cr.Frozen(cr.Dense(2))(cr.input_node("x", (1, 2)))


TEXTS = {
    "784-16:frozen-10": (cr.Frozen(cr.Dense(16, "relu")), cr.Dense(10)),
    "784-16:tanh:nobias:frozen-9": (cr.Frozen(cr.Dense(16, "tanh", bias=False)), cr.Dense(9)),
    "4-layernorm:frozen-3": (cr.Frozen(cr.LayerNorm()), cr.Dense(3)),
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_can_say_it(text):
    found = cr.parse_network(text)
    assert found.layers == TEXTS[text]
    assert cr.parse_network(cr.nn.to_text(found)) == found


def test_what_a_text_cannot_say():
    for text in ("4-16:frozen:tanh-3", "4-16:frozen:frozen-3", "4-16:frosen-3"):
        with pytest.raises(ParseError, match=r"fro[zs]en"):
            cr.parse_network(text)
    with pytest.raises(OptionError, match="no word for Frozen of several layers"):
        cr.nn.to_text(cr.Sequential(cr.Frozen(cr.Dense(3), cr.Dense(2)), input_shape=(4,)))


# ---- first weights of another network


def test_layers_carry_their_weights_wherever_they_stand(old):
    front = old.problem.network.layers[:2]
    new = cr.Sequential(cr.Dense(2), cr.Frozen(*front), cr.Dense(3, "tanh"), cr.Dense(2, "softmax"))
    run = cr.fit(new, MOONS, epochs=2, initial=old)
    for here, there in (("dense2", "dense1"), ("dense3", "dense2")):
        np.testing.assert_array_equal(run.parameters()[f"{here}.W"], old.parameters()[f"{there}.W"])
    tuned = cr.Sequential(new.layers[0], *front, *new.layers[2:])  # thawed
    again = cr.fit(tuned, MOONS, epochs=0, initial=run)
    np.testing.assert_array_equal(again.predict(MOONS.test.x), run.predict(MOONS.test.x))
    assert not again.states()


def test_values_come_from_runs_models_pairs_and_equal_networks(old):
    new = cr.Sequential(cr.Frozen(*old.problem.network.layers[:2]), cr.Dense(2, "softmax"))
    values = {**old.parameters(), **old.states()}
    for given in (old, old.model(), (old.problem.network, values)):
        run = cr.fit(new, MOONS, epochs=0, initial=given)
        np.testing.assert_array_equal(run.parameters()["dense1.W"], values["dense1.W"])
    assert cr.fit("2-6-4-2 tanh softmax", MOONS, epochs=0, initial=old).hash == old.hash
    assert cr.trainer(new, loss="cross_entropy", initial=old).step(MOONS.train.x, MOONS.train.y) > 0
    training = cr.Training(new, MOONS, epochs=1, initial=old)
    assert pickle.loads(pickle.dumps(training)).fit().hash == training.fit().hash
    for odd in ("run", [1.0], (1, 2), 5):
        with pytest.raises(OptionTypeError, match="initial="):
            cr.fit(new, MOONS, epochs=0, initial=odd)
    with pytest.raises(OptionError, match="no layer with weights is in the network"):
        cr.fit("2-5-2", MOONS, initial=old)


def test_the_units_of_the_network_that_layers_come_from_are_kept():
    x = np.random.default_rng(0).normal(50.0, 7.0, (60, 3))
    old = cr.fit("3-4-1 tanh", (x, x[:, :1] * 3.0), epochs=3)
    other = (x * 10 - 100, x[:, :1])
    same = cr.fit(old.problem.network, other, epochs=0, initial=old)
    np.testing.assert_array_equal(same.predict(x), old.predict(x))
    new = cr.Sequential(cr.Frozen(*old.problem.network.layers[:1]), cr.Dense(1))
    run = cr.fit(new, other, epochs=0, initial=old)
    assert run.dataset_info.scaling == old.dataset_info.scaling
    assert run.dataset_info.target_scaling != old.dataset_info.target_scaling
    assert "inputs in the units of the network that layers were taken from" in str(run)
    read = cr.fit(
        old.problem.network,
        other,
        epochs=0,
        initial=(cr.Sequential(*old.problem.network.layers, input_shape=(3,)), old.parameters()),
    )
    assert read.dataset_info.scaling.is_none
    asked = cr.data.from_arrays(*other, scaling="minmax")
    assert cr.fit(new, asked, epochs=0, initial=old).dataset_info.scaling == asked.scaling


def test_the_doctor_leaves_frozen_layers_alone(old):
    dead = cr.Dense(6, "relu", biases=cr.nn.Constant(-50.0))
    run = cr.fit(cr.Sequential(cr.Frozen(dead), cr.Dense(3, "tanh"), cr.Dense(2, "softmax")), MOONS, epochs=2)
    found = str(run.doctor())
    assert "there is no ReLU" in found
    assert "went wrong" not in found
    new = cr.fit(
        cr.Sequential(cr.Dense(2), cr.Frozen(*old.problem.network.layers[:2]), cr.Dense(2, "softmax")),
        MOONS,
        epochs=2,
        initial=old,
    )
    assert "went wrong" not in str(new.doctor())


def test_what_was_drawn_at_random_is_told_by_a_network_that_is_kept_as_its_graph(tmp_path):
    first = cr.Dense(4, "tanh")
    kept = [cr.Frozen(first), lambda x: cr.ops.sin(x), cr.Dense(2, "softmax")]
    run = cr.fit(cr.Sequential(*kept), MOONS, epochs=1, folder=tmp_path)
    for again in (run, pickle.loads(pickle.dumps(run)), cr.open_run(run.folder)):
        assert "frozen as drawn at random: dense1; to keep" in str(again)
        assert [use.name for use in again.problem.described.built.uses if use.frozen] == ["dense1"]
    old = cr.fit(cr.Sequential(first, *kept[1:]), MOONS, epochs=1)
    taken_over = cr.fit(cr.Sequential(*kept), MOONS, epochs=1, initial=old)
    assert "at random" not in str(pickle.loads(pickle.dumps(taken_over)))
    with pytest.raises(OptionError, match="frozen=W"):
        cr.GraphLayer("x: {float}[{B},2] = input()\nreturn y=x", frozen=["W"])


SHARES = (MOONS.train.x, (MOONS.train.y > 0) * 1.0)
OF_ONE = {
    "the output": lambda: cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(1, "softmax")),
    "between": lambda: cr.Sequential(cr.Dense(1, "softmax"), cr.Dense(3, "tanh"), cr.Dense(1)),
    "one filter": lambda: cr.Sequential(cr.Reshape((2, 1)), cr.Conv1D(1, 1, "softmax"), cr.Flatten(), cr.Dense(1)),
    "code": lambda: cr.Sequential(cr.Dense(1), lambda z: cr.ops.softmax(z, axis=1), cr.Dense(1)),
    "a gate": lambda: cr.Network(lambda x: cr.Dense(1)(x * cr.Dense(1, "softmax")(x)), inputs={"x": (2,)}),
}


@pytest.mark.parametrize("name", OF_ONE)
def test_what_goes_into_softmax_over_a_single_entry_is_not_trained_in_silence(name):
    for loss in (None, cr.SquaredError() + cr.L2(1e-3)):
        with pytest.raises(OptionError, match="1 whatever goes in") as told:
            cr.fit(OF_ONE[name](), SHARES, loss=loss, epochs=1)
        assert "sigmoid" in told.value.remedy
    with pytest.raises(OptionError, match="can never learn"):
        cr.trainer(OF_ONE[name](), loss="mean_squared_error").step(*SHARES)
    assert cr.fit(OF_ONE[name](), SHARES, epochs=0).predict(SHARES[0]).shape == (len(SHARES[0]), 1)


def test_what_learns_all_the_same_is_trained():
    """A mixture with one part: other units of the layer learn, or it is frozen."""
    cr.fit(cr.Sequential(cr.Dense(2), lambda z: cr.ops.softmax(z[:, :1], axis=1) * z[:, 1:]), SHARES, epochs=1)
    cr.fit(cr.Sequential(cr.Frozen(cr.Dense(1, "softmax")), cr.Dense(1)), SHARES, epochs=1)
