"""Random loops over time: bodies with one state or more, drawn op by op, all of them smooth and bounded."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.graph import Graph, Node, input_node, parameter

ROWS, WIDTH = 2, 3


def random_recurrence(seed: int) -> tuple[dict[str, Node], dict[str, np.ndarray]]:
    """What is taken from a random loop, by name, and values for its leaves."""
    random = np.random.default_rng(seed)
    turns, count, reverse = int(random.integers(1, 6)), int(random.integers(1, 4)), bool(random.integers(2))
    values = {
        **{f"s{n}": random.uniform(-1, 1, (ROWS, WIDTH)) for n in range(count)},
        "x": random.uniform(-1, 1, (turns, ROWS, WIDTH)),
        "U": random.uniform(-0.5, 0.5, (WIDTH, WIDTH)),
        "b": random.uniform(-0.5, 0.5, WIDTH),
    }
    leaves = {name: (parameter if name in "Ub" else input_node)(name, value.shape) for name, value in values.items()}

    def turn(x: Node, U: Node, b: Node, **states: Node) -> dict[str, Node]:
        pool = [x, *states.values()]
        for number in range(int(random.integers(2, 9))):
            made = _drawn(random, pool, U, b)
            pool.append(made.named(f"q{number}") if random.integers(2) else made)
        # States may take each other's values, stay as they are, or become what a view shows.
        return {name: pool[int(random.integers(len(pool)))] for name in states}

    outside = dict(leaves)
    x, matrix, row = outside.pop("x"), outside.pop("U"), outside.pop("b")
    loop = ops.recurrence(turn, outside, {"x": x * 1.0}, {"U": matrix, "b": row}, reverse=reverse)
    names = list(loop.body.graph.outputs)
    taken = {f"after.{name}": loop.after(name) for name in names if random.integers(2)}
    taken |= {f"before.{name}": loop.before(name) for name in outside if random.integers(2)}
    taken |= {"last": loop.last("s0")}
    return taken, {name: value for name, value in values.items() if name in Graph(taken).leaves}


def _drawn(random: np.random.Generator, pool: list[Node], matrix: Node, row: Node) -> Node:
    left, right = (pool[int(random.integers(len(pool)))] for _ in range(2))
    match int(random.integers(7)):
        case 0:
            return ops.tanh(left + right)
        case 1:
            return ops.tanh(left @ matrix + row)
        case 2:
            return left * ops.sigmoid(right)
        case 3:
            return (left - right) * 0.5
        case 4:
            parts = [ops.slice_axis(left, 1, 0, 1), ops.slice_axis(ops.sin(right), 1, 1, WIDTH)]
            return ops.concatenate(*parts, axis=1)
        case 5:
            return ops.flip(left, axes=(1,))
        case _:
            return ops.tanh(left * ops.sum(right, axis=1, keepdims=True))
