"""PyTorch as it is written by its users, with what makes it fast: the fused optimizer, the shuffled epoch gathered at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from workloads import Array, Data, Workload, floats, orders, targets_of

from peers import Predictor, Setup


def learner(workload: Workload, data: Data, weights: list[Array], setup: Setup) -> _Learner:
    """The network ready to be trained."""
    torch.set_num_threads(setup.threads)
    return _Learner(workload, data, weights)


def predictor(workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
    """The network ready to be used."""
    torch.set_num_threads(setup.threads)
    model = _model(workload, weights)

    def predict(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return model(x)

    return Predictor(lambda x: predict(torch.from_numpy(x)).numpy(), predict, torch.from_numpy)


class _Learner:
    def __init__(self, workload: Workload, data: Data, weights: list[Array]) -> None:
        self.workload, self.random = workload, np.random.default_rng(2)
        self.x, self.y = torch.from_numpy(floats(data.x)), torch.from_numpy(targets_of(workload, data.y))
        self.gathered_x, self.gathered_y = torch.empty_like(self.x), torch.empty_like(self.y)
        self.model: Any = _Copies(weights) if workload.copies > 1 else _model(workload, weights)
        kind = torch.optim.SGD if workload.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = kind(self.model.parameters(), workload.rate, fused=True)

    def train(self, epochs: int) -> None:
        for _ in range(epochs):
            for x, y in self._batches():
                self.optimizer.zero_grad()
                loss(self.workload, self.model(x), y).backward()
                self.optimizer.step()

    def outputs(self, x: Array) -> Array:
        with torch.inference_mode():
            given = torch.from_numpy(floats(x))
            return self.model(given.expand(self.workload.copies, -1, -1) if self.workload.copies > 1 else given).numpy()

    def _batches(self) -> Any:
        batch = self.workload.batch
        if self.workload.copies > 1:
            order = torch.from_numpy(orders(self.workload, self.random, len(self.x)))
            return zip(self.x[order].split(batch, 1), self.y[order].split(batch, 1), strict=True)
        order = torch.randperm(len(self.x))
        torch.index_select(self.x, 0, order, out=self.gathered_x)
        torch.index_select(self.y, 0, order, out=self.gathered_y)
        return zip(self.gathered_x.split(batch), self.gathered_y.split(batch), strict=True)


class _Copies(nn.Module):
    """Networks with one hidden layer side by side, by batched products: three times as fast as torch.func.vmap."""

    def __init__(self, weights: list[Array]) -> None:
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.tensor(weight)) for weight in weights])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden, hidden_bias, last, last_bias = self.weights
        return torch.baddbmm(last_bias, torch.baddbmm(hidden_bias, x, hidden).relu(), last)


def loss(workload: Workload, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mean over the batch; over copies the sum, so that each learns as it would alone."""
    if workload.loss == "half_squared_error":
        return functional.mse_loss(outputs, y, reduction="sum") * (0.5 / len(outputs))
    if workload.copies > 1:
        return functional.mse_loss(outputs, y, reduction="sum") * (1 / outputs.shape[1])
    return {
        "cross_entropy": functional.cross_entropy,
        "mean_squared_error": functional.mse_loss,
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
    }[workload.loss](outputs, y)


def own_weights(workload: Workload, weights: list[Array]) -> list[Array]:
    """Weights as PyTorch's layers hold them: channels before space, outputs before inputs."""
    if workload.network == "lenet":
        first, first_bias, second, second_bias, last, last_bias = weights
        rows = last.reshape(4, 4, 32, 10).transpose(3, 2, 0, 1).reshape(10, 512)
        kernels = (kernel.transpose(3, 2, 0, 1) for kernel in (first, second))
        found = [next(kernels), first_bias, next(kernels), second_bias, rows, last_bias]
        return [np.ascontiguousarray(weight) for weight in found]
    if workload.network == "lstm":
        w, u, b, last, last_bias = weights
        # PyTorch has a second bias, which starts at 0 and is added to the first.
        return [w.T, u.T, b, np.zeros_like(b), last.T, last_bias]
    return [weight.T for weight in weights]  # of a bias, .T changes nothing


class _LastState(nn.Module):
    """An LSTM, of which the last step's state is handed on."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 64, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0][:, -1]


def _layers(workload: Workload) -> list[nn.Module]:
    if workload.network == "lenet":
        pictures = [nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
        return [*pictures, nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 10)]
    if workload.network == "lstm":
        return [_LastState(), nn.Linear(64, 10)]
    layers: list[nn.Module] = []
    activation = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[workload.activation]
    for inputs, outputs in pairwise(workload.sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return layers if workload.loss == "half_squared_error" else layers[:-1]


def _model(workload: Workload, weights: list[Array]) -> nn.Sequential:
    # Channels last is the faster of PyTorch's two orders here; for Dense layers it means nothing.
    model = nn.Sequential(*_layers(workload)).to(memory_format=torch.channels_last)
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), own_weights(workload, weights), strict=True):
            parameter.copy_(torch.from_numpy(weight))
    return model
