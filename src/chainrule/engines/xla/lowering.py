"""The xla engine's table from op to JAX: a function of the values of an op's inputs, with its attributes by name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from chainrule.graph import Op, Shape
from chainrule.ops import scan, threefry2x32

Array = Any
"""A JAX array, or what stands for one while a program is traced."""

_OF_JAX = (
    "add", "subtract", "multiply", "divide", "negative", "maximum", "minimum", "equal", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "logical_and", "logical_or", "logical_not", "where", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh",
    "absolute", "sign", "floor", "broadcast_to", "reshape", "transpose",
)  # fmt: skip
"""Ops that JAX has under the same name, with the same arguments."""


def _power(x: Array, y: Array) -> Array:
    # A square is a product in the other engines too, to the bit.
    return jnp.where(y == 2, x * x, jnp.power(x, y))


def _matmul(x: Array, y: Array) -> Array:
    # Else a GPU or TPU would round the factors to 10 or 8 bits.
    return jnp.matmul(x, y, precision=lax.Precision.HIGHEST)


def _relu(x: Array) -> Array:
    return jnp.maximum(x, jnp.zeros((), x.dtype))


def _softplus(x: Array) -> Array:
    return jnp.logaddexp(x, jnp.zeros((), x.dtype))


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + jnp.exp(-x))


def _reduce_sum(x: Array, *, axes: Shape) -> Array:
    return jnp.sum(x, axis=axes, dtype=x.dtype)


def _argmax(x: Array, *, axis: int) -> Array:
    return jnp.argmax(x, axis=axis).astype(jnp.int64)


def _cast(x: Array, *, dtype: str) -> Array:
    return x.astype(dtype)


def _slice_axes(x: Array, *, starts: Shape, stops: Shape, steps: Shape) -> Array:
    return lax.slice(x, starts, stops, steps)


def _pad(x: Array, *, low: Shape, high: Shape, interior: Shape) -> Array:
    return lax.pad(x, jnp.zeros((), x.dtype), list(zip(low, high, interior, strict=True)))


def _windows(x: Array, *, axes: Shape, taps: Shape, strides: Shape, dilations: Shape) -> Array:
    """A strided slice to each tap, stacked: XLA reads rows of them straight into the product that follows."""
    pieces: list[Array] = []
    for at in product(*map(range, taps)):
        places = [slice(None)] * x.ndim
        for axis, tap, taken, stride, dilation in zip(axes, at, taps, strides, dilations, strict=True):
            places[axis] = slice(tap * dilation, x.shape[axis] - (taken - 1 - tap) * dilation, stride)
        pieces.append(x[tuple(places)])
    end = axes[-1] + 1
    stacked = jnp.stack(pieces, end)
    return stacked.reshape(*stacked.shape[:end], *taps, *stacked.shape[end + 1 :])


def _overlap_add(x: Array, *, axes: Shape, extents: Shape, strides: Shape, dilations: Shape) -> Array:
    """Each tap's entries among zeros, added up in the order of the reference engine."""
    end = axes[-1] + 1
    taps = x.shape[end : end + len(axes)]
    total = None
    for at in product(*map(range, taps)):
        piece = x[(slice(None),) * end + at]
        low, high, gap = ([0] * piece.ndim for _ in range(3))
        for axis, tap, stride, dilation, extent in zip(axes, at, strides, dilations, extents, strict=True):
            low[axis], gap[axis] = tap * dilation, stride - 1
            high[axis] = extent - low[axis] - ((piece.shape[axis] - 1) * stride + 1)
        padded = _pad(piece, low=tuple(low), high=tuple(high), interior=tuple(gap))
        total = padded if total is None else total + padded
    return total


def _gather(x: Array, indices: Array, *, axis: int) -> Array:
    # A position outside is noted beside the program (see `walk`): a program cannot raise.
    return jnp.take(x, indices, axis=axis, mode="clip")


def _scatter_add(x: Array, indices: Array, updates: Array, *, axis: int) -> Array:
    places = tuple(range(axis, axis + indices.ndim))
    rows = jnp.moveaxis(x, axis, 0).at[indices].add(jnp.moveaxis(updates, places, range(indices.ndim)), mode="drop")
    return jnp.moveaxis(rows, 0, axis)


def _one_hot(labels: Array, *, classes: int, dtype: str) -> Array:
    return (labels[..., None] == jnp.arange(classes)).astype(dtype)


def _random_bits(key: Array, *, shape: Shape) -> Array:
    # The cipher itself is the reference engine's: it asks for nothing but + ^ << >> |, which JAX arrays have too.
    size = prod(shape)
    block: Array = jnp.arange((size + 1) // 2, dtype=jnp.uint64)
    words = threefry2x32(key, (block >> 32).astype(jnp.uint32), block.astype(jnp.uint32))
    return jnp.stack(words, axis=-1).reshape(-1)[:size].reshape(shape)


def _random_fold(key: Array, word: Array) -> Array:
    return jnp.stack(threefry2x32(key, jnp.uint32(0xFFFFFFFF), word))  # pyright: ignore[reportArgumentType]


LOWERINGS: dict[str, Callable[..., Array]] = {
    **{name: getattr(jnp, name) for name in _OF_JAX},
    "power": _power, "matmul": _matmul, "sigmoid": _sigmoid, "softplus": _softplus, "relu": _relu, "erf": lax.erf, "cast": _cast,
    "concatenate": lambda *arrays, axis: jnp.concatenate(arrays, axis), "flip": lambda x, axes: jnp.flip(x, axes),
    "stop_gradient": lambda x: x, "reduce_sum": _reduce_sum, "reduce_max": lambda x, axes: jnp.max(x, axis=axes),
    "reduce_min": lambda x, axes: jnp.min(x, axis=axes), "argmax": _argmax, "slice_axes": _slice_axes, "pad": _pad,
    "windows": _windows, "overlap_add": _overlap_add, "gather": _gather, "scatter_add": _scatter_add, "one_hot": _one_hot,
    "random_bits": _random_bits, "random_fold": _random_fold,
}  # fmt: skip
"""One row to an op; leaves and `scan` need more than the values of their inputs, and stand in `walk`."""


def is_known(op: Op) -> bool:
    """Whether this engine has a row for an op, or knows it otherwise."""
    return op.name in LOWERINGS or op is scan or op.kind == "leaf"
