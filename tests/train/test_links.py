"""Losses that squash outputs themselves: what is predicted, judged, drawn and written out stands in the units of the targets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.special import expit
from sklearn.metrics import mean_absolute_error, r2_score

import chainrule as cr
from chainrule import pictures
from chainrule.cli.application import application
from chainrule.errors import OptionError
from chainrule.interop.weighing import weighted
from chainrule.sklearn import NeuralNetworkClassifier, NeuralNetworkRegressor

RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(-1, 1, size=(160, 2))
COUNTS = RANDOM.poisson(np.exp(1.5 + X[:, :1])).astype(float)
LABELS = np.c_[X[:, 0] > 0, X[:, 1] > 0, X.sum(axis=1) > 0].astype(float)
CASES = {
    "counts": (COUNTS, "poisson_from_log", ("poisson", "exp"), np.exp),
    "labels": (LABELS, "binary_cross_entropy_from_logits", ("binary_cross_entropy", "sigmoid"), expit),
}
"""Targets, the loss that squashes, the loss and the last activation that are the same together, and the function by SciPy or NumPy."""


def trained(name: str, *, squashes: bool, weights: bool = False) -> cr.Run:
    y, own, (loss, activation), _ = CASES[name]
    net = f"2-8-{y.shape[1]} tanh {'linear' if squashes else activation}"
    chosen = cr.nn.objective(own if squashes else loss)
    data = cr.data.from_arrays(X, np.c_[y, np.ones(len(y))] if weights else y)
    return cr.fit(net, data, loss=weighted(chosen) if weights else chosen, optimizer=cr.Adam(0.03), epochs=40, dtype="float64")


@pytest.mark.parametrize("weights", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("name", CASES)
def test_where_the_loss_squashes_or_the_last_layer_is_the_same_network(name: str, weights: bool) -> None:
    one, other = (trained(name, squashes=squashes, weights=weights) for squashes in (True, False))
    np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=1e-9)
    raw = one.model().quantities(X, {"output"})["output"]
    np.testing.assert_allclose(one.predict(X), CASES[name][3](raw), rtol=1e-9)
    found, wanted = one.evaluate("test"), other.evaluate("test")
    y, outputs = one.data.test.y[:, : raw.shape[1]], one.predict(one.data.test.x)
    assert found.r_squared() == pytest.approx(wanted.r_squared())
    assert found.r_squared() == pytest.approx(r2_score(y, outputs, multioutput="variance_weighted"))
    assert found.mean_absolute_error() == pytest.approx(mean_absolute_error(y, outputs))
    np.testing.assert_allclose(found.errors()[0], outputs - y)
    assert found.loss == pytest.approx(wanted.loss)


@pytest.mark.parametrize("name", CASES)
def test_pictures_files_and_comparisons_hold_what_is_predicted(name: str, tmp_path: Path) -> None:
    run = trained(name, squashes=True)
    x = run.data.test.x
    wanted = run.predict(x)
    np.testing.assert_allclose(pictures.regression_fit(run).numbers["predicted"], wanted[:, 0])
    np.testing.assert_allclose(run.compare(run).here, wanted)
    np.testing.assert_allclose(run.predictor()(x), wanted)
    np.save(tmp_path / "x.npy", x)
    cr.export(run, tmp_path / "net.py")
    code = "import numpy as np, net; np.save('found', net.predict(np.load('x.npy')))"
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), wanted, rtol=1e-12)
    cr.export(run, tmp_path / "net.onnx")
    session = pytest.importorskip("onnxruntime").InferenceSession(tmp_path / "net.onnx")
    np.testing.assert_allclose(session.run(None, {session.get_inputs()[0].name: x})[0], wanted, rtol=1e-9)
    function, parameters = cr.to_jax(run)
    np.testing.assert_allclose(np.asarray(function(parameters, x)), wanted, rtol=1e-5)
    folder = run.save(tmp_path)
    np.savez(tmp_path / "new.npz", x=x)
    said = CliRunner().invoke(application, ["predict", str(folder), str(tmp_path / "new.npz")])
    np.testing.assert_allclose(np.array([line.split(",") for line in said.output.split()[1:]], float), wanted)


def test_scikit_learns_door_gives_means_and_probabilities() -> None:
    settings = {"optimizer": cr.Adam(0.03), "epochs": 40, "random_state": 0, "dtype": "float64"}
    counts = [
        NeuralNetworkRegressor(net, loss=loss, **settings).fit(X, COUNTS[:, 0], weights).predict(X)
        for net, loss in (("2-8-1 tanh", "poisson_from_log"), ("2-8-1 tanh exp", "poisson"))
        for weights in (None, np.ones(len(X)))
    ]
    for found in counts[1:]:
        np.testing.assert_allclose(found, counts[0], rtol=1e-9)
    for y, width in ((LABELS.astype(int), 3), (LABELS[:, 0].astype(int), 1)):
        nets = (
            (f"2-8-{width} tanh", "binary_cross_entropy_from_logits"),
            (f"2-8-{width} tanh sigmoid", "binary_cross_entropy"),
        )
        models = [
            NeuralNetworkClassifier(net, loss=loss, **settings).fit(X, y, weights)
            for net, loss in nets
            for weights in (None, np.ones(len(X)))
        ]
        for model in models[1:]:
            np.testing.assert_allclose(model.predict_proba(X), models[0].predict_proba(X), rtol=1e-9)
            np.testing.assert_array_equal(model.predict(X), models[0].predict(X))


def test_an_answer_is_explained_as_the_logarithm_that_it_is() -> None:
    run = trained("counts", squashes=True)
    found = run.why(0)
    assert "logarithm of output 0" in str(found)
    assert found.at_x == pytest.approx(float(np.log(run.predict(found.x[None])[0, 0])))


@cr.described
class Rate:
    """A loss of a user's own that takes outputs for logarithms of counts, and says so."""

    name = "rate"
    formula = "exp z − y·z"
    target = "values"
    link: str = "exp"

    def __call__(self, output: cr.Node, target: cr.Node) -> cr.Node:
        return cr.ops.sum(cr.ops.exp(output) - target * output, (1,))


def test_a_loss_of_ones_own_says_what_it_applies() -> None:
    run = cr.fit("2-8-1 tanh linear", (X, COUNTS), loss=Rate(), optimizer=cr.Adam(0.03), epochs=40)
    raw = run.model().quantities(X, {"output"})["output"]
    np.testing.assert_allclose(run.predict(X), np.exp(raw), rtol=1e-5)  # in float32
    for wrong in ("expp", "linearly"):
        with pytest.raises(OptionError, match="an activation"):
            cr.fit("2-8-1 tanh linear", (X, COUNTS), loss=Rate(wrong), epochs=1)
