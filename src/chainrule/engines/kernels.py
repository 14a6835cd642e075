"""The reference engine's table from op to a NumPy call that writes into a buffer given in advance.

An op that has no row here is run by its own meaning and copied; each row must give the same bits as the meaning does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from chainrule.graph import Array, Node, as_declared

Call: TypeAlias = Callable[[], object]
Lowering: TypeAlias = "Callable[..., Call]"

_UFUNCS: dict[str, np.ufunc] = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "negative": np.negative,
    "maximum": np.maximum, "minimum": np.minimum, "equal": np.equal, "not_equal": np.not_equal, "less": np.less,
    "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_not": np.logical_not, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "absolute": np.absolute, "sign": np.sign, "floor": np.floor,
    "matmul": np.matmul,
}  # fmt: skip


def _relu(out: Array, x: Array) -> Call:
    return partial(np.maximum, x, out.dtype.type(0), out=out)


def _softplus(out: Array, x: Array) -> Call:
    return partial(np.logaddexp, x, out.dtype.type(0), out)


def _sigmoid(out: Array, x: Array) -> Call:
    one = out.dtype.type(1)

    def call() -> None:
        np.negative(x, out)
        np.exp(out, out)
        np.add(out, one, out)
        np.reciprocal(out, out)

    return call


def _select(out: Array, condition: Array, x: Array, y: Array) -> Call:
    def call() -> None:
        np.copyto(out, y)
        np.copyto(out, x, where=condition)

    return call


def _cast(out: Array, x: Array, *, dtype: str) -> Call:
    return partial(np.copyto, out, x, casting="unsafe")


def _reduce_sum(out: Array, x: Array, *, axes: tuple[int, ...]) -> Call:
    return lambda: np.add.reduce(x, axis=axes, dtype=x.dtype, out=out)


def _reduce_max(out: Array, x: Array, *, axes: tuple[int, ...]) -> Call:
    return lambda: np.maximum.reduce(x, axis=axes, out=out)


def _reduce_min(out: Array, x: Array, *, axes: tuple[int, ...]) -> Call:
    return lambda: np.minimum.reduce(x, axis=axes, out=out)


def _one_hot(out: Array, labels: Array, *, classes: int, dtype: str) -> Call:
    # `equal` may write its truth values as 0 and 1 straight into numbers: no array of bools in between.
    return partial(np.equal, labels[..., None], np.arange(classes), out, casting="unsafe")


KERNELS: dict[str, Lowering] = {
    "relu": _relu, "softplus": _softplus, "sigmoid": _sigmoid, "where": _select, "cast": _cast, "reduce_sum": _reduce_sum,
    "reduce_max": _reduce_max, "reduce_min": _reduce_min, "one_hot": _one_hot,
}  # fmt: skip


def kernel(node: Node, out: Array, inputs: list[Array]) -> Call:
    """A call without arguments that computes the node's value from the input buffers into its own."""
    if node.op.name in _UFUNCS:
        return partial(_UFUNCS[node.op.name], *inputs, out=out)
    if node.op.name in KERNELS:
        return KERNELS[node.op.name](out, *inputs, **node.attributes)
    return partial(_by_meaning, node, out, inputs)


def _by_meaning(node: Node, out: Array, inputs: list[Array]) -> None:
    out[...] = as_declared(node.op.meaning(*inputs, **node.attributes), node)
