"""Two classes by one output: where the border lies follows from what the loss compares the output with, through every door."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

import chainrule as cr
from chainrule.sklearn import NeuralNetworkClassifier

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(240, 2))
Y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)


@cr.described
class Robust:
    """A loss of a user's own that compares an output with 0 and 1."""

    name = "robust"
    formula = "log(1 + (a − y)²)"
    target = "values"

    def __call__(self, output: cr.Node, target: cr.Node) -> cr.Node:
        return cr.ops.sum(cr.ops.log(1.0 + cr.ops.square(output - target)), (1,))


@cr.described
class Logistic:
    """A loss of a user's own that takes an output for a logit."""

    name = "logistic"
    formula = "log(1 + exp z) − y·z"
    target = "values"

    def __call__(self, output: cr.Node, target: cr.Node) -> cr.Node:
        return cr.ops.sum(cr.ops.softplus(output) - output * target, (1,))


LOSSES = {
    "mean_squared_error": 0.5, "half_squared_error": 0.5, "mean_absolute_error": 0.5, "euclidean_distance": 0.5, cr.Huber(0.3): 0.5,
    Robust(): 0.5, "hinge": 0.0, "perceptron": 0.0, "binary_cross_entropy_from_logits": 0.0, Logistic(): 0.0, None: 0.0,
}  # fmt: skip
"""Losses on a linear output, each with the border between the classes."""


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_border_lies_where_the_loss_is_undecided(loss: object, tmp_path: Path) -> None:
    run = cr.fit("2-8-1 tanh linear", (X, Y), loss=loss, optimizer=cr.Adam(0.05), epochs=60)
    outputs = run.predict(X)[:, 0]
    decided = (outputs > LOSSES[loss]).astype(int)
    assert np.mean(decided == Y) > 0.9
    assert run.classify(X) == [str(label) for label in decided]
    np.testing.assert_array_equal(run.model().decide(X), decided)
    train = run.data.train
    right = np.mean((run.predict(train.x)[:, 0] > LOSSES[loss]) == train.y)
    assert run.evaluate("training").accuracy().value == pytest.approx(right)
    assert run.why(X[0], of=None).of == str(decided[0])
    cr.export(run, tmp_path / "net.py")
    code = "import numpy as np, net; np.save('found', net.predict(np.load('x.npy'))['class_index'])"
    np.save(tmp_path / "x.npy", X)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy").reshape(-1), decided)


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_outputs_of_other_ranges_are_compared_with_0_and_1_too(activation: str) -> None:
    run = cr.fit(f"2-8-1 tanh {activation}", (X, Y), loss="mean_squared_error", optimizer=cr.Adam(0.05), epochs=80)
    assert run.evaluate("training").accuracy().value > 0.9


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss not in ("perceptron",)], ids=str)
def test_weights_that_are_all_alike_move_no_border(loss: object) -> None:
    def fitted(weights: np.ndarray | None) -> NeuralNetworkClassifier:
        model = NeuralNetworkClassifier("2-6-1 tanh linear", loss=loss, optimizer=cr.Adam(0.05), epochs=30, random_state=0)
        return model.fit(X, Y, sample_weight=weights)

    plain, weighted = fitted(None), fitted(np.full(len(X), 3.0))
    assert plain.score(X, Y) > 0.9
    np.testing.assert_array_equal(weighted.predict(X), plain.predict(X))


def test_a_contrast_of_one_output_says_what_it_is() -> None:
    for loss in ("mean_squared_error", "hinge", None):
        run = cr.fit("2-4-1 tanh linear", (X, Y), loss=loss, epochs=5)
        found = run.why(X[0], of=1)
        z = float(run.model().quantities(X[:1], {"output"})["output"][0, 0])
        assert found.at_x == pytest.approx(z)
        is_odds = loss is None
        assert ("log p(1)/p(0)" in str(found)) is is_odds
        if is_odds:
            p = float(run.probabilities(X[:1])[0, 1])
            assert math.log(p / (1 - p)) == pytest.approx(z, abs=2e-6)  # p is a float32
            assert p == pytest.approx(float(expit(z)), abs=1e-6)


BORDERS = {
    ("mean_squared_error", "linear"): 0.5, ("euclidean_distance", "elu"): 0.5, ("huber", "exp"): 0.5, ("hinge", "linear"): 0.0,
    ("hinge", "relu"): 0.5, ("binary_cross_entropy_from_logits", "linear"): 0.0, ("binary_cross_entropy", "sigmoid"): 0.5,
    ("poisson", "exp"): 0.5, ("poisson", "softplus"): 0.5, ("poisson_from_log", "linear"): math.log(0.5),
}  # fmt: skip
LINKED = {"binary_cross_entropy_from_logits": expit, "poisson_from_log": np.exp}


@pytest.mark.parametrize(("loss", "last"), BORDERS)
@pytest.mark.parametrize("weighted", [False, True], ids=["labels", "weights"])
def test_one_output_decides_where_the_loss_wants_it_for_an_even_chance(loss: str, last: str, weighted: bool) -> None:
    """Whatever comes often is predicted often: an output that is fitted to classes of 3 to 1 says the frequent one, and no other."""
    border = BORDERS[loss, last]
    if weighted and loss in LINKED:  # targets are numbers there, and so are predictions
        border = LINKED[loss](border)
    for often in (0, 1):
        labels = np.where(np.arange(40) % 4 == 0, 1 - often, often)
        y, chosen = (np.c_[labels, np.ones(40)], cr.Weighted(cr.nn.LOSSES[loss])) if weighted else (labels, loss)
        net = cr.Sequential(cr.Frozen(cr.Dense(1, weights=cr.Zeros())), cr.Dense(1, last, biases=cr.Constant(0.3)))
        data = cr.data.from_arrays(X[:40], y, split=None, target_scaling="none")
        run = cr.fit(net, data, loss=chosen, optimizer=cr.Adam(0.05), epochs=200)
        assert run.problem.threshold == pytest.approx(border, abs=1e-5)
        assert run.model().decide(X[:40]).tolist() == [often] * 40


def test_a_perceptron_whose_output_is_never_negative_is_refused() -> None:
    """An output of 0 is right for both classes, whatever is learned."""
    for last in ("relu", "softplus", "sigmoid", "exp"):
        with pytest.raises(cr.errors.LossError, match="never negative"):
            cr.fit(f"2-4-1 tanh {last}", cr.data.moons(40), loss="perceptron", epochs=1)
