"""Floor 2: the primitives, one stanza each, and short names for common compounds of them."""

from chainrule.checks import answering
from chainrule.ops.arrays import index
from chainrule.ops.broadcast import broadcast_to, reduce_sum
from chainrule.ops.compounds import (
    arctan,
    decompose,
    huber,
    margin,
    norm,
    poisson_loss,
    runner_up,
    sigmoid_cross_entropy,
    sigmoid_error,
    softmax,
    softmax_cross_entropy,
    softmax_error,
    square,
)
from chainrule.ops.elementwise import (
    absolute,
    add,
    cast,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    greater,
    greater_equal,
    heaviside,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    relu,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    stop_gradient,
    subtract,
    tanh,
    where,
)
from chainrule.ops.indexing import gather, one_hot, scatter_add
from chainrule.ops.matrices import matmul
from chainrule.ops.random import epoch_order, key, normal, random_bits, random_fold, stream, threefry2x32, uniform
from chainrule.ops.recurrence import Recurrence, recurrence, scan, split_values
from chainrule.ops.reductions import argmax, max, mean, min, position_of_max, reduce_max, reduce_min, sum  # noqa: A004
from chainrule.ops.shapes import concatenate, flip, pad, reshape, slice_axes, slice_axis, swap_last, transpose
from chainrule.ops.simplify import PASSES, SIMPLIFICATIONS, simplify_algebra
from chainrule.ops.unrolling import loop_key, unroll
from chainrule.ops.windows import overlap_add, window_positions, windows

__all__ = [
    "PASSES", "Recurrence", "SIMPLIFICATIONS", "absolute", "add", "arctan", "argmax", "broadcast_to", "cast", "concatenate",
    "cos", "decompose", "divide", "epoch_order", "equal", "erf", "exp", "expm1", "flip", "floor", "gather", "greater",
    "greater_equal", "heaviside", "huber", "index", "key", "less", "less_equal", "log", "log1p", "logical_and", "logical_not",
    "logical_or", "loop_key", "margin", "matmul", "max", "maximum", "mean", "min", "minimum", "multiply", "negative", "norm",
    "normal", "not_equal", "one_hot", "overlap_add", "pad", "poisson_loss", "position_of_max", "power", "random_bits", "random_fold",
    "recurrence", "reduce_max", "reduce_min", "reduce_sum", "relu", "reshape", "runner_up", "scan", "scatter_add", "where",
    "sigmoid", "sigmoid_cross_entropy", "sigmoid_error", "sign", "simplify_algebra", "sin", "slice_axes", "slice_axis",
    "softmax", "softmax_cross_entropy", "softmax_error", "softplus", "split_values", "sqrt", "square", "stop_gradient",
    "stream", "subtract", "sum", "swap_last", "tanh", "threefry2x32", "transpose", "uniform", "unroll", "window_positions",
    "windows",
]  # fmt: skip

answering(globals())
