"""Random loops, each a function of a seed: a random graph's gradients, updates of its state, rows of a table, records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from random_graphs import Generator, random_graph

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.engines import Loop
from chainrule.graph import Graph, Node, constant, input_node

STEPS, ROWS = 3, 11


@dataclass(frozen=True)
class RandomLoop:
    """A loop, and all that a run of it needs but an engine."""

    loop: Loop
    tables: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    order: np.ndarray
    sizes: np.ndarray
    scalars: dict[str, np.ndarray]
    replicas: int

    @property
    def graph(self) -> Graph:
        """The graph of a step."""
        return next(iter(self.loop.graphs.values()))

    def fresh_state(self) -> dict[str, np.ndarray]:
        """First values that a run may overwrite."""
        return {name: array.copy() for name, array in self.state.items()}


def _moved(x: Node, others: list[Node], generator: Generator) -> Node:
    """A new value of the same shape that takes its entries from other places of the old one, or from other state."""
    if not x.type.ndim or not x.type.size:
        return x * 0.5 + 0.25
    axis = int(generator.integers(x.type.ndim))
    extent = x.shape[axis]
    cut = int(generator.integers(0, extent + 1))
    low = tuple(int(a == axis) * cut for a in range(x.type.ndim))
    high = tuple(int(a == axis) * (extent - cut) for a in range(x.type.ndim))
    nothing = (0,) * x.type.ndim
    places = constant(generator.permutation(extent))
    twins = [other for other in others if other.shape == x.shape and other is not x]
    twice = tuple(2 if a == axis else size for a, size in enumerate(x.shape))
    doubled = ops.broadcast_to(ops.slice_axis(x, axis, 0, 1), shape=twice)
    choices = [
        lambda: ops.flip(x, axes=(axis,)),
        lambda: ops.pad(ops.slice_axis(x, axis, cut, extent), low=low, high=nothing, interior=nothing),
        lambda: ops.pad(ops.slice_axis(x, axis, 0, cut), low=nothing, high=high, interior=nothing),
        lambda: ops.concatenate(ops.slice_axis(x, axis, cut, extent), ops.slice_axis(x, axis, 0, cut), axis=axis),
        lambda: ops.concatenate(ops.slice_axis(x, axis, 0, cut), ops.slice_axis(x, axis, cut, extent) * 0.5, axis=axis),
        lambda: ops.gather(x, places, axis=axis),
        lambda: ops.scatter_add(x, places, x * 0.25, axis=axis),
        lambda: ops.scatter_add(x, constant(np.zeros(2, np.int64)), doubled * 0.25 if cut else doubled, axis=axis),
        lambda: x - ops.mean(x, axis, keepdims=True),
        lambda: ops.sum(x, axis, keepdims=True) * 0.1 + x * 0.0 + ops.flip(x, axes=(axis,)),
        lambda: ops.tanh(x),
    ]
    if x.type.ndim == 2 and x.shape[0] == x.shape[1]:
        choices += [lambda: ops.swap_last(x), lambda: ops.matmul(x, x) * 0.25] * 3
    if twins:
        choices += [lambda: twins[0], lambda: twins[0] + x * 0.5, lambda: ops.flip(twins[0], axes=(axis,))] * 2
    return choices[generator.integers(len(choices))]()


def random_loop(seed: int, dtype: str = "float64", size: int = 10) -> RandomLoop:
    """Three steps of gradient descent on a random graph, beside state whose entries change places; of one replica or several."""
    graph, values = random_graph(seed, dtype, size)
    generator = np.random.default_rng([seed, 21])
    leaves = list(graph.leaves.values())
    rate, step = input_node("rate"), input_node("step")
    parameters = [leaf for leaf in leaves if leaf.name != "x"]
    x = next((leaf for leaf in leaves if leaf.name == "x"), None)
    is_table = x is not None and x.type.ndim > 0 and x.shape[0] > 0 and bool(generator.random() < 0.7)
    carried = [*parameters, *([x] if x is not None and not is_table else [])]
    shape = tuple(int(i) for i in generator.integers(1, 4, generator.integers(1, 3)))
    movers = [input_node(f"mover{number}", shape, dtype) for number in range(2)]
    values |= {leaf.name: generator.uniform(-1.0, 1.0, leaf.shape).astype(dtype) for leaf in movers}

    outputs: dict[str, Node] = {name: graph.outputs[name] for name in ("cost", "last", "other")}
    gradients = grad(graph.outputs["cost"], parameters) if parameters else []
    for leaf, g in zip(parameters, gradients, strict=True):
        # Clipped, so that three steps stay where functions are tame.
        if g is not None and generator.random() < 0.8:
            outputs[leaf.name] = leaf - ops.cast(rate, dtype=dtype) * ops.tanh(g)
            outputs[f"gradient/{leaf.name}"] = g
        elif leaf.type.is_float:
            outputs[leaf.name] = _moved(leaf, [*carried, *movers], generator)
    for leaf in movers:
        outputs[leaf.name] = _moved(leaf, [*carried, *movers], generator)
    outputs["count"] = ops.cast(step, dtype="int64") + 1
    if x is not None and is_table:
        by_row = [x, x * 2.0, ops.flip(x, axes=(x.type.ndim - 1,)), ops.exp(-x * x)]
        outputs["by_row"] = by_row[generator.integers(len(by_row))]
    state = (*(leaf.name for leaf in carried), *(leaf.name for leaf in movers))
    stacked = tuple(name for name in outputs if name == "by_row")
    records = tuple(name for name in outputs if name not in {*state, *stacked})
    batch = x.shape[0] if x is not None and is_table else 1
    replicas, in_order = int(generator.integers(1, 4)), is_table and bool(generator.random() < 0.3)
    own = np.arange(STEPS * batch)
    orders = [own if in_order else generator.integers(0, ROWS, own.shape) for _ in range(replicas)]
    table = {} if x is None or not is_table else {"table": generator.uniform(0.3, 1.7, (ROWS, *x.shape[1:])).astype(dtype)}
    return RandomLoop(
        Loop({batch: Graph(outputs)}, {"x": "table"} if is_table else {}, state, ("rate", "step"), records, stacked, in_order),
        table,
        {name: np.stack([values[name] * (1.0 - 0.1 * k) for k in range(replicas)]).astype(dtype) for name in state},
        np.stack(orders),
        np.full(STEPS, batch),
        {"rate": np.array([0.1, 0.05, 0.2]), "step": np.arange(STEPS, dtype=np.float64)},
        replicas,
    )
