"""NumPy by hand: forward, backward and update written out, as a careful user would; copies by products with a leading axis."""

from __future__ import annotations

import numpy as np
from workloads import Array, Data, Workload, floats, orders, targets_of

from peers import Predictor, Setup


def learner(workload: Workload, data: Data, weights: list[Array], setup: Setup) -> _Learner:
    """The network ready to be trained."""
    return _Learner(workload, data, weights)


def predictor(workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
    """The network ready to be used."""

    def predict(x: Array) -> Array:
        return forward(workload, weights, x)[-1]

    return Predictor(predict, predict)


class _Learner:
    def __init__(self, workload: Workload, data: Data, weights: list[Array]) -> None:
        self.workload, self.weights = workload, [weight.copy() for weight in weights]
        self.x, self.y = floats(data.x), targets_of(workload, data.y)
        self.means = [np.zeros_like(weight) for weight in weights]
        self.squares = [np.zeros_like(weight) for weight in weights]
        self.steps, self.random = 0, np.random.default_rng(2)
        self.update = self._sgd if workload.optimizer == "sgd" else self._adam

    def train(self, epochs: int) -> None:
        for _ in range(epochs):
            order = orders(self.workload, self.random, len(self.x))
            for start in range(0, len(self.x), self.workload.batch):
                rows = order[..., start : start + self.workload.batch]
                self.update(self._gradients(self.x[rows], self.y[rows]))

    def outputs(self, x: Array) -> Array:
        return forward(self.workload, self.weights, floats(x))[-1]

    def _gradients(self, x: Array, y: Array) -> list[Array]:
        activations = forward(self.workload, self.weights, x)
        error = _output_error(self.workload, activations[-1], y)
        gradients: list[Array] = []
        for layer in range(len(self.weights) // 2 - 1, -1, -1):
            a = activations[layer]
            gradients += [error.sum(-2, keepdims=error.ndim == 3), a.swapaxes(-1, -2) @ error]
            if layer:
                error = error @ self.weights[2 * layer].swapaxes(-1, -2)
                error *= {"relu": lambda a: a > 0, "tanh": lambda a: 1 - a * a, "sigmoid": lambda a: a * (1 - a)}[
                    self.workload.activation
                ](a)
        return gradients[::-1]

    def _sgd(self, gradients: list[Array]) -> None:
        for weight, gradient in zip(self.weights, gradients, strict=True):
            gradient *= np.float32(self.workload.rate)
            weight -= gradient

    def _adam(self, gradients: list[Array]) -> None:
        self.steps += 1
        rate = np.float32(self.workload.rate / (1 - 0.9**self.steps))
        correction = np.float32((1 - 0.999**self.steps) ** -0.5)
        for weight, mean, square, gradient in zip(self.weights, self.means, self.squares, gradients, strict=True):
            mean *= np.float32(0.9)
            mean += np.float32(0.1) * gradient
            square *= np.float32(0.999)
            gradient *= gradient
            gradient *= np.float32(0.001)
            square += gradient
            # From here on `gradient` is only room for the step.
            np.sqrt(square, gradient)
            gradient *= correction
            gradient += np.float32(1e-8)
            np.divide(mean, gradient, gradient)
            gradient *= rate
            weight -= gradient


def forward(workload: Workload, weights: list[Array], x: Array) -> list[Array]:
    """The inputs, each hidden layer's activations, and the outputs: logits, but for the quadratic cost its sigmoids."""
    activations = [x]
    for layer in range(0, len(weights), 2):
        z = activations[-1] @ weights[layer]
        z += weights[layer + 1]
        if layer < len(weights) - 2:
            z = _activate(workload.activation, z)
        activations.append(z)
    if workload.loss == "half_squared_error":
        activations[-1] = _activate("sigmoid", activations[-1])
    return activations


def _activate(name: str, z: Array) -> Array:
    if name == "relu":
        return np.maximum(z, 0, z)
    return np.tanh(z, z) if name == "tanh" else 1 / (1 + np.exp(-z))


def _output_error(workload: Workload, outputs: Array, y: Array) -> Array:
    """The gradient of the loss by what comes out of the last product."""
    per_example = np.float32(1 / outputs.shape[-2])
    if workload.loss == "cross_entropy":
        error = np.exp(outputs - outputs.max(1, keepdims=True))
        error /= error.sum(1, keepdims=True)
        error[np.arange(len(y)), y] -= 1
        return error * per_example
    if workload.loss == "half_squared_error":
        return (outputs - y) * outputs * (1 - outputs) * per_example
    if workload.loss == "binary_cross_entropy":
        return (_activate("sigmoid", outputs) - y) * per_example
    return (outputs - y) * (2 * per_example)
