"""Hopfield's memory: Hebb's rule is a step of gradient descent, the field is minus the energy's derivative, recall goes downhill."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.data import Dataset, Examples
from chainrule.engines import engine_named
from chainrule.errors import OptionError, ShapeError
from chainrule.nn import build_network, hebb_weights, hopfield_energy, hopfield_recall

COUNT, STORED = 60, 4


def patterns_of(stored: int = STORED, count: int = COUNT, seed: int = 0) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random((stored, count)) < 0.5, -1.0, 1.0)


def stored_in(patterns: np.ndarray) -> Dataset:
    """The patterns as they are: all to be stored, none held back, nothing scaled."""
    return Dataset("patterns", Examples(patterns, patterns))


def corrupted(patterns: np.ndarray, share: float, seed: int = 1) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(patterns.shape) < share, -patterns, patterns)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_one_step_down_the_energy_is_hebbs_rule(engine):
    patterns = patterns_of()
    options = {"loss": "none", "optimizer": cr.SGD(2 * STORED / COUNT), "epochs": 1, "batch_size": STORED, "dtype": "float64"}
    run = cr.fit(cr.Hopfield(), stored_in(patterns), engine=engine, **options)
    np.testing.assert_allclose(run.parameters()["hopfield1.W"], hebb_weights(patterns), atol=1e-15)
    by_hand = sum(np.outer(pattern, pattern) for pattern in patterns) / COUNT
    np.testing.assert_allclose(hebb_weights(patterns), by_hand * (1 - np.eye(COUNT)), atol=1e-15)


def test_the_energys_derivative_is_minus_the_local_field():
    weights, states = hebb_weights(patterns_of()), corrupted(patterns_of(), 0.3)
    s, w = cr.input_node("s", states.shape), cr.constant(weights)
    energy = hopfield_energy(s, w)
    (field,) = cr.grad(ops.sum(energy), [s])
    found = engine_named("reference").compile(cr.Graph({"field": field, "energy": energy}))({"s": states})
    np.testing.assert_allclose(found["field"], -states @ weights, atol=1e-13)
    np.testing.assert_allclose(found["energy"], [-0.5 * row @ weights @ row for row in states], rtol=1e-12)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_steps_of_the_layer_are_signs_of_the_field(engine):
    weights, states = hebb_weights(patterns_of(9)), corrupted(patterns_of(9), 0.3)
    network = build_network(cr.Hopfield(3), (COUNT,), batch=9)
    given = {"x": states, "hopfield1.W": weights + np.eye(COUNT)}
    found = engine_named(engine).compile(network.graph)(given)["output"]
    for _ in range(3):
        field = np.round(states @ weights, 12)
        states = np.where(field == 0, states, np.sign(field))
    assert np.array_equal(found, states)


def test_a_neuron_without_a_field_stays():
    network = build_network(cr.Hopfield(), (3,), batch=1)
    given = {"x": np.array([[1.0, -1.0, 1.0]]), "hopfield1.W": np.zeros((3, 3))}
    found = engine_named("native").compile(network.graph)(given)["output"]
    assert np.array_equal(found, given["x"])


def test_no_turn_of_a_neuron_raises_the_energy():
    """Every single turn, found again one by one: each lowers the energy by twice the size of the field."""
    weights, s = hebb_weights(patterns_of(12)), corrupted(patterns_of(12), 0.4)[:1].copy()
    turns = 0
    for neuron in np.random.default_rng(0).permutation(np.tile(np.arange(COUNT), 5)):
        field, before = float(s[0] @ weights[neuron]), float(-0.5 * s[0] @ weights @ s[0])
        if s[0, neuron] * field < 0:
            s[0, neuron] *= -1
            turns += 1
            assert float(-0.5 * s[0] @ weights @ s[0]) - before == pytest.approx(-2 * abs(field), abs=1e-12)
    assert turns > 0


def test_recall_falls_from_sweep_to_sweep_and_comes_to_rest():
    weights, states = hebb_weights(patterns_of(12)), corrupted(patterns_of(12), 0.4)
    found = hopfield_recall(weights, states)
    steps = np.diff(found.energies, axis=0)
    assert np.all(steps[found.flips > 0] < 0)
    assert np.allclose(steps[found.flips == 0], 0)
    assert found.settled.all()
    # Every single turn of a neuron is a step down, and the steps add up.
    for path, turns, last in zip(found.paths, found.flips.sum(axis=0), found.energies[-1], strict=True):
        assert len(path) == turns + 1
        assert np.all(np.diff(path) < 0)
        assert path[-1] == pytest.approx(last, abs=1e-10)
    np.testing.assert_allclose(found.energies[-1], -0.5 * np.sum(found.states * (found.states @ weights), axis=1), atol=1e-11)
    # At rest no neuron opposes its field.
    assert np.all(found.states * (found.states @ weights) > -1e-12)
    assert np.array_equal(states, corrupted(patterns_of(12), 0.4))


def test_few_patterns_are_recalled_from_corrupted_ones():
    patterns = patterns_of(5, 200)
    assert np.array_equal(hopfield_recall(hebb_weights(patterns), corrupted(patterns, 0.2)).states, patterns)


def test_the_layer_recalls_what_fit_has_stored():
    patterns = patterns_of(5, 200)
    options = {"loss": "none", "optimizer": cr.SGD(2 * 5 / 200), "epochs": 1, "batch_size": 5}
    run = cr.fit(cr.Hopfield(5), stored_in(patterns), **options)
    assert np.array_equal(run.predict(corrupted(patterns, 0.2)), patterns)


def test_what_is_no_memory_is_refused():
    patterns = patterns_of()
    with pytest.raises(OptionError, match="rows of"):
        hebb_weights(patterns * 0.5)
    with pytest.raises(ShapeError, match="60 neurons"):
        hopfield_recall(np.zeros((3, 3)), patterns)
    with pytest.raises(OptionError, match="diagonal"):
        hopfield_recall(np.eye(COUNT), patterns)
    with pytest.raises(ShapeError, match="Flatten"):
        build_network(cr.Hopfield(), (2, 2))
    with pytest.raises(OptionError, match="steps"):
        cr.Hopfield(0)


def test_the_layer_is_written_down_and_read_again():
    layer = cr.Hopfield(4, name="memory")
    assert cr.nn.from_json(cr.nn.to_json(layer)) == layer
    assert cr.nn.to_code(cr.Hopfield(4)) == "cr.Hopfield(steps=4)"
