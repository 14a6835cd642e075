"""Methods that search along the full batch: what they minimise is what then predicts, or they refuse."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3)) * [1.0, 10.0, 0.1] + [5.0, 0.0, 2.0]
Y = np.sin(X[:, :1]) + X[:, 1:2] / 10
METHODS = {"L-BFGS": cr.LBFGS(iterations=12), "Levenberg-Marquardt": cr.LevenbergMarquardt(iterations=6)}


@cr.described
class Counting:
    """A layer of a user's own whose state acts on what it gives."""

    def __call__(self, x: cr.Node) -> cr.Node:
        with cr.nn.layer_scope(self, "counting", x) as here:
            count = here.state("count", (), cr.Zeros())
            here.next_state("count", count + 1.0)
            return here.gives(x * (1.0 + cr.ops.broadcast_to(count, shape=x.shape)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (cr.Dropout(0.3), "dropout1, which draws anew"),
        (cr.GaussianNoise(0.1), "noise1, which draws anew"),
        (cr.BatchNorm(), "batch_norm1, which has a state"),
        (cr.Residual(cr.BatchNorm()), "batch_norm1, which has a state"),
        (Counting(), "counting1, which has a state"),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_a_cost_that_is_another_one_at_each_step_is_refused_before_a_folder_is_made(
    method: str, layer: cr.nn.Layer, words: str, tmp_path: Path
) -> None:
    net = cr.Sequential(cr.Dense(6, "tanh"), layer, cr.Dense(1))
    with pytest.raises(OptionError, match=f"{method} with {words}"):
        cr.fit(net, (X, Y), optimizer=METHODS[method], folder=tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "layer",
    [cr.LayerNorm(), cr.Frozen(cr.BatchNorm()), cr.Dropout(0.0), cr.Dense(4, "softplus")],
    ids=lambda given: repr(given),
)
def test_what_was_minimised_is_what_predicts(method: str, layer: cr.nn.Layer) -> None:
    net = cr.Sequential(cr.Dense(6, "tanh"), layer, cr.Dense(1))
    run = cr.fit(net, cr.data.from_arrays(X, Y, split=None), optimizer=METHODS[method])
    scaling = run.dataset_info.target_scaling
    assert scaling is not None
    squares = np.mean((scaling.apply(run.predict(X)) - scaling.apply(Y)) ** 2)
    # The last cost that was noted is that after the last iteration.
    assert run.history.steps()[0, -1] == pytest.approx(squares, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("clip", [cr.ClipNorm(1e-3), cr.ClipValue(1e-3)])
def test_a_gradient_that_is_clipped_is_refused(method: str, clip: cr.ClipNorm | cr.ClipValue) -> None:
    with pytest.raises(OptionError, match="clip"):
        cr.fit("3-5-1 tanh", (X, Y), optimizer=METHODS[method], clip=clip)


def test_a_memory_that_begins_anew_with_each_epoch_is_no_state_of_a_search() -> None:
    x = RANDOM.normal(size=(20, 4, 2))
    layer = cr.RNN(3, stateful=True)
    data = cr.data.from_arrays(x, x[:, :, 0].sum(axis=1), split=None)
    runs = [
        cr.fit(cr.Sequential(one, cr.Dense(1)), data, optimizer=cr.LBFGS(iterations=8), order="consecutive")
        for one in (layer, dataclasses.replace(layer, stateful=False))
    ]
    np.testing.assert_allclose(runs[0].predict(x), runs[1].predict(x), rtol=1e-9)


WEIGHTS = RANDOM.uniform(0.2, 3.0, 60)


def test_levenberg_marquardt_finds_weighted_least_squares() -> None:
    """What NumPy solves in closed form; the rows of a weight w count √w times."""
    targets = np.column_stack([Y, Y**2])
    data = cr.data.from_arrays(X, np.column_stack([targets, WEIGHTS]), split=None)
    run = cr.fit("3-2", data, loss=cr.Weighted(cr.SquaredError()), optimizer=cr.LevenbergMarquardt())
    root, rows = np.sqrt(WEIGHTS)[:, None], np.column_stack([X, np.ones(60)])
    solved = np.linalg.lstsq(root * rows, root * targets, rcond=None)[0]
    np.testing.assert_allclose(run.predict(X), rows @ solved, rtol=1e-9)
    assert "converged" in run.stopped


@cr.described
class Relative:
    """A loss of a user's own: weights before a sum over outputs, as a divisor, and beside a factor."""

    name = "relative"
    formula = "3·Σ_j y_j·(a_j − y_j)²/(1 + y_j)"
    target = "values"

    def __call__(self, output: cr.Node, target: cr.Node) -> cr.Node:
        return 3.0 * cr.ops.sum(target * cr.ops.square(output - target) / (1.0 + target), axis=1)


def test_weights_of_a_loss_of_ones_own_are_weights_wherever_they_stand() -> None:
    data = cr.data.from_arrays(X, np.exp(np.column_stack([Y, -Y])), split=None, target_scaling="none")
    loss = cr.nn.Objective((Relative(), cr.L2(1e-3)))
    costs = [
        float(cr.fit("3-2", data, loss=loss, optimizer=method).evaluate("training").loss[0])
        for method in (cr.LevenbergMarquardt(), cr.LBFGS(iterations=500))
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-9)


def test_a_weight_below_0_has_no_square_root() -> None:
    data = cr.data.from_arrays(
        X, np.column_stack([np.abs(Y), np.where(X[:, :1] > 4, 1.0, -0.25)]), split=None, target_scaling="none"
    )
    first = int(np.argmax(X[:, 0] <= 4))
    with pytest.raises(OptionError, match=rf"counts by a number below 0.*, example {first} of the") as told:
        cr.fit("3-2", data, loss=Relative(), optimizer=cr.LevenbergMarquardt())
    assert "LBFGS" in told.value.remedy


@pytest.mark.parametrize("layer", [cr.RNN(2), cr.GRU(2), cr.LSTM(2), cr.Bidirectional(cr.GRU(2))], ids=repr)
def test_levenberg_marquardt_goes_through_time(layer: cr.nn.Layer) -> None:
    sequences = RANDOM.normal(size=(20, 5, 2))
    data = cr.data.from_arrays(sequences, sequences.sum((1, 2)), split=None)
    costs = cr.fit(cr.Sequential(layer, cr.Dense(1)), data, optimizer=cr.LevenbergMarquardt(iterations=15)).history.steps()[0]
    assert len(costs) == 15
    assert np.all(np.diff(costs) < 0)
    assert costs[-1] < 0.5 * costs[0]
