"""Fits of measurements with errors: the loss χ², errors beside targets, and the example of composites in a smaller version."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, LossError, ShapeError
from chainrule.examples.materials import MATERIALS, SIGMA, TRUTH, at_the_minimum, drawn_anew, table
from chainrule.views.pictures import regression_fit


def line(n=40, k=1):
    random = np.random.default_rng(0)
    x, sigma = np.linspace(-1, 1, n)[:, None], random.uniform(0.05, 1.0, (n, k))
    y = 3 + 2 * x @ np.arange(1, k + 1)[None] + sigma * random.standard_normal((n, k))
    plain = cr.data.from_arrays(x, y, test=(x, y))
    return cr.data.with_errors(plain, sigma, test=sigma), x, y, sigma


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_chi_squared_of_a_line_is_weighted_least_squares(engine):
    data, x, y, sigma = line()
    run = cr.fit(cr.Sequential(cr.Dense(1)), data, loss="chi_squared", optimizer=cr.LBFGS(iterations=50), engine=engine)
    slope, offset = np.polyfit(x[:, 0], y[:, 0], 1, w=1 / sigma[:, 0])
    np.testing.assert_allclose(run.predict(x)[:, 0], offset + slope * x[:, 0], atol=1e-6)
    expected = np.mean(((y[:, 0] - offset - slope * x[:, 0]) / sigma[:, 0]) ** 2)
    assert run.evaluate("test").loss[0] == pytest.approx(expected, rel=1e-9)
    assert run.evaluate("test").r_squared() == pytest.approx(cr.nn.r_squared(y, run.predict(x)))
    assert regression_fit(run).numbers["truth"].shape == (40,)


def test_chi_squared_of_two_numbers_in_any_unit():
    data, x, y, sigma = line(k=2)
    run = cr.fit(cr.Sequential(cr.Dense(2)), data, loss=cr.ChiSquared(), epochs=1, batch_size=20)
    expected = np.mean(np.sum(((run.predict(x) - y) / sigma) ** 2, axis=1))
    assert run.evaluate("test").loss[0] == pytest.approx(expected, rel=1e-5)


def test_refusals():
    data, x, y, sigma = line()
    with pytest.raises(DataError, match=r"error 0\.0 at example 3"):
        cr.data.with_errors(cr.data.from_arrays(x, y, test=(x, y)), np.where(np.arange(40) == 3, 0.0, sigma[:, 0]))
    with pytest.raises(ShapeError, match="one error for each target"):
        cr.data.with_errors(cr.data.from_arrays(x, y, test=(x, y)), sigma[:7])
    with pytest.raises(DataError, match="labels"):
        cr.data.with_errors(cr.data.xor(), [1.0, 1.0, 1.0, 1.0])
    with pytest.raises((ShapeError, LossError)):
        cr.fit("1-1", cr.data.from_arrays(x, y), loss="chi_squared")
    with pytest.raises(ShapeError):
        cr.fit("1-1", data, loss="mean_squared_error")


def test_the_law_of_composites_is_found_with_true_errors():
    run = at_the_minimum(MATERIALS.trainings(0)["the table"].changed(epochs=200).fit())
    known = cr.data.materials_table(cr.data.materials(2000), "test")
    predicted = run.predict(run.data.test.x)[:, 0]
    assert np.median(np.abs(predicted / known[TRUTH] - 1)) < 0.01
    pulls = (predicted - known["composite K (GPa)"]) / known[SIGMA]
    assert pulls.std() == pytest.approx(1, abs=0.1)
    assert abs(pulls.mean()) < 0.1


def test_rows_are_drawn_with_replacement_and_keep_their_errors():
    data = table(0, 200)
    again = drawn_anew(data, 1)
    whole = {tuple(row) for row in np.hstack([data.train.x, data.train.y])}
    rows = [tuple(row) for row in np.hstack([again.train.x, again.train.y])]
    assert set(rows) < whole
    assert len(rows) == 200
