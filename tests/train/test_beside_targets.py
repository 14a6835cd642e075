"""Targets with something beside them, errors or weights: each number keeps its own unit, whatever stands behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import mean_absolute_error, r2_score

import chainrule as cr
from chainrule.cli.application import application
from chainrule.errors import DataError
from chainrule.numerals import numeral
from chainrule.sklearn import MLPRegressor, NeuralNetworkRegressor
from chainrule.views.report import report_page

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 2))
Y = np.c_[1e6 * X[:, 0] + 3e6, X[:, 1] ** 2, 1e-4 * X.sum(axis=1)]
NET = {"network": "2-9-3 tanh", "optimizer": cr.LBFGS(), "epochs": 150, "random_state": 0}


def test_weights_that_are_all_alike_change_nothing() -> None:
    plain = NeuralNetworkRegressor(**NET).fit(X, Y)
    alike = NeuralNetworkRegressor(**NET).fit(X, Y, sample_weight=np.full(len(X), 7.0))
    np.testing.assert_allclose(alike.run_.dataset_info.target_scaling.factor, plain.run_.dataset_info.target_scaling.factor)
    assert min(r2_score(Y, alike.predict(X), multioutput="raw_values")) > 0.99
    spread = Y.std(axis=0)
    np.testing.assert_allclose(alike.predict(X) / spread, plain.predict(X) / spread, atol=0.05)


def test_weights_are_as_many_equal_examples_for_each_of_several_targets() -> None:
    weights = RANDOM.integers(1, 4, len(X))
    short = {**NET, "epochs": 5, "dtype": "float64"}
    weighted = NeuralNetworkRegressor(**short).fit(X, Y, sample_weight=weights.astype(float))
    repeated = NeuralNetworkRegressor(**short).fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights, axis=0))
    np.testing.assert_allclose(weighted.predict(X) / Y.std(axis=0), repeated.predict(X) / Y.std(axis=0), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("beside", ["errors", "weight"])
@pytest.mark.parametrize("activation", ["linear", "softplus"])
def test_each_number_is_learned_beside_others_of_other_sizes(beside: str, activation: str) -> None:
    y = np.abs(Y) if activation == "softplus" else Y
    plain = cr.data.from_arrays(X, y, split=None)
    sizes = 0.05 * y.std(axis=0)
    data = cr.data.with_errors(plain, np.broadcast_to(sizes, y.shape)) if beside == "errors" else cr.data.from_arrays(
        X, np.c_[y, RANDOM.uniform(0.5, 2.0, len(y))], split=None
    )  # fmt: skip
    loss = "chi_squared" if beside == "errors" else cr.Weighted(cr.SquaredError())
    run = cr.fit(f"2-16-3 tanh {activation}", data, loss=loss, optimizer=cr.Adam(0.02), epochs=300)
    assert min(r2_score(y, run.predict(X), multioutput="raw_values")) > 0.9
    assert run.dataset_info.target_scaling.shape == (3,)
    # The loss by hand, in the data's own units.
    found, target = run.predict(X).astype(float), data.train.y
    if beside == "errors":
        by_hand = np.mean(np.sum(((found - y) / sizes) ** 2, axis=1))
    else:
        factor = run.dataset_info.target_scaling.factor
        by_hand = np.mean(target[:, -1] * np.mean(((found - y) * factor) ** 2, axis=1))
    np.testing.assert_allclose(run.evaluate("training").loss, by_hand, rtol=1e-5)  # in float32


@pytest.mark.parametrize("beside", ["errors", "weight"])
def test_a_gradient_by_hand_is_given_the_targets_that_the_cost_sees(beside: str) -> None:
    """A linear network: ∂C/∂W by hand of what `check_gradient` hands out as "target" and "input.a"."""
    y = Y[:, :2]
    other = RANDOM.uniform(0.5, 2.0, (len(y), 2 if beside == "errors" else 1))
    data = cr.data.from_arrays(X, y, split=None)
    data = (
        cr.data.with_errors(data, other * y.std(axis=0))
        if beside == "errors"
        else cr.data.from_arrays(X, np.c_[y, other], split=None)
    )
    loss = "chi_squared" if beside == "errors" else cr.Weighted(cr.SquaredError(mean=False))
    model = cr.fit("2-2", data, loss=loss, epochs=2).model()

    def by_hand(known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        a, target = known["input.a"], known["target"]
        off = a @ known["dense1.W"] + known["dense1.b"] - target[:, :2]
        slope = 2 * off / target[:, 2:] ** 2 if beside == "errors" else 2 * off * target[:, 2:]
        return {"dense1.W": a.T @ slope / len(a), "dense1.b": slope.mean(axis=0)}

    found = model.check_gradient(by_hand, data.train.x[:7], data.train.y[:7])
    assert found.ok, str(found)


OUTSIDE = {
    "binary_cross_entropy": ("2-4-1 tanh sigmoid", cr.BinaryCrossEntropy(), [0.0, 5.0]),
    "poisson": ("2-4-1 tanh exp", cr.Poisson(), [3.0, -2.0]),
    "hinge": ("2-4-1 tanh", cr.Hinge(), [1.0, -1.0]),
    "perceptron": ("2-4-1 tanh", cr.PerceptronLoss(), [1.0, -1.0]),
}


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_targets_that_a_loss_is_not_made_for_are_refused_weighted_or_not(name: str, weighted: bool) -> None:
    network, loss, values = OUTSIDE[name]
    y = np.resize(values, len(X))
    data = cr.data.from_arrays(X, np.c_[y, np.full(len(X), 9.0)] if weighted else y[:, None], split=None)
    with pytest.raises(DataError, match=r"the target −?\d at example 1 of the training part"):
        cr.fit(network, data, loss=cr.Weighted(loss) if weighted else loss, epochs=1)


def test_scikit_learns_door_refuses_counts_below_0_weighted_or_not() -> None:
    y = np.resize([3.0, -2.0], len(X))
    for weights in (None, np.ones(len(X))):
        with pytest.raises(DataError, match="−2 at example 1"):
            MLPRegressor((4,), loss="poisson", max_iter=2).fit(X, y, sample_weight=weights)


def test_a_weight_above_1_is_no_share_of_a_whole() -> None:
    y = np.c_[np.eye(2)[(X[:, 0] > 0).astype(int)], np.full(len(X), 5.0)]
    run = cr.fit("2-6-2 tanh softmax", (X, y), loss=cr.Weighted(cr.SquaredError()), epochs=30, optimizer=cr.Adam(0.05))
    assert np.mean(run.predict(X).argmax(axis=1) == y[:, :2].argmax(axis=1)) > 0.9


@pytest.mark.parametrize("beside", ["errors", "weight"])
def test_what_stands_behind_one_number_is_told_and_drawn_as_what_it_is(beside: str, tmp_path: Path) -> None:
    x, other = X[:, :1], RANDOM.uniform(0.5, 2.0, len(X))
    data = cr.data.from_arrays(x, np.c_[Y[:, 1], other], split=None)
    loss = "chi_squared" if beside == "errors" else cr.Weighted(cr.SquaredError())
    run = cr.fit(None, data, loss=loss, epochs=1, folder=tmp_path)
    assert run.problem.output.shape[1:] == (1,), "the network that is decided ends with as many units as numbers are compared"
    told = f"1 number to fit, with {'standard errors' if beside == 'errors' else 'a weight'}"
    assert told in report_page(run)
    shown = CliRunner().invoke(application, ["show", str(run.folder)], terminal_width=200).output
    assert told in " ".join(shown.split())
    fit = cr.pictures.fit_1d(run)
    assert ("errors" in fit.numbers and len(fit.numbers["errors"]) > 0) == (beside == "errors")
    assert ("bars" in fit.reading) == (beside == "errors")


def test_scores_of_a_weighted_loss_are_weighted_and_say_so(tmp_path: Path) -> None:
    weights = np.where(X[:, 0] > 0, RANDOM.uniform(0.5, 3.0, len(X)), 0.0)
    for columns in (1, 3):
        np.savez(tmp_path / "data.npz", x=X, y=np.c_[Y[:, :columns], weights])
        data = cr.data.load(tmp_path / "data.npz")
        run = cr.fit(f"2-4-{columns} tanh", data, loss=cr.Weighted(cr.SquaredError()), epochs=3, folder=tmp_path)
        found, (y, w) = run.evaluate("test"), (data.test.y[:, :columns], data.test.y[:, columns])
        predicted, unit = run.predict(data.test.x), run.dataset_info.target_scaling.factor
        judged = r2_score(y * unit, predicted * unit, sample_weight=w, multioutput="variance_weighted")
        assert found.r_squared() == pytest.approx(judged, rel=1e-9)
        assert found.mean_absolute_error() == pytest.approx(mean_absolute_error(y, predicted, sample_weight=w), rel=1e-9)
        shown = CliRunner().invoke(application, ["evaluate", str(run.folder)], terminal_width=200).output
        titles = [cr.pictures.regression_fit(run).title, str(found), str(run), shown, report_page(run)]
        assert [text for text in titles if "each example counts by its weight" not in text] == []
        alone = r2_score(y[:, 0], predicted[:, 0], sample_weight=w)
        assert f"R² = {numeral(alone)}, each" in titles[0]
    assert "by its weight" not in str(cr.fit("2-4-3 tanh", cr.data.from_arrays(X, Y), epochs=1))
