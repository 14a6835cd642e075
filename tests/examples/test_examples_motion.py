"""The examples of motion: a differential equation solved by its residual, and a hidden oscillator inferred, in smaller versions."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from chainrule.data import oscillators
from chainrule.examples.equations import (
    EQUATION,
    Equation,
    damped,
    derivative,
    pendulum_period,
    pendulum_residual,
    quarter,
    solution,
)
from chainrule.examples.hidden import MOMENTS, NOISE, OSCILLATOR, STEP, informed, least_squares, noise_floor
from chainrule.graph import compute, input_node
from chainrule.ops import sin, tanh


def test_derivatives_by_the_input_are_nodes_and_can_be_taken_again():
    t = input_node("t", (5, 1), "float64")
    u = tanh(t * 2.0) * t
    first = derivative(u, t)
    at = np.linspace(-1, 1, 5)[:, None]
    slope, curvature = compute([first, derivative(first, t)], {t: at})
    s = 1 / np.cosh(2 * at) ** 2
    np.testing.assert_allclose(slope, np.tanh(2 * at) + 2 * at * s, rtol=1e-12)
    np.testing.assert_allclose(curvature, 4 * s - 8 * at * np.tanh(2 * at) * s, rtol=1e-12, atol=1e-14)


def test_the_pendulums_equation_has_the_sine():
    t = input_node("t", (4, 1), "float64")
    values = compute([pendulum_residual(t * 0.0 + t, t), sin(t)], {t: np.linspace(-1, 1, 4)[:, None]})
    np.testing.assert_allclose(values[0], values[1], atol=3e-8)


def test_closed_forms_are_those_of_a_numerical_integration():
    t = np.linspace(0, 10, 101)
    path = solve_ivp(lambda _, y: [y[1], -y[0] - 0.2 * y[1]], (0, 10), [1.0, 0.0], t_eval=t, rtol=1e-10, atol=1e-12).y[0]
    np.testing.assert_allclose(damped(t), path, atol=1e-8)
    swing = solve_ivp(
        lambda _, y: [y[1], -np.sin(y[0])], (0, 3), [1.0, 0.0], t_eval=np.linspace(0, 3, 3001), rtol=1e-10, atol=1e-12
    )
    assert 4 * quarter(swing.t, swing.y[0]) == pytest.approx(pendulum_period(1.0), abs=1e-6)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_network_solves_the_damped_oscillator(engine):
    training = EQUATION.trainings(0)["damped oscillator"]
    few = 1500 if engine == "native" else 5
    run = training.changed(engine=engine, epochs=few, replicas=1).fit()
    t = np.linspace(0, 10, 201)
    found = solution(run.model(), t)
    if engine == "native":
        assert np.abs(found["u"] - damped(t)).max() < 0.02
    assert found["u"][0] == 1.0
    assert found["speed"][0] == 0.0
    cost = run.model().cost(t[:, None], np.zeros((201, 1)))
    assert cost == pytest.approx(np.mean(found["residual"] ** 2), rel=1e-10)


def test_two_equations_have_their_own_names():
    first = EQUATION.trainings(0)["pendulum"].network
    assert isinstance(first, Equation)
    assert dataclasses.replace(first, name="swing").name == "swing"
    assert isinstance(first.trial, partial) is False


def test_the_hidden_path_is_inferred_down_to_a_multiple_of_the_noise():
    run = OSCILLATOR.trainings(0)["windows"].changed(epochs=60).fit()
    test = run.data.test
    error = np.sqrt(np.mean((run.predict(test.x) - test.y) ** 2))
    assert error < 0.1
    linear = least_squares(run.data.train.x[:, :, 0], run.data.train.y, test.x[:, :, 0])
    assert noise_floor() < np.sqrt(np.mean((linear - test.y) ** 2)) < error


def test_who_knows_the_equations_is_limited_by_noise_alone():
    exact, noisy = (oscillators(400, noise=noise, step=STEP, time=MOMENTS).test for noise in (0.0, NOISE))
    np.testing.assert_allclose(informed(exact.x[:, :, 0]), exact.y, atol=1e-10)
    found = np.sqrt(np.mean((informed(noisy.x[:, :, 0]) - noisy.y) ** 2))
    assert found == pytest.approx(noise_floor(), rel=0.05)
