"""What is measured: workloads, their data and first weights, the same for all competitors; and what is required of ours."""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Workload:
    """A network, its data, how it is trained, and how many epochs are one unit of measuring."""

    name: str
    sizes: tuple[int, ...]
    activation: Literal["relu", "sigmoid", "tanh"]
    loss: Literal["cross_entropy", "half_squared_error", "mean_squared_error", "binary_cross_entropy"]
    data: Literal["mnist", "curve", "spirals", "sequences"]
    batch: int
    optimizer: Literal["sgd", "adam"]
    rate: float
    epochs: int = 1
    copies: int = 1
    kind: Literal["training", "prediction", "process"] = "training"
    network: Literal["dense", "lenet", "lstm"] = "dense"

    @property
    def description(self) -> str:
        """In one line, for tables."""
        network = NETWORKS.get(self.network, "-".join(map(str, self.sizes)))
        if self.kind == "prediction":
            return f"{network}, prediction: one example, and 10 000 rows of float32"
        many = f"{self.copies} copies of " if self.copies > 1 else ""
        epochs = f"{self.epochs} epochs" if self.epochs > 1 else "one epoch"
        optimizer = f"{'SGD' if self.optimizer == 'sgd' else 'Adam'} {self.rate:g}"
        loss = self.loss.replace("_", " ")
        text = f"{many}{network} {self.activation}, {loss}, {self.data}, batch {self.batch}, {optimizer}, {epochs}"
        return f"a whole process: {text}, tested" if self.kind == "process" else text


NETWORKS = {
    "lenet": "784-28x28x1-conv5x5x16-pool2-conv5x5x32-pool2-flatten-10",
    "lstm": "50 steps of 16 numbers-LSTM 64-10",
}
"""What stands for the sizes where layers are not all Dense; the first as our library reads it."""
_DIGITS: dict[str, Any] = {
    "sizes": (784, 16, 16, 10), "activation": "relu", "loss": "cross_entropy", "data": "mnist",
    "batch": 32, "optimizer": "sgd", "rate": 0.1,
}  # fmt: skip
_CURVE: dict[str, Any] = {
    "sizes": (1, 50, 1), "activation": "relu", "loss": "mean_squared_error", "data": "curve",
    "batch": 32, "optimizer": "adam", "rate": 1e-3, "epochs": 100,
}  # fmt: skip
WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", **_DIGITS),
        Workload("W2", (784, 30, 10), "sigmoid", "half_squared_error", "mnist", 10, "sgd", 3.0),
        Workload("W3", **_CURVE),
        Workload("W4", (2, 8, 8, 1), "tanh", "binary_cross_entropy", "spirals", 10, "sgd", 0.1, epochs=100),
        Workload("W5", (784, 512, 512, 10), "relu", "cross_entropy", "mnist", 128, "adam", 1e-3),
        Workload("W6", (784, 10), "relu", "cross_entropy", "mnist", 64, "adam", 1e-3, network="lenet"),
        Workload("W7", (16, 10), "tanh", "cross_entropy", "sequences", 32, "adam", 1e-3, network="lstm"),
        Workload("W8", **_CURVE, copies=32),
        Workload("W9", **_DIGITS, kind="prediction"),
        Workload("W10", **_DIGITS, kind="process"),
        Workload("W11", (784, 1024, 1024, 10), "relu", "cross_entropy", "mnist", 256, "adam", 1e-3),
    )
}


@dataclass(frozen=True)
class Requirement:
    """One line of what ours must reach.

    against: a competitor's name without @1, of whose variants the best counts; "peer" is the best of all but the hand-written
    C; "" is an absolute limit. sense: "faster" asks that ours be `factor` times as fast, "within" that it take at most `factor`
    times as long, "seconds" and "per second" are limits of the measure itself.
    """

    workload: str
    factor: float
    against: str = ""
    measure: str = "unit"
    sense: Literal["faster", "within", "seconds", "per second"] = "faster"


ROWS = 10_000
"""How many rows the prediction of many has."""

REQUIREMENTS = (
    Requirement("W1", 2, "jax"),
    Requirement("W1", 10, "torch"),
    Requirement("W1", 1.3, "c", sense="within"),
    Requirement("W2", 2.5, "jax"),
    Requirement("W2", 10, "torch"),
    Requirement("W3", 4, "jax"),
    Requirement("W3", 200, "torch"),
    Requirement("W4", 5, "jax"),
    Requirement("W4", 200, "torch"),
    Requirement("W3", 1 / 0.9, "c", sense="within"),
    Requirement("W5", 1.15, "peer"),
    Requirement("W6", 2, "torch"),
    Requirement("W6", 1, "jax"),
    Requirement("W7", 2, "torch"),
    Requirement("W8", 4, "jax"),
    Requirement("W8", 30, "torch"),
    Requirement("W8", 1 / 0.9, "c", sense="within"),
    Requirement("W9", 12e-6, measure="one example", sense="seconds"),
    Requirement("W9", 8e6, measure="10 000 rows", sense="per second"),
    Requirement("W10", 0.75, measure="cold caches", sense="seconds"),
    Requirement("W10", 0.75, measure="warm caches", sense="seconds"),
    Requirement("W11", 1.15, "peer"),
)

NARROW_REQUIREMENTS = (
    Requirement("W1", 2, "peer"),
    Requirement("W3", 3, "peer"),
    Requirement("W5", 1.1, "peer"),
    Requirement("W6", 1.8, "peer"),
    Requirement("W7", 1.8, "peer"),
)
"""The same where all are held to AVX2."""


@dataclass(frozen=True)
class Data:
    """Training and test examples: images as bytes, all else float32; labels int64, numbers to fit float32 of shape (n, 1)."""

    x: Array
    y: Array
    test_x: Array
    test_y: Array

    def as_floats(self) -> Data:
        """With images between 0 and 1, as float32."""
        return Data(floats(self.x), self.y, floats(self.test_x), self.test_y)

    def first(self, count: int) -> Data:
        """Only the first training examples."""
        return Data(self.x[:count].copy(), self.y[:count].copy(), self.test_x, self.test_y)


def floats(x: Array) -> Array:
    """Bytes as numbers between 0 and 1, float32; anything else as it is."""
    return x.astype(np.float32) / 255 if x.dtype == np.uint8 else x


def load(workload: Workload) -> Data:
    """The data of a workload; MNIST is read without importing our library, whose import is part of what W10 measures."""
    random = np.random.default_rng(0)
    if workload.data == "mnist":
        return Data(_idx("train-images"), _labels("train-labels"), _idx("t10k-images"), _labels("t10k-labels"))
    if workload.data == "curve":
        x = random.uniform(-2, 2, (1000, 1)).astype(np.float32)
        noise = 0.1 * random.normal(size=x.shape)
        test_x = np.linspace(-2, 2, 500, dtype=np.float32)[:, None]
        return Data(x, (np.sin(3 * x) + noise).astype(np.float32), test_x, np.sin(3 * test_x))
    if workload.data == "sequences":
        return Data(*_sequences(3200, random), *_sequences(1000, random))
    return Data(*_spirals(1000, random), *_spirals(1000, random))


def _sequences(count: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Fifty steps of noise; the class is which of ten columns had the largest sum over the last ten steps."""
    x = random.normal(size=(count, 50, 16)).astype(np.float32)
    return x, x[:, -10:, :10].sum(1).argmax(1).astype(np.int64)


def _spirals(count: int, random: np.random.Generator) -> tuple[Array, Array]:
    labels = np.arange(count) % 2
    radius = random.uniform(0.2, 1, count)
    angle = 3.5 * radius + np.pi * labels
    x = 2 * np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + 0.03 * random.normal(size=(count, 2))
    return x.astype(np.float32), labels.astype(np.int64)


def _idx(stem: str) -> Array:
    found = find_spec("chainrule")
    if found is None or found.origin is None:
        raise SystemExit("chainrule is not installed: pip install -e .")
    kind = "idx3" if stem.endswith("images") else "idx1"
    content = gzip.decompress((Path(found.origin).parent / "data" / "mnist" / f"{stem}-{kind}-ubyte.gz").read_bytes())
    axes = content[3]
    shape = np.frombuffer(content, ">i4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape[0], -1)


def _labels(stem: str) -> Array:
    return _idx(stem)[:, 0].astype(np.int64)


SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "lenet": ((5, 5, 1, 16), (16,), (5, 5, 16, 32), (32,), (512, 10), (10,)),
    "lstm": ((16, 256), (64, 256), (256,), (64, 10), (10,)),
}
"""The shapes of weights and biases in turn where layers are not all Dense: (rows, columns, channels, filters) of a convolution,
(inputs, 4 · units), (units, 4 · units), (4 · units,) of an LSTM, whose gates stand in PyTorch's order: input, forget, cell, output."""


def initial_weights(workload: Workload) -> list[Array]:
    """Weights (inputs, outputs) and biases (outputs,) in turn; with copies (copies, inputs, outputs), (copies, 1, outputs)."""
    random = np.random.default_rng(1)
    if workload.network in SHAPES:
        drawn = [random.normal(0, math.sqrt(1 / max(1, math.prod(shape[:-1]))), shape) for shape in SHAPES[workload.network]]
        return [(weight if weight.ndim > 1 else 0 * weight).astype(np.float32) for weight in drawn]
    several = (workload.copies,) if workload.copies > 1 else ()
    row = (*several, 1) if several else ()
    gain = 2 if workload.activation == "relu" else 1
    found: list[Array] = []
    for inputs, outputs in pairwise(workload.sizes):
        found.append(random.normal(0, math.sqrt(gain / inputs), (*several, inputs, outputs)).astype(np.float32))
        # A network of one input with all biases zero would have all its kinks at one point.
        spread = 1 / math.sqrt(inputs) if workload.data == "curve" else 0.0
        found.append(random.uniform(-spread, spread, (*row, outputs)).astype(np.float32))
    return found


def test_score(workload: Workload, outputs: Array, targets: Array) -> float:
    """What was learned: accuracy on the test part, for the curve the mean squared error (over all copies)."""
    if workload.loss == "mean_squared_error":
        return float(((outputs - targets) ** 2).mean())
    if workload.loss == "binary_cross_entropy":
        return float(((outputs[:, 0] > 0) == (targets > 0)).mean())
    return float((outputs.argmax(1) == targets).mean())


def one_hot(labels: Array) -> Array:
    """Rows of zeros with a one at the label, float32."""
    return np.eye(10, dtype=np.float32)[labels]


def targets_of(workload: Workload, y: Array) -> Array:
    """Targets in the form that a loss written by hand wants: one-hot rows, a column of numbers, or labels."""
    if workload.loss == "half_squared_error":
        return one_hot(y)
    return y[:, None].astype(np.float32) if workload.loss == "binary_cross_entropy" else y


def orders(workload: Workload, random: np.random.Generator, count: int) -> Array:
    """An epoch's order of the examples, int32: (count,), or (copies, count) with copies."""
    if workload.copies == 1:
        return random.permutation(np.arange(count, dtype=np.int32))
    # Sorting random numbers whose last bits are the positions: six times as fast as shuffling row by row, and this is timed.
    bits = np.uint32((count - 1).bit_length())
    keys = random.integers(0, 2**32, (workload.copies, count), dtype=np.uint32)
    keys >>= bits
    keys <<= bits
    keys |= np.arange(count, dtype=np.uint32)
    keys.sort(axis=1)
    keys &= np.uint32(2**bits - 1)
    return keys.view(np.int32)
