"""One row or more for each op: how to build it, on which numbers, and what an independent judge (JAX) says it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry_2x32

from chainrule import ops
from chainrule.graph import Node, constant, input_node

jax.config.update("jax_enable_x64", True)

Build = Callable[..., Node]


@dataclass(frozen=True, eq=False)
class Case:
    """An op on given numbers; float64 inputs are also tried as float32."""

    op: str
    build: Build
    judge: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    label: str = ""
    smooth: bool = True
    """Whether derivatives by the float inputs exist at these numbers and are not None."""
    complex_step: bool = True
    exact: bool = False
    """Whether the judge must agree to the last bit."""

    @property
    def id(self) -> str:
        return f"{self.op}-{self.label}" if self.label else self.op

    @property
    def floats(self) -> list[int]:
        return [i for i, value in enumerate(self.inputs) if value.dtype == np.float64]

    def arrays(self, dtype: str = "float64") -> list[np.ndarray]:
        return [value.astype(dtype) if value.dtype == np.float64 else value for value in self.inputs]

    def nodes(self, dtype: str = "float64") -> list[Node]:
        return [input_node(f"x{i}", value.shape, value.dtype.name) for i, value in enumerate(self.arrays(dtype))]


def grid(low: float, high: float, *shape: int, seed: int = 0) -> np.ndarray:
    """Numbers without structure in (low, high), no two alike."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def away(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers of both signs, none nearer to a kink at 0 than 0.2."""
    numbers = grid(0.2, 2.0, *shape, seed=seed)
    return np.where(grid(0, 1, *shape, seed=seed + 9) < 0.5, -numbers, numbers)


X, Y = away(2, 3), away(2, 3, seed=1)
POSITIVE = grid(0.3, 2.0, 2, 3)
BOOLS = np.array([[True, False, True], [False, False, True]])
ROW = away(3, seed=2)
M, N = away(2, 3, seed=3), away(3, 4, seed=4)
T3 = away(2, 3, 4, seed=5)
# No two nearer than 0.17: a difference quotient must not cross a tie.
SPREAD = np.random.default_rng(6).permutation(24).reshape(2, 3, 4) * 0.17 - 2.0


def unary(name: str, judge: Callable[..., Any], x: np.ndarray = X, **more: Any) -> Case:
    return Case(name, ops.__dict__[name], judge, (x,), **more)


def binary(name: str, judge: Callable[..., Any], x: np.ndarray = X, y: np.ndarray = Y, **more: Any) -> list[Case]:
    op = ops.__dict__[name]
    return [
        Case(name, op, judge, (x, y), **more),
        Case(name, op, judge, (x, y[:1]), label="row", **more),
        Case(name, op, judge, (x[:, :1], y[0]), label="both stretched", **more),
        Case(name, lambda a: op(a, 0.75), lambda a: judge(a, jnp.asarray(0.75, a.dtype)), (x,), label="number", **more),
    ]


def choice(name: str, judge: Callable[..., Any], **more: Any) -> list[Case]:
    tied = np.where(BOOLS, X, Y)
    op = ops.__dict__[name]
    whole = np.arange(6).reshape(2, 3)
    return [
        Case(name, op, judge, (X, tied), smooth=False, exact=True, **more),
        Case(name, op, judge, (whole, whole[::-1]), label="whole", smooth=False, exact=True, **more),
    ]


def take(x: Any, indices: Any, axis: int) -> Any:
    return jnp.take(x, indices, axis=axis)


def scatter(axis: int) -> Callable[..., Any]:
    return lambda x, i, u: x.at[(slice(None),) * axis + (i,)].add(u)


IMAGES = away(2, 6, 5, 2, seed=8)


def windows(x: Any, axes: Sequence[int], taps: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    """Windows as JAX gathers them: every entry by its index, one axis after the other."""
    spread = x
    for number, axis in enumerate(axes):
        reach = (taps[number] - 1) * dilations[number]
        starts = jnp.arange(0, x.shape[axis] - reach, strides[number])
        places = starts[:, None] + dilations[number] * jnp.arange(taps[number])
        spread = jnp.take(spread, places, axis=axis)
        spread = jnp.moveaxis(spread, axis + 1, axes[-1] + 1 + number)
    return spread


def overlap(x: Any, extents: Sequence[int], **how: Sequence[int]) -> Any:
    """Overlap-add as the transpose, by JAX, of the windows above."""
    axes = how["axes"]
    end = axes[-1] + 1
    shape = [*x.shape[:end], *x.shape[end + len(axes) :]]
    for axis, extent in zip(axes, extents, strict=True):
        shape[axis] = extent
    taps = x.shape[end : end + len(axes)]
    like = jax.ShapeDtypeStruct(tuple(shape), x.dtype)
    return jax.linear_transpose(lambda y: windows(y, axes, taps, how["strides"], how["dilations"]), like)(x)[0]


def window_cases() -> list[Case]:
    """Plain, strided and dilated windows over one axis and two, with taps that overlap, that touch and that leave gaps."""
    hows = {
        "": {"axes": (1, 2), "taps": (3, 2), "strides": (1, 1), "dilations": (1, 1)},
        "strided": {"axes": (1, 2), "taps": (2, 2), "strides": (2, 3), "dilations": (1, 1)},
        "dilated": {"axes": (1, 2), "taps": (2, 3), "strides": (2, 1), "dilations": (3, 2)},
        "one axis": {"axes": (2,), "taps": (4,), "strides": (1,), "dilations": (1,)},
        "last axis": {"axes": (3,), "taps": (1,), "strides": (1,), "dilations": (1,)},
        "axes apart": {"axes": (0, 2), "taps": (2, 1), "strides": (1, 2), "dilations": (1, 1)},
    }
    cases: list[Case] = []
    for label, how in hows.items():
        x, back = IMAGES, {key: value for key, value in how.items() if key != "taps"}
        extents = tuple(x.shape[axis] for axis in how["axes"])
        build = partial(ops.windows, **how)
        cases.append(Case("windows", build, partial(windows, **how), (x,), label=label, exact=True))
        pieces = away(*build(input_node("x", x.shape)).shape, seed=12)
        add, judge = partial(ops.overlap_add, extents=extents, **back), partial(overlap, extents=extents, **back)
        cases.append(Case("overlap_add", add, judge, (pieces,), label=label))
    return cases


def cell(h: Any, c: Any, x: Any, u: Any, w: Any, d: Any, tanh: Any) -> tuple[Any, Any, Any]:
    """One turn of a memory cell, for both sides: the next h and c, and what h is the tanh of."""
    z = h @ u + x @ w + d
    after = c * 0.5 + tanh(z) * x @ w
    return tanh(z) * after, after, z


CELL = tuple(
    0.3 * away(*shape, seed=20 + number) for number, shape in enumerate([(2, 3), (2, 3), (4, 2, 3), (3, 3), (3, 3), (3,)])
)
"""h and c at first, four turns of x (2, 3), two matrices, a row: so small that no turn makes the rounding of earlier ones grow."""


def scan_case(label: str, take: str, *, before: bool = False, reverse: bool = False) -> Case:
    """A loop with two states, one sequence and three constants, from which one thing is taken."""

    def build(h: Node, c: Node, x: Node, u: Node, w: Node, d: Node) -> Node:
        def turn(h: Node, c: Node, x: Node, u: Node, w: Node, d: Node) -> dict[str, Node]:
            after, kept, z = cell(h, c, x, u, w, d, ops.tanh)
            return {"h": after, "c": kept.named("kept"), "z": z}

        loop = ops.recurrence(turn, {"h": h, "c": c}, {"x": x}, {"u": u, "w": w, "d": d}, reverse=reverse)
        return loop.before(take) if before else loop.after(take)

    def judge(h: Any, c: Any, x: Any, u: Any, w: Any, d: Any) -> Any:
        def turn(state: Any, row: Any) -> Any:
            after, kept, z = cell(*state, row, u, w, d, jnp.tanh)
            found = {"h": state[0], "c": state[1]} if before else {"h": after, "c": kept, "z": z}
            return (after, kept), found[take]

        return lax.scan(turn, (h, c), x, reverse=reverse)[1]

    return Case("scan", build, judge, CELL, label=label)


REPEATED = np.array([[1, 0], [1, 1]])


def leading(z: Any, labels: Any) -> Any:
    """z_label − max of the others."""
    hot = jax.nn.one_hot(labels, z.shape[-1], dtype=bool)
    return jnp.sum(jnp.where(hot, z, 0), -1) - jnp.max(jnp.where(hot, -jnp.inf, z), -1)


def cross_entropy(z: Any, labels: Any) -> Any:
    """−log softmax(z)_label."""
    return -jnp.take_along_axis(jax.nn.log_softmax(z), labels[..., None], -1)[..., 0]


def binary_cross_entropy(z: Any, y: Any) -> Any:
    """Minus the log likelihood of y under σ(z)."""
    return -(y * jax.nn.log_sigmoid(z) + (1 - y) * jax.nn.log_sigmoid(-z))


def poisson_loss(z: Any, y: Any) -> Any:
    """Half the deviance of y from a Poisson distribution with the mean exp(z)."""
    return y * (jnp.log(y) - z) - (y - jnp.exp(z))


CASES: Sequence[Case] = [
    *binary("add", jnp.add, exact=True),
    *binary("subtract", jnp.subtract, exact=True),
    *binary("multiply", jnp.multiply, exact=True),
    *binary("divide", jnp.divide),  # XLA may multiply by a reciprocal instead: not to the last bit
    *binary("power", jnp.power, POSITIVE, Y),
    Case("power", lambda x: x**3.0, lambda x: x**3, (X,), label="cube"),
    Case("power", lambda x: x**-2.0, lambda x: x**-2, (X,), label="inverse square"),
    *binary("maximum", jnp.maximum, exact=True),
    *binary("minimum", jnp.minimum, exact=True),
    *choice("equal", jnp.equal),
    *choice("not_equal", jnp.not_equal),
    *choice("less", jnp.less),
    *choice("less_equal", jnp.less_equal),
    *choice("greater", jnp.greater),
    *choice("greater_equal", jnp.greater_equal),
    Case("logical_and", ops.logical_and, jnp.logical_and, (BOOLS, BOOLS[::-1]), exact=True),
    Case("logical_or", ops.logical_or, jnp.logical_or, (BOOLS, BOOLS[::-1]), exact=True),
    Case("logical_not", ops.logical_not, jnp.logical_not, (BOOLS,), exact=True),
    Case("where", ops.where, jnp.where, (BOOLS, X, Y), exact=True),
    Case("where", lambda c, x: ops.where(c, x, 0.0), lambda c, x: jnp.where(c, x, 0), (BOOLS, X), label="number", exact=True),
    Case("cast", lambda x: ops.cast(x, dtype="float32"), lambda x: x.astype("float32"), (X,), smooth=False, exact=True),
    Case(
        "cast",
        lambda x: ops.cast(x, dtype="int32"),
        lambda x: x.astype("int32"),
        (9 * X,),
        label="cut",
        smooth=False,
        exact=True,
    ),
    Case("cast", lambda x: ops.cast(x, dtype=x.dtype), lambda x: x, (X,), label="same", exact=True),
    Case("stop_gradient", ops.stop_gradient, lax.stop_gradient, (X,), smooth=False, exact=True),
    unary("negative", jnp.negative, exact=True),
    unary("exp", jnp.exp),
    unary("expm1", jnp.expm1),
    unary("log", jnp.log, POSITIVE),
    unary("log1p", jnp.log1p, POSITIVE),
    unary("sqrt", jnp.sqrt, POSITIVE),
    unary("sin", jnp.sin),
    unary("cos", jnp.cos),
    unary("tanh", jnp.tanh),
    unary("sigmoid", jax.nn.sigmoid),
    unary("softplus", jax.nn.softplus),
    unary("relu", jax.nn.relu, exact=True),
    unary("erf", lax.erf, complex_step=False),
    unary("absolute", jnp.abs, exact=True),
    unary("sign", jnp.sign, smooth=False, exact=True),
    unary("floor", jnp.floor, 5 * X, smooth=False, exact=True),
    Case(
        "broadcast_to",
        lambda x: ops.broadcast_to(x, shape=(4, 2, 3)),
        lambda x: jnp.broadcast_to(x, (4, 2, 3)),
        (X[:, :1],),
        exact=True,
    ),
    Case("reduce_sum", lambda x: ops.reduce_sum(x, axes=(0, 2)), lambda x: jnp.sum(x, (0, 2)), (T3,)),
    Case(
        "reduce_sum", lambda x: ops.mean(x, axis=1, keepdims=True), lambda x: jnp.mean(x, 1, keepdims=True), (T3,), label="mean"
    ),
    Case("reduce_max", lambda x: ops.reduce_max(x, axes=(1,)), lambda x: jnp.max(x, 1), (SPREAD,), exact=True),
    Case("reduce_max", ops.max, jnp.max, (SPREAD,), label="all", exact=True),
    Case("reduce_min", lambda x: ops.reduce_min(x, axes=(0, 2)), lambda x: jnp.min(x, (0, 2)), (SPREAD,), exact=True),
    Case("argmax", lambda x: ops.argmax(x, axis=1), lambda x: jnp.argmax(x, 1), (T3,), smooth=False, exact=True),
    Case("reshape", lambda x: ops.reshape(x, shape=(3, 2)), lambda x: x.reshape(3, 2), (X,), exact=True),
    Case("transpose", lambda x: ops.transpose(x, axes=(2, 0, 1)), lambda x: x.transpose(2, 0, 1), (T3,), exact=True),
    Case(
        "slice_axes",
        lambda x: ops.slice_axes(x, starts=(0, 1, 1), stops=(2, 2, 4), steps=(1, 1, 2)),
        lambda x: x[0:2:1, 1:2:1, 1:4:2],
        (T3,),
        exact=True,
    ),
    Case(
        "pad",
        lambda x: ops.pad(x, low=(1, 0), high=(0, 2), interior=(2, 1)),
        lambda x: lax.pad(x, jnp.asarray(0, x.dtype), ((1, 0, 2), (0, 2, 1))),
        (X,),
        exact=True,
    ),
    Case(
        "concatenate",
        lambda x, y, z: ops.concatenate(x, y, z, axis=1),
        lambda x, y, z: jnp.concatenate([x, y, z], 1),
        (X, Y[:, :1], X[:, 1:]),
        exact=True,
    ),
    Case("flip", lambda x: ops.flip(x, axes=(0, 2)), lambda x: jnp.flip(x, (0, 2)), (T3,), exact=True),
    *window_cases(),
    scan_case("state", "h"),
    scan_case("backwards", "c", reverse=True),
    scan_case("inner", "z"),
    scan_case("before", "c", before=True),
    scan_case("before backwards", "h", before=True, reverse=True),
    Case("matmul", ops.matmul, jnp.matmul, (M, N)),
    Case("matmul", ops.matmul, jnp.matmul, (away(2, 1, 2, 3), away(5, 3, 2)), label="batches broadcast"),
    Case("gather", lambda x, i: ops.gather(x, i, axis=0), lambda x, i: take(x, i, 0), (X, REPEATED), exact=True),
    Case(
        "gather", lambda x, i: ops.gather(x, i, axis=1), lambda x, i: take(x, i, 1), (T3, np.array(2)), label="one", exact=True
    ),
    Case("scatter_add", lambda x, i, u: ops.scatter_add(x, i, u, axis=0), scatter(0), (X, REPEATED, away(2, 2, 3, seed=7))),
    Case(
        "scatter_add",
        lambda x, i, u: ops.scatter_add(x, i, u, axis=1),
        scatter(1),
        (X, REPEATED, away(2, 2, 2)),
        label="axis 1",
    ),
    Case(
        "one_hot",
        lambda i: ops.one_hot(i, classes=3, dtype="float32"),
        lambda i: jax.nn.one_hot(i, 3, dtype="float32"),
        (np.array([2, 0, -1, 3]),),
        exact=True,
    ),
    unary("square", jnp.square, exact=True),
    unary("arctan", jnp.arctan),
    unary("arctan", jnp.arctan, 50 * X, label="steep"),
    Case("huber", lambda x: ops.huber(x, delta=0.5), lambda x: jnp.where(abs(x) < 0.5, x * x / 2, 0.5 * (abs(x) - 0.25)), (X,)),
    Case("norm", ops.norm, lambda x: jnp.sqrt(jnp.sum(x * x, -1)), (T3,), complex_step=False),
    Case("margin", ops.margin, leading, (SPREAD[0], np.array([2, 0, 1]))),
    Case(
        "runner_up",
        ops.runner_up,
        lambda z, labels: (
            jax.grad(lambda v: -jnp.sum(leading(v, labels)))(z) + jax.nn.one_hot(labels, z.shape[-1], dtype=z.dtype)
        ),
        (SPREAD[0], np.array([2, 0, 1])),
        smooth=False,
    ),
    Case("softmax", lambda z: ops.softmax(z, axis=1), lambda z: jax.nn.softmax(z, 1), (4 * X,)),
    Case("softmax", lambda z: ops.softmax(z, axis=0), lambda z: jax.nn.softmax(z, 0), (T3,), label="axis 0"),
    Case("softmax_cross_entropy", ops.softmax_cross_entropy, cross_entropy, (4 * X, np.array([2, 0]))),
    Case(
        "softmax_cross_entropy",
        ops.softmax_cross_entropy,
        cross_entropy,
        (T3, np.array([[2, 0, 1], [3, 3, 0]])),
        label="rows of rows",
    ),
    Case(
        "softmax_error",
        ops.softmax_error,
        lambda z, labels: jax.nn.softmax(z) - jax.nn.one_hot(labels, z.shape[-1], dtype=z.dtype),
        (4 * X, np.array([2, 0])),
    ),
    Case("sigmoid_error", ops.sigmoid_error, lambda z, y: jax.nn.sigmoid(z) - y, (3 * X, grid(0.1, 0.9, 2, 3))),
    Case("poisson_loss", ops.poisson_loss, poisson_loss, (X, grid(0.3, 7.0, 2, 3))),
    Case("sigmoid_cross_entropy", ops.sigmoid_cross_entropy, binary_cross_entropy, (3 * X, grid(0.1, 0.9, 2, 3))),
    Case(
        "random_bits",
        lambda key: ops.random_bits(key, shape=(5, 2)),
        # JAX's function counts all of a first half of blocks, then a second half: undo that.
        lambda key: threefry_2x32(key, jnp.stack([jnp.zeros(5, "uint32"), jnp.arange(5, dtype="uint32")])).T,
        (np.array([7, 11], dtype=np.uint32),),
        exact=True,
    ),
    Case(
        "random_fold",
        ops.random_fold,
        lambda key, word: threefry_2x32(key, jnp.stack([jnp.uint32(0xFFFFFFFF), word])),
        (np.array([7, 11], dtype=np.uint32), np.array(5, dtype=np.uint32)),
        exact=True,
    ),
]


def weights(node: Node, seed: int) -> Node:
    """A constant of the node's type with numbers from (0.5, 1.5): what makes one scalar of an array."""
    return constant(grid(0.5, 1.5, *node.shape, seed=seed).astype(node.dtype))
