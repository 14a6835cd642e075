"""Operators that work entry by entry: arithmetic, comparison, logic, bits, conversion."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Node, constant
from chainrule.interop.onnx_models.call import Call, array_of, dtype_of, operator
from chainrule.interop.onnx_models.operators.whole import (
    bits,
    ceiling,
    floor_quotient,
    from_bits,
    full,
    held,
    is_whole,
    quotient,
    remainder,
    rounded,
    whole_power,
)
from chainrule.interop.onnx_models.package import LIMITS, READ, TensorProto


def aligned(call: Call, x: Node, axis: int, broadcast: int, y: Node) -> Node:
    """y beside x as the first versions said it: its axes stand at `axis` of x."""
    if call.version >= 7 or not broadcast or axis < 0:
        return y
    return ops.reshape(y, shape=(*y.shape, *(1 for _ in range(x.type.ndim - axis - y.type.ndim))))


def divided(a: Node, b: Node) -> Node:
    """The quotient; of whole numbers cut towards zero."""
    return quotient(a, b) if is_whole(a) else ops.divide(a, b)


def _pair(name: str, function: Any) -> None:
    @operator(name)
    def two(call: Call, a: Node, b: Node, *, axis: int = -1, broadcast: int = 0, consumed_inputs: Any = None) -> Node:
        return function(a, aligned(call, a, axis, broadcast, b))


for _name, _function in {
    "Add": ops.add, "Sub": ops.subtract, "Mul": ops.multiply, "And": ops.logical_and, "Or": ops.logical_or, "Equal": ops.equal,
    "Less": ops.less, "LessOrEqual": ops.less_equal, "Greater": ops.greater, "GreaterOrEqual": ops.greater_equal,
    "Xor": ops.not_equal,
    "Div": divided,
}.items():  # fmt: skip
    _pair(_name, _function)


@operator("Max", "Min", "Sum", "Mean")
def several(call: Call, *inputs: Node, consumed_inputs: Any = None) -> Node:
    """The largest, the smallest, the sum or the mean of several arrays, entry by entry."""
    if not inputs:
        raise call.wrong("no inputs", "one or more")
    kind = call.node.op_type
    found = reduce({"Max": ops.maximum, "Min": ops.minimum}.get(kind, ops.add), inputs)
    return found * (1.0 / len(inputs)) if kind == "Mean" else found


@operator("Pow")
def power(call: Call, x: Node, y: Node, *, axis: int = -1, broadcast: int = 0) -> Node:
    """x to the power of y, of the dtype of x."""
    y = aligned(call, x, axis, broadcast, y)
    if not is_whole(x):
        return ops.power(x, y if y.dtype == x.dtype else ops.cast(y, dtype=x.dtype))
    if is_whole(y):
        return whole_power(x, y)
    return ops.cast(ops.power(ops.cast(x, dtype="float64"), ops.cast(y, dtype="float64")), dtype=x.dtype)


@operator("Mod")
def modulo(call: Call, a: Node, b: Node, *, fmod: int = 0) -> Node:
    """What is left of a when it is divided by b, with the sign of b; with fmod that of a."""
    if not fmod and not is_whole(a) and call.version < 28:
        raise call.wrong("floats without fmod=1", "fmod=1")
    return remainder(a, b, of_quotient=bool(fmod))


@operator("Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Not", "Sqrt", "Exp", "Log")
def plain(call: Call, x: Any, *, consumed_inputs: Any = None) -> Any:
    """What our ops have under another name."""
    named: dict[str, Any] = {
        "Neg": ops.negative, "Abs": ops.absolute, "Sign": ops.sign, "Floor": ops.floor, "Ceil": ceiling, "Round": rounded,
        "Not": ops.logical_not, "Sqrt": ops.sqrt, "Exp": ops.exp, "Log": ops.log,
    }  # fmt: skip
    return named[call.node.op_type](x)


@operator("Identity")
def same(call: Call, x: Any, *, consumed_inputs: Any = None) -> Any:
    """The value itself."""
    return x


@operator("IsNaN")
def is_none(call: Call, x: Node) -> Node:
    """Whether an entry is no number."""
    return ops.not_equal(x, x)


@operator("IsInf")
def is_infinite(call: Call, x: Node, *, detect_negative: int = 1, detect_positive: int = 1) -> Node:
    """Whether an entry is infinite."""
    above, below = ops.equal(x, np.inf), ops.equal(x, -np.inf)
    nothing = ops.broadcast_to(constant(False), shape=x.shape)
    return ops.logical_or(above if detect_positive else nothing, below if detect_negative else nothing)


@operator("Where")
def chosen(call: Call, condition: Node, x: Node, y: Node) -> Node:
    """x where the condition holds, y elsewhere."""
    return ops.where(condition, x, y)


@operator("Clip")
def clipped(
    call: Call, x: Node, low: Node | None = None, high: Node | None = None, *, consumed_inputs: Any = None, **limits: float
) -> Node:
    """x, held between two limits; where they cross, at the upper one."""
    unknown = limits.keys() - {"min", "max"}
    if unknown:
        raise call.wrong(f"the attribute {sorted(unknown)[0]!r}", "min and max")
    low = low if low is not None else constant(limits["min"], x.dtype) if "min" in limits else None
    high = high if high is not None else constant(limits["max"], x.dtype) if "max" in limits else None
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


@operator("Cast")
def converted(call: Call, x: Node, *, to: Any, saturate: int = 1, round_mode: str = "up") -> Node:
    """x in another dtype."""
    kind = to if isinstance(to, int) else TensorProto.DataType.Value(str(to).upper())
    return _cast(x, dtype_of(kind, f"the result of {call.label}"), kind)


@operator("CastLike")
def converted_like(call: Call, x: Node, like: Node, *, saturate: int = 1, round_mode: str = "up") -> Node:
    """x in the dtype of another value."""
    return _cast(x, like.dtype, call.kind(1, like))


def _cast(x: Node, dtype: str, kind: int) -> Node:
    return held(x if x.dtype == dtype else ops.cast(x, dtype=dtype), kind)


# ---- bits


@operator("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def bitwise(call: Call, a: Node, b: Node) -> Node:
    """Bit by bit."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    first, second = (bits(_narrow(call, ops.broadcast_to(x, shape=shape) if x.shape != shape else x)) for x in (a, b))
    product = first * second
    kind = call.node.op_type
    found = product if kind == "BitwiseAnd" else first + second - product * (1 if kind == "BitwiseOr" else 2)
    return from_bits(found, a.dtype)


def _narrow(call: Call, x: Node) -> Node:
    if x.dtype not in {"uint8", "int32", "uint32"}:
        raise call.unsupported(f"bits of {x.dtype}")
    return x


@operator("BitwiseNot")
def bitwise_not(call: Call, x: Node) -> Node:
    """Every bit turned over."""
    wide = ops.cast(x, dtype="int64")
    top = {"uint8": 2**8 - 1, "uint32": 2**32 - 1}.get(x.dtype, -1)
    return ops.cast(ops.subtract(full(top, wide), wide), dtype=x.dtype)


@operator("BitShift")
def shifted(call: Call, x: Node, by: Node, *, direction: str) -> Node:
    """Bits moved up or down."""
    _narrow(call, x)
    wide, amount = ops.cast(x, dtype="int64"), ops.cast(by, dtype="int64")
    # An amount below 0 is, as bits, larger than any width.
    amount = ops.where(ops.less(amount, 0), 32, ops.minimum(amount, 32))
    powers = ops.gather(constant(2 ** np.arange(33, dtype=np.int64)), amount, axis=0)
    if direction == "LEFT":
        return ops.cast(wide * powers, dtype=x.dtype)
    shape = np.broadcast_shapes(x.shape, by.shape)
    pair = (node if node.shape == shape else ops.broadcast_to(node, shape=shape) for node in (wide, powers))
    return ops.cast(floor_quotient(*pair), dtype=x.dtype)


# ---- constants


@operator("Constant")
def constant_of(
    call: Call,
    *,
    value: Any = None,
    value_float: float | None = None,
    value_floats: Any = None,
    value_int: int | None = None,
    value_ints: Any = None,
) -> Node:
    """A constant."""
    if value is not None:
        return constant(array_of(value, call.label))
    floats = value_float if value_float is not None else value_floats
    if floats is not None:
        return constant(np.asarray(floats, dtype=np.float32))
    if value_int is None and value_ints is None:
        raise call.unsupported("a constant of texts")
    return constant(np.asarray(value_int if value_int is not None else value_ints, dtype=np.int64))


# ---- quantised numbers


def quantised_to(call: Call, kind: int, x: Node, scale: Node, zero: Node | None, axis: int = 1, block_size: int = 0) -> Node:
    """round(x/scale) + zero, held to the range of a kind."""
    if kind not in LIMITS:
        raise call.unsupported(f"numbers quantised to {dtype_of(kind, call.label)}")
    x = x if x.type.is_float else ops.cast(x, dtype=scale.dtype)
    found = rounded(x / _along(call, scale, x, axis, block_size))
    if zero is not None:
        found = found + ops.cast(_along(call, zero, x, axis, block_size), dtype=found.dtype)
    low, high = LIMITS[kind]
    return ops.cast(ops.minimum(ops.maximum(found, float(low)), float(high)), dtype=READ[kind])


@operator("QuantizeLinear")
def quantised(
    call: Call, x: Node, scale: Node, zero: Node | None = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0,
    precision: int = 0, saturate: int = 1,
) -> Node:  # fmt: skip
    """Numbers in steps of the scale, of the kind of zero."""
    kind = call.kind(2, zero) if zero is not None else output_dtype or TensorProto.UINT8
    return quantised_to(call, kind, x, scale, zero, axis, block_size)


def dequantised_by(
    call: Call, x: Node, scale: Node, zero: Node | None = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0
) -> Node:
    """(x − zero)·scale."""
    wide = ops.cast(x, dtype=scale.dtype)
    if zero is not None:
        wide = wide - ops.cast(_along(call, zero, x, axis, block_size), dtype=scale.dtype)
    return wide * _along(call, scale, x, axis, block_size)


operator("DequantizeLinear")(dequantised_by)


def _along(call: Call, row: Node, x: Node, axis: int, block: int) -> Node:
    """Numbers of an axis, or of blocks of it, in the shape of x."""
    if row.type.size == 1 and not block:
        return ops.reshape(row, shape=(1,) * x.type.ndim)
    axis = axis % x.type.ndim
    if not block:
        return along(row, x, axis)
    places = np.arange(x.shape[axis]) // block
    return ops.gather(row, constant(places), axis=axis)


def along(row: Node, x: Node, axis: int = 1) -> Node:
    """Numbers of an axis beside x."""
    return ops.reshape(row, shape=tuple(row.type.size if place == axis else 1 for place in range(x.type.ndim)))
