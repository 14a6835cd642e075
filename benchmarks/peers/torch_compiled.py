"""PyTorch with torch.compile over the whole step: gathering, forward, gradients and update; compiles for many seconds."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional
from workloads import Array, Data, Workload, floats, orders, targets_of

from peers import Predictor, Setup
from peers.torch_eager import loss, own_weights

Tensors = list[torch.Tensor]


def learner(workload: Workload, data: Data, weights: list[Array], setup: Setup) -> _Learner:
    """The network ready to be trained."""
    torch.set_num_threads(setup.threads)
    return _Learner(workload, data, weights)


def predictor(workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
    """The network ready to be used."""
    torch.set_num_threads(setup.threads)
    tensors = [torch.tensor(weight) for weight in weights]
    compiled = torch.compile(lambda x: _forward(workload, tensors, x), fullgraph=True, dynamic=False)

    def predict(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return compiled(x)

    return Predictor(lambda x: predict(torch.from_numpy(x)).numpy(), predict, torch.from_numpy)


class _Learner:
    def __init__(self, workload: Workload, data: Data, weights: list[Array]) -> None:
        self.workload, self.random = workload, np.random.default_rng(2)
        self.x, self.y = torch.from_numpy(floats(data.x)), torch.from_numpy(targets_of(workload, data.y))
        self.weights = [
            torch.tensor(weight) for weight in (weights if workload.network == "dense" else own_weights(workload, weights))
        ]
        self.means = [torch.zeros_like(weight) for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self.steps = torch.zeros(())
        self.step = torch.compile(self._step, fullgraph=True, dynamic=False, options={"cpp_wrapper": True})

    def train(self, epochs: int) -> None:
        with torch.inference_mode():
            for _ in range(epochs):
                # 64-bit rows: the compiled gather indexes with nothing else.
                order = torch.from_numpy(orders(self.workload, self.random, len(self.x)).astype(np.int64))
                for rows in order.split(self.workload.batch, -1):
                    self.step(self.weights, self.means, self.squares, self.steps, self.x, self.y, rows)

    def outputs(self, x: Array) -> Array:
        with torch.inference_mode():
            given = torch.from_numpy(floats(x))
            several = given.expand(self.workload.copies, -1, -1) if self.workload.copies > 1 else given
            return _forward(self.workload, self.weights, several).numpy()

    def _step(
        self,
        weights: Tensors,
        means: Tensors,
        squares: Tensors,
        steps: torch.Tensor,
        x: torch.Tensor,
        y: torch.Tensor,
        rows: torch.Tensor,
    ) -> None:
        def objective(weights: Tensors) -> torch.Tensor:
            return loss(self.workload, _forward(self.workload, weights, x[rows]), y[rows])

        gradients = torch.func.grad(objective)(weights)
        rate = self.workload.rate
        if self.workload.optimizer == "sgd":
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.sub_(gradient, alpha=rate)
            return
        steps.add_(1)
        for weight, mean, square, gradient in zip(weights, means, squares, gradients, strict=True):
            mean.lerp_(gradient, 0.1)
            square.lerp_(gradient * gradient, 0.001)
            root = (square / (1 - 0.999**steps)).sqrt()
            weight.sub_(rate / (1 - 0.9**steps) * mean / (root + 1e-8))


def _forward(workload: Workload, weights: Tensors, x: torch.Tensor) -> torch.Tensor:
    if workload.network == "lenet":
        x = x.reshape(-1, 1, 28, 28)
        for kernel, bias in (weights[:2], weights[2:4]):
            x = functional.max_pool2d(functional.conv2d(x, kernel, bias).relu(), 2)
        return functional.linear(x.flatten(1), weights[4], weights[5])
    if workload.network == "lstm":
        return _lstm(weights, x)
    product = torch.baddbmm if workload.copies > 1 else torch.addmm
    activate = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[workload.activation]
    for layer in range(0, len(weights) - 2, 2):
        x = activate(product(weights[layer + 1], x, weights[layer]))
    z = product(weights[-1], x, weights[-2])
    return z.sigmoid() if workload.loss == "half_squared_error" else z


def _lstm(weights: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Step by step, for the compiler to unroll; own_weights' second bias is left as it is."""
    w, u, b, second_bias, last, last_bias = weights
    given = functional.linear(x, w, b + second_bias)
    h = c = torch.zeros(len(x), u.shape[1])
    for time in range(x.shape[1]):
        i, f, g, o = (given[:, time] + functional.linear(h, u)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    return functional.linear(h, last, last_bias)
