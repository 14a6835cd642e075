"""The practical floor: floor.c, written by hand for these very networks, on one thread; copies are shared out among threads."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from floor import open_floor, pointer
from workloads import Array, Data, Workload, floats

from peers import Learner, Predictor, Setup
from peers.numpy_by_hand import forward

UNITS = 64
"""How many hidden units the library reserves for the curve: 50 and room to the next full vector."""


def learner(workload: Workload, data: Data, weights: list[Array], setup: Setup) -> Learner:
    """The network ready to be trained."""
    return _Digits(workload, data, weights) if workload.data == "mnist" else _Curves(workload, data, weights, setup.threads)


def predictor(workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
    """The network ready to be used."""
    library, wide = _compiled(), [_to_16_columns(weight) for weight in weights]
    addresses = [pointer(weight) for weight in wide]

    def predict(x: Array) -> Array:
        out = np.empty((len(x), 16), np.float32)
        library.digits_predict(pointer(x), len(x), *addresses, pointer(out))
        return out[:, :10]

    predict.weights = wide  # type: ignore[attr-defined]  # the addresses must stay good as long as the function
    return Predictor(predict, predict)


def _compiled() -> ctypes.CDLL:
    path = os.environ.get("BENCH_FLOOR")
    if path is None:
        raise ImportError("gcc, which compiles it, is not here")
    return open_floor(path)


def _to_16_columns(weight: Array) -> Array:
    # All layers have 16 columns, and from the second on 16 rows.
    wide = np.zeros((*weight.shape[:-1], 16), np.float32)
    wide[..., : weight.shape[-1]] = weight
    return wide


class _Digits:
    def __init__(self, workload: Workload, data: Data, weights: list[Array]) -> None:
        self.workload, self.compiled, self.random = workload, _compiled(), np.random.default_rng(2)
        self.x, self.labels = data.x, data.y.astype(np.int32)
        self.weights = [_to_16_columns(weight) for weight in weights]

    def train(self, epochs: int) -> None:
        addresses = [pointer(weight) for weight in self.weights]
        for _ in range(epochs):
            order = self.random.permutation(np.arange(len(self.x), dtype=np.int32))
            rate = ctypes.c_float(self.workload.rate)
            self.compiled.digits_epoch(pointer(self.x), pointer(self.labels), pointer(order), len(order), *addresses, rate)

    def outputs(self, x: Array) -> Array:
        return forward(self.workload, self.weights, floats(x))[-1][:, :10]


class _Curves:
    def __init__(self, workload: Workload, data: Data, weights: list[Array], threads: int) -> None:
        self.compiled, self.data, self.copies = _compiled(), data, workload.copies
        self.parameters = np.zeros((self.copies, 3 * UNITS + 16), np.float32)
        for start, weight in zip(range(0, 4 * UNITS, UNITS), weights, strict=True):
            rows = weight.reshape(self.copies, -1)
            self.parameters[:, start : start + rows.shape[1]] = rows
        self.means, self.squares = np.zeros_like(self.parameters), np.zeros_like(self.parameters)
        self.steps = [0] * self.copies
        self.seeds = np.arange(1, self.copies + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        self.pool = ThreadPoolExecutor(threads)

    def train(self, epochs: int) -> None:
        if self.copies == 1:
            self._train_one(0, epochs)
        else:
            list(self.pool.map(self._train_one, range(self.copies), [epochs] * self.copies))

    def _train_one(self, copy: int, epochs: int) -> None:
        own = [pointer(array[copy]) for array in (self.parameters, self.means, self.squares)]
        x, y, steps = pointer(self.data.x), pointer(self.data.y), ctypes.c_long(self.steps[copy])
        seed = pointer(self.seeds[copy : copy + 1])
        self.steps[copy] = self.compiled.curve_train(x, y, len(self.data.x), *own, steps, epochs, seed)

    def outputs(self, x: Array) -> Array:
        w1, b1, w2 = (self.parameters[:, None, start : start + UNITS] for start in range(0, 3 * UNITS, UNITS))
        hidden = np.maximum(x * w1 + b1, 0)
        found = hidden @ w2.swapaxes(1, 2) + self.parameters[:, 3 * UNITS, None, None]
        return found if self.copies > 1 else found[0]
