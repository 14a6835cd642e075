"""JAX in its best form: all epochs of a call in one program, lax.scan over epochs and over batches, the state donated.

Convolutions are an exception: inside of a scan XLA's take 26 times as long as PyTorch's, so there a program is a step.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from workloads import Array, Data, Workload, orders, targets_of

from peers import Predictor, Setup


def learner(workload: Workload, data: Data, weights: list[Array], setup: Setup) -> _Learner:
    """The network ready to be trained; images stay bytes until they are in their batch, which is faster here."""
    return _Learner(workload, data, weights)


def predictor(workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
    """The network ready to be used."""
    compiled, on_device = jax.jit(partial(_forward, workload)), [jnp.asarray(weight) for weight in weights]
    return Predictor(
        lambda x: np.asarray(compiled(on_device, x)), lambda x: compiled(on_device, x).block_until_ready(), jnp.asarray
    )


class _Learner:
    def __init__(self, workload: Workload, data: Data, weights: list[Array]) -> None:
        self.workload, self.random = workload, np.random.default_rng(2)
        self.x, self.y = jnp.asarray(data.x), jnp.asarray(targets_of(workload, data.y))
        on_device = [jnp.asarray(weight) for weight in weights]
        slots = [[jnp.zeros_like(weight) for weight in weights] if workload.optimizer == "adam" else [] for _ in range(2)]
        self.state: Any = (on_device, *slots, jnp.zeros(()))
        self.program = jax.jit(partial(_epochs, workload), donate_argnums=0)
        self.step = jax.jit(partial(_step, workload), donate_argnums=2)
        one = partial(_forward, workload)
        self.forward = jax.jit(jax.vmap(one, (0, None)) if workload.copies > 1 else one)

    def train(self, epochs: int) -> None:
        order = np.stack([orders(self.workload, self.random, len(self.x)) for _ in range(epochs)])
        if self.workload.network == "lenet":
            for rows in (
                rows for row in order for rows in np.split(row, range(self.workload.batch, len(row), self.workload.batch))
            ):
                self.state = self.step(self.x, self.y, self.state, rows)
            jax.block_until_ready(self.state)
            return
        self.state = jax.block_until_ready(self.program(self.state, self.x, self.y, order))

    def outputs(self, x: Array) -> Array:
        return np.asarray(self.forward(self.state[0], x))


def _forward(workload: Workload, weights: list[Any], x: Any) -> Any:
    activate = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}[workload.activation]
    if x.dtype == np.uint8:
        x = x.astype(np.float32) * (1 / 255)
    if workload.network == "lenet":
        return _lenet(weights, x)
    if workload.network == "lstm":
        return _lstm(weights, x)
    for layer in range(0, len(weights) - 2, 2):
        x = activate(x @ weights[layer] + weights[layer + 1])
    z = x @ weights[-2] + weights[-1]
    return jax.nn.sigmoid(z) if workload.loss == "half_squared_error" else z


def _lenet(weights: list[Any], x: Any) -> Any:
    x = x.reshape(-1, 28, 28, 1)
    for kernel, bias in (weights[:2], weights[2:4]):
        seen = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = lax.reduce_window(jax.nn.relu(seen + bias), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return x.reshape(len(x), -1) @ weights[4] + weights[5]


def _lstm(weights: list[Any], x: Any) -> Any:
    w, u, b, last, last_bias = weights
    # What does not wait for the step before is one product for all steps.
    given = jnp.moveaxis(x @ w + b, 1, 0)

    def step(state: Any, z: Any) -> tuple[Any, None]:
        h, c = state
        i, f, g, o = jnp.split(z + h @ u, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    start = jnp.zeros((len(x), u.shape[0]), x.dtype)
    (h, _), _ = lax.scan(step, (start, start), given)
    return h @ last + last_bias


def _loss(workload: Workload, weights: list[Any], x: Any, y: Any) -> Any:
    outputs = _forward(workload, weights, x)
    if workload.loss == "cross_entropy":
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], 1).mean()
    if workload.loss == "binary_cross_entropy":
        return (jax.nn.softplus(outputs) - y * outputs).mean()
    squared = (outputs - y) ** 2
    return squared.mean() if workload.loss == "mean_squared_error" else 0.5 * squared.sum(1).mean()


def _step(workload: Workload, x: Any, y: Any, state: Any, rows: Any) -> Any:
    weights, means, squares, steps = state
    gradient = jax.grad(partial(_loss, workload))
    gradients = (jax.vmap(gradient) if workload.copies > 1 else gradient)(weights, x[rows], y[rows])
    if workload.optimizer == "sgd":
        return [w - workload.rate * g for w, g in zip(weights, gradients, strict=True)], means, squares, steps
    steps = steps + 1
    means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
    squares = [0.999 * s + 0.001 * g * g for s, g in zip(squares, gradients, strict=True)]
    rate = workload.rate / (1 - 0.9**steps)
    correction = 1 - 0.999**steps
    weights = [w - rate * m / (jnp.sqrt(s / correction) + 1e-8) for w, m, s in zip(weights, means, squares, strict=True)]
    return weights, means, squares, steps


def _epochs(workload: Workload, state: Any, x: Any, y: Any, order: Any) -> Any:
    step, batch, count = partial(_step, workload, x, y), workload.batch, order.shape[-1]
    whole = count // batch * batch

    def epoch(state: Any, order: Any) -> tuple[Any, None]:
        batches = jnp.moveaxis(order[..., :whole].reshape(*order.shape[:-1], -1, batch), -2, 0)
        state, _ = lax.scan(lambda state, rows: (step(state, rows), None), state, batches)
        return (step(state, order[..., whole:]) if count % batch else state), None

    return lax.scan(epoch, state, order)[0]
