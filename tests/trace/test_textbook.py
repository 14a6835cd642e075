"""Formulas and rules as the books have them, for each loss with each last activation that it takes."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.trace import Explanation

X = np.linspace(-1, 1, 40)[:, None] ** np.array([[1, 2]])
LABELS = (X[:, 0] > 0).astype(int)
NUMBERS = (X > 0.2) * 1.0
ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "softmax")
# What stands for the output's symbol: a. The factor of a mean over two outputs is ½.
OF_NUMBERS = {
    "squared_error": ("Σ ({a} − y)²", "2·({a} − y)"),
    "half_squared_error": ("(Σ ({a} − y)²)·0.5", "({a} − y)"),
    "mean_squared_error": ("(Σ ({a} − y)²)·0.5", "({a} − y)"),
    "half_mean_squared_error": ("(Σ ({a} − y)²)·0.25", "0.5·({a} − y)"),
    "absolute_error": ("Σ |{a} − y|", "sign({a} − y)"),
    "mean_absolute_error": ("(Σ |{a} − y|)·0.5", "0.5·sign({a} − y)"),
    "euclidean_distance": ("‖{a} − y‖", "(({a} − y) / (loss if loss > 0 else 1))"),
    "huber": ("(Σ huber({a} − y))·0.5", "0.5·max(min({a} − y, 1), −1)"),
    "poisson_from_log": ("Σ (y·(log y − {a}) − (y − exp({a})))", "(exp({a}) − y)"),
    "binary_cross_entropy_from_logits": ("Σ (−(y·log σ({a}) + (1 − y)·log(1 − σ({a}))))", "(σ({a}) − y)"),
}
OF_LABELS = {
    "cross_entropy_from_logits": ("−log softmax({a})[y]", "∂C/∂loss·(softmax({a}) − one_hot(y))"),
    "hinge": ("ReLU(1 − margin({a}, y))", "(−(∂C/∂loss if 1 − margin({a}, y) > 0 else 0))·(one_hot(y) − runner_up({a}, y))"),
    "perceptron": ("ReLU(−margin({a}, y))", "(−(∂C/∂loss if −margin({a}, y) > 0 else 0))·(one_hot(y) − runner_up({a}, y))"),
}


def explained(loss: str, activation: str, y: np.ndarray) -> Explanation:
    data = cr.data.from_arrays(X, y, scaling="none", **({} if y.ndim == 1 else {"target_scaling": "none"}))
    return cr.fit(cr.Sequential(cr.Dense(2, activation)), data, loss=loss, epochs=1).explain(3)


def rules(explanation: Explanation) -> dict[str, str]:
    """What the loss passes back, by what it is passed to."""
    return {step.input.name: step.rule for step in explanation.backward if step.quantity.name == "loss"}


def formula(explanation: Explanation, name: str = "loss") -> str:
    (found,) = (step.formula for step in explanation.forward if step.quantity.name == name)
    return found


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", [*OF_NUMBERS, *OF_LABELS])
def test_each_loss_with_each_activation_reads_as_in_the_books(loss: str, activation: str) -> None:
    if loss.endswith("from_logits") and activation in {"sigmoid", "softmax"}:
        with pytest.raises(cr.errors.LossError, match="logits"):
            explained(loss, activation, LABELS if loss in OF_LABELS else NUMBERS)
        return
    found = explained(loss, activation, LABELS if loss in OF_LABELS else NUMBERS)
    output = "dense1.z" if activation == "linear" else "dense1.a"
    written, rule = (OF_LABELS | {k: (f, f"∂C/∂loss·{r}") for k, (f, r) in OF_NUMBERS.items()})[loss]
    assert formula(found) == written.format(a=output)
    assert rules(found)[output] == rule.format(a=output)
    assert found.agrees


def test_softmax_with_cross_entropy_passes_back_softmax_minus_y_and_shows_the_way_through_a() -> None:
    found = explained("cross_entropy", "softmax", LABELS)
    assert formula(found) == "−log softmax(dense1.z)[y]"
    assert formula(found, "dense1.a") == "softmax(dense1.z)"
    assert rules(found) == {
        "dense1.z": "∂C/∂loss·(softmax(dense1.z) − one_hot(y))",
        "dense1.a": "(−∂C/∂loss)·one_hot(y) / dense1.a",
    }
    label = int(found.trace.value("y")[0])
    a, by_a = found.trace.value("dense1.a"), found.trace.derivative("dense1.a")
    assert by_a is not None
    np.testing.assert_allclose(by_a[0, label], -1 / a[0, label], rtol=1e-15)
    np.testing.assert_array_equal(by_a[0, 1 - label], 0.0)
    np.testing.assert_allclose(found.trace.derivative("dense1.z")[0], a[0] - np.eye(2)[label], rtol=1e-14)
    assert "does not depend" not in str(found)
    assert "the pass goes straight to dense1.z" in str(found)


def test_sigmoid_with_its_loss_passes_back_sigma_minus_y_and_shows_the_way_through_a() -> None:
    found = explained("binary_cross_entropy", "sigmoid", NUMBERS)
    assert rules(found)["dense1.z"] == "∂C/∂loss·(σ(dense1.z) − y)"
    a, y, by_a = (found.trace.value("dense1.a"), found.trace.value("y"), found.trace.derivative("dense1.a"))
    np.testing.assert_allclose(by_a, (a - y) / (a * (1 - a)), rtol=1e-12)


@pytest.mark.parametrize(("activation", "prime"), [("sigmoid", "σ′(dense1.z[0,1])"), ("tanh", "tanh′(dense1.z[0,1])")])
def test_factors_read_as_in_the_lectures(activation: str, prime: str) -> None:
    data = cr.data.from_arrays(X, NUMBERS, scaling="none", target_scaling="none")
    run = cr.fit(cr.Sequential(cr.Dense(2, activation), cr.Dense(2)), data, loss="squared_error", epochs=1)
    text = str(run.explain(3, level="numbers", entries=[("dense1.W", (0, 1)), ("dense2.W", (1, 0)), ("dense2.b", (0,))]))
    assert "∂dense1.z[0,1]/∂dense1.W[0,1] = x[0,0]" in text
    assert "∂dense2.z[0,0]/∂dense2.W[1,0] = dense1.a[0,1]" in text
    assert "∂loss[0]/∂dense2.z[0,0] = 2·(dense2.z − y)" in text
    assert "loss = Σ (dense2.z − y)²" in text
    assert prime in text or "a sum over 2 paths" in text


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0, 300.0])
def test_losses_of_saturated_outputs_keep_their_digits(size: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    z, labels = np.array([[0.3, -0.2, 1.0], [2.0, 1.5, -1.0]]) * size, np.array([2, 0])
    node = cr.input_node("z", z.shape)
    loss = cr.ops.softmax_cross_entropy(node, cr.input_node("y", (2,), "int64"))
    leaves = {"z": z, "y": labels}
    (slope,) = cr.grad(cr.ops.sum(loss), [node])
    with mpmath.workdps(400):
        exact = [[mpmath.exp(mpmath.mpf(v)) for v in row] for row in z]
        wanted = [float(-mpmath.log(row[k] / sum(row))) for row, k in zip(exact, labels, strict=True)]
        errors = [[float(e / sum(row) - (j == k)) for j, e in enumerate(row)] for row, k in zip(exact, labels, strict=True)]
    for engine in ("reference", "native"):
        found = cr.engines.engine_named(engine).compile(cr.Graph({"loss": loss, "slope": slope}))(leaves)
        np.testing.assert_allclose(found["loss"], wanted, rtol=1e-13 * max(size, 1.0))
        np.testing.assert_allclose(found["slope"], errors, rtol=1e-13 * max(size, 1.0))
