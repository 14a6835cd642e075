"""Ablation changes the neurons that are named, what follows from them, and nothing else."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError


@pytest.fixture(scope="module")
def run():
    return cr.fit("2-5-4-2 tanh softmax", cr.data.moons(60), epochs=5, batch_size=10)


@pytest.mark.parametrize(("neuron", "value"), [(0, 0.0), (3, 0.0), (2, -1.75)])
def test_exactly_one_neuron_is_ablated(run, neuron, value):
    model, x = run.model(), run.data.test.x
    before, after = model.quantities(x), model.ablated("dense1.a", neuron, value).quantities(x)
    assert list(after) == list(before)
    assert np.array_equal(after["dense1.z"], before["dense1.z"])
    others = [column for column in range(5) if column != neuron]
    assert np.array_equal(after["dense1.a"][:, others], before["dense1.a"][:, others])
    assert np.all(after["dense1.a"][:, neuron] == value)
    # What follows, by hand.
    w = model.parameters
    a = before["dense1.a"].copy()
    a[:, neuron] = value
    z2 = a @ w["dense2.W"] + w["dense2.b"]
    z3 = np.tanh(z2) @ w["dense3.W"] + w["dense3.b"]
    assert np.allclose(after["dense2.z"], z2, rtol=1e-13, atol=1e-13)
    assert np.allclose(after["dense3.z"], z3, rtol=1e-13, atol=1e-13)
    probability = np.exp(z3) / np.exp(z3).sum(axis=1, keepdims=True)
    assert np.allclose(after["output"], probability, rtol=1e-12)
    assert not np.allclose(after["output"], before["output"])


def test_costs_decisions_and_gradients_follow(run):
    model, test = run.model(), run.data.test
    ablated = model.ablated("dense2.a", [1, 2])
    output = ablated.quantities(test.x)["output"]
    assert np.allclose(ablated.costs(test.x, test.y), -np.log(output[np.arange(60), test.y]), rtol=1e-12)
    assert np.array_equal(ablated.decide(test.x), output.argmax(axis=1))
    gradient = ablated.gradient(test.x, test.y)
    # A held neuron passes nothing back: neither into its own weights nor out of those that read it.
    assert np.all(gradient["dense2.W"][:, 1:3] == 0)
    assert np.all(gradient["dense3.W"][1:3] == 0)
    assert np.any(gradient["dense2.W"][:, 0] != 0)


def test_the_pre_activation_of_a_softmax_can_be_held_and_the_model_stays_as_it_was(run):
    model, x = run.model(), run.data.test.x
    before = model.quantities(x)
    after = model.ablated("dense3.z", 0, -1e3).quantities(x)
    assert np.all(after["output"][:, 1] == 1.0)
    again = model.quantities(x)
    assert all(np.array_equal(again[name], before[name]) for name in before)


def test_isolated_leaves_one_neuron_to_speak(run):
    model, x = run.model(), run.data.test.x
    values = model.isolated("dense1.a", 2).quantities(x)["dense1.a"]
    assert np.array_equal(values[:, 2], model.quantities(x)["dense1.a"][:, 2])
    assert np.all(np.delete(values, 2, axis=1) == 0)


def test_a_nan_elsewhere_cannot_leak_through_a_held_neuron(run):
    model, x = run.model(), run.data.test.x
    broken = {"dense1.W": np.where(np.arange(5) == 4, np.nan, model.parameters["dense1.W"])}
    assert np.isfinite(model.with_parameters(broken).ablated("dense1.a", 4).quantities(x)["output"]).all()


def test_a_shared_layer_is_held_at_each_use():
    shared = cr.Dense(2, "tanh", name="twice")
    run = cr.fit(cr.Sequential(shared, shared, cr.Dense(2, "softmax")), cr.data.moons(40), epochs=1, batch_size=10)
    model, x = run.model(), run.data.test.x
    w, b = model.parameters["twice.W"], model.parameters["twice.b"]
    first = np.tanh(run.data.scaling.apply(x) @ w + b)
    first[:, 0] = 0.0
    second = np.tanh(first @ w + b)
    second[:, 0] = 0.0
    assert np.allclose(model.ablated("twice.a", 0).quantities(x)["twice.a"], second, rtol=1e-12)


@pytest.mark.parametrize(
    ("quantity", "neuron", "words"),
    [("dense9.a", 0, "dense1.a"), ("dense3.a", 0, "hidden"), ("dense1.a", 5, "from 0 to 4"), ("dense1.a", -1, "from 0 to 4")],
)
def test_what_cannot_be_ablated_is_said(run, quantity, neuron, words):
    with pytest.raises(OptionError, match=words):
        run.model().ablated(quantity, neuron)
    with pytest.raises(OptionError, match=words):
        run.model().isolated(quantity, neuron)
