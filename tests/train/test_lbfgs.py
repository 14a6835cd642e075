"""L-BFGS against SciPy's on smooth problems, and on small full-batch fits."""

import numpy as np
import pytest
from scipy import optimize

import chainrule as cr
from chainrule.train import LBFGS, minimise


def quadratic(size):
    random = np.random.default_rng(size)
    a = random.normal(size=(size, size))
    matrix, b = a @ a.T + 0.1 * np.eye(size), random.normal(size=size)
    return lambda x: (float(0.5 * x @ matrix @ x - b @ x), matrix @ x - b), np.linalg.solve(matrix, b)


@pytest.mark.parametrize("size", [1, 3, 20])
def test_quadratic_to_the_last_digits(size):
    objective, solution = quadratic(size)
    found = minimise(objective, np.zeros(size), LBFGS(tolerance=1e-10))
    np.testing.assert_allclose(found.point, solution, rtol=1e-8, atol=1e-8)
    assert found.reason == "gradient small enough"


@pytest.mark.parametrize("start", [[-1.2, 1.0, -1.2, 1.0], [3.0, -2.0, 0.5, 4.0]])
def test_rosenbrock_as_low_as_scipy(start):
    def objective(x):
        return float(optimize.rosen(x)), optimize.rosen_der(x)

    found = minimise(objective, np.array(start))
    peer = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10})
    assert found.cost <= peer.fun + 1e-12
    assert np.diff(found.costs).max() <= 1e-15  # never upwards, but for rounding


def test_a_linear_fit_is_the_least_squares_solution():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3))
    y = x @ [[1.0], [-2.0], [0.5]] + 0.3 + 0.1 * random.normal(size=(60, 1))
    data = cr.data.from_arrays(x, y, split=cr.data.RandomSplit(test=0), scaling="none", target_scaling="none")
    run = cr.fit("3-1", data, optimizer=cr.LBFGS())
    wanted = np.linalg.lstsq(np.c_[x, np.ones(60)], y, rcond=None)[0]
    np.testing.assert_allclose(np.r_[run.parameters()["dense1.W"], run.parameters()["dense1.b"][None]], wanted, atol=1e-8)
    assert run.parameters()["dense1.W"].dtype == np.float64
    assert run.evaluate("training").loss.shape == (1,)


def test_float32_is_refused():
    with pytest.raises(cr.errors.OptionError, match="float64"):
        cr.fit("1-3-1", "curve", optimizer=cr.LBFGS(), dtype="float32")


def test_callbacks_see_each_iteration_and_can_end_it():
    seen = []
    run = cr.fit("1-9-1 tanh", "curve", optimizer=cr.LBFGS(), callbacks=(lambda m: seen.append(m) or m.step == 6,))
    assert run.stopped == "stopped by a callback"
    assert run.trainer.step == 6
    losses = [m.loss for m in seen if m.kind == "steps"]
    assert losses == sorted(losses, reverse=True)
    np.testing.assert_array_equal(run.history.steps()[0], losses)
