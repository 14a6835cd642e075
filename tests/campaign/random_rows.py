"""Random functions of the rows of a matrix, each a function of a seed: no row's result depends on another row."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.graph import Graph, Node, constant, input_node
from chainrule.nn import softmax

WIDTHS = (1, 2, 3, 5, 8, 16, 17, 33, 70)


def _one(x: Node, generator: np.random.Generator) -> Node:
    choices = [
        lambda: ops.tanh(x),
        lambda: ops.relu(x),
        lambda: ops.exp(ops.tanh(x)),
        lambda: ops.sin(x) * x,
        lambda: ops.erf(x) + ops.softplus(x),
        lambda: softmax(x),
        lambda: x - ops.max(x, 1, keepdims=True),
        lambda: x - ops.mean(x, 1, keepdims=True),
        lambda: x / ops.sqrt(ops.mean(x * x, 1, keepdims=True) + 1e-3),
        lambda: ops.flip(x, axes=(1,)),
        lambda: ops.slice_axis(x, 1, 0, x.shape[1], 2),
        lambda: ops.concatenate(x, ops.sin(x), axis=1),
        lambda: ops.sum(ops.sigmoid(x) * x, 1, keepdims=True),
        lambda: ops.one_hot(ops.argmax(x, axis=1), classes=x.shape[1], dtype=x.dtype) + x,
    ]
    return choices[generator.integers(len(choices))]()


def random_rows(seed: int, dtype: str, rows: int, size: int = 7) -> tuple[Graph, int]:
    """A graph of x (rows, width) whose outputs are numbers for each row; and the width."""
    generator = np.random.default_rng([seed, 23])
    width = int(generator.choice(WIDTHS))
    pool = [input_node("x", (rows, width), dtype)]
    for _ in range(size):
        x = pool[-1 - int(min(generator.geometric(0.5) - 1, len(pool) - 1))]
        kind = generator.random()
        if kind < 0.35:
            shape = (x.shape[1], int(generator.choice(WIDTHS)))
            weights = constant(generator.normal(size=shape) / np.sqrt(shape[0]), dtype)
            bias = constant(generator.normal(size=shape[1]), dtype)
            node = ops.matmul(x, weights) + bias if generator.random() < 0.7 else ops.matmul(x, weights)
        elif kind < 0.5:
            twins = [other for other in pool if other.shape == x.shape or other.shape[1] == 1]
            node = x * twins[generator.integers(len(twins))] if twins else x * 0.5
        else:
            node = _one(x, generator)
        pool.append(node)
    kept = [pool[-1], pool[-2], pool[generator.integers(1, len(pool))]]
    return Graph({"row": pool[-1], "sum": ops.sum(pool[-1], 1), **{f"kept{i}": node for i, node in enumerate(kept)}}), width
