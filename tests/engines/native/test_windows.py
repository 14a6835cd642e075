"""Products that read their left matrix through windows: no copy is made, and every shape gives what the reference engine gives."""

from __future__ import annotations

import numpy as np
import pytest
from test_native_ops import agree

from chainrule import ops
from chainrule.derivatives import vjp
from chainrule.engines import Loop, engine_named
from chainrule.engines.native.passes import NATIVE_PASSES
from chainrule.engines.native.schedule import schedule
from chainrule.graph import Graph, Node, constant, input_node, run_passes
from chainrule.nn import (
    AveragePool,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    Flatten,
    MaxPool,
    Residual,
    Sequential,
    build_network,
)

NETWORKS = {
    "one filter": (Conv2D(1, 3, "relu"), (5, 6, 2)),
    "one channel, wide": (Conv2D(33, 5, "tanh"), (9, 8, 1)),
    "large weights": (Conv2D(40, 3, "relu"), (6, 5, 70)),
    "strided and dilated": (Conv2D(5, (2, 3), stride=(2, 1), dilation=(1, 2)), (6, 9, 3)),
    "one tap": (Conv2D(7, 1, "sigmoid"), (4, 3, 5)),
    "one position": (Conv2D(7, (4, 3)), (4, 3, 5)),
    "one row of positions": (Conv2D(7, (4, 2), "relu"), (4, 8, 3)),
    "groups": (Conv2D(6, 3, "relu", groups=3), (5, 5, 6)),
    "periodic": (Conv2D(6, 3, "relu", padding="periodic"), (5, 5, 2)),
    "reflect": (Conv2D(6, (3, 4), padding="reflect"), (5, 5, 2)),
    "same": (Conv2D(6, 3, "relu", padding="same", stride=2), (5, 6, 2)),
    "along one axis": (Conv1D(17, 6, "relu", padding="same"), (23, 3)),
    "one axis, one channel": (Conv1D(4, 5, stride=3), (40, 1)),
    "transposed": (ConvTranspose2D(5, 3, "relu", stride=2, padding="same"), (3, 4, 2)),
    "transposed, periodic": (ConvTranspose2D(5, 3, "relu", dilation=2, padding="periodic"), (5, 6, 2)),
    "transposed in groups": (ConvTranspose1D(6, 4, "relu", stride=2, groups=2, padding="same"), (5, 4)),
    "pools over the edge": (Sequential(MaxPool(3, 2, "same"), AveragePool(2, padding="same")), (6, 5, 3)),
    "overlapping pools": (Sequential(MaxPool(3, stride=1), AveragePool(2, stride=1)), (6, 5, 3)),
    "of digits": (
        Sequential(Conv2D(16, 5, "relu"), MaxPool(2), Conv2D(32, 3, "relu"), MaxPool(2), Flatten(), Dense(10)), (14, 14, 1),
    ),
    "residual": (
        Sequential(Conv2D(8, 3, "relu"), Residual(Conv2D(8, 3, "relu", padding="same"), Conv2D(8, 3, padding="same"))), (7, 6, 2),
    ),
}  # fmt: skip


def with_slopes(case: str, batch: int, dtype: str) -> tuple[Graph, dict[str, np.ndarray]]:
    """The network's output and its slopes by input and parameters, with numbers for all leaves."""
    layer, shape = NETWORKS[case]
    built = build_network(layer, shape, batch=batch, dtype=dtype)
    leaves = [built.input, *(item.node for item in built.parameters.values())]
    random = np.random.default_rng(5)
    weight = constant(random.uniform(0.5, 1.5, built.output.shape).astype(dtype))
    slopes = {
        f"d_{leaf.name}": g for leaf, g in zip(leaves, vjp([built.output], leaves, [weight]), strict=True) if g is not None
    }
    return Graph({"y": built.output, **slopes}), {leaf.name: random.normal(size=leaf.shape).astype(dtype) for leaf in leaves}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("case", NETWORKS)
def test_networks_with_windows(case: str, batch: int, dtype: str) -> None:
    graph, values = with_slopes(case, batch, dtype)
    # Sums over some hundred terms, in another order: to some units in the last place of their largest terms.
    agree(graph, values, scale=100.0)


@pytest.mark.parametrize("case", ["of digits", "periodic", "along one axis", "large weights"])
def test_an_example_has_the_same_bits_alone_and_in_a_batch(case: str) -> None:
    def outputs(batch: int, x: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
        built = build_network(*NETWORKS[case], batch=batch, dtype="float32")
        return engine_named("native").compile(built.graph)(values | {"x": x})["output"]

    _, values = with_slopes(case, 3, "float32")
    x = values["x"]
    whole = outputs(3, x, values)
    for row in range(3):
        assert outputs(1, x[row : row + 1], values).tobytes() == whole[row].tobytes()


def kernels_of(y: Node) -> list[str]:
    graph = run_passes(Graph({"y": y}), NATIVE_PASSES)[0]
    return list(map(str, schedule(graph, Loop({1: graph}, {}, tuple(graph.leaves), stacked=("y",))).kernels))


def test_the_windows_are_not_copied_and_the_activation_rides_along() -> None:
    x, w, b = input_node("x", (2, 6, 5, 3)), input_node("w", (27, 8)), input_node("b", (8,))
    seen = ops.windows(x, axes=(1, 2), taps=(3, 3), strides=(1, 1), dilations=(1, 1))
    y = ops.relu(ops.reshape(ops.reshape(seen, shape=(24, 27)) @ w, shape=(2, 4, 3, 8)) + b)
    (kernel, *copies) = kernels_of(y)
    assert "core = Σ m < 3, n < 9: x[i·90 + j·15 + k·3 + m·15 + n] · w[l + m·72 + n·8]" in kernel
    assert "relu" in kernel
    assert all("Σ" not in copy and "relu" not in copy for copy in copies)


def test_windows_that_others_read_too_are_copied_once() -> None:
    x, w = input_node("x", (2, 6, 3)), input_node("w", (9, 8))
    matrix = ops.reshape(ops.windows(x, axes=(1,), taps=(3,), strides=(2,), dilations=(1,)), shape=(4, 9))
    y = (matrix @ w) * ops.sum(matrix, axis=1, keepdims=True)
    agree(Graph({"y": y}), {"x": np.arange(36.0).reshape(2, 6, 3), "w": np.ones((9, 8))})
    assert any("Σ k < 9" in kernel for kernel in kernels_of(y))
