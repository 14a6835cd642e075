"""A network can be run from a quantity inside it: what follows is as if the network had come to these values itself."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError, ShapeError


@pytest.fixture(scope="module")
def run():
    return cr.fit("2-5-4-2 tanh softmax", cr.data.moons(60), epochs=5, batch_size=10)


@pytest.mark.parametrize("quantity", ["input.a", "dense1.z", "dense1.a", "dense2.a", "dense3.z"])
def test_its_own_values_give_its_own_output(run, quantity):
    model, x = run.model(), run.data.test.x
    whole = model.quantities(x)
    found = model.quantities_from(quantity, whole[quantity])
    names = list(whole)
    assert list(found) == names[names.index(quantity) :]
    for name in found:
        assert np.array_equal(found[name], whole[name])


def test_what_is_done_to_each_time_step_has_a_row_for_each_example():
    x = np.random.default_rng(0).normal(size=(7, 5, 2))
    each = cr.TimeDistributed(cr.Dense(3, "tanh"), cr.Dense(2))
    run = cr.fit(cr.Sequential(each, cr.Flatten(), cr.Dense(1)), cr.data.from_arrays(x, x.sum((1, 2)), split=None), epochs=1)
    model, w = run.model(), run.model().parameters
    whole = model.quantities(x)
    assert {name: values.shape for name, values in whole.items()} == {
        "input.a": (7, 5, 2), "dense1.z": (7, 5, 3), "dense1.a": (7, 5, 3), "dense2.z": (7, 5, 2),
        "time_distributed1.a": (7, 5, 2), "dense3.z": (7, 1), "output": (7, 1),
    }  # fmt: skip
    np.testing.assert_allclose(whole["dense1.z"], whole["input.a"] @ w["dense1.W"] + w["dense1.b"], rtol=1e-12, atol=1e-12)
    found = model.quantities_from("dense1.a", whole["dense1.a"])
    assert np.array_equal(found["dense1.a"], whole["dense1.a"])
    assert np.array_equal(found["output"], whole["output"])
    alone = model.isolated("dense1.a", 1).quantities(x)
    wanted = whole["dense1.a"][..., 1:2] @ w["dense2.W"][1:2] + w["dense2.b"]
    np.testing.assert_allclose(alone["dense2.z"], wanted, rtol=1e-12, atol=1e-12)
    assert cr.pictures.neuron_surface(run, "dense1.a", 14).numbers["values"].shape == (60, 60)


def test_other_values_give_what_follows_from_them(run):
    model, w = run.model(), run.parameters()
    codes = np.random.default_rng(0).normal(size=(2345, 4))  # more than one piece
    z = codes @ w["dense3.W"].astype(float) + w["dense3.b"].astype(float)
    found = model.quantities_from("dense2.a", codes)
    np.testing.assert_allclose(found["dense3.z"], z, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["output"].sum(axis=1), 1.0, rtol=1e-12)


def test_of_a_shared_layer_the_last_use_is_bound():
    shared = cr.Dense(2, "tanh", name="twice")
    run = cr.fit(cr.Sequential(shared, shared, cr.Dense(2, "softmax")), cr.data.moons(40), epochs=1, batch_size=10)
    model, x = run.model(), run.data.test.x
    whole = model.quantities(x)
    assert np.array_equal(model.quantities_from("twice.a", whole["twice.a"])["output"], whole["output"])


def test_what_a_layers_own_loss_needs_is_a_quantity_too():
    net = cr.Sequential(cr.Dense(4), cr.nn.Latent(), cr.Dense(2))
    run = cr.fit(net, cr.data.reconstruction(cr.data.moons(40)), epochs=1)
    values = run.model().quantities(run.data.test.x)
    # In use the output does not depend on the variance of the code; the loss does.
    assert values["latent1.log_variance"].shape == values["latent1.a"].shape == (40, 2)
    found = run.model().quantities_from("latent1.a", values["latent1.mean"])
    assert list(found) == ["latent1.a", "dense2.z", "output"]
    assert np.array_equal(found["output"], values["output"])


def test_refusals(run):
    with pytest.raises(OptionError, match=r"dense1\.a"):
        run.model().quantities_from("dense9.a", np.zeros((1, 5)))
    with pytest.raises(ShapeError, match="one value for each neuron"):
        run.model().quantities_from("dense1.a", np.zeros((1, 4)))
    around = cr.Sequential(cr.nn.Residual(cr.Dense(2, "tanh", name="inner")), cr.Dense(2, "softmax"))
    beside = cr.fit(around, cr.data.moons(40), epochs=1).model()
    with pytest.raises(OptionError, match="second way"):
        beside.quantities_from("inner.a", np.zeros((1, 2)))


def test_models_of_one_run_share_what_is_built_and_compiled_but_no_numbers():
    x, y = np.arange(8.0).reshape(4, 2), np.arange(4) % 2
    session = cr.fit("2-3-2 tanh softmax", (x, y), epochs=1)
    one, other = session.model(), session.model()
    assert one.problem is other.problem is not session.problem
    moved = other.with_parameters({"dense1.b": other.parameters["dense1.b"] + 1.0})
    assert one.cost(x, y) == other.cost(x, y) != moved.cost(x, y)
    before = one.quantities(x)
    for count in range(1, 5):
        for names in ({"dense1.z"}, {"dense1.a"}, {"dense2.z"}, {"dense2.a"}, {"output"}):
            assert moved.quantities(x[:count], names).keys() == names
    assert len(one.problem.programs) == 16
    for name, value in one.quantities(x).items():
        assert np.array_equal(value, before[name]), name
