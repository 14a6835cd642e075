"""JAX's primitives as our ops: from the equations of a jaxpr to nodes; what depends on no input is computed by JAX at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from chainrule import ops
from chainrule.errors import UnsupportedError
from chainrule.graph import Array, Graph, Node, Shape, constant, rewrite_nodes, scope
from chainrule.graph.types import DTYPES
from chainrule.interop.any_batch import cleaned
from chainrule.nn.convolution import weighed
from chainrule.spelling import listed

Value: TypeAlias = "Node | Array"
"""What a variable of a jaxpr stands for: a node, or numbers that depend on no input."""
Rule: TypeAlias = "Callable[..., Value | Sequence[Value]]"
F = TypeVar("F", bound=Callable[..., Any])

RULES: dict[str, Rule] = {}
"""From the name of a primitive to the function that makes its nodes: of the values of its inputs, with its parameters by name."""
INSIDE = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr", "remat": "jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr",
}  # fmt: skip
"""Primitives that only hold a jaxpr, and the parameter that does."""


def rule(*names: str) -> Callable[[F], F]:
    """Enters a function into the table."""

    def enter(function: F) -> F:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def outputs_of(jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Value]) -> list[Value]:
    """What a jaxpr gives for these values of its inputs. Raises: UnsupportedError for a primitive or a dtype that is not here."""
    known: dict[Any, Value] = dict(zip(jaxpr.constvars, map(_numbers, constants), strict=True))
    known |= dict(zip(jaxpr.invars, inputs, strict=True))

    def value(variable: Any) -> Value:
        if not isinstance(variable, Literal):
            return known[variable]
        kind: Any = variable.aval
        return np.asarray(variable.val, kind.dtype)

    for equation in jaxpr.eqns:
        # Flax says here which module an equation belongs to; the first name is that of the whole.
        path = cleaned(".".join(str(equation.source_info.name_stack).split("/")[1:]))
        with scope(path) if path else scope():
            found = _applied(equation, [value(variable) for variable in equation.invars])
        known.update(zip(equation.outvars, found, strict=True))
    return [value(variable) for variable in jaxpr.outvars]


def _applied(equation: Any, inputs: list[Value]) -> Sequence[Value]:
    """The outputs of one equation."""
    name, parameters = equation.primitive.name, equation.params
    # A row of numbers for each example stays a row, whatever the size of the batch.
    is_stretched = name == "broadcast_in_dim" and inputs[0].size > 1  # pyright: ignore[reportAttributeAccessIssue]
    if not is_stretched and not any(isinstance(each, Node) for each in inputs):
        with jax.ensure_compile_time_eval():
            made = equation.primitive.bind(*inputs, **parameters)
        return [_numbers(each) for each in (made if equation.primitive.multiple_results else [made])]
    if name in INSIDE:
        inner = parameters[INSIDE[name]]
        return outputs_of(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), inputs)
    if name not in RULES:
        random = name.startswith(("random", "threefry"))
        raise UnsupportedError(
            f"the JAX primitive {name}",
            expected=f"one of {listed(sorted({*RULES, *INSIDE}))}",
            remedy="give a function without chance, such as deterministic=True" if random else "write it with other functions",
        )
    made: Any = RULES[name](*inputs, **parameters)
    return made if isinstance(made, list) else [made]


def _numbers(value: Any) -> Array:
    """An array of NumPy's; JAX's random keys, which are none, as they are."""
    is_key = isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    found: Any = value if is_key else np.asarray(value)
    return found


def node_of(value: Value) -> Node:
    """A node, or numbers as a constant. Raises: UnsupportedError for numbers that nodes cannot hold."""
    if isinstance(value, Node):
        return value
    require_dtype(value.dtype)
    return constant(value, value.dtype.name)


def require_dtype(dtype: Any) -> str:
    """The name of a dtype. Raises: UnsupportedError for one that nodes do not have."""
    name = str(dtype)
    if name not in DTYPES:
        raise UnsupportedError(f"numbers of the dtype {name}", expected=listed(DTYPES), remedy="convert them first")
    return name


def _reshaped(x: Node, shape: Sequence[int]) -> Node:
    return x if x.shape == tuple(shape) else ops.reshape(x, shape=tuple(shape))


def _ordered(x: Node, axes: Sequence[int]) -> Node:
    return x if tuple(axes) == tuple(range(x.type.ndim)) else ops.transpose(x, axes=tuple(axes))


def _inverse(axes: Sequence[int]) -> Shape:
    return tuple(int(place) for place in np.argsort(axes))


# ---- entry by entry


def _entrywise(function: Callable[..., Node]) -> Rule:
    def make(*inputs: Value, **_: Any) -> Node:
        return function(*map(node_of, inputs))

    return make


_SAME: dict[str, Callable[..., Node]] = {
    "add": ops.add, "add_any": ops.add, "sub": ops.subtract, "mul": ops.multiply, "min": ops.minimum, "neg": ops.negative,
    "exp": ops.exp, "log": ops.log, "expm1": ops.expm1, "log1p": ops.log1p, "sqrt": ops.sqrt, "sin": ops.sin, "cos": ops.cos,
    "tanh": ops.tanh, "logistic": ops.sigmoid, "erf": ops.erf, "abs": ops.absolute, "sign": ops.sign, "floor": ops.floor,
    "atan": ops.arctan, "square": ops.square, "eq": ops.equal, "ne": ops.not_equal, "lt": ops.less, "le": ops.less_equal,
    "gt": ops.greater, "ge": ops.greater_equal, "stop_gradient": ops.stop_gradient,
}  # fmt: skip
_MADE: dict[str, Callable[[Node], Node]] = {
    "rsqrt": lambda x: 1.0 / ops.sqrt(x), "erfc": lambda x: 1.0 - ops.erf(x), "exp2": lambda x: ops.exp(x * float(np.log(2.0))),
    "sinh": lambda x: 0.5 * (ops.expm1(x) - ops.expm1(-x)), "cosh": lambda x: 0.5 * (ops.exp(x) + ops.exp(-x)),
    "tan": lambda x: ops.sin(x) / ops.cos(x), "ceil": lambda x: -ops.floor(-x), "is_finite": lambda x: ops.equal(x - x, 0.0),
    "copy": lambda x: x, "copy_p": lambda x: x,
}  # fmt: skip
RULES.update({name: _entrywise(function) for name, function in {**_SAME, **_MADE}.items()})


@rule("clamp")
def clamped(low: Value, x: Value, high: Value) -> Node:
    """Between two numbers."""
    return ops.minimum(ops.maximum(node_of(x), node_of(low)), node_of(high))


@rule("optimization_barrier")
def unchanged(*inputs: Value) -> list[Value]:
    """What only the compiler looks at."""
    return list(inputs)


@rule("max")
def larger(x: Value, y: Value) -> Node:
    """The larger number; beside 0 it is our ReLU, which has the name that readers know. Beside −∞ it is the other one."""
    for one, other in ((x, y), (y, x)):
        if isinstance(one, Node) and one.type.is_float and not isinstance(other, Node):
            if not np.any(other):
                return ops.relu(one)
            if np.all(other == -np.inf):
                return one
    return ops.maximum(node_of(x), node_of(y))


@rule("div")
def quotient(x: Value, y: Value) -> Node:
    """The quotient of floats."""
    left, right = node_of(x), node_of(y)
    if not left.type.is_float:
        raise UnsupportedError("a quotient of whole numbers", expected="floats", remedy="convert them first")
    axis = _axis_of_shares(left, right)
    if axis is None:
        return ops.divide(left, right)
    (z,) = left.inputs
    shift = z.inputs[1] if z.op is ops.subtract else None
    # What is the same along the axis, such as the largest entry, changes no share.
    is_steady = shift is not None and _before_stretch(shift).shape[axis : axis + 1] == (1,)
    return ops.softmax(z.inputs[0] if is_steady else z, axis=axis)


def _axis_of_shares(e: Node, total: Node) -> int | None:
    """The axis over which e, an exponential, is summed up to `total`; None for what is no softmax."""
    total = _before_stretch(total)
    summed = total.inputs[0] if total.op is ops.reshape else total
    if (
        e.op is not ops.exp
        or summed.op is not ops.reduce_sum
        or summed.inputs[0] is not e
        or len(summed.attributes["axes"]) != 1
    ):
        return None
    (axis,) = summed.attributes["axes"]
    return axis if total.shape == (*e.shape[:axis], 1, *e.shape[axis + 1 :]) else None


def plain_rows(graph: Graph) -> Graph:
    """The same where a row that is stretched to all examples need not become a matrix of one row before."""

    def rule(node: Node) -> Node | None:
        (source,) = node.inputs if node.op is ops.broadcast_to else (node,)
        if source is node or source.op is not ops.reshape:
            return None
        row = source.inputs[0]
        is_same = source.shape == (*(1,) * (source.type.ndim - row.type.ndim), *row.shape)
        return ops.broadcast_to(row, shape=node.shape) if is_same else None

    return rewrite_nodes("rows", graph, rule)[0]


def _before_stretch(x: Node) -> Node:
    return x.inputs[0] if x.op is ops.broadcast_to and x.inputs[0].type.ndim == x.type.ndim else x


@rule("pow", "integer_pow")
def powered(x: Value, exponent: Value | None = None, *, y: int | None = None) -> Node:
    """xʸ; y is another value, or a whole number."""
    base = node_of(x)
    if y is not None:
        return ops.square(base) if y == 2 else ops.power(base, constant(float(y), base.dtype))
    assert exponent is not None  # noqa: S101  (pow has two operands)
    return ops.power(base, ops.cast(node_of(exponent), dtype=base.dtype))


def _truths(name: str, function: Callable[..., Node]) -> Rule:
    def make(*inputs: Value) -> Node:
        nodes = [node_of(value) for value in inputs]
        if any(node.dtype != "bool" for node in nodes):
            raise UnsupportedError(f"the JAX primitive {name} of bits", expected="truth values", remedy="compare them first")
        return function(*nodes)

    return make


RULES.update({
    name: _truths(name, function)
    for name, function in {
        "and": ops.logical_and, "or": ops.logical_or, "not": ops.logical_not, "xor": ops.not_equal,
    }.items()
})  # fmt: skip


@rule("select_n")
def chosen(which: Value, *cases: Value) -> Node:
    """One of two by a truth value."""
    condition = node_of(which)
    if len(cases) != 2:
        raise UnsupportedError(f"a choice between {len(cases)}", expected="two", remedy="write it with jnp.where")
    other, one = map(node_of, cases)
    return ops.where(condition if condition.dtype == "bool" else ops.not_equal(condition, 0), one, other)


@rule("convert_element_type")
def converted(x: Value, *, new_dtype: Any, **_: Any) -> Node:
    """Numbers of another dtype."""
    node, dtype = node_of(x), require_dtype(new_dtype)
    return node if node.dtype == dtype else ops.cast(node, dtype=dtype)


# ---- shapes


@rule("reshape")
def reshaped(x: Value, *, new_sizes: Shape, **_: Any) -> Node:
    """The same numbers in another shape."""
    return _reshaped(node_of(x), new_sizes)


@rule("squeeze")
def squeezed(x: Value, *, dimensions: Shape) -> Node:
    """Without some axes of one entry."""
    node = node_of(x)
    return _reshaped(node, [extent for axis, extent in enumerate(node.shape) if axis not in dimensions])


@rule("expand_dims")
def expanded(x: Value, *, dimensions: Shape) -> Node:
    """With more axes of one entry."""
    node = node_of(x)
    rest = iter(node.shape)
    return _reshaped(node, [1 if axis in dimensions else next(rest) for axis in range(node.type.ndim + len(dimensions))])


@rule("broadcast_in_dim")
def broadcast(x: Value, *, shape: Shape, broadcast_dimensions: Shape, **_: Any) -> Node:
    """Stretched to a shape, in which the axes of x stand at these places."""
    node = node_of(x)
    inner = [1] * len(shape)
    for axis, extent in zip(broadcast_dimensions, node.shape, strict=True):
        inner[axis] = extent
    found = _reshaped(node, inner)
    return found if found.shape == tuple(shape) else ops.broadcast_to(found, shape=tuple(shape))


@rule("transpose")
def transposed(x: Value, *, permutation: Shape) -> Node:
    """The axes in another order."""
    return _ordered(node_of(x), permutation)


@rule("rev")
def reversed_(x: Value, *, dimensions: Shape) -> Node:
    """Some axes backwards."""
    return ops.flip(node_of(x), axes=tuple(dimensions))


@rule("concatenate")
def joined(*parts: Value, dimension: int) -> Node:
    """One behind the other."""
    return ops.concatenate(*map(node_of, parts), axis=dimension)


@rule("stack")
def stacked(*parts: Value, axis: int) -> Node:
    """Side by side along a new axis."""
    return ops.concatenate(*(expanded(part, dimensions=(axis,)) for part in parts), axis=axis)


@rule("tile")
def repeated(x: Value, *, reps: Shape) -> Node:
    """The whole of it, so many times along each axis."""
    node = node_of(x)
    for axis, times in enumerate(reps):
        node = ops.concatenate(*[node] * times, axis=axis) if times > 1 else node
    return node


@rule("split")
def split(x: Value, *, sizes: Shape, axis: int) -> list[Value]:
    """Cut along an axis."""
    ends = np.cumsum(sizes)
    return [ops.slice_axis(node_of(x), axis, int(end - size), int(end)) for end, size in zip(ends, sizes, strict=True)]


@rule("slice")
def sliced(x: Value, *, start_indices: Shape, limit_indices: Shape, strides: Shape | None) -> Node:
    """A part of each axis."""
    node = node_of(x)
    steps = tuple(strides or (1,) * node.type.ndim)
    return ops.slice_axes(node, starts=tuple(start_indices), stops=tuple(limit_indices), steps=steps)


@rule("dynamic_slice")
def sliced_at(x: Value, *starts: Value, slice_sizes: Shape, **_: Any) -> Node:
    """The same at places that are known."""
    node = node_of(x)
    if any(isinstance(start, Node) for start in starts):
        raise UnsupportedError(
            "a slice whose place is computed", expected="a place that is known", remedy="take rows by jnp.take"
        )
    first = [min(max(int(s), 0), n - size) for s, n, size in zip(starts, node.shape, slice_sizes, strict=True)]
    return ops.slice_axes(
        node,
        starts=tuple(first),
        stops=tuple(start + size for start, size in zip(first, slice_sizes, strict=True)),
        steps=(1,) * node.type.ndim,
    )


@rule("pad")
def padded(x: Value, value: Value, *, padding_config: Sequence[tuple[int, int, int]]) -> Node:
    """Numbers around each axis and between its entries; what is negative is cut off."""
    if isinstance(value, Node):
        raise UnsupportedError("padding with a number that is computed", expected="a known one", remedy="pad with a constant")
    return _padded(node_of(x), padding_config, value.item())


def _padded(x: Node, amounts: Sequence[tuple[int, int, int]], value: float) -> Node:
    low, high, interior = (tuple(max(amount, 0) for amount in column) for column in zip(*amounts, strict=True))
    if value == 0 and (any(low) or any(high) or any(interior)):
        x = ops.pad(x, low=low, high=high, interior=interior)
    elif any(interior):
        raise UnsupportedError("numbers other than 0 between entries", expected="0", remedy="pad with 0")
    elif value:
        for axis, sizes in enumerate(zip(low, high, strict=True)):
            shapes = [(*x.shape[:axis], size, *x.shape[axis + 1 :]) for size in sizes]
            before, behind = (
                [ops.broadcast_to(constant(value, x.dtype), shape=shape)] if shape[axis] else [] for shape in shapes
            )
            x = ops.concatenate(*before, x, *behind, axis=axis) if before or behind else x
    for axis, (first, last, _) in enumerate(amounts):
        if min(first, last) < 0:
            x = ops.slice_axis(x, axis, max(-first, 0), x.shape[axis] - max(-last, 0))
    return x


# ---- sums and products


def _reduction(function: Callable[[Node, Shape], Node]) -> Rule:
    def make(x: Value, *, axes: Shape, **_: Any) -> Node:
        return function(node_of(x), tuple(axes))

    return make


_REDUCED: dict[str, Callable[[Node, Shape], Node]] = {
    "reduce_sum": lambda x, axes: ops.reduce_sum(x, axes=axes),
    "reduce_max": lambda x, axes: ops.reduce_max(x, axes=axes),
    "reduce_min": lambda x, axes: ops.reduce_min(x, axes=axes),
    "reduce_and": lambda x, axes: ops.equal(ops.reduce_min(ops.cast(x, dtype="int32"), axes=axes), 1),
    "reduce_or": lambda x, axes: ops.equal(ops.reduce_max(ops.cast(x, dtype="int32"), axes=axes), 1),
}
RULES.update({name: _reduction(function) for name, function in _REDUCED.items()})


@rule("argmax")
def place_of_largest(x: Value, *, axes: Shape, index_dtype: Any) -> Node:
    """Where the largest number stands."""
    return ops.cast(ops.argmax(node_of(x), axis=axes[0]), dtype=require_dtype(index_dtype))


@rule("argmin")
def place_of_smallest(x: Value, *, axes: Shape, index_dtype: Any) -> Node:
    """Where the smallest number stands."""
    node = node_of(x)
    # Bytes have no negative, nor have truth values.
    signed = node if node.type.is_float else ops.cast(node, dtype="int64")
    return place_of_largest(ops.negative(signed), axes=axes, index_dtype=index_dtype)


@rule("cumsum")
def summed_up(x: Value, *, axis: int, reverse: bool) -> Node:
    """Sums of all entries up to each one: a product with a triangle of ones."""
    node = node_of(x)
    last = node.type.ndim - 1
    order = [each for each in range(last + 1) if each != axis] + [axis]
    ones = np.triu(np.ones((node.shape[axis],) * 2, node.dtype))
    rows = _reshaped(_ordered(node, order), (node.type.size // max(node.shape[axis], 1), node.shape[axis]))
    found = ops.matmul(rows, constant(ones.T if reverse else ones, node.dtype))
    return _ordered(_reshaped(found, [node.shape[each] for each in order]), _inverse(order))


@rule("dot_general")
def product(x: Value, y: Value, *, dimension_numbers: Any, preferred_element_type: Any = None, **_: Any) -> Node:
    """A matrix product over some axes of both, for each entry of others."""
    left, right = node_of(x), node_of(y)
    # Where the operands are of two dtypes the product is of the wider one.
    dtype = np.promote_types(left.dtype, right.dtype) if preferred_element_type is None else preferred_element_type
    left, right = (converted(node, new_dtype=dtype) for node in (left, right))
    (left_inner, right_inner), (left_outer, right_outer) = dimension_numbers
    left_free, right_free = (
        [axis for axis in range(node.type.ndim) if axis not in {*inner, *outer}]
        for node, inner, outer in ((left, left_inner, left_outer), (right, right_inner, right_outer))
    )

    def extents(node: Node, axes: Sequence[int]) -> list[int]:
        return [node.shape[axis] for axis in axes]

    outer, inner = extents(left, left_outer), prod(extents(left, left_inner))
    room = [prod(outer)] if outer else []
    rows, columns = extents(left, left_free), extents(right, right_free)
    tall = _reshaped(_ordered(left, [*left_outer, *left_free, *left_inner]), [*room, prod(rows), inner])
    wide = _reshaped(_ordered(right, [*right_outer, *right_inner, *right_free]), [*room, inner, prod(columns)])
    return _reshaped(ops.matmul(tall, wide), [*outer, *rows, *columns])


# ---- windows


@rule("conv_general_dilated")
def convolved(
    x: Value, w: Value, *, window_strides: Shape, padding: Any, lhs_dilation: Shape, rhs_dilation: Shape, dimension_numbers: Any,
    feature_group_count: int, batch_group_count: int, **_: Any,
) -> Node:  # fmt: skip
    """Filters over windows, where channels stand anywhere."""
    if batch_group_count != 1:
        raise UnsupportedError(
            "a convolution by groups of examples", expected="batch_group_count=1", remedy="use groups of channels"
        )
    data, filters = node_of(x), node_of(w)
    (batch, channels, *space), (made, taken, *taps_at), (out_batch, out_channels, *out_space) = dimension_numbers
    wide = _ordered(data, [batch, *space, channels])
    around = [(low, high, apart - 1) for (low, high), apart in zip(padding, lhs_dilation, strict=True)]
    wide = _padded(wide, [(0, 0, 0), *around, (0, 0, 0)], 0)
    kernel = _ordered(filters, [*taps_at, taken, made])
    axes = tuple(range(1, 1 + len(space)))
    taps, strides, dilations = kernel.shape[:-2], tuple(window_strides), tuple(rhs_dilation)
    found = weighed(ops.windows(wide, axes=axes, taps=taps, strides=strides, dilations=dilations), kernel, feature_group_count)
    return _ordered(found, _inverse([out_batch, *out_space, out_channels]))


def _windowed(reduce: Callable[[Node, Shape], Node], around: float) -> Rule:
    def make(
        x: Value, *, window_dimensions: Shape, window_strides: Shape, padding: Any, base_dilation: Shape, window_dilation: Shape
    ) -> Node:
        node = node_of(x)
        node = _padded(node, [(*pair, apart - 1) for pair, apart in zip(padding, base_dilation, strict=True)], around)
        axes = [
            axis for axis, (taps, step) in enumerate(zip(window_dimensions, window_strides, strict=True)) if taps * step > 1
        ]
        if not axes:
            return node
        axes = range(axes[0], axes[-1] + 1)
        taps, strides, dilations = (
            tuple(column[axis] for axis in axes) for column in (window_dimensions, window_strides, window_dilation)
        )
        seen = ops.windows(node, axes=tuple(axes), taps=taps, strides=strides, dilations=dilations)
        return reduce(seen, tuple(range(axes.stop, axes.stop + len(axes))))

    return make


for _name, _around in (("sum", 0.0), ("max", -np.inf), ("min", np.inf)):
    RULES[f"reduce_window_{_name}"] = _windowed(_REDUCED[f"reduce_{_name}"], _around)


# ---- positions


@rule("gather")
def taken(x: Value, indices: Value, *, dimension_numbers: Any, slice_sizes: Shape, **_: Any) -> Node:
    """Rows of an axis by their positions."""
    node, places = node_of(x), node_of(indices)
    axes = tuple(dimension_numbers.start_index_map)
    whole = all(size == (1 if axis in axes else node.shape[axis]) for axis, size in enumerate(slice_sizes))
    if len(axes) != 1 or tuple(dimension_numbers.collapsed_slice_dims) != axes or not whole:
        raise UnsupportedError("entries at computed places of several axes", expected="rows of one axis", remedy="use jnp.take")
    axis, count = axes[0], places.type.ndim - 1
    found = ops.gather(node, _reshaped(places, places.shape[:-1]), axis=axis)
    # Where the rows' own axes stand among those of the positions is JAX's choice; ours stand in the axis' place.
    offset = list(dimension_numbers.offset_dims)
    own = [at for at in range(found.type.ndim) if not axis <= at < axis + count]
    others = iter(range(axis, axis + count))
    return _ordered(found, [own[offset.index(at)] if at in offset else next(others) for at in range(found.type.ndim)])


# ---- loops and choices


@rule("scan")
def looped(*inputs: Value, jaxpr: Any, num_consts: int, num_carry: int, length: int, reverse: bool, **_: Any) -> list[Value]:
    """A loop over the first axis."""
    nodes = [node_of(value) for value in inputs]
    names = [f"c{n}" for n in range(num_consts)] + [f"s{n}" for n in range(num_carry)]
    names += [f"x{n}" for n in range(len(nodes) - len(names))]
    given = dict(zip(names, nodes, strict=True))
    fixed, states, sequences = ({name: node for name, node in given.items() if name[0] == letter} for letter in ("c", "s", "x"))
    made = [f"s{n}" if n < num_carry else f"y{n}" for n in range(len(jaxpr.jaxpr.outvars))]

    def turn(**at: Node) -> Mapping[str, Node]:
        found = outputs_of(jaxpr.jaxpr, jaxpr.consts, [at[name] for name in names])
        return dict(zip(made, map(node_of, found), strict=True))

    loop = ops.recurrence(turn, states, sequences, fixed, length=length, reverse=reverse)
    return [loop.last(name) if name in states else loop.after(name) for name in made]


@rule("cond")
def branch(which: Value, *inputs: Value, branches: Sequence[Any], **_: Any) -> list[Value]:
    """One of several jaxprs, where it is known which."""
    if isinstance(which, Node):
        raise UnsupportedError("an if that goes by the numbers", expected="a known branch", remedy="write it with jnp.where")
    inner = branches[min(max(int(which), 0), len(branches) - 1)]
    return outputs_of(inner.jaxpr, inner.consts, inputs)
